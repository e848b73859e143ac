"""Two ventricles cut from ellipsoids, lying in the chest as hearts do; fibres turn from endocardium to epicardium."""

import numpy as np

from cardiotwin.heart.heart import HEALTHY, LEFT, LV_ENDOCARDIUM, RIGHT, RV_ENDOCARDIUM, Heart
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.tetrahedra import stuff

# Rows: towards the right ventricle, to the back wall, from apex to base; in LPS.
LONG_AXIS = np.array([-0.62, 0.55, 0.56]) / np.linalg.norm([-0.62, 0.55, 0.56])
RIGHTWARD = np.array([-1.0, -0.7, 0.0]) - LONG_AXIS * (np.array([-1.0, -0.7, 0.0]) @ LONG_AXIS)
RIGHTWARD = RIGHTWARD / np.linalg.norm(RIGHTWARD)
FRAME = np.array([RIGHTWARD, np.cross(LONG_AXIS, RIGHTWARD), LONG_AXIS])


def _inside(points, centre, axes):
    """About the distance to an ellipsoid, positive inside, mm."""
    scaled = (points - centre) / axes
    length = np.linalg.norm(scaled, axis=1) + 1e-12
    return (1.0 - length) * length / (np.linalg.norm(scaled / axes, axis=1) + 1e-12)


def ellipsoid_heart(edge_mm: float, size: float = 1.0) -> Heart:
    """The heart at one lattice constant; `size` 1 is a small adult one of about 110 mL."""
    zero, right = np.zeros(3), size * np.array([19.0, 0.0, 0.0])

    def distances(points):
        epicardium = np.maximum(
            _inside(points, zero, size * np.array([31.0, 31.0, 52.0])),
            _inside(points, right, size * np.array([32.0, 31.0, 45.0])),
        )
        left = _inside(points, zero, size * np.array([21.0, 21.0, 43.0]))
        wall = _inside(points, zero, size * np.array([30.0, 30.0, 52.0]))
        cavity = np.minimum(_inside(points, right, size * np.array([28.0, 27.0, 41.0])), -wall)
        return np.column_stack([epicardium, -left, -cavity, size * 14.0 - points[:, 2]])

    reach = size * 55.0
    local = stuff(lambda p: distances(p).min(axis=1), np.full(3, -reach), np.full(3, reach), edge_mm)
    depth = distances(local.points)
    faces = local.boundary_faces()
    inner, outer = np.maximum(np.minimum(depth[:, 1], depth[:, 2]), 0.0), np.maximum(depth[:, 0], 0.0)
    transmural = inner / np.maximum(inner + outer, 1e-9)
    frames = _fibres(local, transmural)
    return Heart(
        mesh=Mesh(local.points @ FRAME, local.tets),
        tissue_class=np.full(len(local.tets), HEALTHY, np.uint8),
        ventricle=np.where(local.centroids[:, 0] > size * 30.0, RIGHT, LEFT).astype(np.uint8),
        fibres=frames[0] @ FRAME,
        sheets=frames[1] @ FRAME,
        normals=frames[2] @ FRAME,
        transmural=transmural,
        apicobasal=(local.points[:, 2] - local.points[:, 2].min()) / np.ptp(local.points[:, 2]),
        faces=faces,
        surface=(np.abs(depth)[faces].sum(axis=1).argmin(axis=1) + 1).astype(np.uint8),
        edge_mm=edge_mm,
        scar_assessable=True,
    )


def _fibres(mesh: Mesh, transmural: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """60 degrees on the endocardium to -60 on the epicardium, around the long axis."""
    outward = mesh.centroids * [1.0, 1.0, 0.35]
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    around = np.cross([0.0, 0.0, 1.0], outward)
    around /= np.linalg.norm(around, axis=1)[:, None]
    up = np.cross(outward, around)
    angle = np.deg2rad(60.0 - 120.0 * transmural[mesh.tets].mean(axis=1))[:, None]
    fibre = np.cos(angle) * around + np.sin(angle) * up
    return fibre, outward, np.cross(fibre, outward)


def endocardial_nodes_near(heart: Heart, where: list[tuple[int, float, float]]) -> np.ndarray:
    """Nodes on the endocardium of a ventricle (LEFT or RIGHT), at an apicobasal height and an angle round the axis."""
    nodes = []
    local = (heart.mesh.points) @ FRAME.T
    for ventricle, height, angle_deg in where:
        of = heart.surface_nodes(LV_ENDOCARDIUM if ventricle == LEFT else RV_ENDOCARDIUM)
        angle = np.arctan2(local[of, 1], local[of, 0])
        away = np.angle(np.exp(1j * (angle - np.deg2rad(angle_deg))))
        nodes.append(of[np.argmin((heart.apicobasal[of] - height) ** 2 + (0.3 * away) ** 2)])
    return np.array(nodes)
