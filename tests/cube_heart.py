"""A block of tissue with every field a heart has: six tetrahedra a cube, one fibre direction."""

from dataclasses import replace
from itertools import permutations

import numpy as np
from scipy.spatial.transform import Rotation

from cardiotwin.heart.heart import EPICARDIUM, HEALTHY, LEFT, LV_ENDOCARDIUM, Heart
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.wall_block import wall_block


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
    mesh = block_mesh(cells, edge_mm)
    faces = mesh.boundary_faces()
    endocardial = (mesh.points[faces][:, :, 0] < 1e-9).all(axis=1)
    return as_heart(mesh, faces, endocardial, edge_mm, fibre, tissue_class)


def oblique_block_heart(size_mm: tuple[float, float, float], edge_mm: float, tilt_deg: float, fibre) -> Heart:
    """The same as the mesher makes it of a box that lies obliquely in its lattice, turned about y."""
    turn = Rotation.from_euler("y", -tilt_deg, degrees=True)
    return as_heart(*wall_block(size_mm, edge_mm, turn), edge_mm, fibre)


def as_heart(mesh: Mesh, faces, endocardial, edge_mm: float, fibre, tissue_class: np.ndarray | None = None) -> Heart:
    """A block of one fibre direction, some of whose boundary faces are the endocardium."""
    n_tets = len(mesh.tets)
    frame = np.linalg.qr(np.column_stack([fibre, np.eye(3)[:, [1, 2]] + 0.1]))[0].T
    fibres, sheets, normals = (np.tile(axis, (n_tets, 1)) for axis in frame)
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


def beside(wall: Heart, shift_mm: float) -> Heart:
    """A heart of two such walls, the second shifted along x and without an endocardium."""
    points = np.concatenate([wall.mesh.points, wall.mesh.points + np.array([shift_mm, 0.0, 0.0])])

    def twice(values, more=0):
        return np.concatenate([values, values + more])

    n = len(wall.mesh.points)
    names = ("tissue_class", "ventricle", "fibres", "sheets", "normals", "transmural", "apicobasal")
    outside = np.full_like(wall.surface, EPICARDIUM)
    return replace(
        wall,
        mesh=Mesh(points, twice(wall.mesh.tets, n)),
        faces=twice(wall.faces, n),
        surface=np.concatenate([wall.surface, outside]),
        **{name: twice(getattr(wall, name)) for name in names},
    )
