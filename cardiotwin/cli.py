"""The command line. A command parses, calls one function and prints its result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from cardiotwin import __version__, terminal
from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.printed_results import (
    print_answer,
    print_burns,
    print_comparison,
    print_groups,
    print_result,
    print_rows,
    print_run,
    print_status,
)

if TYPE_CHECKING:
    from cardiotwin.ablation.plan_checks import PlanCheck
    from cardiotwin.twin.twin import Twin

Json = Annotated[bool, Parameter(name="--json", negative="", help="one JSON object for machines")]
Case = Annotated[Path, Parameter(help="folder of the twin")]
Cluster = Annotated[
    str | None,
    Parameter(help="where pacings are computed instead of here: tcp://host:8786 (Dask), slurm:N or pbs:N jobs"),
]
OfVersion = Annotated[int | None, Parameter(help="an earlier version, as `status` lists them, in place of today's")]
Stage = Literal["segment", "mesh", "calibrate", "simulate", "screen", "induce", "plan", "compare"]
Until = Literal[Stage, "report"]

app = App(
    name="cardiotwin",
    help="From a patient's cardiac imaging and 12-lead ECG to a ranked comparison of virtual ablation plans.\n\n"
    "Exit codes: 0 done; 1 a bug; 2 usage or settings; 3 input refused; 4 not enough to answer; 5 resources; "
    "6 integrity; 7 policy; 75 interrupted, run again to resume.",
    version=__version__,
    help_format="plaintext",
)


@app.command
def demo(
    out: Annotated[Path, Parameter(help="folder to make")],
    *,
    seed: Annotated[int, Parameter(help="which phantom: 1, 2, 3, ...")] = 1,
    json: Json = False,
) -> None:
    """The whole path on the built-in phantom patient, whose truth is known.

    Example: cardiotwin demo demo
    """
    from cardiotwin.demo import run_demo

    if not json:
        terminal.say(terminal.RESEARCH_ONLY)
    with terminal.progress_bar(json) as progress:
        result = run_demo(out, seed, progress)
    if json:
        terminal.say_json(vars(result))
        return
    print_comparison(result.comparison)
    print_answer(result.answer)
    terminal.say(f"Report: {result.report}")


@app.command
def new(case: Case, *, preset: Literal["default", "demo", "full"] = "default", json: Json = False) -> None:
    """Start a twin: a folder with its settings in twin.toml.

    Example: cardiotwin new case07 --preset full
    """
    from cardiotwin import presets
    from cardiotwin.twin.twin import Twin

    title = f"What the user decided (preset {preset}). A change makes the stages that read it, and what follows, stale."
    twin = Twin.create(case, presets.settings_text(presets.preset(preset), title))
    if json:
        terminal.say_json({"twin": twin.folder, "settings": twin.folder / "twin.toml"})
    else:
        terminal.say(
            f"{twin.folder}: started; settings in {twin.folder / 'twin.toml'}. Next: cardiotwin add {case} PATH"
        )


@app.command
def add(
    case: Case,
    paths: Annotated[
        tuple[Path, ...], Parameter(help="DICOM folder, ZIP or DICOMDIR; label map, mesh, ECG, electrodes, torso, plan")
    ],
    *,
    at: Annotated[str, Parameter(help="when it was recorded, ISO 8601, for files that do not say")] = "",
    series: Annotated[str | None, Parameter(help="image series: UID, number or part of its description")] = None,
    kind: Annotated[
        Literal["lge", "cine", "tachycardia"] | None,
        Parameter(help="what the image series is; tachycardia: the ECG shows the patient's, for scoring circuits"),
    ] = None,
    skip_bad: Annotated[
        bool, Parameter(negative="", help="leave out damaged DICOM and ECG files of a folder, with a note each")
    ] = False,
    accept_burned_in: Annotated[bool, Parameter(negative="", help="take pixels that may show a name")] = False,
    hz: Annotated[float | None, Parameter(help="samples per second of a CSV ECG that does not say")] = None,
    unit: Annotated[Literal["mV", "uV", "V"] | None, Parameter(help="of a CSV ECG that does not say")] = None,
    replace: Annotated[bool, Parameter(negative="", help="a plan takes the place of the one of its name")] = False,
    json: Json = False,
) -> None:
    """Put in imaging, a label map, a mesh, an ECG, electrode positions, a torso or a plan; the kind is recognised.

    Example: cardiotwin add case07 export/ isthmus.toml
    """
    from cardiotwin.ingest import Wanted
    from cardiotwin.twin.twin import Twin

    if not paths:
        raise SettingsError("add: no path given; example: cardiotwin add case07 export/")
    with terminal.progress_bar(json) as progress:
        wanted = Wanted(series, kind, skip_bad, accept_burned_in, hz, unit)
        added = Twin(case).add(paths, at=at, wanted=wanted, replace=replace, progress=progress)
    if json:
        terminal.say_json({"added": added.observations, "notes": added.notes})
        return
    for observation in added.observations:
        when = observation.effective or "time unknown"
        name = observation.kind.replace("_", " ")
        terminal.say(f"added {name}: {observation.source.removeprefix(name).lstrip(', ')} ({when})")
    if not added.observations:
        terminal.say("nothing new: all of it is in the twin already")
    for note in added.notes:
        terminal.say(terminal.typed(terminal.one_line(note)))


@app.command
def remove(
    case: Case,
    which: Annotated[str, Parameter(help="name of a plan; or SHA-256, as `status` shows it, at least 6 digits of it")],
    *,
    json: Json = False,
) -> None:
    """Take an input out of use; what was made from it becomes stale. Its files and its history stay.

    Example: cardiotwin remove case07 3fb1c2
    """
    from cardiotwin.storage.ledger import words
    from cardiotwin.twin.twin import Twin

    removed = Twin(case).remove(which)
    if json:
        terminal.say_json({"removed": removed})
    else:
        terminal.say(f"out of use: {words(removed)}; add the file again to bring it back")


@app.command
def run(
    case: Case,
    *,
    until: Annotated[Until | None, Parameter(help="stop after this stage")] = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Bring every stage up to date, from segment to report; only what is stale is computed.

    Stop it with Ctrl-C and run it again: it resumes. What has been finished is in `cardiotwin report` at any time.

    Example: cardiotwin run case07 --until calibrate
    """
    _run(case, until, json, cluster)


