"""How far each stage is from a truth that is known: the phantom patient's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.errors import InputRejected
from cardiotwin.imaging import apply_affine
from cardiotwin.segmentation import BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation

if TYPE_CHECKING:
    from cardiotwin.calibration.posterior import Posterior
    from cardiotwin.ecg.recording import Ecg
    from cardiotwin.heart.heart import Heart
    from cardiotwin.induction.arrhythmias import Arrhythmias
    from cardiotwin.monodomain import Activation

TRUTH, LABELS, FIELDS = "truth.json", "truth_labels.nii.gz", "truth_fields.npz"
"""What the phantom leaves beside the patient's files."""

PARTS = {
    "myocardium": (MYOCARDIUM, BORDER_ZONE, CORE),
    "lv_blood": (LV_BLOOD,),
    "rv_blood": (RV_BLOOD,),
    "scar": (BORDER_ZONE, CORE),
    "core": (CORE,),
    "border_zone": (BORDER_ZONE,),
}


CORRELATIONS = (
    "eikonal_ensemble: the fits of all members, each against the measured QRS, median and 90 % interval, as in the "
    "report. confirming_run: one beat of the monodomain model with the best member's velocities and sites, against "
    "the phantom's own ECG without noise, from 20 ms before its QRS to 20 ms after; the report holds the same beat "
    "against the measured QRS alone, which gives another number."
)


def compare_with_truth(
    truth_folder: Path | str,
    *,
    segmentation: Segmentation | None = None,
    heart: Heart | None = None,
    posterior: Posterior | None = None,
    confirmed: Activation | None = None,
    confirmed_ecg: Ecg | None = None,
    arrhythmias: Arrhythmias | None = None,
) -> dict[str, Any]:
    """Compare what a twin found with what its patient is.

    Parameters
    ----------
    truth_folder : Path
        Where `make_phantom` wrote.
    segmentation, heart, posterior, confirmed, confirmed_ecg, arrhythmias
        Stage outputs; what is None is left out of the answer. `confirmed` (on the nodes of `heart`) and
        `confirmed_ecg` come from the confirming monodomain run.

    Returns
    -------
    dict
        For `exports/truth.json`; plain numbers, text and None only.

    Raises
    ------
    InputRejected
        No truth there.
    """
    folder = Path(truth_folder)
    truth, fields = _read(folder)
    answer: dict[str, Any] = {"seed": truth["seed"]}
    if segmentation is not None:
        answer["segmentation"] = _segmentation(folder, truth, segmentation)
    if heart is not None:
        answer["mesh"] = _mesh(truth, heart)
    if posterior is not None:
        answer["velocities"] = _velocities(truth, posterior)
        answer["activation_sites"] = _sites(truth, posterior)
        answer["ecg"] = _ecg(fields, posterior, confirmed_ecg)
    if heart is not None and confirmed is not None:
        answer["activation"] = _activation(fields, heart, confirmed)
    if arrhythmias is not None:
        answer["circuits"] = _circuits(truth, arrhythmias)
    return answer


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with np.load(folder / FIELDS) as file:
            fields = dict(file)
        return json.loads((folder / TRUTH).read_text(encoding="utf-8")), fields
    except (OSError, ValueError) as error:
        raise InputRejected(f"{folder.name}: no readable truth ({error}); expected a folder `demo` made") from error


def _segmentation(folder: Path, truth: dict[str, Any], found: Segmentation) -> dict[str, Any]:
    labels, affine = read_labels(folder / LABELS)
    there = _on_grid(labels, affine, found)
    voxel_ml = abs(np.linalg.det(found.affine[:3, :3])) / 1000
    answer = {}
    for part, codes in PARTS.items():
        ours, theirs = np.isin(found.labels, codes), np.isin(there, codes)
        answer[part] = {"dice": dice(ours, theirs), **_error(ours.sum() * voxel_ml, truth["volume_ml"][part], "ml")}
    return answer


