"""A block of tissue with every field a heart has: six tetrahedra a cube, one fibre direction."""

from itertools import permutations, product

import numpy as np

from cardiotwin.heart import HEALTHY, LEFT, LV_ENDOCARDIUM, Heart
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.tetrahedra import stuff


def block_mesh(cells: tuple[int, int, int], edge_mm: float) -> Mesh:
    """A box of cubes, each cut into the six tetrahedra around its long diagonal."""
    shape = np.array(cells) + 1
    points = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).reshape(-1, 3)
    corner = np.stack(np.meshgrid(*[np.arange(n) for n in cells], indexing="ij"), axis=-1).reshape(-1, 3)
    tets = []
    for axes in permutations(range(3)):
        walk = np.cumsum([np.zeros(3, int), *np.eye(3, dtype=int)[list(axes)]], axis=0)
        even = np.linalg.det(np.eye(3)[list(axes)]) > 0
        nodes = [np.ravel_multi_index(tuple((corner + step).T), tuple(shape)) for step in walk]
        tets.append(np.stack(nodes if even else [nodes[0], nodes[2], nodes[1], nodes[3]], axis=1))
    return Mesh(points * edge_mm, np.concatenate(tets))


def block_heart(
    cells: tuple[int, int, int], edge_mm: float, fibre=(1.0, 0.0, 0.0), tissue_class: np.ndarray | None = None
) -> Heart:
    """The box as a heart; its face at the least x is the endocardium."""
    return as_heart(block_mesh(cells, edge_mm), edge_mm, fibre, tissue_class)


def oblique_block_heart(size_mm: tuple[float, float, float], edge_mm: float, tilt_deg: float, fibre) -> Heart:
    """The same as the mesher makes it of a box that lies obliquely in its lattice, turned about y."""
    size, turn = np.array(size_mm), np.radians(tilt_deg)
    axes = np.array([[np.cos(turn), 0.0, -np.sin(turn)], [0.0, 1.0, 0.0], [np.sin(turn), 0.0, np.cos(turn)]])

    def inside(points: np.ndarray) -> np.ndarray:
        local = points @ axes
        return np.minimum(local, size - local).min(axis=1)

    corners = np.array(list(product(*zip(np.zeros(3), size, strict=True)))) @ axes.T
    mesh = stuff(inside, corners.min(axis=0), corners.max(axis=0), edge_mm)
    points = mesh.points @ axes
    points[np.abs(points) < 1e-6 * edge_mm] = 0.0
    return as_heart(Mesh(points, mesh.tets), edge_mm, fibre)


def as_heart(mesh: Mesh, edge_mm: float, fibre, tissue_class: np.ndarray | None = None) -> Heart:
    """A mesh whose face at x = 0 is the endocardium."""
    n_tets = len(mesh.tets)
    frame = np.linalg.qr(np.column_stack([fibre, np.eye(3)[:, [1, 2]] + 0.1]))[0].T
    fibres, sheets, normals = (np.tile(axis, (n_tets, 1)) for axis in frame)
    faces = mesh.boundary_faces()
    a, b, c = np.moveaxis(mesh.points[faces], 1, 0)
    outward = np.cross(b - a, c - a)
    endocardial = (a[:, 0] < 0.5 * edge_mm) & (outward[:, 0] < -0.7 * np.linalg.norm(outward, axis=1))
    depth = mesh.points[:, 0] / mesh.points[:, 0].max()
    return Heart(
        mesh=mesh,
        tissue_class=np.full(n_tets, HEALTHY, np.uint8) if tissue_class is None else tissue_class,
        ventricle=np.full(n_tets, LEFT, np.uint8),
        fibres=fibres,
        sheets=sheets,
        normals=normals,
        transmural=depth,
        apicobasal=mesh.points[:, 2] / mesh.points[:, 2].max(),
        faces=faces,
        surface=np.where(endocardial, LV_ENDOCARDIUM, 1).astype(np.uint8),
        edge_mm=edge_mm,
        scar_assessable=True,
    )