def _stage_command(stage: Stage, about: str) -> Callable[..., None]:
    def here(case: Case, *, json: Json = False) -> None:
        _run(case, stage, json)

    def anywhere(case: Case, *, cluster: Cluster = None, json: Json = False) -> None:
        _run(case, stage, json, cluster)

    command: Callable[..., None] = anywhere if stage in _PACES else here
    command.__doc__ = f"{about} What it needs is brought up to date first.\n\nExample: cardiotwin {stage} case07"
    return command


_PACES: tuple[Stage, ...] = ("induce", "compare")


_ABOUT: dict[Stage, str] = {
    "segment": "Find blood, myocardium, border zone and scar core in the images, or take them from a label map.",
    "mesh": "Build the heart from the segmentation: a mesh with scar, fibres and coordinates. Needs no ECG.",
    "calibrate": "Find the conduction velocities and earliest sites that explain the ECG: several twins, weighted.",
    "simulate": "Simulate one beat in full (monodomain) with the twin that fits the ECG best, to confirm it.",
    "screen": "Look for circuits with fronts in place of the monodomain model, from the same sites. Minutes.",
    "induce": "Pace several of the twins from several sites (programmed stimulation) and find their circuits. Hours.",
    "compare": "Re-test every plan in every twin and rank them, with the probability of being best. Hours.",
}
for _stage, _about in _ABOUT.items():
    app.command(_stage_command(_stage, _about), name=_stage)


