"""A small heart with a scar, and a study around it whose every number is made up: input for the report, not truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cardiotwin.ablation.lesions import NO_ABLATION, Lesion, Plan
from cardiotwin.calibration.beat_of_ensemble import EnsembleBeat
from cardiotwin.calibration.confirmation import Confirmation, DrawFit
from cardiotwin.calibration.front_velocity import FrontToTissue, Ratio
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.repolarisation import Repolarisation
from cardiotwin.comparison.results import Comparison, PairOfPlans, PlanResult
from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, LEADS, Ecg
from cardiotwin.heart.heart import (
    BASE,
    BORDER_ZONE,
    CORE,
    EPICARDIUM,
    HEALTHY,
    LEFT,
    LV_ENDOCARDIUM,
    RIGHT,
    RV_ENDOCARDIUM,
    Heart,
)
from cardiotwin.imaging import Image, apply_affine
from cardiotwin.induction.arrhythmias import Arrhythmias, Induction, OwnCircuit
from cardiotwin.induction.reentry import Circuit
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.monodomain import Activation
from cardiotwin.segmentation import Segmentation
from cardiotwin.study import ObservationRecord, Provenance, StageRecord, Study
from cardiotwin.tissue.tissue import Velocities

AXIS = np.array([-0.45, 0.45, 0.77]) / np.linalg.norm([-0.45, 0.45, 0.77])
"""From apex to base; the apex points to the left, to the front and down, as in a patient."""
_SEPTAL = np.array([-0.75, -0.62, 0.0])
SEPTAL = (_SEPTAL - _SEPTAL @ AXIS * AXIS) / np.linalg.norm(_SEPTAL - _SEPTAL @ AXIS * AXIS)
ANTERIOR = np.cross(AXIS, SEPTAL)
FRAME = np.stack([SEPTAL, ANTERIOR, AXIS])
"""Rows: towards the septum, the anterior wall, the base."""


_CENTRE_MM = np.array([35.0, -20.0, 10.0])


def _ellipsoid(p: np.ndarray, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    """Below 1 inside."""
    return np.sqrt((((p - np.array(centre)) / np.array(radii)) ** 2).sum(axis=-1))


def _transmural(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (0 endocardium to 1 epicardium) and ventricle of points in the heart's frame (septal, anterior, base)."""
    outer, inner = _ellipsoid(p, (0, 0, 0), (30, 30, 50)), _ellipsoid(p, (0, 0, 0), (20, 20, 40))
    left = np.clip((inner - 1) / np.maximum((inner - 1) + (1 - outer), 1e-9), 0, 1)
    free_out, free_in = _ellipsoid(p, (22, 6, 4), (34, 30, 42)), _ellipsoid(p, (22, 6, 4), (30, 26, 38))
    right = np.clip((free_in - 1) / np.maximum((free_in - 1) + (1 - free_out), 1e-9), 0, 1)
    in_left = (outer <= 1) & (inner >= 1)
    in_right = (outer > 1) & (free_out <= 1) & (free_in >= 1)
    return np.where(in_left, left, right), np.where(in_left, LEFT, np.where(in_right, RIGHT, 0))


def _cubes_to_tets(inside: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(6 n, 4) corners of Kuhn's six tetrahedra in each cube that is inside."""
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    first = np.argwhere(inside) @ strides
    tets = []
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)):
        path = np.concatenate([[0], np.cumsum(strides[list(order)])])
        even = order in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        tets.append(first[:, None] + path[[0, 1, 2, 3] if even else [0, 2, 1, 3]])
    return np.concatenate(tets)