def read_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(slice, row, column) labels and affine in LPS, mm, of a NIfTI label map."""
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image), affine


def _on_grid(labels: np.ndarray, affine: np.ndarray, found: Segmentation) -> np.ndarray:
    """The truth in the voxels of a segmentation: the same voxels as a rule, else the nearest."""
    index = np.stack(np.meshgrid(*map(np.arange, found.labels.shape), indexing="ij"), axis=-1)[..., ::-1]
    there = np.linalg.inv(affine) @ found.affine
    nearest = np.rint(apply_affine(there, index.reshape(-1, 3))).astype(int)[:, ::-1]
    inside = ((nearest >= 0) & (nearest < labels.shape)).all(axis=1)
    answer = np.zeros(len(nearest), labels.dtype)
    answer[inside] = labels[tuple(nearest[inside].T)]
    return answer.reshape(found.labels.shape)


def dice(first: np.ndarray, second: np.ndarray) -> float | None:
    """Overlap of two masks, 0 to 1; None where both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else None


def _mesh(truth: dict[str, Any], heart: Heart) -> dict[str, Any]:
    """Volume and overlap: a tetrahedron is where its centroid is."""
    from cardiotwin.heart.heart import CORE as CORE_CLASS
    from cardiotwin.phantom.anatomy import Anatomy, labels_at

    volumes = heart.mesh.volumes / 1000
    there = labels_at(Anatomy(**truth["anatomy"]), heart.mesh.centroids)
    answer = {}
    for part, ours in (("myocardium", np.ones(len(volumes), bool)), ("core", heart.tissue_class == CORE_CLASS)):
        found, true = volumes[ours].sum(), truth["volume_ml"][part]
        shared = volumes[ours & np.isin(there, PARTS[part])].sum()
        answer[part] = {"dice": float(2 * shared / (found + true)), **_error(found, true, "ml")}
    return answer


def _error(found: float, truth: float, unit: str) -> dict[str, float]:
    return {
        f"found_{unit}": float(found),
        f"truth_{unit}": float(truth),
        "error_percent": float(100 * (found - truth) / truth),
    }


def _velocities(truth: dict[str, Any], posterior: Posterior) -> dict[str, Any]:
    draws = {
        "fibre": posterior.velocity_fibre,
        "cross": posterior.velocity_cross,
        "endocardium": posterior.velocity_endocardium,
    }
    answer: dict[str, Any] = {}
    for name, values in draws.items():
        true = truth["velocities_m_per_s"][name]
        if true is None or not np.isfinite(values).all():
            continue
        low, median, high = posterior.interval(values)
        answer[name] = {
            **_error(median, true, "m_per_s"),
            "interval_90_m_per_s": [low, high],
            "truth_inside": low <= true <= high,
        }
    return answer


def _sites(truth: dict[str, Any], posterior: Posterior) -> list[dict[str, Any]]:
    """For every true site, how far the nearest site of each member is: that it is there, not that it is called so."""
    answer = []
    for site in truth["sites"]:
        offset = np.linalg.norm(posterior.site_positions - np.asarray(site["position_mm"]), axis=2)
        nearest = offset.argmin(axis=1)
        members = np.arange(len(nearest))
        low, median, high = posterior.interval(offset[members, nearest])
        early, time, late = posterior.interval(posterior.site_times_ms[members, nearest])
        answer.append(
            {
                "name": site["name"],
                "distance_mm": median,
                "interval_90_mm": [low, high],
                "time_truth_ms": site["time_ms"],
                "time_found_ms": time,
                "time_interval_90_ms": [early, late],
            }
        )
    return answer