@app.command
def plan(
    case: Case,
    *,
    own: Annotated[
        bool, Parameter(negative="", help="your own only, on the heart: needs neither ECG nor pacing")
    ] = False,
    json: Json = False,
) -> None:
    """Gather your ablation plans, propose some from the circuits, and say what each burns, and its gaps.

    What it needs is brought up to date first; pacing takes hours, with --own there is none.

    Example: cardiotwin plan case07 --own
    """
    from cardiotwin.twin.stages import OWN_PLANS
    from cardiotwin.twin.twin import Twin

    if own and not any(one.kind == "plan" for one in Twin(case).ledger.observations()):
        raise QualityGate(f"{case}: no plan of your own; `cardiotwin add {case} my_plan.toml`")
    _run(case, OWN_PLANS if own else "plan", json)


@app.command
def report(case: Case, *, version: OfVersion = None, json: Json = False) -> None:
    """The HTML report of what is up to date; computes nothing else, and says what is not in it.

    It needs a heart (`cardiotwin mesh`), no ECG. `cardiotwin run` computes everything, and writes the report too.
    That of an earlier version lies in exports/ of the twin and says what has changed since.

    Example: cardiotwin report case07
    """
    from cardiotwin.twin.twin import Twin

    twin = Twin(case)
    if version is not None:
        _earlier_report(twin, version, json)
        return
    with terminal.progress_bar(json) as progress:
        done = twin.write_report(progress)
    if json:
        terminal.say_json({"run": done, "report": twin.report})
        return
    terminal.say(terminal.RESEARCH_ONLY)
    terminal.say(f"Report: {twin.report}" + ("" if done.computed else " (up to date already)"))
    if done.behind:
        terminal.say(f"not in it: {', '.join(done.behind)}; `cardiotwin run {case}` computes that")
    if "compare" in done.behind and (kept := twin.newest_version_with("compare")):
        terminal.say(f"the last ranked plans: `cardiotwin report {case} --version {kept}`")
    for missing in done.missing:
        terminal.say(f"missing: {missing}")


def _earlier_report(twin: Twin, version: int, json: bool) -> None:
    with terminal.progress_bar(json) as progress:
        path = twin.write_earlier_report(version, progress)
    if json:
        terminal.say_json({"version": version, "report": path})
        return
    terminal.say(terminal.RESEARCH_ONLY)
    terminal.say(f"Report of version {version}: {path}")


@app.command
def status(case: Case, *, json: Json = False) -> None:
    """What is there, what is stale and why, how old, what is missing.

    Example: cardiotwin status case07
    """
    from cardiotwin.twin.twin import Twin

    now = Twin(case).status()
    if json:
        terminal.say_json(now)
    else:
        print_status(now, case)


@app.command
def export(
    case: Case,
    out: Annotated[Path, Parameter(help="folder to write to")],
    *,
    to: Literal["paraview", "opencarp", "nifti", "dicom-seg", "ecg"] = "paraview",
    version: OfVersion = None,
    json: Json = False,
) -> None:
    """Write what is up to date as files for other programs: the study for ParaView, the mesh for openCARP, the
    segmentation for others, every ECG on paper with its beats measured (PNG, A4 to scale; needs no heart).

    Example: cardiotwin export case07 --to paraview case07/exports/paraview
    """
    from cardiotwin.twin.twin import Twin

    twin = Twin(case)
    if to == "paraview" or to == "opencarp":
        from cardiotwin.exports.opencarp import write_opencarp_study
        from cardiotwin.exports.paraview import write_study

        study, write = twin.study(version), write_study if to == "paraview" else write_opencarp_study
        with terminal.progress_bar(json) as progress:
            written = write(out, study, progress)
        about = "ParaView in {}; start with README.txt" if to == "paraview" else "openCARP in {}; start with heart.par"
        told = f"{len(written)} files for {about.format(out)}"
    elif version is not None:
        raise SettingsError(f"--version {version}: for paraview and opencarp only; {to} writes what is in use today")
    elif to == "ecg":
        from cardiotwin.pictures.ecg_paper import export_ecgs

        written = export_ecgs(twin.ecgs(), out)
        told = f"written: {', '.join(str(path) for path in written)}"
    else:
        from cardiotwin.exports.label_export import export_segmentation

        written = export_segmentation(twin, to, out)
        told = f"written: {', '.join(str(path) for path in written)}"
    if json:
        terminal.say_json({"files": list(written)})
    else:
        terminal.say(told)


