"""How far the error of a coarse mesh can be pushed down by the discretisation: Niederer's slab in cubes of 0.5 mm.

    python benchmarks/coarse_slab.py [--json]

Arrival along the fibres (P3), across them (P2) and at the far corner (P8), as a percentage of what the slab converges
to. P8 alone does not tell: too slow across and too fast along may add up to it. Tried are

- the mass matrix from lumped (share 1) to consistent (0) and beyond, where what it lacks at a node is taken from the
  neighbours (a share of -0.25 makes it singular), and its inverse by a Neumann series from the lumped one (Guermond and
  Pasquetti 2013, doi 10.1016/j.cma.2012.08.011);
- cells at quadrature points, their state interpolated nowhere (state-variable interpolation, Pathmanathan et al. 2011,
  doi 10.1016/j.pbiomolbio.2010.05.006), with lumped and consistent mass: 1 and 4 points a tetrahedron, and the ten
  nodes of a lattice of half the edge on which the potential is interpolated;
- the load by the consistent mass and the capacitance lumped (one of the mixtures of Krishnamoorthi et al. 2013, doi
  10.1002/cnm.2573), which is nearly the same as cells that see a smoothed potential, V + θ (M_lumped⁻¹ M - 1) V with
  θ = 1; other θ; and V + θ edge²/6 ΔV with the Laplacian of the mesh: along the axes of the mesh that is the same, but
  the mass matrix of these tetrahedra prefers the diagonal on which P8 lies;
- conductivities tuned for the velocities that the slab's own give on a fine cable: what production does.

The step is that of `cardiotwin.kernels.monodomain`, in double precision and with every node in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from table import Row, at_most, options, show

from cardiotwin.kernels.diffusion import EDGES, edge_stiffness
from cardiotwin.kernels.ionic import cell_model, width
from cardiotwin.kernels.lanes import LANES, tile
from cardiotwin.kernels.specialise import specialise
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.slab import slab
from cardiotwin.tissue.velocity import plane_wave_velocity, tune
from cardiotwin.units import C_M_UF_PER_MM2, CHI_PER_MM
from cardiotwin.verification.niederer import POINTS_MM, SIGMA, SIZE_MM, stimuli
from cardiotwin.verification.reference import P8_MS, limit

EDGE_MM, DT_MS, MODEL, WATCHED_MS = 0.5, 0.02, "ten_tusscher_2006", 250.0
FINE_MM = (0.1, 20.0 / 300.0)
FINE_MS = {"P2": (30.517, 28.505), "P3": (32.406, 31.948)}
"""On cubes of `FINE_MM`, run as `cardiotwin.verification.reference` runs them for P8."""
CONVERGED_MS = {name: limit(FINE_MM, times, 2.0) for name, times in FINE_MS.items()} | {"P8": P8_MS}
"""26.9, 31.6 and 42.26 ms; P8 extrapolated from these two meshes comes 0.4 % early."""
MOST_PERCENT = 10.0
LUMPED_SHARES = (1.0, 0.5, 0.0, -0.1, -0.2)
BY_MASS, BY_LAPLACIAN = (0.8, 0.9), (0.75, 0.8, 0.82, 0.85)
"""Shares θ of smoothing."""

Apply = Callable[[np.ndarray], np.ndarray]

# Bound for the cell model, see `kernels/specialise.py`.
gates = ionic_current = None


def _react(cells, dt_ms, v, ahead, current):
    """One step of all cells: gates at the potential v, ionic current (overwritten) at the one in the step's middle."""
    for t in range(cells.shape[0]):
        cell = tile(cells, t)  # type: ignore[var-annotated, call-arg]
        gates(cell, 0, tile(v, t)[0], dt_ms)
        tile(current, t)[0] = ionic_current(cell, 0, tile(ahead, t)[0], dt_ms)