def small_heart(edge_mm: float = 3.0) -> Heart:
    """Truncated ellipsoids on a cubic grid, an anterior infarct with a corridor, circumferential to oblique fibres."""
    axes = [np.arange(low, high, edge_mm) for low, high in ((-34, 60), (-34, 40), (-52, 24))]
    shape = tuple(len(axis) for axis in axes)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    middles = np.stack(np.meshgrid(*[axis[:-1] + edge_mm / 2 for axis in axes], indexing="ij"), axis=-1)
    _, which = _transmural(middles)
    tets = _cubes_to_tets((which > 0) & (middles[..., 2] < 18), shape)
    used, tets = np.unique(tets, return_inverse=True)
    local, tets = grid[used], tets.reshape(-1, 4)
    mesh = Mesh(local @ FRAME + _CENTRE_MM, tets)
    depth, _ = _transmural(local)
    centre = local[tets].mean(axis=1)
    _, ventricle = _transmural(centre)
    fibres, sheets, normals = _fibres(centre)
    faces = mesh.boundary_faces()
    return Heart(
        mesh=mesh,
        tissue_class=_scar(centre),
        ventricle=np.where(ventricle == RIGHT, RIGHT, LEFT).astype(np.uint8),
        fibres=fibres,
        sheets=sheets,
        normals=normals,
        transmural=depth,
        apicobasal=np.clip((local[:, 2] + 50) / 68, 0, 1),
        faces=faces,
        surface=_surfaces(local[faces].mean(axis=1)),
        edge_mm=edge_mm,
        scar_assessable=True,
    )


def _scar(centre: np.ndarray) -> np.ndarray:
    """A dense anterior core between two heights, a border zone around it, a corridor of border zone through it."""
    around = np.degrees(np.arctan2(centre[:, 0] - 8, centre[:, 1]))
    along = centre[:, 2] + 12
    from_middle = np.sqrt((around / 42) ** 2 + (along / 18) ** 2)
    core = (from_middle < 1) & (np.abs(around) > 7) & (centre[:, 0] < 24)
    border = (from_middle < 1.3) & (centre[:, 0] < 26)
    return np.where(core, CORE, np.where(border, BORDER_ZONE, HEALTHY)).astype(np.uint8)


