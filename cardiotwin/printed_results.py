"""What the command line prints of results, for people: tables, and words where a table would not say it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardiotwin import terminal
from cardiotwin.errors import QualityGate

if TYPE_CHECKING:
    from cardiotwin.ablation.plan_checks import PlanCheck
    from cardiotwin.segmentation import Cavities
    from cardiotwin.twin.status import Run, Status
    from cardiotwin.twin.twin import Twin


def print_result(twin: Twin, stage: str) -> None:
    """What a stage of pacing found, where it is up to date."""
    with suppress(QualityGate):
        from cardiotwin.induction.arrhythmias import Arrhythmias
        from cardiotwin.induction.circuit_results import circuit_lines
        from cardiotwin.report.tachycardias import best_fit_line

        found = twin.result(stage)
        lines = circuit_lines(twin.result("mesh"), found) if isinstance(found, Arrhythmias) else [str(found)]
        for line in lines:
            terminal.say(line)
        recorded = any(one.kind == "tachycardia" for one in twin.ledger.observations())
        if stage == "induce" and recorded and (line := best_fit_line(twin.study())):
            terminal.say(line)


def print_run(done: Run, case: Path) -> None:
    terminal.say(f"computed: {', '.join(done.computed)}" if done.computed else "nothing to compute")
    again = ": earlier results are in use again" if not done.computed else ""
    terminal.say(f"version {done.version}" + (again if done.is_new_version else " (unchanged)"))
    if done.behind:
        terminal.say(f"not up to date: {', '.join(done.behind)}; `cardiotwin run {case}` computes that")
    for missing in done.missing:
        terminal.say(f"missing: {missing}")


def print_burns(checks: tuple[PlanCheck, ...], left_out: tuple[str, ...]) -> None:
    from cardiotwin.ablation.plan_checks import NO_GAP
    from cardiotwin.comparison.plan_results import BURNT, burnt

    if checks:
        terminal.table(BURNT, [burnt(check) for check in checks], title="What each plan burns")
    for check in checks:
        for line in (*check.access, *(check.notes or (NO_GAP,))):
            terminal.say(terminal.one_line(f"{check.name}: {line}"))
    for one in left_out:
        terminal.say(one)


def print_status(now: Status, case: Path) -> None:
    version = f"version {now.version}" if now.version else "nothing computed yet"
    terminal.say(f"{now.name}: {version}" + (f", in use by {now.held_by}" if now.held_by else ""))
    _print_steps(now)
    if now.cavities is not None:
        _print_cavities(now.cavities)
    if now.electrodes:
        terminal.say(f"electrodes: {now.electrodes}")
    for missing in dict.fromkeys(step.note for step in now.steps if step.note):
        terminal.say(f"missing: {missing}")
    if now.idle_settings:
        terminal.say(f"without effect for these inputs: {', '.join(now.idle_settings)}")
    _print_inputs(now)
    _print_versions(now)
    terminal.say(_next(now, case))


def _print_steps(now: Status) -> None:
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


def _print_inputs(now: Status) -> None:
    from cardiotwin.twin.observations import age

    mesh_given = any(one.kind == "mesh" and one.sha256 in now.used_by for one in now.observations)
    inputs = [
        (
            one.kind,
            one.source,
            one.effective or "unknown",
            age(one.effective),
            use_of(one.kind, now.used_by.get(one.sha256, ()), mesh_given),
            one.arrived,
            one.sha256[:12],
        )
        for one in now.observations
    ]
    terminal.table(("input", "what", "of", "age", "in use", "arrived (UTC)", "SHA-256"), inputs)
    for one in now.observations:
        for note in now.notes.get(one.sha256, ()):
            which = f"{one.kind.replace('_', ' ')} {one.sha256[:12]}" + (
                "" if one.sha256 in now.used_by else ", not in use"
            )
            terminal.say(terminal.one_line(f"told of {which}: {note}"))


def _print_versions(now: Status) -> None:
    before = ({}, *(one.keys for one in now.versions))
    versions = [
        (
            f"v{one.number}",
            one.created,
            ", ".join(one.computed),
            ", ".join(name for name in old if name not in one.keys),
        )
        for one, old in zip(now.versions, before, strict=False)
    ]
    terminal.table(("version", "made (UTC)", "what is new in it", "not in it any more"), versions)


def _next(now: Status, case: Path) -> str:
    """What would bring the twin on."""
    todo = [step.name for step in now.steps if step.state in ("stale", "not computed")]
    missing = any(step.note for step in now.steps)
    if any(step.stage == "mesh" and step.state == "missing" for step in now.steps):
        return f"next: `cardiotwin add {case} PATH`, with what is missing"
    if todo:
        return f"next: `cardiotwin run {case}` computes {', '.join(todo)}"
    return f"next: `cardiotwin add {case} PATH`, with what is missing" if missing else "all of it is up to date"


def _print_cavities(found: Cavities) -> None:
    sides = {"left": found.left_ml, "right": found.right_ml}
    volumes = (f"{side} {'not drawn' if ml != ml else f'{ml:.1f} mL'}" for side, ml in sides.items())
    terminal.say(f"cavities: {', '.join(volumes)} ({found.cut}); phase: {found.phase}")


def use_of(kind: str, steps: tuple[str, ...], mesh_given: bool) -> str:
    """Contours beside a mesh are drawn and shown, but the heart is the mesh."""
    if not steps or (kind == "mesh" and set(steps) != {"report"}):
        return "yes: the heart" if steps else "no"
    beside = mesh_given and kind in ("image", "label_map") and set(steps) <= {"segment", "report"}
    return "report only" if beside or set(steps) == {"report"} else "yes"


def print_comparison(comparison: Any) -> None:
    from cardiotwin.comparison.plan_results import REFERENCE, ablated, in_order, of_the_first, sentence

    rows = []
    for plan in in_order(comparison.plans):
        name = f"{plan.name} (reference)" if plan.name == REFERENCE else plan.name
        inducible = f"{plan.inducible} of {plan.tested}"
        rows.append((plan.rank, name, f"{plan.probability_best:.2f}", inducible, plan.new_circuits, ablated(plan)))
    terminal.table(("rank", "plan", "P(best)", "inducible", "new circuits", "ablated, mL"), rows)
    print_burns(tuple(plan.check for plan in in_order(comparison.plans) if plan.check is not None), ())
    for pair in of_the_first(comparison):
        terminal.say(f"{pair}.")
    for line in (comparison.decides, comparison.of_untested):
        if line:
            terminal.say(sentence(line))
    terminal.say("P(best) adds up to 1; what is inducible, new circuits, then volume decide; equal plans share it.")


def print_answer(answer: dict[str, Any]) -> None:
    """As at the top of the report."""
    terminal.say(f"{answer['headline']}. {answer['sentence']}")
    for caveat in answer["caveats"]:
        terminal.say(f"- {caveat}")


_MARKS = {True: "yes", False: "NO", None: ""}
_COLUMNS = ("name", "value", "unit", "bar", "ok", "note")


def print_rows(rows: Any, machine: str, json: bool) -> None:
    """Measured against asked."""
    plain = terminal.as_json(list(rows))
    if json:
        terminal.say_json({"machine": machine, "rows": plain})
    else:
        terminal.table(_COLUMNS, map(_row_cells, plain), title=machine)


def print_groups(rows: list[dict[str, Any]], titles: dict[str, str], machine: str) -> None:
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