def _ecg(fields: dict[str, np.ndarray], posterior: Posterior, confirmed: Ecg | None) -> dict[str, Any]:
    low, median, high = posterior.interval(posterior.correlation)
    answer: dict[str, Any] = {"what": CORRELATIONS}
    answer |= {"eikonal_ensemble_correlation": median, "eikonal_ensemble_interval_90": [low, high]}
    if confirmed is not None:
        names = [str(name) for name in fields["leads"]]
        shared = [lead for lead in names if lead in confirmed.leads]
        true = fields["lead_mv"][[names.index(lead) for lead in shared]]
        found = confirmed.mv[[confirmed.leads.index(lead) for lead in shared]]
        step_ms = float(fields["beat_ms"][1] - fields["beat_ms"][0])
        answer |= best_correlation(true, step_ms, found, 1000.0 / confirmed.hz)
    return answer


def best_correlation(true: np.ndarray, true_step_ms: float, found: np.ndarray, found_step_ms: float) -> dict[str, Any]:
    """Mean over leads of the correlation of two QRS complexes, at the shift (within 50 ms) that suits them best.

    Both are (n_leads, n_samples) and start before the QRS; the window is the true QRS and 20 ms on either side.
    """
    speed = np.abs(np.diff(true, axis=1)).sum(axis=0)
    during = np.flatnonzero(speed > 0.05 * speed.max()) * true_step_ms
    window = np.arange(during[0] - 20.0, during[0] + min(during[-1] - during[0], 200.0) + 20.0)
    reference = _sampled(true, true_step_ms, window)
    shifts = np.arange(-50.0, 51.0)
    scores = [_mean_correlation(reference, _sampled(found, found_step_ms, window + shift)) for shift in shifts]
    best = int(np.argmax(scores))
    return {"confirming_run_correlation": float(scores[best]), "confirming_run_shift_ms": float(shifts[best])}


def _sampled(signal: np.ndarray, step_ms: float, at_ms: np.ndarray) -> np.ndarray:
    times = step_ms * np.arange(signal.shape[1])
    return np.stack([np.interp(at_ms, times, lead) for lead in signal])


def _mean_correlation(first: np.ndarray, second: np.ndarray) -> float:
    a, b = (signal - signal.mean(axis=1, keepdims=True) for signal in (first, second))
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(np.mean((a * b).sum(axis=1) / np.maximum(norm, 1e-30)))


def _activation(fields: dict[str, np.ndarray], heart: Heart, confirmed: Activation) -> dict[str, Any]:
    """Activation times against the truth's nearest point, where both were activated, their means aligned."""
    apart, nearest = cKDTree(fields["points_mm"]).query(heart.mesh.points)
    found, true = confirmed.activation_ms[0], fields["activation_ms"][nearest]
    both = np.isfinite(found) & np.isfinite(true) & (apart < 4.0)
    if not both.any():
        return {"compared_nodes": 0}
    error = found[both] - true[both]
    error -= error.mean()
    return {
        "compared_nodes": int(both.sum()),
        "mean_absolute_error_ms": float(np.abs(error).mean()),
        "correlation": float(np.corrcoef(found[both], true[both])[0, 1]),
    }


def _circuits(truth: dict[str, Any], arrhythmias: Arrhythmias) -> list[dict[str, Any]]:
    line, middle = np.asarray(truth["corridor"]["centre_line_mm"]), np.asarray(truth["corridor"]["middle_mm"])
    return [
        {
            "cycle_length_ms": float(circuit.cycle_length_ms),
            "isthmus_to_corridor_mm": distance_to_line(circuit.isthmus_mm, line),
            "isthmus_to_middle_mm": float(np.linalg.norm(circuit.isthmus_mm - middle)),
        }
        for circuit in arrhythmias.circuits
    ]


def distance_to_line(point: np.ndarray, line: np.ndarray) -> float:
    """Distance of a (3,) point to an (n, 3) polyline, mm."""
    start, step = line[:-1], np.diff(line, axis=0)
    along = np.clip(np.einsum("ij,ij->i", point - start, step) / np.einsum("ij,ij->i", step, step), 0, 1)
    return float(np.linalg.norm(start + along[:, None] * step - point, axis=1).min())
