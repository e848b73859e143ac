"""Electrodes that nobody measured, against some that are known: those of a real subject and the phantoms'.

    python benchmarks/electrodes.py [--json]

The real subject is compared only where its data are, see `drawn_truth.py`. No parameter of a rule was fitted here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawn_truth import data, skipped
from table import Row, options, row, show

from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes, offset_electrodes, torso_electrodes
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, LEADS
from cardiotwin.eikonal import activation_times, conducting_tets
from cardiotwin.heart.heart import LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart, heart_from_mesh
from cardiotwin.heart.locations import left_ventricle
from cardiotwin.meshes.formats import read_mesh
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.phantom.torso import true_electrodes
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities


def rows() -> list[Row]:
    """Both rules that place electrodes, against the measured ones of DTI004 and the phantom's own."""
    table = phantom_electrode_rows()
    names = "electrodes/dti004/{rule}: {what}"
    rules = {"offsets (default)": offset_electrodes, "torso": torso_electrodes}
    if (folder := data("heart_dti004/DTI004_coarse_reconstructed.vtu")) is None:
        what = ("distance, mean", "distance, largest", "QRS correlation, mean of leads")
        return table + [skipped(names.format(rule=rule, what=one)) for rule in rules for one in what]
    heart, measured = dti004(folder[0].parent)
    times = sinus_like(heart)
    wanted = qrs_leads(heart, measured, times)
    for rule, placed_by in rules.items():
        placed = placed_by(heart)
        away = np.linalg.norm(placed.positions - measured.positions, axis=1)
        each = ", ".join(f"{name} {mm:.0f}" for name, mm in zip(placed.names, away, strict=True))
        found = qrs_leads(heart, placed, times)
        same = {lead: np.corrcoef(wanted[lead], found[lead])[0, 1] for lead in wanted}
        leads = ", ".join(f"{lead} {r:.2f}" for lead, r in same.items())
        table += [
            row(names.format(rule=rule, what="distance, mean"), away.mean(), "mm", note=each),
            row(names.format(rule=rule, what="distance, largest"), away.max(), "mm"),
            row(
                names.format(rule=rule, what="QRS correlation, mean of leads"),
                np.mean([*same.values()]),
                "",
                note=leads,
            ),
        ]
    return table


def phantom_electrode_rows() -> list[Row]:
    """Seeds 1 to 3, whose chest is neither rule's."""
    table = []
    cases = [(true_heart(make_anatomy(k), 3.0), true_electrodes(make_anatomy(k), k).positions) for k in (1, 2, 3)]
    for rule, placed_by in (("offsets (default)", offset_electrodes), ("torso", torso_electrodes)):
        found = [np.linalg.norm(placed_by(heart).positions - at, axis=1).mean() for heart, at in cases]
        name = f"electrodes/phantom/{rule}: distance, mean, largest of three"
        table.append(row(name, max(found), "mm", note=", ".join(f"{mm:.1f}" for mm in found)))
    return table


def dti004(folder: Path) -> tuple[Heart, Electrodes]:
    """The subject's heart with its own fibres, and its ten measured electrodes."""
    files, mm_per_cm = folder / "geometric_data" / "DTI004", 10.0
    mesh = read_mesh(folder / "DTI004_coarse_reconstructed.vtu").mesh
    names = (
        "nodefield_ab",
        "nodefield_fibre",
        "nodefield_sheet",
        "boundarynodefield_lvendo",
        "boundarynodefield_rvendo",
    )
    fields = {name: np.loadtxt(files / "DTI004_coarse" / f"DTI004_coarse_{name}.csv", delimiter=",") for name in names}
    heart = heart_from_mesh(
        mesh.points,
        mesh.tets,
        left_endocardium=fields["boundarynodefield_lvendo"].astype(int),
        right_endocardium=fields["boundarynodefield_rvendo"].astype(int),
        base=np.flatnonzero(fields["nodefield_ab"] > 0.999),
        fibres=fields["nodefield_fibre"],
        sheets=fields["nodefield_sheet"],
    )
    positions = mm_per_cm * np.loadtxt(files / "DTI004_electrode_xyz.csv", delimiter=",")
    return heart, Electrodes(ELECTRODES, positions, measured=True)


def sinus_like(heart: Heart) -> np.ndarray:
    """(n_nodes,) ms: from the left septum, the anterior and inferior wall and the right free wall, halfway up."""
    ventricle = left_ventricle(heart)
    starts = []
    for surface, way in (
        (LV_ENDOCARDIUM, ventricle.septal),
        (LV_ENDOCARDIUM, ventricle.anterior),
        (LV_ENDOCARDIUM, -ventricle.anterior),
        (RV_ENDOCARDIUM, ventricle.septal),
    ):
        nodes = heart.surface_nodes(surface)
        nodes = nodes[np.abs(heart.apicobasal[nodes] - 0.5) < 0.1]
        starts.append(nodes[np.argmax(heart.mesh.points[nodes] @ way)])
    return activation_times(heart, Velocities(0.6, 0.3, 1.5), np.array(starts), np.zeros(4), TissueSettings())


def qrs_leads(heart: Heart, electrodes: Electrodes, times_ms: np.ndarray) -> dict[str, np.ndarray]:
    """The QRS complex in the eight independent leads."""
    sigma = np.tile([0.3, 0.1, 0.1], (len(heart.mesh.tets), 1))
    weights = electrode_weights(heart, electrodes, sigma, conducting_tets(heart))
    duration_ms = float(times_ms[np.isfinite(times_ms)].max()) + 15.0
    ecg = eikonal_ecg(electrodes.names, weights, times_ms, duration_ms=duration_ms)
    return {lead: ecg.mv[LEADS.index(lead)] for lead in INDEPENDENT_LEADS}


if __name__ == "__main__":
    show([rows()], as_json=options(__doc__).parse_args().json)
