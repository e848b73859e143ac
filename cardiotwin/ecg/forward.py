"""The ECG that a heart would make at electrodes, from its membrane potential.

The electrodes lie in an infinite homogeneous conductor (the pseudo-ECG of Gima & Rudy 2002,
doi 10.1161/01.RES.0000016960.61087.86):

    Φ(P) = -1/(4π σ_torso) ∫ σ∇V · ∇(1/r) dV = Σᵢ wᵢ(P) Vᵢ,

or, where they have a torso, on its skin (`torso_conductor.py`): linear in the membrane potential of the nodes both
times. The weights sum to zero, so a heart at rest, or wholly depolarised, is silent. No lungs or blood: shapes are
right to first order, amplitudes only in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve
from scipy.special import erf

from cardiotwin.arguments import finite_array
from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.recording import Ecg, leads_from_electrodes
from cardiotwin.ecg.torso_conductor import TorsoConductor
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import Heart
from cardiotwin.kernels.leadfield import LANES, element_sources, sources_in_fields, weight_histograms
from cardiotwin.solver.medium import Medium, check, membrane

SIGMA_TORSO_MS_PER_MM = 0.2
"""Bulk conductivity of the torso, mS/mm: about that of the mixture of muscle, lung and fat. Scales every lead alike."""
RESTING_MV, PLATEAU_MV = -85.0, 15.0
"""Of the action-potential template."""
UPSTROKE_SD_MS, REPOLARISATION_MS = 1.5, 26.5
"""Standard deviation of the upstroke's Gaussian slope; time constant of the template's fall, which begins slowly and
ends fast: 1 - exp(-exp(t/τ)) comes within 1.9 mV of the ten Tusscher-Panfilov cell with 26.5 ms, within 1.3 mV of
ToR-ORd with 38; the symmetric logistic within 2.8 and 2.3 mV.
"""

NEAREST_MM = 2.0
"""Between an electrode and a node: nearer, elements are too coarse for 1/r."""


def electrode_weights(heart: Heart, electrodes: Electrodes, sigma: np.ndarray, conducting: np.ndarray) -> np.ndarray:
    """What one millivolt at each node adds to the potential at each electrode.

    Parameters
    ----------
    heart : Heart
    electrodes : Electrodes
        Outside the wall; in a torso where they have a `conductor`.
    sigma : (n_tets, 3) float
        Conductivity along fibre, sheet and normal, mS/mm.
    conducting : (n_tets,) bool
        Elements that carry current; the others are as if cut out.

    Returns
    -------
    (n_electrodes, n_nodes) float64
        Potentials are ``weights @ v``. Every row sums to zero.

    Raises
    ------
    InputRejected
        An electrode inside the wall or at a node.
    """
    on = np.asarray(conducting, bool)
    frame = np.stack([heart.fibres[on], heart.sheets[on], heart.normals[on]], axis=1).astype(np.float64)
    tensor = np.einsum("ek,eki,ekj->eij", np.asarray(sigma, np.float64)[on], frame, frame)
    return _weights(
        heart.mesh.points, heart.mesh.tets[on], tensor, electrodes.names, electrodes.positions, electrodes.conductor
    )


def medium_electrode_weights(medium: Medium, positions: np.ndarray) -> np.ndarray:
    """The same for a medium of one's own: `Solver(medium, dt_ms, electrode_weights=...)` records these electrodes.

    Parameters
    ----------
    medium : Medium
    positions : (n_electrodes, 3) float
        mm, at least 2 mm from every node.

    Returns
    -------
    (n_electrodes, n_points) float64
        Potentials are ``weights @ v``, in mV in a bath of 0.2 mS/mm without end.

    Raises
    ------
    InputRejected
        An electrode too near or inside, one without three finite coordinates, or no medium (see
        `cardiotwin.solver.medium.check`).
    """
    check(medium, membrane(medium.cell_model)[1])
    positions = finite_array("positions", positions, (None, 3))
    names = [str(number) for number in range(len(positions))]
    return _weights(medium.points, medium.tets, medium.sigma, names, positions)


def _weights(
    points: np.ndarray, tets: np.ndarray, sigma: np.ndarray, names: Sequence[str], positions: np.ndarray,
    conductor: TorsoConductor | None = None,
) -> np.ndarray:  # fmt: skip
    for name, position in zip(names, positions, strict=True):
        nearest = np.sqrt(((points - position) ** 2).sum(axis=1).min())
        if not nearest > NEAREST_MM or _holds(points, tets, position):
            raise InputRejected(
                f"electrode {name}: inside the tissue or near it, {nearest:.1f} mm from a node; expected more than "
                f"{NEAREST_MM:g}, outside, in the mesh's coordinates and mm"
            )
    sources = np.empty((len(positions), len(tets), 4))
    points, tets, sigma = (np.ascontiguousarray(array) for array in (points, tets, np.asarray(sigma, np.float64)))
    if conductor is None:
        element_sources(points, tets, sigma, np.ascontiguousarray(positions, np.float64), sources)
    else:
        # The skin is far enough for fields to be linear within an element: a twentieth of the distances to compute.
        sources_in_fields(points, tets, sigma, conductor.lead_fields(points), sources)
    summed = [np.bincount(tets.ravel(), row.ravel(), minlength=len(points)) for row in sources]
    return np.array(summed).reshape(len(positions), len(points)) / (4.0 * np.pi * SIGMA_TORSO_MS_PER_MM)


def _holds(points: np.ndarray, tets: np.ndarray, position: np.ndarray) -> bool:
    """Whether a point lies in any tetrahedron: on the inner side of all four faces."""
    if (position < points.min(axis=0)).any() or (position > points.max(axis=0)).any():
        return False
    corners = points[tets]
    near = (corners.min(axis=1) <= position).all(axis=1) & (corners.max(axis=1) >= position).all(axis=1)
    edges = corners[near, 1:] - corners[near, :1]
    share = np.linalg.solve(np.swapaxes(edges, 1, 2), (position - corners[near, 0])[..., None])[..., 0]
    return bool(((share >= 0.0).all(axis=1) & (share.sum(axis=1) <= 1.0)).any())


def eikonal_ecg(
    names: Sequence[str],
    weights: np.ndarray,
    activation_ms: np.ndarray,
    *,
    duration_ms: float,
    repolarisation_ms: np.ndarray | None = None,
    hz: float = 1000.0,
) -> Ecg:
    """The ECG of an activation map: every node runs through the same action potential at its own time.

    The potential is V(t) = rest + swing [U(t - activation) - D(t - repolarisation)], so an electrode sees two
    convolutions of a histogram of weights: one pass over the nodes, whatever the duration.

    Parameters
    ----------
    names : sequence of str
        Electrodes in the order of the weights.
    weights : (n_electrodes, n_nodes) float
        From `electrode_weights`.
    activation_ms : (n_nodes,) float
        ms, not negative; infinite where nothing arrives: that tissue stays at rest.
    duration_ms : float
    repolarisation_ms : (n_nodes,) float, optional
        When each node is half repolarised; without it there is a QRS and no T wave.
    hz : float
        Samples per second.

    Returns
    -------
    Ecg
        Twelve leads, mV.
    """
    n_samples = round(duration_ms * hz / 1000.0)
    parts = LeadWeights.of((weights,))
    whole = np.array([[1.0, 0.0]])
    rise = depolarisation(parts, whole, activation_ms[None], n_samples, 1000.0 / hz)[0]
    if repolarisation_ms is not None:
        rise = rise - recovery(parts, whole, repolarisation_ms[None], n_samples, 1000.0 / hz)[0]
    return leads_from_electrodes(names, rise, hz)


@dataclass(frozen=True, eq=False)
class LeadWeights:
    """Weights of leads or electrodes in two parts, for `depolarisation`.

    Attributes
    ----------
    n_leads : int
    of_node : (n_sets, n_nodes, 2, n) float64
        As `cardiotwin.kernels.leadfield.weight_histograms` wants them; a set for each placement of the electrodes.
    """

    n_leads: int
    of_node: np.ndarray

    @classmethod
    def of(cls, *sets: Sequence[np.ndarray]) -> LeadWeights:
        """From sets of one or two parts, each (n_leads, n_nodes)."""
        n_leads, n_nodes = sets[0][0].shape
        of_node = np.zeros((len(sets), n_nodes, 2, -(-n_leads // LANES) * LANES))
        for of_set, parts in zip(of_node, sets, strict=True):
            for number, part in enumerate(parts):
                of_set[:, number, :n_leads] = part.T
        return cls(n_leads, of_node)


def depolarisation(
    weights: LeadWeights,
    mix: np.ndarray,
    activation_ms: np.ndarray,
    n_samples: int,
    step_ms: float = 1.0,
    *,
    which: np.ndarray | None = None,
) -> np.ndarray:
    """QRS complexes of an ensemble of activation maps: (n_members, n_leads, n_samples), mV.

    Parameters
    ----------
    weights : LeadWeights
    mix : (n_members, 2) float
        How much of each part a member has.
    activation_ms : (n_members, n_nodes) float
        ms, not negative; infinite where nothing arrives.
    n_samples : int
    step_ms : float
    which : (n_members,) int, optional
        Set of weights of each member; the first where nothing is said.
    """
    half = int(np.ceil(4.0 * UPSTROKE_SD_MS / step_ms))
    upstroke = 0.5 * erf(np.arange(-half - 1, half + 1) * step_ms / (np.sqrt(2.0) * UPSTROKE_SD_MS))
    return _steps(weights, mix, activation_ms, n_samples, step_ms, upstroke, which)


def recovery(
    weights: LeadWeights,
    mix: np.ndarray,
    repolarisation_ms: np.ndarray,
    n_samples: int,
    step_ms: float = 1.0,
    *,
    which: np.ndarray | None = None,
) -> np.ndarray:
    """What `depolarisation` adds is taken back when a node is half repolarised: T waves are the difference of both.

    Parameters are those of `depolarisation`, with (n_members, n_nodes) times of repolarisation, ms.
    """
    half = int(np.ceil(10.0 * REPOLARISATION_MS / step_ms))
    from_half = np.log(np.log(2.0)) + np.arange(-half - 1, half + 1) * step_ms / REPOLARISATION_MS
    fall = -np.expm1(-np.exp(np.minimum(from_half, 4.0)))
    return _steps(weights, mix, repolarisation_ms, n_samples, step_ms, fall, which)


def _steps(
    weights: LeadWeights,
    mix: np.ndarray,
    times_ms: np.ndarray,
    n_samples: int,
    step_ms: float,
    shape: np.ndarray,
    which: np.ndarray | None = None,
) -> np.ndarray:
    """Potentials of nodes that each go through `shape` at their time, which may lie as far behind the end as it is."""
    histograms = np.empty((len(mix), weights.n_leads, n_samples + len(shape) // 2))
    which = np.zeros(len(mix), np.int64) if which is None else which
    weight_histograms(times_ms, weights.of_node, which, mix, step_ms, histograms)
    waves = _smoothed(np.cumsum(histograms, axis=-1), np.diff(shape))[..., :n_samples]
    return (PLATEAU_MV - RESTING_MV) * waves


def _smoothed(signal: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolution along the last axis of a signal that was zero before and stays at its last value after."""
    half = len(kernel) // 2
    before, after = np.zeros((*signal.shape[:-1], half)), np.repeat(signal[..., -1:], half, axis=-1)
    padded = np.concatenate([before, signal, after], axis=-1)
    shape = (1,) * (signal.ndim - 1) + (-1,)
    return fftconvolve(padded, (kernel / kernel.sum()).reshape(shape), mode="valid", axes=-1)
