"""Cell models from CellML files.

`import_cell_model` reads a file with Myokit, writes it as the source of a cell model (see `cardiotwin.kernels.ionic`)
and compares a beat of that source with one of the equations. Myokit is needed for this only, not to run the model.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardiotwin.durable import sha256_of, write_file
from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported cell model.

    Attributes
    ----------
    path : Path
        Its source: the ``cell_model`` of a `cardiotwin.medium.Medium`.
    states, gates, stiff, parameters, stimulus : tuple of str
        State variables; those of them that take Rush-Larsen and linearly implicit steps; what nodes may have their
        own value of; what was left out.
    rows : tuple of dict
        What was measured, as `cardiotwin verify` shows it.
    notes : tuple of str
    """

    path: Path
    states: tuple[str, ...]
    gates: tuple[str, ...]
    stiff: tuple[str, ...]
    parameters: tuple[str, ...]
    stimulus: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def import_cell_model(
    path: Path, name: str = "", folder: Path = Path(), *, potential: str = "", progress: Progress = silent
) -> Imported:
    """Turn a CellML model into a cell model.

    Parameters
    ----------
    path : Path
        CellML 1.0, 1.1 or 2.0.
    name : str
        Of the model; that of the file when left out. The source is ``folder/name.py``.
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

    name = name or re.sub(r"[^0-9a-z]+", "_", path.stem.lower()).strip("_")
    if not re.fullmatch(r"[a-z][0-9a-z_]*", name):
        raise SettingsError(f"--name {name!r}: expected small letters, digits and _, a letter first")
    progress(0.0, "reading")
    membrane = read_membrane(path, potential)
    title = f"{name.replace('_', ' ')}, from the CellML file {path.name} (SHA-256 {sha256_of(path)[:16]})."
    try:
        progress(0.1, "a beat of the equations")
        known = trial.reference(membrane)
        scheme = equations.scheme(membrane, known.fastest_per_ms)
        constants = source.Constants(
            trial.rest_for_the_solver(known), round(known.beat.repolarised_mv, 2), trial.QUIET_STEPS_MS[0]
        )
        progress(0.3, "a beat of the source")
        with tempfile.TemporaryDirectory() as aside:
            draft = Path(aside) / f"{name}.py"
            draft.write_text(source.source(membrane, scheme, constants, title), encoding="utf-8")
            tried = trial.trial(draft, known)
    except QualityGate as error:
        raise QualityGate(f"{path.name}: {error}") from error
    final = source.Constants(constants.rest_mv, constants.repolarised_mv, tried.quiet_step_ms)
    text = source.source(membrane, scheme, final, title)
    target = folder / f"{name}.py"
    if target.exists() and target.read_text(encoding="utf-8") != text:
        raise SettingsError(f"{target}: there is another file of that name; remove it, or give another --name")
    folder.mkdir(parents=True, exist_ok=True)
    write_file(target, text.encode())
    names = source.names(membrane)
    notes = membrane.notes
    if not (tried.error_mv["single"] < float("inf") and trial.sound(tried.apd90_ms["single"], known)):
        notes = ("a beat in single precision, the solver's default, fails: use Solver(..., precision='double')", *notes)
    return Imported(
        target,
        tuple(names[state] for state in membrane.states),
        tuple(names[state] for state in scheme.gates),
        tuple(names[state] for state in scheme.stiff),
        tuple(names[variable] for variable in source.parameters(membrane)),
        membrane.stimulus,
        tuple(_rows(known, tried)),
        notes,
    )


def _rows(known: Any, tried: Any) -> Iterator[dict[str, Any]]:
    def row(
        name: str, value: float, unit: str, note: str = "", ok: bool | None = None, bar: str = ""
    ) -> dict[str, Any]:
        return {"name": name, "value": round(value, 3), "unit": unit, "bar": bar, "ok": ok, "note": note}

    single, double = (tried.error_mv[precision] for precision in ("single", "double"))
    yield row("initial potential", known.beat.mv[0], "mV", "as in the file")
    yield row("resting potential", known.beat.rest_mv, "mV", "at the end of the beat, after 1 s")
    if known.cycle_ms < float("inf"):
        yield row("beats by itself every", known.cycle_ms, "ms", "it is never quiet")
    yield row("APD90", known.beat.apd90_ms, "ms", "of the equations, by a stiff integrator")
    for precision in ("double", "single"):
        yield row(f"APD90 at 0.02 ms, {precision}", tried.apd90_ms[precision], "ms", "of the source, in the solver")
    yield row("largest difference at 0.02 ms, double", double, "mV", "away from the upstroke")
    yield row("largest difference at 0.02 ms, single", single, "mV", "away from the upstroke")
    yield row("longest step that works", tried.longest_step_ms, "ms", "APD90 within 2 %", True, ">= 0.02")
    yield row("longest step of quiet tissue", tried.quiet_step_ms, "ms", "changes the beat by less than 1 mV")
    yield row("compilation", tried.compile_s, "s", "once for a precision")
