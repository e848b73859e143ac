"""The command line. A command parses, calls one function and prints its result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from cardiotwin import __version__, terminal
from cardiotwin.errors import QualityGate, SettingsError

if TYPE_CHECKING:
    from cardiotwin.plan_checks import PlanCheck
    from cardiotwin.segmentation import Cavities
    from cardiotwin.status import Run, Status
    from cardiotwin.twin import Twin

Json = Annotated[bool, Parameter(name="--json", negative="", help="one JSON object for machines")]
Case = Annotated[Path, Parameter(help="folder of the twin")]
Cluster = Annotated[
    str | None,
    Parameter(help="where pacings are computed instead of here: tcp://host:8786 (Dask), slurm:N or pbs:N jobs"),
]
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
    _print_comparison(result.comparison)
    _print_answer(result.answer)
    terminal.say(f"Report: {result.report}")


@app.command
def new(case: Case, *, preset: Literal["default", "demo", "full"] = "default", json: Json = False) -> None:
    """Start a twin: a folder with its settings in twin.toml.

    Example: cardiotwin new case07 --preset full
    """
    from cardiotwin import presets
    from cardiotwin.twin import Twin

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
    json: Json = False,
) -> None:
    """Put in imaging, a label map, a mesh, an ECG, electrode positions, a torso or a plan; the kind is recognised.

    Example: cardiotwin add case07 export/ isthmus.toml
    """
    from cardiotwin.ingest import Wanted
    from cardiotwin.twin import Twin

    if not paths:
        raise SettingsError("add: no path given; example: cardiotwin add case07 export/")
    with terminal.progress_bar(json) as progress:
        wanted = Wanted(series, kind, skip_bad, accept_burned_in, hz, unit)
        added = Twin(case).add(paths, at=at, wanted=wanted, progress=progress)
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
    sha256: Annotated[str, Parameter(help="of the input, as `status` shows it; at least its first 6 digits")],
    *,
    json: Json = False,
) -> None:
    """Take an input out of use; what was made from it becomes stale. Its files and its history stay.

    Example: cardiotwin remove case07 3fb1c2
    """
    from cardiotwin.ledger import words
    from cardiotwin.twin import Twin

    removed = Twin(case).remove(sha256)
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
    "plan": "Gather your ablation plans, and propose some from the circuits.",
    "compare": "Re-test every plan in every twin and rank them, with the probability of being best. Hours.",
}
for _stage, _about in _ABOUT.items():
    app.command(_stage_command(_stage, _about), name=_stage)


@app.command
def report(case: Case, *, json: Json = False) -> None:
    """The HTML report of what is up to date; computes nothing else, and says what is not in it.

    It needs a heart (`cardiotwin mesh`), no ECG. `cardiotwin run` computes everything, and writes the report too.

    Example: cardiotwin report case07
    """
    from cardiotwin.twin import Twin

    twin = Twin(case)
    with terminal.progress_bar(json) as progress:
        done = twin.write_report(progress)
    if json:
        terminal.say_json({"run": done, "report": twin.report})
        return
    terminal.say(terminal.RESEARCH_ONLY)
    terminal.say(f"Report: {twin.report}" + ("" if done.computed else " (up to date already)"))
    if done.behind:
        terminal.say(f"not in it: {', '.join(done.behind)}; `cardiotwin run {case}` computes that")
    for missing in done.missing:
        terminal.say(f"missing: {missing}")


@app.command
def status(case: Case, *, json: Json = False) -> None:
    """What is there, what is stale and why, how old, what is missing.

    Example: cardiotwin status case07
    """
    from cardiotwin.twin import Twin

    now = Twin(case).status()
    if json:
        terminal.say_json(now)
    else:
        _print_status(now)


@app.command
def export(
    case: Case,
    out: Annotated[Path, Parameter(help="folder to write to")],
    *,
    to: Literal["paraview", "opencarp", "nifti", "dicom-seg", "ecg"] = "paraview",
    json: Json = False,
) -> None:
    """Write what is up to date as files for other programs: the study for ParaView, the mesh for openCARP, the
    segmentation for others, every ECG on paper with its beats measured (PNG, A4 to scale; needs no heart).

    Example: cardiotwin export case07 --to paraview case07/exports/paraview
    """
    from cardiotwin.twin import Twin

    twin = Twin(case)
    if to == "paraview" or to == "opencarp":
        from cardiotwin.opencarp import write_opencarp_study
        from cardiotwin.paraview import write_study

        study, write = twin.study(), write_study if to == "paraview" else write_opencarp_study
        with terminal.progress_bar(json) as progress:
            written = write(out, study, progress)
        about = "ParaView in {}; start with README.txt" if to == "paraview" else "openCARP in {}; start with heart.par"
        told = f"{len(written)} files for {about.format(out)}"
    elif to == "ecg":
        from cardiotwin.pictures.ecg_paper import export_ecgs

        written = export_ecgs(twin.ecgs(), out)
        told = f"written: {', '.join(str(path) for path in written)}"
    else:
        from cardiotwin.label_export import export_segmentation

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
        _print_groups(rows, TITLES, machine())
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

    _print_rows(examine(), machine(), json)


@app.command
def settings(
    case: Annotated[Path | None, Parameter(help="a twin; without it, the defaults")] = None, *, json: Json = False
) -> None:
    """Every setting: value, default, unit, range.

    Example: cardiotwin settings case07
    """
    from cardiotwin import presets
    from cardiotwin.settings import Settings
    from cardiotwin.twin import Twin

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
    _print_rows(made.rows, machine(), json)
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
            raise SettingsError(f"{terminal.one_line(str(error))} See `cardiotwin --help`") from error
        function(*bound.args, **bound.kwargs)

    return terminal.guarded(command, json_wanted)


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
    from cardiotwin.twin import Twin

    twin = Twin(case)
    if until == "report" and not json:
        terminal.say(terminal.RESEARCH_ONLY)
    with _computing(cluster), terminal.progress_bar(json) as progress:
        done = twin.run(until, progress)
    if not done.computed and not any(step.state == "current" for step in twin.status().steps):
        raise QualityGate(f"{case}: nothing can be computed yet; needs {'; and '.join(done.missing)}")
    burns = _burns(twin) if until == "plan" else None
    if json:
        report = {"run": done, "report": twin.report if twin.report.is_file() else None}
        terminal.say_json(report if burns is None else report | {"plans": burns[0], "left_out": burns[1]})
        return
    _print_run(done, case)
    if burns is not None:
        _print_burns(*burns)
    for step in twin.status().steps:
        if step.name in done.computed and step.doubtful not in ("", "none"):
            terminal.say(f"doubtful in {step.name}: {step.doubtful}")
    if until in ("screen", "induce", "compare"):
        _print_result(twin, until)
    if "report" in done.computed:
        terminal.say(f"Report: {twin.report}")


def _print_result(twin: Twin, stage: str) -> None:
    """What a stage of pacing found, where it is up to date."""
    with suppress(QualityGate):
        from cardiotwin.circuit_results import circuit_lines
        from cardiotwin.induction import Arrhythmias
        from cardiotwin.report.tachycardias import best_fit_line

        found = twin.result(stage)
        lines = circuit_lines(twin.result("mesh"), found) if isinstance(found, Arrhythmias) else [str(found)]
        for line in lines:
            terminal.say(line)
        recorded = any(one.kind == "tachycardia" for one in twin.ledger.observations())
        if stage == "induce" and recorded and (line := best_fit_line(twin.study())):
            terminal.say(line)


def _print_run(done: Run, case: Path) -> None:
    terminal.say(f"computed: {', '.join(done.computed)}" if done.computed else "nothing to compute")
    again = ": earlier results are in use again" if not done.computed else ""
    terminal.say(f"version {done.version}" + (again if done.is_new_version else " (unchanged)"))
    if done.behind:
        terminal.say(f"not up to date: {', '.join(done.behind)}; `cardiotwin run {case}` computes that")
    for missing in done.missing:
        terminal.say(f"missing: {missing}")


def _burns(twin: Twin) -> tuple[tuple[PlanCheck, ...], tuple[str, ...]]:
    """What each plan of a twin burns, and why proposals were left out; nothing where there are no plans yet."""
    from cardiotwin.plan_checks import check_plan

    try:
        study = twin.study()
    except QualityGate:  # no heart yet: what is missing is told beside
        return (), ()
    checks = tuple(check_plan(study.heart, plan) for plan in study.plans if plan.lesions)
    return checks, study.proposals.left_out if study.proposals else ()


def _print_burns(checks: tuple[PlanCheck, ...], left_out: tuple[str, ...]) -> None:
    from cardiotwin.plan_results import BURNT, burnt

    if checks:
        terminal.table(BURNT, [burnt(check) for check in checks], title="What each plan burns")
    for check in checks:
        for note in check.notes:
            terminal.say(terminal.one_line(f"{check.name}: {note}"))
    for one in left_out:
        terminal.say(one)


def _print_status(now: Status) -> None:
    from cardiotwin.observations import age

    version = f"version {now.version}" if now.version else "nothing computed yet"
    terminal.say(f"{now.name}: {version}" + (f", in use by {now.held_by}" if now.held_by else ""))
    rows = [
        (
            step.name,
            step.state,
            f"v{step.version}" if step.version else "",
            step.finished,
            "" if step.seconds is None else f"{step.seconds:.1f}",
            step.because or (f"needs {step.note.split(':')[0]}" if step.note else ""),
        )
        for step in now.steps
    ]
    terminal.table(("step", "state", "since", "computed (UTC)", "took, s", "because"), rows)
    for step in now.steps:
        if step.doubtful:
            terminal.say(f"doubtful in {step.name}: {step.doubtful}")
    if now.cavities is not None:
        _print_cavities(now.cavities)
    if now.electrodes:
        terminal.say(f"electrodes: {now.electrodes}")
    for missing in dict.fromkeys(step.note for step in now.steps if step.note):
        terminal.say(f"missing: {missing}")
    mesh_given = any(one.kind == "mesh" and one.sha256 in now.used_by for one in now.observations)
    inputs = [
        (
            one.kind,
            one.source,
            one.effective or "unknown",
            age(one.effective),
            _use(one.kind, now.used_by.get(one.sha256, ()), mesh_given),
            one.arrived,
            one.sha256[:12],
        )
        for one in now.observations
    ]
    terminal.table(("input", "what", "of", "age", "in use", "arrived (UTC)", "SHA-256"), inputs)
    for one in now.observations:
        for note in now.notes.get(one.sha256, ()):
            terminal.say(terminal.one_line(f"told of {one.kind.replace('_', ' ')} {one.sha256[:12]}: {note}"))
    versions = [(f"v{one.number}", one.created, ", ".join(one.computed)) for one in now.versions]
    terminal.table(("version", "made (UTC)", "what is new in it"), versions)


def _print_cavities(found: Cavities) -> None:
    sides = {"left": found.left_ml, "right": found.right_ml}
    volumes = (f"{side} {'not drawn' if ml != ml else f'{ml:.1f} mL'}" for side, ml in sides.items())
    terminal.say(f"cavities: {', '.join(volumes)} ({found.cut}); phase: {found.phase}")


def _use(kind: str, steps: tuple[str, ...], mesh_given: bool) -> str:
    """Contours beside a mesh are drawn and shown, but the heart is the mesh."""
    if not steps or (kind == "mesh" and set(steps) != {"report"}):
        return "yes: the heart" if steps else "no"
    beside = mesh_given and kind in ("image", "label_map") and set(steps) <= {"segment", "report"}
    return "report only" if beside or set(steps) == {"report"} else "yes"


def _print_comparison(comparison: Any) -> None:
    from cardiotwin.plan_results import REFERENCE, ablated, in_order, of_the_first, sentence

    rows = []
    for plan in in_order(comparison.plans):
        name = f"{plan.name} (reference)" if plan.name == REFERENCE else plan.name
        inducible = f"{plan.inducible} of {plan.tested}"
        rows.append((plan.rank, name, f"{plan.probability_best:.2f}", inducible, plan.new_circuits, ablated(plan)))
    terminal.table(("rank", "plan", "P(best)", "inducible", "new circuits", "ablated, mL"), rows)
    _print_burns(tuple(plan.check for plan in in_order(comparison.plans) if plan.check is not None), ())
    for pair in of_the_first(comparison):
        terminal.say(f"{pair}.")
    if comparison.decides:
        terminal.say(sentence(comparison.decides))
    terminal.say("P(best) adds up to 1; what is inducible, new circuits, then volume decide; equal plans share it.")


def _print_answer(answer: dict[str, Any]) -> None:
    """As at the top of the report."""
    terminal.say(f"{answer['headline']}. {answer['sentence']}")
    for caveat in answer["caveats"]:
        terminal.say(f"- {caveat}")


_MARKS = {True: "yes", False: "NO", None: ""}
_COLUMNS = ("name", "value", "unit", "bar", "ok", "note")


def _print_rows(rows: Any, machine: str, json: bool) -> None:
    """Measured against asked."""
    plain = terminal.as_json(list(rows))
    if json:
        terminal.say_json({"machine": machine, "rows": plain})
    else:
        terminal.table(_COLUMNS, map(_row_cells, plain), title=machine)


def _print_groups(rows: list[dict[str, Any]], titles: dict[str, str], machine: str) -> None:
    """A table for each first part of the rows' names."""
    terminal.say(machine)
    for group, title in titles.items():
        cells = [_row_cells(row) for row in rows if row["name"].split("/")[0] == group]
        if cells:
            terminal.say(f"\n{title}")
            terminal.table(_COLUMNS, cells)


def _row_cells(row: dict[str, Any]) -> tuple[str, ...]:
    value = row["value"]
    if value is None:
        value = "none"
    if isinstance(value, float):
        value = f"{value:.4g}" if value == value else "none"
    return row["name"], str(value), row["unit"], row["bar"], _MARKS[row["ok"]], row["note"]
