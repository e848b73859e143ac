"""A twin whose stages take milliseconds: real machinery, tiny arithmetic."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardiotwin import presets
from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ensemble import run_tasks
from cardiotwin.storage import store
from cardiotwin.twin.stages import NO_ECG
from cardiotwin.twin.step import Step, Work
from cardiotwin.twin.twin import Twin

CHEST_MM = {
    "LA": (140, 0, 160),
    "RA": (-200, 0, 160),
    "LL": (90, -30, -240),
    "V1": (-65, -82, 10),
    "V2": (-25, -85, 10),
    "V3": (5, -85, -8),
    "V4": (35, -82, -28),
    "V5": (92, -48, -28),
    "V6": (115, 25, -28),
}
CALLS: list[str] = []
"""Stages computed in this process, in order."""


@dataclass(frozen=True, eq=False)
class Number:
    value: np.ndarray
    note: str = ""


def anatomy(work: Work) -> Number:
    CALLS.append("anatomy")
    return Number(np.linspace(0.0, work.settings.mesh.edge_mm, 20_000))


def fit(work: Work, heart: Number, seen: tuple[Electrodes, ...], previous: Number | None = None) -> Number:
    CALLS.append("fit")
    before = 0.0 if previous is None else previous.value
    return Number(
        np.sin(heart.value * work.settings.calibrate.n_sites) + before + sum(one.positions.sum() for one in seen)
    )


def paced(context: Number, task: int) -> Number:
    time.sleep(0.01)
    return Number(context.value * task)


def pace(work: Work, heart: Number, posterior: Number) -> Number:
    CALLS.append("pace")
    tasks = {f"site{i}": i for i in range(6)}
    found = run_tasks(paced, posterior, tasks, workers=1, folder=work.folder, kind=Number, progress=work.progress)
    return Number(sum((one.value for one in found.values()), np.zeros(20_000)) + heart.value)


def write(work: Work, heart: Number, result: Number | None = None) -> None:
    CALLS.append("write")
    text = "no result" if result is None else repr(float(result.value.sum()))
    (work.folder / "report.html").write_text(f"version {work.provenance.version}: {text}")


def layout(observations) -> tuple[Step, ...]:
    seen = [f"sha256:{one.sha256}" for one in observations if one.kind == "electrodes"]
    fits = [Step("fit", "calibrate", fit, waits_for=NO_ECG)] if not seen else []
    for number in range(1, len(seen) + 1):
        inputs = {"heart": "anatomy"} | ({"previous": fits[-1].name} if fits else {})
        lists = {"seen": tuple(seen[:number])}
        fits.append(Step(f"fit {number}", "calibrate", fit, inputs, ("calibrate.n_sites",), lists))
    results = {"heart": "anatomy", "posterior": fits[-1].name}
    return (
        Step("anatomy", "mesh", anatomy, {}, ("mesh",)),
        *fits,
        Step("pace", "induce", pace, results, ("induce",)),
        Step("report", "report", write, {"heart": "anatomy", "result": "pace"}, optional=("result",), into="report"),
    )


def electrodes_file(folder: Path, x_mm: float) -> Path:
    """Something real to add: electrode positions on a chest, all moved by `x_mm`."""
    path = folder / f"electrodes{x_mm:g}.csv"
    rows = "".join(f"{name},{x_mm + x},{y},{z}\n" for name, (x, y, z) in CHEST_MM.items())
    path.write_text(f"name,x_mm,y_mm,z_mm\n{rows}")
    return path


def new_twin(folder: Path) -> Twin:
    CALLS.clear()
    return Twin.create(folder, presets.settings_text(presets.preset("default"), "test"), layout)


def contents(twin: Twin) -> dict[str, str]:
    """Hash of what every finished stage holds."""
    return {
        one.step.name: store.content(twin.store.manifest(one.key)) for one in twin.planned() if twin.store.has(one.key)
    }
