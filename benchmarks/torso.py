"""The torso as a conductor: how exact on a sphere, what it costs, and what an infinite conductor makes of an ECG.

    python benchmarks/torso.py [--json]

The same activation is seen by the same electrodes, once in an infinite conductor and once on the skin of the mean
adult's torso around the heart. The real subject is shown only where its data are, see `drawn_truth.py`.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pyvista as pv
from drawn_truth import data, skipped
from electrodes import dti004, qrs_leads, sinus_like
from table import Row, options, row, show, timed

from cardiotwin.ecg.electrodes import Electrodes, in_torso
from cardiotwin.ecg.recording import INDEPENDENT_LEADS
from cardiotwin.ecg.torso_conductor import torso_conductor
from cardiotwin.heart.heart import Heart
from cardiotwin.meshes.reference.torso import adult_torso
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.phantom.torso import true_electrodes

WAYS = np.random.default_rng(1).normal(size=(100, 3))
WAYS /= np.linalg.norm(WAYS, axis=1)[:, None]
RADIUS_MM = 100.0


def sphere_rows() -> Iterator[Row]:
    """A dipole in a sphere, 45 degrees off the radius, against the closed form (Yao 2000)."""
    for eccentricity in (0.0, 0.3, 0.6, 0.8):
        errors = [_error_on_sphere(halved, eccentricity) for halved in (2, 3, 4)]
        order = np.log2(errors[1] / errors[2])
        name = f"torso/sphere, dipole at {eccentricity:g} of the radius"
        each = ", ".join(f"{100 * error:.2g} %" for error in errors)
        yield row(f"{name}: error", 100 * errors[1], "%", 2.0, errors[1] < 0.02, f"320, 1280, 5120 triangles: {each}")
        yield row(f"{name}: order", order, "", 1.8, order > 1.8, "from 1280 to 5120 triangles")


def _error_on_sphere(times_halved: int, eccentricity: float) -> float:
    """Relative, root mean square over 100 places on the skin."""
    skin = pv.Icosphere(radius=RADIUS_MM, nsub=times_halved)
    names = [str(number) for number in range(len(WAYS))]
    conductor = torso_conductor(skin.points, skin.regular_faces, names, RADIUS_MM * WAYS)
    place, dipole = np.array([0.0, 0.6, 0.8]) * eccentricity * RADIUS_MM, np.array([1.0, 0.6, 0.8]) / np.sqrt(2.0)
    away = conductor.places - place
    found = conductor.transfer @ (away @ dipole / np.linalg.norm(away, axis=1) ** 3)
    exact = _on_sphere(RADIUS_MM * WAYS, place, dipole)
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def _on_sphere(at: np.ndarray, place: np.ndarray, dipole: np.ndarray) -> np.ndarray:
    """4π times the potential: p·∇ of the Neumann function 2/r + ln(2R²/(R² - x·x₀ + Rr))/R."""
    away = at - place
    r = np.linalg.norm(away, axis=1)[:, None]
    image = (at + RADIUS_MM * away / r) / (RADIUS_MM * (RADIUS_MM**2 - at @ place[:, None] + RADIUS_MM * r))
    return (2.0 * away / r**3 + image) @ dipole


def cost_rows() -> Iterator[Row]:
    """Solving for ten electrodes, and the weights of a heart then."""
    heart = true_heart(make_anatomy(1), 3.0)
    electrodes = true_electrodes(make_anatomy(1), 1)
    centre = heart.mesh.points.mean(axis=0) + np.array([-50.0, 130.0, 130.0])
    for step_mm, about in ((29.0, 2000), (14.0, 8000)):
        points, triangles = adult_torso().surface(step_mm)

        def solved(points: np.ndarray = points + centre, triangles: np.ndarray = triangles) -> object:
            return torso_conductor(points, triangles, electrodes.names, electrodes.positions)

        seconds, conductor = timed(solved)
        tracemalloc.start()
        solved()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        name = f"torso/{about} triangles"
        yield row(f"{name}: solved for ten electrodes", seconds, "s", note=f"{len(triangles)} triangles")
        yield row(f"{name}: memory", peak / 1e6, "MB")
        start = time.process_time()
        conductor.lead_fields(heart.mesh.points)
        per_node = (time.process_time() - start) / len(heart.mesh.points)
        yield row(f"{name}: fields of ten electrodes, 100,000 nodes", 1e5 * per_node, "s")


def ecg_rows() -> Iterator[Row]:
    """Phantoms 1 to 3 and the real subject, each with its own electrodes."""
    for seed in (1, 2, 3):
        anatomy = make_anatomy(seed)
        yield from _compared(f"torso/phantom {seed}", true_heart(anatomy, 3.0), true_electrodes(anatomy, seed))
    if (folder := data("heart_dti004/DTI004_coarse_reconstructed.vtu")) is None:
        yield skipped("torso/DTI004: QRS correlation with the infinite conductor, mean of leads")
        return
    yield from _compared("torso/DTI004", *dti004(folder[0].parent))
    recorded = np.loadtxt(folder[0].parent / "clinical_data" / "DTI004_clinical_qrs_ecg.csv", delimiter=",")
    ratio = _limb_to_chest(dict(zip(INDEPENDENT_LEADS, recorded, strict=True)))
    yield row("torso/DTI004: limb over chest leads, as recorded", ratio, "")


def _compared(name: str, heart: Heart, electrodes: Electrodes) -> Iterator[Row]:
    on_skin = in_torso(heart, electrodes)
    assert on_skin.conductor is not None
    times = sinus_like(heart)
    infinite, torso = (qrs_leads(heart, one, times) for one in (electrodes, on_skin))
    same = {lead: float(np.corrcoef(infinite[lead], torso[lead])[0, 1]) for lead in infinite}
    size = {lead: float(np.ptp(torso[lead]) / np.ptp(infinite[lead])) for lead in infinite}
    moved = dict(zip(electrodes.names, on_skin.conductor.moved_mm, strict=True))
    yield _mean(f"{name}: QRS correlation with the infinite conductor, mean of leads", same, "", ".3f")
    yield _mean(f"{name}: QRS larger than in the infinite conductor, mean of leads", size, "times", ".1f")
    yield row(f"{name}: limb over chest leads, infinite conductor", _limb_to_chest(infinite), "")
    yield row(f"{name}: limb over chest leads, torso", _limb_to_chest(torso), "")
    yield _mean(f"{name}: electrodes moved onto the skin, mean", moved, "mm", ".0f")


def _mean(name: str, each: dict[str, float], unit: str, form: str) -> Row:
    note = ", ".join(f"{which} {value:{form}}" for which, value in each.items())
    return row(name, float(np.mean([*each.values()])), unit, note=note)


def _limb_to_chest(leads: dict[str, np.ndarray]) -> float:
    """Mean height from peak to trough of I and II over that of V1 to V6."""
    size = {lead: np.ptp(mv) for lead, mv in leads.items()}
    return float(np.mean([size["I"], size["II"]]) / np.mean([size[f"V{k}"] for k in range(1, 7)]))


if __name__ == "__main__":
    as_json = options(__doc__).parse_args().json
    show((group() for group in (sphere_rows, cost_rows, ecg_rows)), as_json=as_json)