class Cells:
    """Cells at rest, anywhere."""

    def __init__(self, number: int) -> None:
        cell, self.number = cell_model(MODEL), number
        n_tiles = -(-number // LANES)
        start = np.zeros((n_tiles, width(cell), LANES))
        for row, value in enumerate({**cell.STATE, **cell.PARAMETERS}.values()):
            start[:, row] = value
        self.cells = start.reshape(n_tiles, -1)
        self.v, self.ahead, self.current = (np.full((n_tiles, LANES), cell.REST_MV) for _ in range(3))
        parts = {part: specialise(getattr(cell, part), MODEL, inline=True) for part in ("gates", "ionic_current")}
        self.react = specialise(_react, f"{MODEL}_coarse", **parts)

    def step(self, v: np.ndarray, ahead: np.ndarray) -> np.ndarray:
        """Ionic current over C_m, mV/ms."""
        self.v.reshape(-1)[: self.number], self.ahead.reshape(-1)[: self.number] = v, ahead
        self.react(self.cells, DT_MS, self.v, self.ahead, self.current)
        return self.current.reshape(-1)[: self.number]


class Scheme(NamedTuple):
    """dV/dt = diffusion(V) - load(I_ion(seen(V))): three linear maps, from nodes to nodes or cells and back."""

    name: str
    diffusion: Apply
    seen: Apply
    load: Apply
    n_cells: int


class Matrices(NamedTuple):
    """Of linear elements on a mesh: diffusion over lumped mass, 1/ms, and the consistent mass over the lumped."""

    mesh: Mesh
    diffusion: sparse.csr_matrix
    mass: sparse.csr_matrix
    volume: np.ndarray


def matrices(sigma: tuple[float, float]) -> Matrices:
    """Of the slab, in the notation above."""
    mesh = slab(SIZE_MM, EDGE_MM)
    n, stiffness, volumes = len(mesh.points), np.empty((len(mesh.tets), 6)), np.empty(len(mesh.tets))
    tensor = np.tile(np.diag([sigma[0], sigma[1], sigma[1]]), (len(mesh.tets), 1, 1))
    edge_stiffness(mesh.points, mesh.tets, tensor, stiffness, volumes)
    volume = np.bincount(mesh.tets.ravel(), np.repeat(volumes / 4.0, 4), n)
    i, j = mesh.tets[:, EDGES[:, 0]].ravel(), mesh.tets[:, EDGES[:, 1]].ravel()

    def over_volume(between: np.ndarray, sums_to: float) -> sparse.csr_matrix:
        half = sparse.coo_matrix((between.ravel(), (i, j)), shape=(n, n)).tocsr()
        rate = sparse.diags(1.0 / volume) @ (half + half.T)
        return (rate + sparse.diags(sums_to - np.asarray(rate.sum(axis=1)).ravel())).tocsr()

    diffusion = over_volume(-stiffness / (CHI_PER_MM * C_M_UF_PER_MM2), 0.0)
    return Matrices(mesh, diffusion, over_volume(np.repeat(volumes[:, None] / 20.0, 6, axis=1), 1.0), volume)


def arrivals(scheme: Scheme, mesh: Mesh) -> dict[str, float]:
    """Activation times at the points, ms; NaN where no wave came."""
    v = np.full(len(mesh.points), cell_model(MODEL).REST_MV)
    before, cells, seen_ms = v.copy(), Cells(scheme.n_cells), np.full(len(v), np.nan)
    injected = np.zeros(len(v))
    for stimulus in stimuli(mesh.points, EDGE_MM, by_volume=True):
        injected[stimulus.nodes] = stimulus.strength_mv_per_ms
    nodes = {name: int(np.argmin(np.linalg.norm(mesh.points - POINTS_MM[name], axis=1))) for name in CONVERGED_MS}
    for step in range(int(WATCHED_MS / DT_MS)):
        ahead = 1.5 * v - 0.5 * before
        rate = scheme.diffusion(ahead) - scheme.load(cells.step(scheme.seen(v), scheme.seen(ahead)))
        before, v = v, v + DT_MS * (rate + (injected if step * DT_MS < 2.0 - 1e-9 else 0.0))
        crossed = (before < 0.0) & (v >= 0.0) & np.isnan(seen_ms)
        seen_ms[crossed] = DT_MS * (step + before[crossed] / (before[crossed] - v[crossed]))
        if np.isfinite(seen_ms[list(nodes.values())]).all():
            break
    return {name: float(seen_ms[node]) for name, node in nodes.items()}


def same(v: np.ndarray) -> np.ndarray:
    """What a lumped mass does."""
    return v


def after(matrix: sparse.spmatrix, solve: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A solve of what a matrix makes of a vector."""
    return lambda v: solve(matrix @ v)


def schemes(m: Matrices) -> list[Scheme]:
    """All that leave the conductivities as they are."""
    n, one = len(m.mesh.points), sparse.identity(len(m.mesh.points), format="csr")
    tried = []
    for share in LUMPED_SHARES:
        inverse = splu((share * one + (1.0 - share) * m.mass).tocsc()).solve if share < 1.0 else same
        tried.append(Scheme(f"mass lumped by {share:g}", after(m.diffusion, inverse), same, same, n))
    for terms in (1, 2):
        inverse = sum((one - m.mass) ** k if k else one for k in range(terms + 1)) @ m.diffusion
        tried.append(Scheme(f"consistent mass, Neumann series, {terms} terms", inverse.dot, same, same, n))
    for name, places in QUADRATURES.items():
        seen, load = quadrature(m, *places)
        solve = splu(m.mass.tocsc()).solve
        tried.append(Scheme(f"cells at {name}, lumped mass", m.diffusion.dot, seen.dot, load.dot, seen.shape[0]))
        tried.append(Scheme(f"cells at {name}, consistent mass", after(m.diffusion, solve), seen.dot,
                            after(load, solve), seen.shape[0]))  # fmt: skip
    tried.append(Scheme("lumped capacitance, consistent load", m.diffusion.dot, same, m.mass.dot, n))
    laplacian = EDGE_MM**2 / 6.0 * CHI_PER_MM * C_M_UF_PER_MM2 * matrices((1.0, 1.0)).diffusion
    for how, change, shares in (("mass", m.mass - one, BY_MASS), ("Laplacian", laplacian, BY_LAPLACIAN)):
        for theta in shares:
            smooth = (one + theta * change).tocsr()
            tried.append(
                Scheme(f"lumped, V smoothed by {theta:g} {how} for cells", m.diffusion.dot, smooth.dot, same, n)
            )
    return tried


INNER, OUTER = (5.0 + 3.0 * 5.0**0.5) / 20.0, (5.0 - 5.0**0.5) / 20.0
MIDDLES = 0.5 * (np.eye(4)[EDGES[:, 0]] + np.eye(4)[EDGES[:, 1]])
QUADRATURES = {
    "the centroid": (np.full((1, 4), 0.25), np.ones(1)),
    "4 points": (OUTER + (INNER - OUTER) * np.eye(4), np.full(4, 0.25)),
    "the nodes of half the edge": (np.concatenate([np.eye(4), MIDDLES]), np.repeat([1.0 / 32.0, 7.0 / 48.0], [4, 6])),
}
"""Barycentric coordinates of points in a tetrahedron, and their share of its volume."""


def quadrature(m: Matrices, places: np.ndarray, shares: np.ndarray) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Potential at the points of all tetrahedra, and what their currents add up to at the nodes."""
    n_tets, n_points = len(m.mesh.tets), len(places)
    point = np.arange(n_tets * n_points).repeat(4)
    node = np.repeat(m.mesh.tets[:, None], n_points, axis=1).ravel()
    value = np.tile(places.ravel(), n_tets)
    seen = sparse.csr_matrix((value, (point, node)), shape=(n_tets * n_points, len(m.mesh.points)))
    weight = (m.mesh.volumes[:, None] * shares).ravel()
    return seen, (sparse.diags(1.0 / m.volume) @ seen.T @ sparse.diags(weight)).tocsr()


def tuned() -> tuple[float, float]:
    """Conductivities that give on cubes of 0.5 mm the velocities that Niederer's give on a fine cable."""
    found = []
    for sigma, expected in zip(SIGMA, (0.65, 0.25), strict=True):
        how: dict = {"geometry": "cable", "precision": "double"}
        fine = plane_wave_velocity(sigma, MODEL, {}, 0.05, DT_MS, expected=expected, **how)
        found.append(tune(fine, MODEL, {}, EDGE_MM, DT_MS, **how)[0])
    return found[0], found[1]


def rows() -> list[Row]:
    """One row a way to discretise."""
    m = matrices(SIGMA)
    table = [worst_row(scheme.name, arrivals(scheme, m.mesh)) for scheme in schemes(m)]
    sigma = tuned()
    m = matrices(sigma)
    lumped = Scheme(
        f"lumped, tuned to {sigma[0]:.4f}, {sigma[1]:.4f} mS/mm", m.diffusion.dot, same, same, len(m.volume)
    )
    return [*table, worst_row(lumped.name, arrivals(lumped, m.mesh))]


def worst_row(name: str, times_ms: dict[str, float]) -> Row:
    """Judged by the worst of the three points, which does not forgive errors that cancel."""
    errors = {point: 100.0 * (time_ms / CONVERGED_MS[point] - 1.0) for point, time_ms in times_ms.items()}
    note = ", ".join(f"{point} {times_ms[point]:.2f} ms ({error:+.1f} %)" for point, error in errors.items())
    return at_most(name, [max(errors.values(), key=abs)], "%", MOST_PERCENT, note)


if __name__ == "__main__":
    show([rows()], as_json=options(__doc__).parse_args().json)
