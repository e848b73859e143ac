"""Conductivities that make a wave as fast as asked for, however the fibres lie in the mesher's lattice.

A detailed cell's front spans a fraction of a millimetre. On a lattice not finer than that, velocity depends on the
direction in which the wave runs through the lattice: with one conductivity for all orientations of the fibres, ten
Tusscher-Panfilov at 0.3 m/s is 25 % too slow along the diagonal of a face at 1.0 mm, and 29 % too fast along an axis.
So the conductivity tensor is made a function of the fibre direction f that has the symmetry of the lattice, and is
fitted to velocities of plane waves.

A node of the body-centred cubic lattice has 14 neighbours. Linear elements of conductivity σ couple it to

- the eight along a diagonal (s_1, s_2, s_3)/2 of the cells by tr σ/3 + s_1 s_2 σ_12 + s_2 s_3 σ_23 + s_3 s_1 σ_31 - κ,
- the six along an axis i by σ_ii - tr σ/3 + κ,

over χ C_m edge². Six numbers are σ's. The seventh, κ, is a conductivity κ/2 diag(1, 1, -2) that alternates between the
tetrahedra of a cell, the -2 on the axis along which neither of their long edges lies: its mean is zero, so it moves no
current where the potential is linear, but it shifts current from diagonals to axes and so decides how isotropic the
lattice is where the front is steep (at κ = σ/3, for isotropic tissue, to fourth order). With κ = 0 no tensor helps
where fibres lie along an axis: by symmetry it is isotropic across them, and the waves are not.

What remains of the error is what seven numbers cannot reach; `cardiotwin verify` measures it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import least_squares

from cardiotwin.kernels.diffusion import EDGES
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.slab import lattice_wave
from cardiotwin.progress import DOING
from cardiotwin.solver.medium import Medium, membrane
from cardiotwin.tissue.tunings import kept
from cardiotwin.tissue.velocity import timed

NEIGHBOURS = 0.5 * np.array([*product((-1, 1), repeat=3), *(s * 2 * axis for axis in np.eye(3) for s in (-1, 1))])
"""Of a node, in lattice constants: eight on diagonals, six on axes."""
DIRECTIONS = np.array([n for n in product(range(-4, 5), repeat=3) if np.gcd.reduce(n) == 1 and n > (0, 0, 0)])
"""Of plane waves that can be run: those with few nodes between equal planes."""
SAMPLED = 180
"""Waves of random stencils, from which the response of the velocity is learnt at first."""
CHECKED = 80
"""Waves of the fitted tensors in each of the rounds that refine it."""
ROUNDS = 3
SHORTEST_MM, SHORTEST_CELLS, RUN_MS = 12.0, 20.0, 60.0
"""Length of a bar, in mm, in cells, or as the wave runs: wide fronts take long to become steady."""
ALONG_WEIGHT, OBLIQUE_WEIGHT = 12.0, 0.2
"""Of a wave along the fibres and of an oblique one, in a fit of 10 across and 20 oblique to one along."""
NEAR_START = 0.015
"""Weight of a coefficient's change, in conductivities across: where the waves do not decide, it stays."""
STEADY = 0.9
"""Of the smallest conductivity, what may alternate: every tetrahedron's tensor stays positive definite."""
LEAST_REGULAR = 0.2
"""Share of tetrahedra that must be whole ones of the lattice for a mesh to lie on it."""
AT_ONCE = 1 << 16
"""Tetrahedra looked at together, or at all where a sample will do."""