def _fibres(centre: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    radial = centre * [1, 1, 0.3] + 1e-6
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    around = np.cross([0.0, 0.0, 1.0], radial)
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    along = np.cross(radial, around)
    depth, _ = _transmural(centre)
    helix = np.radians(60 - 120 * depth)[:, None]
    fibres = np.cos(helix) * around + np.sin(helix) * along
    return fibres @ FRAME, np.cross(fibres, radial) @ FRAME, radial @ FRAME


def _surfaces(middle: np.ndarray) -> np.ndarray:
    depth, which = _transmural(middle)
    inside = np.where(which == RIGHT, RV_ENDOCARDIUM, LV_ENDOCARDIUM)
    return np.where(middle[:, 2] > 16.5, BASE, np.where(depth > 0.5, EPICARDIUM, inside)).astype(np.uint8)


def to_patient(septal: float, anterior: float, base: float) -> np.ndarray:
    """A point of the heart's own frame, LPS, mm."""
    return np.array([septal, anterior, base]) @ FRAME + _CENTRE_MM


def _segmentation(heart: Heart) -> tuple[Image, Segmentation]:
    """Short-axis slices 8 mm apart through the same shapes."""
    columns, rows = 64, 64
    affine = np.eye(4)
    # Columns run away from the septum, rows away from the anterior wall, slices from apex to base: seen from the apex.
    affine[:3, :3] = np.stack([-SEPTAL * 1.75, -ANTERIOR * 1.75, AXIS * 8.0], axis=1)
    affine[:3, 3] = to_patient(64, 56, -48)
    index = np.stack(np.meshgrid(np.arange(9), np.arange(rows), np.arange(columns), indexing="ij"), axis=-1)
    points = apply_affine(affine, index[..., ::-1].reshape(-1, 3))
    local = (points - _CENTRE_MM) @ FRAME.T
    _, which = _transmural(local)
    tissue = np.where(which > 0, np.choose(_scar(local), [0, 2, 5, 4]), 0)
    tissue[_ellipsoid(local, (0, 0, 0), (20, 20, 40)) < 1] = 1
    rv = (_ellipsoid(local, (22, 6, 4), (30, 26, 38)) < 1) & (_ellipsoid(local, (0, 0, 0), (30, 30, 50)) > 1)
    tissue[rv] = 3
    labels = np.where(local[:, 2] < 18, tissue, 0).reshape(index.shape[:3]).astype(np.uint8)
    bright = np.array([60, 260, 90, 250, 480, 300], float)[labels]
    noise = np.random.default_rng(1).normal(0, 22, bright.shape)
    signal = np.where(np.isin(labels, (2, 4, 5)), bright / 480, np.nan).astype(np.float32)
    confidence: dict[str, float | str] = {"myocardium": 0.91, "scar": 0.74, "slices": "9 of 9 used"}
    return Image((bright + noise).astype(np.float32), affine, "lge"), Segmentation(
        labels, affine, signal, True, confidence
    )


def _activation(heart: Heart) -> Activation:
    from_site = np.linalg.norm(heart.mesh.points - to_patient(15, -10, -15), axis=1)
    time = (from_site / 0.9 + 2).astype(np.float32)
    only_core = np.ones(len(time), bool)
    only_core[heart.mesh.tets[heart.tissue_class != CORE]] = False
    time[only_core] = np.nan
    snapshot_ms = np.arange(0.0, 320.0, 20.0)
    potential = np.where((snapshot_ms[:, None] > time) & (snapshot_ms[:, None] < time + 240), 20.0, -84.0)
    potential[:, only_core] = np.nan
    samples = np.arange(0, 400.0)
    empty = np.zeros((0, 0))
    return Activation(time[None], time[None] + 240, snapshot_ms, potential.astype(np.float32), samples, empty, 400.0)


def _wave(t: np.ndarray, lead: int) -> np.ndarray:
    r = np.sin(0.7 * lead) + 0.3
    return (
        0.25 * np.exp(-(((t - 15) / 7) ** 2)) * -r
        + r * np.exp(-(((t - 45) / 11) ** 2))
        - 0.4 * np.exp(-(((t - 75) / 10) ** 2))
    )


def _posterior() -> Posterior:
    rng = np.random.default_rng(2)
    members = 24
    weights = rng.dirichlet(np.full(members, 2.0))
    qrs = np.arange(0.0, 110.0, 2.0)
    measured = np.stack([_wave(qrs, LEADS.index(lead)) for lead in INDEPENDENT_LEADS])
    fitted = measured * rng.normal(1, 0.06, (members, 8, 1)) + rng.normal(0, 0.03, (members, 8, len(qrs)))
    sites = np.stack([to_patient(19, 5, -5), to_patient(-18, 8, -10), to_patient(2, -19, -12)])
    return Posterior(
        weights=weights,
        velocity_fibre=rng.normal(0.62, 0.04, members),
        velocity_cross=rng.normal(0.28, 0.03, members),
        velocity_endocardium=rng.normal(1.2, 0.15, members),
        site_positions=sites + rng.normal(0, 3, (members, 3, 3)),
        site_times_ms=np.abs(rng.normal(4, 3, (members, 3))),
        correlation=rng.uniform(0.93, 0.98, members),
        leads=INDEPENDENT_LEADS,
        qrs_ms=qrs,
        measured=measured,
        fitted=fitted,
        notes={"effective sample size": 17.3, "ECGs": 1.0, "acceptance": 0.31},
        border_zone_fraction=rng.choice([0.35, 0.5, 0.7], members),
    )


def _ensemble_beat(heart: Heart, activation: Activation) -> EnsembleBeat:
    """Draws that are late by up to 6 ms and last 280 ms and more."""
    late = np.linspace(-3.0, 3.0, 8)[:, None]
    times = np.where(np.isnan(activation.activation_ms), np.inf, activation.activation_ms + late + 3.0)
    t_ms = np.arange(150.0, 420.0)
    waves = np.stack([np.sin(0.6 * k + 0.5) * np.exp(-(((t_ms - 310.0) / 45.0) ** 2)) for k in range(8)])
    found = Repolarisation(
        duration_ms=280.0 + 2.0 * late[:, 0],
        gradients_ms=np.array([-18.0, 4.0, 9.0]) + np.outer(late[:, 0], [1.0, 3.0, 2.0]),
        informed=np.array([0.93, 0.8, 0.55, 0.4]),
        repolarisation_ms=(times + 280.0 + 2.0 * late).astype(np.float32),
        leads=INDEPENDENT_LEADS,
        t_ms=t_ms,
        measured=0.3 * waves,
        fitted=0.3 * waves * (1.0 + 0.05 * late[:, :, None]) + 0.01 * np.sin(t_ms / 17.0),
        correlation=np.linspace(0.9, 0.97, 8),
    )
    return EnsembleBeat(np.arange(8), times.astype(np.float32), found)


def _circuit(heart: Heart, centre: np.ndarray, cycle_length_ms: float) -> Circuit:
    out = heart.mesh.points - centre
    angle = np.arctan2(out @ SEPTAL, out @ AXIS)
    phase = ((angle + np.pi) / (2 * np.pi) * cycle_length_ms).astype(np.float32)
    phase[np.isnan(_activation(heart).activation_ms[0])] = np.nan
    isthmus = np.flatnonzero(np.linalg.norm(out, axis=1) < 8).astype(np.int32)
    across = np.flatnonzero((np.linalg.norm(out, axis=1) < 12) & (np.abs(out @ AXIS) < 4)).astype(np.int32)
    return Circuit(
        cycle_length_ms=cycle_length_ms,
        cycles=4,
        isthmus_mm=centre,
        exit_mm=centre + 14 * AXIS,
        phase_ms=phase,
        isthmus_nodes=isthmus,
        cut_nodes=across,
    )


def _arrhythmias(heart: Heart) -> Arrhythmias:
    sites = np.stack([to_patient(-25, 0, -20), to_patient(20, 20, 0), to_patient(0, -25, 5)])
    nodes = np.array([np.argmin(np.linalg.norm(heart.mesh.points - site, axis=1)) for site in sites], np.int32)
    circuits = (_circuit(heart, to_patient(6, 25, -12), 312.0), _circuit(heart, to_patient(6, 24, -20), 287.0))
    inductions = tuple(
        Induction(
            site,
            draw,
            "structural",
            (300.0, 260.0),
            circuit,
            "re-entry" if circuit is not None else "not inducible",
            own=None if circuit is None else _own(circuits[circuit], draw),
        )
        for draw, row in enumerate(((0, 1, None), (0, None, None), (0, 0, None)))
        for site, circuit in enumerate(row)
    )
    return Arrhythmias(sites, nodes, np.array([3, 8, 15]), circuits, inductions)


def _own(circuit: Circuit, draw: int) -> OwnCircuit:
    """Slower and further on from draw to draw."""
    moved = replace(
        circuit, cycle_length_ms=circuit.cycle_length_ms + 6.0 * draw, isthmus_mm=circuit.isthmus_mm + draw * AXIS
    )
    return OwnCircuit.of(moved)


def _plans() -> tuple[Plan, ...]:
    across = np.stack([to_patient(x, 28, -12) for x in (-2.0, 8.0, 18.0)])
    return (
        Plan("isthmus", (Lesion("line", across, 5.0, 8.0),), "proposed: a line across the isthmus of circuit 1"),
        Plan("homogenise", (Lesion("homogenise", np.zeros((0, 3)), 5.0, 8.0),), "proposed: the whole border zone"),
        Plan("wrong", (Lesion("point", to_patient(-30, 0, 0)[None], 5.0, 8.0),), "healthy lateral wall", control=True),
        NO_ABLATION,
    )


def _result(
    name: str, rank: int, best: float, left: int, interval: tuple[float, float], new: int, ml: float
) -> PlanResult:
    return PlanResult(
        name=name,
        control=name in ("wrong", "no ablation"),
        rank=rank,
        probability_best=best,
        probability_not_worse=0.94,
        inducible=left,
        tested=9,
        inducibility_interval=interval,
        new_circuits=new,
        draws_with_new_circuits=new,
        ablated_ml=ml,
        ablated_ml_low=0.85 * ml,
        ablated_ml_high=1.2 * ml,
        better_than_none=(0 if left == 5 else 3, 3),
        worse_than_none=0,
    )


def small_comparison(preference: str = "isthmus") -> Comparison:
    return Comparison(
        (
            _result("isthmus", 1, 0.91, 0, (0.0, 0.26), 0, 1.4),
            _result("homogenise", 2, 0.09, 1, (0.02, 0.39), 0, 6.2),
            _result("wrong", 3, 0.0, 5, (0.30, 0.80), 1, 0.8),
            _result("no ablation", 3, 0.0, 5, (0.30, 0.80), 0, 0.0),
        ),
        preference,
        "it leaves no circuit in 9 of 9 combinations, with the least tissue ablated.",
        draws=3,
        pairs=(
            PairOfPlans("isthmus", "homogenise", 1, 2, 0),
            PairOfPlans("isthmus", "wrong", 3, 0, 0),
            PairOfPlans("isthmus", "no ablation", 3, 0, 0),
            PairOfPlans("homogenise", "wrong", 2, 1, 0),
            PairOfPlans("homogenise", "no ablation", 2, 1, 0),
            PairOfPlans("wrong", "no ablation", 0, 3, 0),
        ),
        decides="what decides between isthmus and homogenise cannot be told from 3 different draws; 7 are needed",
    )


def _provenance() -> Provenance:
    observations = (
        ObservationRecord(
            "ab" * 32, "lge", "DICOM series, 9 files", "2026-03-01T08:00:00Z", "", "2026-11-20T10:00:00Z"
        ),
        ObservationRecord(
            "cd" * 32, "ecg", "DICOM 12-lead ECG, 10 s", "2026-03-02T09:30:00Z", "", "2026-11-20T10:00:00Z"
        ),
    )
    stages = (
        StageRecord(
            "segment",
            "11" * 16,
            {"lge": "ab" * 32},
            {"segment.core_threshold": "0.6"},
            "f0" * 16,
            "2026-11-20T10:00:07Z",
            6.4,
        ),
        StageRecord(
            "mesh", "22" * 16, {"segment": "11" * 16}, {"mesh.edge_mm": "3.0"}, "f0" * 16, "2026-11-20T10:00:09Z", 1.9
        ),
    )
    return Provenance("case07", 2, "0.1.0", observations, stages, ("The heart's motion: add a cine series.",))


def small_study(edge_mm: float = 3.0) -> Study:
    """Everything a study can hold."""
    heart = small_heart(edge_mm)
    image, segmentation = _segmentation(heart)
    activation = _activation(heart)
    hz = 500.0
    beat = np.arange(0, 2.0, 1 / hz) * 1000 % 900
    measured = Ecg(LEADS, np.stack([_wave(beat - 300, k) for k in range(12)]), hz)
    angles = np.linspace(0, 2 * np.pi, len(ELECTRODES), endpoint=False)
    around = np.stack([160 * np.sin(angles), -120 * np.cos(angles), 30 * np.sin(2 * angles)], axis=1)
    confirmation = Confirmation(
        member=4,
        velocities=Velocities(0.62, 0.28, 1.2),
        tuning_error={"fibre, healthy": 0.012, "cross, healthy": -0.021, "fibre, border zone": 0.008},
        activation=activation,
        ecg=Ecg(LEADS, np.stack([_wave(activation.ecg_ms - 10, k) for k in range(12)]), 1000.0),
        site_delay_ms=np.array([4.0, 6.0, 5.0]),
        draws=(
            DrawFit("best", 4, Velocities(0.62, 0.28, 1.2), 0.86, 0.81, 92.0),
            DrawFit("slow", 2, Velocities(0.52, 0.22, 1.0), 0.80, 0.71, 118.0),
            DrawFit("fast", 1, Velocities(0.70, 0.33, 1.5), 0.84, 0.80, 81.0),
        ),
    )
    return Study(
        heart=heart,
        image=image,
        segmentation=segmentation,
        ecgs=(measured,),
        electrodes=Electrodes(ELECTRODES, _CENTRE_MM + around, False),
        calibration_heart=heart,
        posterior=_posterior(),
        ensemble_beat=_ensemble_beat(heart, activation),
        velocities=FrontToTissue(4, {"ten_tusscher_2006": Ratio(1.02, 0.86, 1.05, 1.3, 2.4, 1.4)}),
        confirmation=confirmation,
        arrhythmias=_arrhythmias(heart),
        plans=_plans(),
        comparison=small_comparison(),
        provenance=_provenance(),
    )