@app.command
def verify(
    *,
    quick: Annotated[
        bool, Parameter(negative="", help="without the slabs of 0.1 mm and finer: 6 to 7 minutes")
    ] = False,
    json: Json = False,
) -> None:
    """The physics benchmarks, on this machine, as a table; exits with 4 when one misses its bar.

    All of it takes about 15 minutes on two free cores and 15 GB of free memory; with less, the slab's reference is
    extrapolated from coarser slabs. The first run on a machine compiles for a minute or two of that, and says so.

    Example: cardiotwin verify --quick
    """
    from cardiotwin.doctor import machine
    from cardiotwin.verification import TITLES, verify

    with terminal.progress_bar(json) as progress:
        rows = verify(quick, progress)
    if json:
        terminal.say_json({"machine": machine(), "rows": rows})
    else:
        print_groups(rows, TITLES, machine())
    missed = [row["name"] for row in rows if row["ok"] is False]
    if missed:
        asked = sum(row["ok"] is not None for row in rows)
        refusal = QualityGate(f"{len(missed)} of {asked} bars missed: {', '.join(missed)}")
        refusal.told = True
        raise refusal


@app.command
def doctor(*, json: Json = False) -> None:
    """What this machine has and what will be used.

    Example: cardiotwin doctor
    """
    from cardiotwin.doctor import examine, machine

    print_rows(examine(), machine(), json)


@app.command
def settings(
    case: Annotated[Path | None, Parameter(help="a twin; without it, the defaults")] = None, *, json: Json = False
) -> None:
    """Every setting: value, default, unit, range.

    Example: cardiotwin settings case07
    """
    from cardiotwin import presets
    from cardiotwin.settings import Settings
    from cardiotwin.twin.twin import Twin

    rows = list(presets.keys(Twin(case).settings if case else Settings()))
    if json:
        terminal.say_json({"settings": rows})
        return
    cells = [
        (f"{key.section}.{key.name}", presets.toml(key.value), presets.toml(key.default), key.unit, key.range, key.note)
        for key in rows
    ]
    terminal.table(("key", "value", "default", "unit", "range", "note"), cells)


cell = App(
    name="cell",
    help="Cell models of your own.\n\nExample: cardiotwin cell import my_model.cellml",
    help_format="plaintext",
)
app.command(cell)


@cell.command(name="import")
def import_cell(
    model: Annotated[Path, Parameter(help="CellML 1.0, 1.1 or 2.0")],
    *,
    name: Annotated[str, Parameter(help="of the model and its file; that of the CellML file when left out")] = "",
    output: Annotated[Path, Parameter(help="folder for NAME.py")] = Path(),
    potential: Annotated[str, Parameter(help="the membrane potential, where the file leaves it open")] = "",
    json: Json = False,
) -> None:
    """Turn a CellML model into a cell model in Python, and compare a beat of it with one of the equations.

    A tissue takes it by its path: Medium(points, tets, sigma, "my_model.py", {}). Needs pip install cardiotwin[cellml].

    Example: cardiotwin cell import my_model.cellml --name my_model --output models
    """
    from cardiotwin.cellml import import_cell_model
    from cardiotwin.doctor import machine

    with terminal.progress_bar(json) as progress:
        made = import_cell_model(model, name, output, potential=potential, progress=progress)
    if json:
        terminal.say_json({"machine": machine(), **vars(made)})
        return
    print_rows(made.rows, machine(), json)
    gates, others = len(made.gates), len(made.states) - 1 - len(made.gates) - len(made.stiff)
    terminal.say(
        f"{len(made.states)} state variables: the potential; by Rush-Larsen steps (gates) {gates}, by linearly "
        f"implicit steps (fast ones) {len(made.stiff)}, by forward Euler steps {others}"
    )
    terminal.say(f"left out: {', '.join(made.stimulus) or 'nothing'}; stimuli are given to Solver.run")
    terminal.say(f"parameters that a node may have its own value of: {', '.join(made.parameters) or 'none'}")
    for note in made.notes:
        terminal.say(f"note: {terminal.one_line(note)}")
    solver = ', in Solver(..., precision="double") only' if made.needs_double else ""
    terminal.say(f"written: {made.path}; use it as Medium(..., cell_model={str(made.path)!r}){solver}")


