"""The built-in patient: `make_phantom` writes what a hospital would send, and beside it the truth."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardiotwin.errors import SettingsError
from cardiotwin.progress import Progress, part, silent
from cardiotwin.storage.durable import new_folder

if TYPE_CHECKING:
    from cardiotwin.ecg.electrodes import Electrodes
    from cardiotwin.phantom.anatomy import Anatomy
    from cardiotwin.phantom.lge import LgeScan
    from cardiotwin.phantom.physiology import Beat, Physiology
    from cardiotwin.phantom.rhythm import Recording
    from cardiotwin.segmentation import Segmentation

IMAGING_DATE, ECG_DATE, FOLLOW_UP_DATE = "20240311", "20240312", "20240926"
QRS_SIZE_MV = 0.6
"""Median over the leads of the QRS complex from lowest to highest; chest leads show several times that."""


CAMERA_ERROR_MM = 3.0


def make_phantom(
    folder: Path | str, seed: int = 1, progress: Progress = silent, *, edge_mm: float | None = None
) -> Path:
    """Make the phantom patient.

    Writes ``lge/*.dcm`` (a short-axis series), ``ecg.dcm``, ``ecg_followup.dcm`` (half a year later),
    ``electrodes.csv`` (as a camera would measure them), and the truth: ``truth.json``, ``truth_labels.nii.gz`` (on the
    grid of the images) and ``truth_fields.npz`` (activation times, and the beat without noise). The folder appears when
    all of it is there.

    Parameters
    ----------
    folder : Path
        New, or an earlier phantom, which is replaced.
    seed : int
        Another seed is another patient: sizes, velocities, sites, electrodes and noise.
    edge_mm : float, optional
        Lattice constant of the heart that makes the ECG, in place of that of `Physiology`; for a quick, rough patient.

    Raises
    ------
    SettingsError
        The folder holds something else.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / "truth.json").exists())):
        raise SettingsError(f"{target.name}: exists and is no phantom patient; name a new folder")
    with new_folder(target) as building:
        _fill(building, seed, progress, edge_mm)
    return target


def _fill(folder: Path, seed: int, progress: Progress, edge_mm: float | None) -> None:
    # Imported here: the command line must not wait for Numba.
    from cardiotwin.phantom.anatomy import make_anatomy
    from cardiotwin.phantom.lge import LgeScan
    from cardiotwin.phantom.physiology import heartbeat, make_physiology
    from cardiotwin.phantom.torso import true_electrodes

    anatomy, physiology, scan_settings = make_anatomy(seed), make_physiology(seed), LgeScan(seed=seed)
    physiology = replace(physiology, edge_mm=edge_mm or physiology.edge_mm)
    electrodes = true_electrodes(anatomy, seed)
    _write_images(folder, anatomy, scan_settings, seed, part(progress, 0.0, 0.15))
    beat = heartbeat(anatomy, physiology, electrodes, part(progress, 0.15, 0.97))
    recordings = _write_ecgs(folder, anatomy, electrodes, beat, seed)
    _write_electrodes(folder / "electrodes.csv", electrodes, seed)
    _write_truth(folder, anatomy, physiology, scan_settings, electrodes, beat, recordings)
    progress(1.0, "phantom patient")


def _write_images(folder: Path, anatomy: Anatomy, settings: LgeScan, seed: int, progress: Progress) -> None:
    from cardiotwin.phantom.dicom_series import write_lge_series
    from cardiotwin.phantom.lge import scan
    from cardiotwin.phantom.patient import phantom_patient

    image, labels = scan(anatomy, settings, progress)
    (folder / "lge").mkdir()
    write_lge_series(folder / "lge", image, phantom_patient(seed), date=IMAGING_DATE, seed=seed)
    write_labels(folder / "truth_labels.nii.gz", labels)


def write_labels(path: Path, segmentation: Segmentation) -> None:
    """Write a label map as NIfTI; SimpleITK's frame is LPS too."""
    import SimpleITK

    spacing = np.linalg.norm(segmentation.affine[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(segmentation.labels)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((segmentation.affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(segmentation.affine[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path))


def _write_ecgs(
    folder: Path, anatomy: Anatomy, electrodes: Electrodes, beat: Beat, seed: int
) -> tuple[Recording, Recording]:
    from cardiotwin.phantom.dicom_ecg import write_dicom_ecg
    from cardiotwin.phantom.patient import phantom_patient
    from cardiotwin.phantom.rhythm import Recording, recorded, with_p_wave

    first = Recording(2 * seed, ECG_DATE, heart_rate_per_min=70.0)
    follow_up = Recording(2 * seed + 1, FOLLOW_UP_DATE, heart_rate_per_min=64.0, muscle_mv=0.016, wander_mv=0.06)
    potentials = beat.activation.electrode_mv * ecg_scale(electrodes, beat)
    for name, recording in (("ecg.dcm", first), ("ecg_followup.dcm", follow_up)):
        whole = with_p_wave(beat.activation.ecg_ms, potentials, anatomy, electrodes, recording)
        ecg = recorded(*whole, electrodes, recording)
        write_dicom_ecg(folder / name, ecg, phantom_patient(seed), date=recording.date)
    return first, follow_up


def _write_electrodes(path: Path, electrodes: Electrodes, seed: int) -> None:
    """The electrodes as a camera would measure them: each coordinate is off by about `CAMERA_ERROR_MM`."""
    measured = electrodes.positions + CAMERA_ERROR_MM * np.random.default_rng([seed, 9]).normal(
        size=(len(electrodes.names), 3)
    )
    rows = [f"{name},{x:.1f},{y:.1f},{z:.1f}" for name, (x, y, z) in zip(electrodes.names, measured, strict=True)]
    path.write_text("\n".join(["name,x_mm,y_mm,z_mm", *rows]) + "\n", encoding="utf-8")


def ecg_scale(electrodes: Electrodes, beat: Beat) -> float:
    """What the potentials in a homogeneous torso are multiplied with: its bulk conductivity is anybody's guess."""
    from cardiotwin.ecg.recording import leads_from_electrodes

    during = beat.activation.ecg_ms < 150.0
    leads = leads_from_electrodes(electrodes.names, beat.activation.electrode_mv[:, during], 1000.0)
    return QRS_SIZE_MV / float(np.median(np.ptp(leads.mv, axis=1)))


def _write_truth(
    folder: Path,
    anatomy: Anatomy,
    physiology: Physiology,
    scan_settings: LgeScan,
    electrodes: Electrodes,
    beat: Beat,
    recordings: tuple[Recording, Recording],
) -> None:
    from cardiotwin.ecg.recording import LEADS, leads_from_electrodes
    from cardiotwin.phantom.anatomy import corridor_centre_line

    line = corridor_centre_line(anatomy)
    truth = {
        "seed": anatomy.seed,
        "anatomy": asdict(anatomy),
        "volume_ml": true_volumes(anatomy),
        "corridor": {"centre_line_mm": line, "middle_mm": line[len(line) // 2]},
        "velocities_m_per_s": asdict(physiology.velocities),
        "border_zone_velocity_fraction": physiology.border_zone_velocity_fraction,
        "conductivities_ms_per_mm": true_conductivities(beat),
        "tuning_error": beat.tissue.tuning_error,
        "sites": [
            {**asdict(site), "position_mm": position}
            for site, position in zip(physiology.sites, beat.site_positions, strict=True)
        ],
        "electrodes_mm": dict(zip(electrodes.names, electrodes.positions, strict=True)),
        "ecg_scale": ecg_scale(electrodes, beat),
        "mesh": {"edge_mm": physiology.edge_mm, "nodes": len(beat.tissue.heart.mesh.points), "dt_ms": physiology.dt_ms},
        "imaging": asdict(scan_settings),
        "recordings": [asdict(recording) for recording in recordings],
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1, default=_plain) + "\n", encoding="utf-8")
    leads = leads_from_electrodes(electrodes.names, beat.activation.electrode_mv * truth["ecg_scale"], 1000.0)
    # Every fifth node: 2 mm apart, enough to compare activation maps with.
    np.savez_compressed(
        folder / "truth_fields.npz",
        points_mm=beat.tissue.heart.mesh.points[::5].astype(np.float32),
        activation_ms=beat.activation.activation_ms[0, ::5],
        beat_ms=beat.activation.ecg_ms,
        leads=np.array(LEADS),
        lead_mv=leads.mv,
    )


def true_volumes(anatomy: Anatomy) -> dict[str, float]:
    """Millilitres of each part, from the anatomy itself, to about 0.2 %."""
    from cardiotwin.phantom.physiology import rasterised
    from cardiotwin.phantom.truth import PARTS

    counts = np.bincount(rasterised(anatomy, 0.5).labels.ravel(), minlength=6)
    return {part: float(counts[list(codes)].sum() * 0.5**3 / 1000) for part, codes in PARTS.items()}


def true_conductivities(beat: Beat) -> dict[str, dict[str, float]]:
    """Monodomain conductivity along and across the fibres, by tissue; median over its elements."""
    from cardiotwin.heart.heart import BORDER_ZONE, HEALTHY

    tissue = beat.tissue
    answer = {}
    for name, code in (("healthy", HEALTHY), ("border_zone", BORDER_ZONE)):
        along, across, _ = np.median(tissue.sigma[(tissue.heart.tissue_class == code) & tissue.conducting], axis=0)
        answer[name] = {"fibre": float(along), "cross": float(across)}
    return answer


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
