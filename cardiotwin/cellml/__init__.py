"""Cell models from CellML files.

`import_cell_model` reads a file with Myokit, writes it as the source of a cell model (see `cardiotwin.kernels.ionic`)
and compares a beat of that source with one of the equations. Myokit is needed for this only, not to run the model.
"""

from __future__ import annotations

import keyword
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.kernels import ionic
from cardiotwin.progress import Progress, silent
from cardiotwin.solver.longest_step import APD_ERROR, FINE_MS
from cardiotwin.storage.durable import sha256_of, write_file

USUAL = 0.4, 0.1, 5.0, False
"""Quiet step, longest time step and need of double precision of a draft. Where they come out so, its compiled kernel is
that of the final source."""


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported cell model.

    Attributes
    ----------
    path : Path
        Its source: the ``cell_model`` of a `cardiotwin.solver.medium.Medium`.
    states, gates, stiff, parameters, stimulus : tuple of str
        State variables; those of them that take Rush-Larsen and linearly implicit steps; what nodes may have their
        own value of; what was left out.
    rows : tuple of dict
        What was measured, as `cardiotwin verify` shows it.
    notes : tuple of str
    longest_dt_ms : float
        The longest time step that works (`cardiotwin.solver.longest_step`).
    needs_double : bool
        A solver must be made with ``precision="double"``.
    """

    path: Path
    states: tuple[str, ...]
    gates: tuple[str, ...]
    stiff: tuple[str, ...]
    parameters: tuple[str, ...]
    stimulus: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    longest_dt_ms: float
    needs_double: bool


def import_cell_model(
    path: Path, name: str = "", folder: Path = Path(), *, potential: str = "", progress: Progress = silent
) -> Imported:
    """Turn a CellML model into a cell model.

    Parameters
    ----------
    path : Path
        CellML 1.0, 1.1 or 2.0.
    name : str
        Of the model; that of the file when left out. The source is ``folder/name.py``, so it is a Python identifier in
        small letters, and not that of a model there is.
    potential : str
        The membrane potential as ``component.variable``, where the file leaves it open.

    Raises
    ------
    SettingsError
        Myokit is not installed; the name is no name; another file is there.
    InputRejected
        It is no CellML, or no membrane, or has an expression that is not supported.
    QualityGate
        It has no action potential, or cannot be stepped at 0.02 ms.
    """
    try:
        import myokit  # noqa: F401
    except ModuleNotFoundError as error:
        raise SettingsError(
            "cell import: reads CellML with Myokit, which is missing; pip install cardiotwin[cellml]"
        ) from error
    from cardiotwin.cellml import equations, source, trial
    from cardiotwin.cellml.reading import read_membrane

    name = _name(name, path)
    progress(0.0, "reading")
    membrane = read_membrane(path, potential)
    title = f"{name.replace('_', ' ')}, from the CellML file {path.name} (SHA-256 {sha256_of(path)[:16]})."
    try:
        progress(0.1, "a beat of the equations")
        known = trial.reference(membrane)
        scheme = equations.scheme(membrane, known.fastest_per_ms)
        constants = source.Constants(trial.rest_for_the_solver(known), round(known.beat.repolarised_mv, 2), *USUAL)
        progress(0.3, "a beat of the source")
        with tempfile.TemporaryDirectory() as aside:
            draft = Path(aside) / f"{name}.py"
            draft.write_text(source.source(membrane, scheme, constants, title), encoding="utf-8")
            tried = trial.trial(draft, known)
    except QualityGate as error:
        raise QualityGate(f"{path.name}: {error}") from error
    final = replace(
        constants,
        longest_step_ms=tried.quiet_step_ms,
        longest_dt_ms=tried.longest_dt_ms,
        steepest_per_ms=tried.steepest_per_ms,
        needs_double=tried.needs_double,
    )
    text = source.source(membrane, scheme, final, title)
    target = folder / f"{name}.py"
    if target.exists() and target.read_text(encoding="utf-8") != text:
        raise SettingsError(f"{target}: there is another file of that name; remove it, or give another --name")
    folder.mkdir(parents=True, exist_ok=True)
    write_file(target, text.encode())
    names = source.names(membrane)
    return Imported(
        target,
        tuple(names[state] for state in membrane.states),
        tuple(names[state] for state in scheme.gates),
        tuple(names[state] for state in scheme.stiff),
        tuple(names[variable] for variable in source.parameters(membrane)),
        membrane.stimulus,
        tuple(_rows(known, tried)),
        membrane.notes,
        tried.longest_dt_ms,
        tried.needs_double,
    )


def _name(wanted: str, path: Path) -> str:
    """Of the model, also the name of its file and so of a Python module; `SettingsError`."""
    name = wanted or re.sub(r"[^0-9a-z]+", "_", path.stem.lower()).strip("_")
    found = f"--name: found {name!r}" if wanted else f"{path.name}: makes the name {name!r}"
    if not re.fullmatch(r"[a-z][0-9a-z_]*", name) or keyword.iskeyword(name):
        raise SettingsError(
            f"{found}, expected a Python identifier of small letters, digits and _, a letter first; give another --name"
        )
    if Path(str(ionic.__file__)).with_name(f"{name}.py").exists():
        raise SettingsError(f"{found}, which is a built-in cell model; give another --name, say my_{name}")
    return name


FAILS = "this beat fails in single, which Solver refuses for this model"


def _rows(known: Any, tried: Any) -> Iterator[dict[str, Any]]:
    """What was measured of the file's equations, then of the source written from them."""

    def row(
        name: str, value: float, unit: str, note: str = "", ok: bool | None = None, bar: str = ""
    ) -> dict[str, Any]:
        return {"name": name, "value": round(value, 3), "unit": unit, "bar": bar, "ok": ok, "note": note}

    beat = known.beat
    yield row("initial potential", beat.mv[0], "mV", "as in the file")
    yield row("resting potential", beat.rest_mv, "mV", "of the file's equations, a second after a beat began")
    if known.cycle_ms < float("inf"):
        yield row("beats by itself every", known.cycle_ms, "ms", "so a simulation with it is never quiet")
    yield row("APD90 of the equations", beat.apd90_ms, "ms", "a beat of the file, by an integrator with error control")
    for precision, fails in (("double", False), ("single", tried.needs_double)):
        note = f"needs double precision: {FAILS}" if fails else "the same beat by Solver, in steps of 0.02 ms"
        # What is asked holds here: a model that misses it in double precision has been refused.
        asked = known.cycle_ms == float("inf") and not fails
        low, high = ((1.0 + sign * APD_ERROR) * beat.apd90_ms for sign in (-1.0, 1.0))
        bar = f"{low:.1f} to {high:.1f}" if asked else ""
        yield row(f"APD90, {precision} precision", tried.apd90_ms[precision], "ms", note, asked or None, bar)
    for precision in ("double", "single"):
        note = "of that beat from the equations' at most, its upstroke left out"
        yield row(f"difference of V, {precision} precision", tried.error_mv[precision], "mV", note)
    note = f"dt_ms of Solver, longer ones are refused; APD90 within {100 * APD_ERROR:g} % of that at {FINE_MS:g} ms"
    yield row("longest time step", tried.longest_dt_ms, "ms", note, True, "at least 0.02")
    note = "that Solver takes by itself where V hardly changes; moves the beat by less than 1 mV"
    yield row("longest quiet step", tried.quiet_step_ms, "ms", note)
    yield row("compilation", tried.compile_s, "s", "of the solver's kernel, once for each precision")