def main(arguments: list[str] | None = None) -> None:
    """Entry point: exits with the documented codes (`cardiotwin --help`)."""
    sys.exit(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    json_wanted = "--json" in arguments

    def command() -> None:
        try:
            function, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
        except CycloptsError as error:
            raise SettingsError(_what_is_wanted(arguments, terminal.one_line(str(error)))) from error
        function(*bound.args, **bound.kwargs)

    return terminal.guarded(command, json_wanted)


def _what_is_wanted(arguments: list[str], complaint: str) -> str:
    """What a command line lacks; of the twin's folder, which most commands take, how to name it."""
    command = arguments[0]
    if "--case requires an argument" in complaint:
        return f"{command}: which twin? Name its folder: `cardiotwin {command} CASE`, `.` for the one you are in"
    return f"{complaint} See `cardiotwin --help`"


@contextmanager
def _computing(cluster: str | None) -> Iterator[None]:
    """On that cluster; on this machine where none is named."""
    if cluster is None:
        yield
        return
    from cardiotwin.cluster import on_cluster

    with on_cluster(cluster):
        yield


def _run(case: Path, until: str | None, json: bool, cluster: str | None = None) -> None:
    from cardiotwin.twin.stages import OWN_PLANS
    from cardiotwin.twin.twin import Twin

    twin = Twin(case)
    if until == "report" and not json:
        terminal.say(terminal.RESEARCH_ONLY)
    with _computing(cluster), terminal.progress_bar(json) as progress:
        done = twin.run(until, progress)
    if not done.computed and not any(step.state == "current" for step in twin.status().steps):
        raise QualityGate(f"{case}: nothing can be computed yet; needs {'; and '.join(done.missing)}")
    burns = _burns(twin, until) if until in ("plan", OWN_PLANS) else None
    if json:
        report = {"run": done, "report": twin.report if twin.report.is_file() else None}
        terminal.say_json(report if burns is None else report | {"plans": burns[0], "left_out": burns[1]})
        return
    print_run(done, case)
    if burns is not None:
        print_burns(*burns)
    for step in twin.status().steps:
        if step.name in done.computed and step.doubtful not in ("", "none"):
            terminal.say(f"doubtful in {step.name}: {step.doubtful}")
    if until in ("screen", "induce", "compare"):
        print_result(twin, until)
    if "report" in done.computed:
        terminal.say(f"Report: {twin.report}")


def _burns(twin: Twin, which: str) -> tuple[tuple[PlanCheck, ...], tuple[str, ...]]:
    """What each plan of a twin burns, and why proposals were left out; nothing where there are no plans yet."""
    from cardiotwin.ablation.plan_checks import check_plan

    if which != "plan":
        return tuple(check_plan(twin.result("mesh"), plan) for plan in twin.result(which)), ()
    try:
        study = twin.study()
    except QualityGate:  # no heart yet: what is missing is told beside
        return (), ()
    checks = tuple(check_plan(study.heart, plan) for plan in study.plans if plan.lesions)
    return checks, study.proposals.left_out if study.proposals else ()