@dataclass(frozen=True, eq=False)
class Oriented:
    """Conductivity as a function of the fibre direction.

    Attributes
    ----------
    tensor : (18,) float64
        Coefficients of the `_tensors` of the fibre direction, mS/mm.
    alternating : (4,) float64
        Of its `_invariants`, mS/mm.
    errors : dict of str to (n,) float64
        Relative velocity errors of waves along and across fibres that were not used in the fit.
    """

    tensor: np.ndarray
    alternating: np.ndarray
    errors: dict[str, np.ndarray]

    def sigma(self, fibres: np.ndarray) -> np.ndarray:
        """(n, 3, 3) mean conductivity for (n, 3) unit fibre directions in the axes of the lattice, mS/mm."""
        return _tensors(fibres) @ self.tensor

    def kappa(self, fibres: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """(n,) alternating part."""
        return _bounded(_invariants(fibres) @ self.alternating, sigma)

    def steady(self) -> bool:
        """Whether no fibre direction of many has a conductivity that is not positive definite."""
        fibres = _unit(np.random.default_rng(2).normal(size=(2000, 3)))
        return bool(np.linalg.eigvalsh(self.sigma(fibres)).min() > 0.0)

    def in_tetrahedra(self, fibres: np.ndarray, axis: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """(n, 3, 3) conductivity of tetrahedra, mS/mm.

        Parameters
        ----------
        fibres : (n, 3) float
        axis : (n,) int
            What `alternating_axis` gives.
        axes : (3, 3) float
            Of the lattice's `Frame`. Fibres, and the conductivity, are in the frame in which these are.
        """
        out = np.empty((len(fibres), 3, 3))
        for first in range(0, len(fibres), AT_ONCE):  # 1.3 kB each while they are computed
            some = slice(first, first + AT_ONCE)
            turned = fibres[some] @ axes.T
            sigma = self.sigma(turned)
            out[some] = axes.T @ with_alternation(sigma, self.kappa(turned, sigma), axis[some]) @ axes
        return out


def uniform(along: float, across: float) -> Oriented:
    """The same two conductivities for every orientation, mS/mm."""
    tensor = np.zeros(18)
    tensor[0], tensor[[3, 6]] = across, along - across  # across I + (along - across) f fᵀ
    return Oriented(tensor, np.zeros(4), {})


def with_alternation(sigma: np.ndarray, kappa: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(n, 3, 3) σ + κ/2 diag(1, 1, -2), the -2 on the axis of each; `sigma` is overwritten."""
    sigma[:, range(3), range(3)] += 0.5 * kappa[:, None]
    sigma[range(len(axis)), axis, axis] -= 1.5 * kappa
    return sigma


class Frame(NamedTuple):
    """Where a lattice lies: slices of an image may be tilted in the patient.

    Attributes
    ----------
    origin : (3,) float64
        One of its nodes, mm.
    axes : (3, 3) float64
        Its axes, a row each, unit length.
    """

    origin: np.ndarray
    axes: np.ndarray


def lattice_frame(mesh: Mesh, edge_mm: float) -> Frame | None:
    """The lattice that a mesh was cut from; None where it was not.

    Whole tetrahedra are known by the lengths of their edges. The long ones of the first give two axes, and the corners
    of all must be nodes then.
    """
    tets = mesh.tets[:: max(len(mesh.tets) // AT_ONCE, 1)]
    corners = mesh.points[tets]
    edges = corners[:, EDGES[:, 0]] - corners[:, EDGES[:, 1]]
    squared = np.einsum("eki,eki->ek", edges, edges) / edge_mm**2
    order = np.argsort(squared, axis=1)
    lengths = np.take_along_axis(squared, order, axis=1)
    whole = np.flatnonzero((np.abs(lengths - [0.75, 0.75, 0.75, 0.75, 1.0, 1.0]) < 1e-3).all(axis=1))
    if whole.size < max(LEAST_REGULAR * len(tets), 1):
        return None
    first, second = _unit(edges[whole[0], order[whole[0], 4:]])
    frame = Frame(corners[whole[0], 0], np.linalg.qr(np.column_stack([first, second, np.cross(first, second)]))[0].T)
    steps = _half_steps(corners[whole], frame, edge_mm)
    return frame if np.abs(steps - np.round(steps)).max() < 0.05 else None


def alternating_axis(centroids: np.ndarray, frame: Frame, edge_mm: float) -> np.ndarray:
    """(n,) number of the axis along which neither long edge lies of the tetrahedron of the lattice at each place.

    The centroid of such a tetrahedron is a quarter of the lattice constant off the planes of nodes on that axis, and in
    them on the others.
    """
    halves = _half_steps(centroids, frame, edge_mm)
    return np.abs(halves - np.round(halves)).argmax(axis=1)


def _half_steps(points: np.ndarray, frame: Frame, edge_mm: float) -> np.ndarray:
    """Coordinates in the lattice, in halves of its constant."""
    return (points - frame.origin) @ frame.axes.T / (0.5 * edge_mm)


def oriented(
    along: float,
    across: float,
    start: tuple[float, float],
    cell_model: str,
    parameters: Mapping[str, float],
    edge_mm: float,
    dt_ms: float,
) -> Oriented | None:
    """Fit the conductivity to two velocities.

    Velocities of random stencils teach how velocity depends on the moments of the couplings along the wave; the
    coefficients are those with the least squared error by that response, over fibres in 43 directions and waves along,
    across and oblique to them. Then waves are run with the result, and with these the response is fitted anew, less the
    mean error that they showed, twice.

    Parameters
    ----------
    along, across : float
        Wanted, mm/ms.
    start : (float, float)
        Conductivity along and across that is about right, mS/mm: what `cardiotwin.tissue.velocity.tune` gives.
    cell_model, parameters, edge_mm, dt_ms
        As there.

    Returns
    -------
    Oriented or None
        None where fewer than half of the waves arrive, so that nothing can be fitted, or a tensor is not positive
        definite.

    Notes
    -----
    420 waves: about 12 s of one core for ten Tusscher-Panfilov.
    """
    named = tuple(sorted(parameters.items()))
    waves = _Waves(membrane(cell_model)[0], named, edge_mm, dt_ms, round(along, 6), round(across, 6))
    return _fitted(waves, (round(start[0], 6), round(start[1], 6)))


def orientation_errors(
    conductivity: Oriented,
    along: float,
    across: float,
    cell_model: str,
    parameters: Mapping[str, float],
    edge_mm: float,
    dt_ms: float,
    seed: int,
) -> dict[str, np.ndarray]:
    """Relative velocity errors along and across fibres of random orientation; -1 where a wave does not arrive.

    Parameters are those of `oriented`; other seeds give other orientations.
    """
    named = tuple(sorted(parameters.items()))
    waves = _Waves(membrane(cell_model)[0], named, edge_mm, dt_ms, along, across)
    return _check(waves, conductivity, np.random.default_rng(seed))[2]


ALONG_AXES = Frame(np.zeros(3), np.eye(3))


class _Waves(NamedTuple):
    """Plane waves of one kind of tissue; hashable."""

    cell_model: str
    parameters: tuple[tuple[str, float], ...]
    edge_mm: float
    dt_ms: float
    along: float
    across: float

    def wanted(self, fibres: np.ndarray, waves: np.ndarray) -> np.ndarray:
        """Velocity of waves in unit directions: the ellipsoid that the eikonal model has too."""
        cosine = np.einsum("ni,ni->n", fibres, waves)
        return np.sqrt(self.across**2 + (self.along**2 - self.across**2) * cosine**2)


def _to_json(found: Oriented | None) -> dict[str, Any] | None:
    if found is None:
        return None
    errors = {name: error.tolist() for name, error in found.errors.items()}
    return {"tensor": found.tensor.tolist(), "alternating": found.alternating.tolist(), "errors": errors}


def _from_json(stored: dict[str, Any] | None) -> Oriented | None:
    if stored is None:
        return None
    errors = {name: np.array(error) for name, error in stored["errors"].items()}
    tensor, alternating = np.array(stored["tensor"], float), np.array(stored["alternating"], float)
    if tensor.shape != (18,) or alternating.shape != (4,) or not np.isfinite([*tensor, *alternating]).all():
        raise ValueError("no coefficients of a conductivity")
    return Oriented(tensor, alternating, errors)


@kept(_to_json, _from_json)
def _fitted(waves: _Waves, start: tuple[float, float]) -> Oriented | None:
    rng, bias = np.random.default_rng(1), (0.0, 0.0)
    moments, reached = _random_stencils(waves, start, rng)
    for _ in range(ROUNDS):
        if reached.size < 0.5 * SAMPLED:
            return None
        found = _least_squares(waves, start, _Response(moments, reached, waves.edge_mm), bias)
        here, velocity, errors = _check(waves, found, rng)
        moments, reached = np.concatenate([moments, here]), np.concatenate([reached, velocity])
        if not found.steady():
            return None
        bias = bias[0] + float(errors["along"].mean()), bias[1] + float(errors["across"].mean())
    return Oriented(found.tensor, found.alternating, errors)


def _random_stencils(
    waves: _Waves, start: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Moments and velocities of waves around the conductivities to start from; those that arrive."""
    directions, fibres, _ = _pairs(SAMPLED, rng)
    along = start[0] * rng.uniform(0.8, 1.25, SAMPLED)
    across = start[1] * rng.uniform(0.65, 1.5, SAMPLED)
    fibrous = np.einsum("n,ni,nj->nij", along - across, fibres, fibres)
    sigma = across[:, None, None] * np.eye(3) + fibrous
    return _run(waves, directions, fibres, sigma, _bounded(across * rng.uniform(-0.3, 1.2, SAMPLED), sigma))[:2]


def _check(
    waves: _Waves, found: Oriented, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Moments and velocities of waves in a fitted medium; relative errors along and across, -1 where none arrives."""
    directions, fibres, kind = _pairs(CHECKED, rng)
    sigma = found.sigma(fibres)
    moments, velocity, error = _run(waves, directions, fibres, sigma, found.kappa(fibres, sigma))
    return moments, velocity, {name: error[kind == name] for name in ("along", "across")}


def _pairs(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of waves, (n, 3) int, fibre directions, (n, 3), and how they lie to each other."""
    likely = 1.0 / (DIRECTIONS**2).sum(axis=1)  # there are few simple directions, and they are the extremes
    directions = rng.choice(DIRECTIONS, n, p=likely / likely.sum())
    kind = np.array(["along", "across", "across", "oblique"])[np.arange(n) % 4]
    wave = _unit(directions)
    aside = _unit(np.cross(wave, rng.normal(size=(n, 3))))
    angle = np.where(kind == "along", 0.0, np.where(kind == "across", 0.5 * np.pi, rng.uniform(0.35, 1.22, n)))
    return directions, np.cos(angle)[:, None] * wave + np.sin(angle)[:, None] * aside, kind


def _run(
    waves: _Waves, directions: np.ndarray, fibres: np.ndarray, sigma: np.ndarray, kappa: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments and velocities of the waves that arrive, and the relative error of every one."""
    wanted = waves.wanted(fibres, _unit(directions))
    velocity = np.zeros(len(wanted))
    for k, one in enumerate(zip(directions, sigma, kappa, wanted, strict=True)):
        if k % 20 == 0:
            DOING.info("tuning, wave %d of %d", k, len(wanted))
        velocity[k] = _velocity(waves, *one)
    there = velocity > 0.0
    moments = _moments(_couplings(sigma, kappa), _powers(_unit(directions), waves.edge_mm))
    return moments[there], velocity[there], velocity / wanted - 1.0


def _velocity(waves: _Waves, direction: np.ndarray, sigma: np.ndarray, kappa: float, wanted: float) -> float:
    """Of a plane wave in the endless lattice, mm/ms; 0 where it does not arrive."""
    edge_mm = waves.edge_mm
    length = max(SHORTEST_MM, SHORTEST_CELLS * edge_mm, RUN_MS * wanted)
    apart = 2 - int(direction.sum()) % 2  # planes of nodes, in halves of the lattice constant over the norm
    n_planes = int(length / (0.5 * edge_mm * apart / np.linalg.norm(direction))) + 1
    bar, x = lattice_wave(tuple(direction), n_planes, edge_mm)
    axis = alternating_axis(bar.points[bar.tets].mean(axis=1), ALONG_AXES, edge_mm)
    tensors = with_alternation(np.tile(sigma, (len(axis), 1, 1)), np.full(len(axis), kappa), axis)
    medium = Medium(bar.points, bar.tets, tensors, waves.cell_model, dict(waves.parameters), bar.same_as)
    return timed(medium, x, waves.dt_ms, wanted)


def _couplings(sigma: np.ndarray, kappa: np.ndarray) -> np.ndarray:
    """(n, 14) couplings to the `NEIGHBOURS`, mS/mm; see the head of this module."""
    third = np.trace(sigma, axis1=1, axis2=2)[:, None] / 3.0
    corner = 2.0 * NEIGHBOURS[:8]
    mixed = 0.5 * np.einsum("di,dj,nij->nd", corner, corner, sigma) - 1.5 * third
    axes = np.repeat(np.einsum("nii->ni", sigma), 2, axis=1)
    return np.concatenate([third + mixed - kappa[:, None], axes - third + kappa[:, None]], axis=1)


def _moments(couplings: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """(n, 4) coefficients of the second, fourth, sixth and eighth derivative in the diffusion of a plane wave."""
    return np.einsum("nd,ndk->nk", couplings, powers)


def _powers(waves: np.ndarray, edge_mm: float) -> np.ndarray:
    """(n, 14, 4) what a coupling to each neighbour adds to the moments of waves in unit directions."""
    step = edge_mm * (waves @ NEIGHBOURS.T)
    orders, factorials = np.array([2, 4, 6, 8]), np.array([2.0, 24.0, 720.0, 40320.0])
    return step[:, :, None] ** orders / factorials / edge_mm**2


class _Response:
    """Logarithm of the velocity, a quadratic function of the moments; outliers count for less.

    Divided by the root of the diffusion, velocity depends little on it, and on the shape of the stencil by the higher
    moments over the second.
    """

    def __init__(self, moments: np.ndarray, velocity: np.ndarray, edge_mm: float) -> None:
        self.edge_mm, self.middle = edge_mm, float(np.median(moments[:, 0]))
        seen = np.log(velocity) - 0.5 * np.log(moments[:, 0] / self.middle)
        design, weight = self._design(moments), np.ones(len(velocity))
        for _ in range(3):
            normal = (design * weight[:, None]).T @ design + 1e-3 * np.eye(design.shape[1])
            self.coefficients = np.linalg.solve(normal, design.T @ (weight * seen))
            miss = design @ self.coefficients - seen
            weight = 1.0 / (1.0 + (miss / (2.0 * np.median(np.abs(miss)) + 1e-9)) ** 2)

    def __call__(self, moments: np.ndarray) -> np.ndarray:
        """(n,) for (n, 4)."""
        diffusion = np.maximum(moments[:, 0], 1e-3 * self.middle)
        return self._design(moments) @ self.coefficients + 0.5 * np.log(diffusion / self.middle)

    def _design(self, moments: np.ndarray) -> np.ndarray:
        diffusion = np.maximum(moments[:, 0], 1e-3 * self.middle)
        of_a_chain = self.edge_mm ** np.array([2, 4, 6]) / [12.0, 360.0, 20160.0]
        shape = moments[:, 1:] / diffusion[:, None] / of_a_chain - 1.0
        terms = [np.log(diffusion / self.middle), *shape.T]
        products = [terms[i] * terms[j] for i in range(4) for j in range(i, 4)]
        return np.column_stack([np.ones(len(moments)), *terms, *products])


def _least_squares(
    waves: _Waves, start: tuple[float, float], response: _Response, bias: tuple[float, float]
) -> Oriented:
    """The coefficients for which the response is nearest to what is wanted, less a known bias along and across."""
    fibres, directions, weight, same = _design_waves()
    tensors, invariants = _tensors(fibres), _invariants(fibres)
    square = np.einsum("ni,ni->n", fibres[same], directions) ** 2
    wanted = np.log(waves.wanted(fibres[same], directions)) - (bias[0] * square + bias[1] * (1.0 - square))
    powers, n_tensor = _powers(directions, waves.edge_mm), tensors.shape[-1]
    plain = uniform(*start)
    first = np.concatenate([plain.tensor, plain.alternating])

    def residual(coefficients: np.ndarray) -> np.ndarray:
        sigma = tensors @ coefficients[:n_tensor]
        kappa = _bounded(invariants @ coefficients[n_tensor:], sigma)
        found = response(_moments(_couplings(sigma, kappa)[same], powers))
        return np.concatenate([weight * (found - wanted), NEAR_START * (coefficients - first) / start[1]])

    best = least_squares(residual, first, x_scale=start[1]).x
    return Oriented(best[:n_tensor], best[n_tensor:], {})


@lru_cache(maxsize=1)
def _design_waves() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fibre directions, unit directions of waves with their weight, and the fibre direction each belongs to."""
    rng = np.random.default_rng(5)
    fibres = _unit(np.concatenate([rng.normal(size=(40, 3)), [[0, 0, 1], [0, 1, 1], [1, 1, 1]]]))
    directions, weight = [], []
    for fibre in fibres:
        frame = np.linalg.qr(np.column_stack([fibre, rng.normal(size=(3, 2))]))[0].T
        turn = np.arange(10) * np.pi / 10.0
        across = np.cos(turn)[:, None] * frame[1] + np.sin(turn)[:, None] * frame[2]
        tilted = [np.cos(tilt) * fibre + np.sin(tilt) * across * rng.choice([-1.0, 1.0], (10, 1))
                  for tilt in np.radians([30.0, 60.0])]  # fmt: skip
        directions.append(np.concatenate([fibre[None], across, *tilted]))
        weight.append(np.sqrt([ALONG_WEIGHT] + 10 * [1.0] + 20 * [OBLIQUE_WEIGHT]))
    return fibres, np.concatenate(directions), np.concatenate(weight), np.repeat(np.arange(len(fibres)), 31)


def _invariants(fibres: np.ndarray) -> np.ndarray:
    """(n, 4) polynomials of a direction that the symmetries of a cube leave as they are."""
    fourth, sixth = (fibres**4).sum(axis=1) - 0.6, 27.0 * (fibres**2).prod(axis=1) - 0.3
    return np.column_stack([np.ones(len(fibres)), fourth, sixth, fourth**2])


def _tensors(fibres: np.ndarray) -> np.ndarray:
    """(n, 3, 3, 18) tensors of a direction that turn with it under the symmetries of a cube.

    All such are sums of six, diag(f_i^2k) and f_j f_k f_i^2k off the diagonal, k = 0 to 2, times invariants; here times
    the first three.
    """
    out = np.zeros((len(fibres), 3, 3, 6))
    for power in range(3):
        scale = fibres ** (2 * power)
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            out[:, i, i, 2 * power] = scale[:, i]
            out[:, j, k, 2 * power + 1] = out[:, k, j, 2 * power + 1] = fibres[:, j] * fibres[:, k] * scale[:, i]
    return (out[..., None] * _invariants(fibres)[:, None, None, None, :3]).reshape(len(fibres), 3, 3, 18)


def _bounded(kappa: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """The alternating part, no larger than leaves every tetrahedron's tensor positive definite."""
    least = np.linalg.eigvalsh(sigma)[:, 0]
    return np.clip(kappa, -2.0 * STEADY * least, STEADY * least)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
