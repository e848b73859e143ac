"""Accuracy and speed of ventricular coordinates and of mapping by them.

    python benchmarks/ventricular_coordinates.py [--json] [--full]

The real subject is compared only where its data are, see `drawn_truth.py`. Processor time of all
threads, compilation left out; `--full` takes half a million nodes and a minute.
"""

from __future__ import annotations

import time

import numpy as np
from drawn_truth import data, skipped
from scipy.spatial.transform import Rotation
from table import Row, at_least, at_most, options, row, show

from cardiotwin.heart.heart import Heart, build_heart, heart_from_mesh
from cardiotwin.imaging import apply_affine
from cardiotwin.meshes import coordinates
from cardiotwin.meshes.formats import read_mesh
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.mapping import map_points
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.meshes.ventricular import ventricular_coordinates
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings


def real_subject() -> list[Row]:
    """DTI004 against the coordinates of Cobiveco it carries; its depth crosses the septum once, left 1 to right 0."""
    paths = data("heart_dti004/DTI004_coarse_reconstructed.vtu")
    if paths is None:
        return [skipped("DTI004: coordinates")]
    file = read_mesh(paths[0])
    theirs = file.node_data
    found = heart_from_mesh(
        file.mesh.points,
        file.mesh.tets,
        left_endocardium=np.flatnonzero(theirs["lvendo"]),
        right_endocardium=np.flatnonzero(theirs["rvendo"]),
        base=np.flatnonzero(theirs["ab"] > 0.999),
    ).coordinates
    assert found is not None
    right, septum = theirs["tv"] > 0.5, theirs["rt"] > 2 / 3
    through = 0.5 + np.where(right, -0.5, 0.5) * found.transmural
    apart = np.abs(np.where(septum, through, found.transmural) - theirs["tm"])
    turns = np.abs((found.rotational - theirs["rt"] + 0.5) % 1.0 - 0.5).mean()
    height, side = np.abs(found.apicobasal - theirs["ab"]).mean(), 100 * (found.transventricular == right).mean()
    return [
        at_most("DTI004: apicobasal, mean error", [height], "", 0.05),
        at_most("DTI004: rotational, mean error", [turns], "turns", 0.03),
        at_most("DTI004: transmural, mean error", [apart.mean()], "", 0.05),
        row("DTI004: the same, left free wall", apart[~septum & ~right].mean(), ""),
        row("DTI004: the same, right free wall", apart[~septum & right].mean(), ""),
        at_least("DTI004: ventricle right", [side], "%", 99.0),
    ]


def drawn_heart(edge_mm: float, wall_mm: float = 8.0, right_wall: bool = False) -> Heart:
    """Both ventricles from drawn slices."""
    drawn = drawn_ventricles(wall_mm=wall_mm, right_wall=right_wall)
    labels = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    affine = np.diag([*drawn.spacing_mm[::-1], 1.0])
    return build_heart(Segmentation(labels, affine, None, True, {}), MeshSettings(edge_mm=edge_mm))


def placed_heart(edge_mm: float, affine: np.ndarray) -> Heart:
    """Both ventricles with a right wall of their own, drawn in slices of 4 mm, wherever an affine puts them."""
    drawn = drawn_ventricles(slice_mm=4.0, right_wall=True)
    labels = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    voxels = np.diag([*drawn.spacing_mm[::-1], 1.0])
    return build_heart(Segmentation(labels, affine @ voxels, None, True, {}), MeshSettings(edge_mm=edge_mm))


def known_map() -> list[Row]:
    """One heart to another mesh of it: where every point belongs is known."""
    turned = np.eye(4)
    turned[:3, :3] = 1.2 * Rotation.from_rotvec(np.radians([15.0, -12.0, 16.0])).as_matrix()
    turned[:3, 3] = (12.0, -30.0, 55.0)
    source = placed_heart(2.5, np.eye(4))
    points = source.mesh.centroids[::7]
    rows = []
    for name, affine, edge in (("2.5 to 2.1 mm", np.eye(4), 2.1), ("the same turned, 1.2 times as large", turned, 2.4)):
        target = placed_heart(edge, affine)
        pair = [(heart.mesh, heart.coordinates) for heart in (source, target)]
        error = np.linalg.norm(map_points(points, *pair) - apply_affine(affine, points), axis=1)  # type: ignore[arg-type]
        note = f"95 % below {np.percentile(error, 95):.2f} mm, largest {error.max():.1f}"
        rows.append(at_most(f"one heart, meshes of {name}: mean error", [error.mean()], "mm", edge, note))
    return rows


def there_and_back() -> list[Row]:
    """Every node of one heart to another and back."""
    hearts = drawn_heart(2.5), drawn_heart(2.0, 10.0, True)
    rows = []
    for source, target in (hearts, hearts[::-1]):
        pair = [(heart.mesh, heart.coordinates) for heart in (source, target)]
        points, tets = source.mesh.points, source.mesh.tets
        back = map_points(map_points(points, *pair), *pair[::-1])  # type: ignore[arg-type]
        error = np.linalg.norm(back - points, axis=1)
        edge = np.linalg.norm(points[tets[:, 0]] - points[tets[:, 1]], axis=1).mean()
        name = f"there and back from {source.edge_mm:g} mm"
        rows.append(at_most(f"{name}: mean", [error.mean()], "mm", edge, "bar: one element"))
        rows.append(row(f"{name}: within one element", 100 * (error < edge).mean(), "%"))
    return rows


def speed(edge_mm: float) -> list[Row]:
    """Processor time of the coordinates alone, all threads."""
    heart = drawn_heart(edge_mm)
    start = time.process_time()
    sides = coordinates.fields(Laplace(heart.mesh), heart.faces, heart.surface).sides
    middle = time.process_time()
    ventricular_coordinates(heart.mesh, heart.faces, heart.surface, sides)
    end = time.process_time()
    note = f"{len(heart.mesh.points)} nodes"
    return [
        row("harmonic fields: time", middle - start, "s", note=note),
        row("ventricular coordinates: time", end - middle, "s", note=note),
    ]


def rows(edge_mm: float = 1.5) -> list[Row]:
    """Everything about coordinates, a row each; speed on drawn hearts of that edge length."""
    drawn_heart(2.8)  # compiles
    return real_subject() + known_map() + there_and_back() + speed(edge_mm)


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    parser = options(__doc__)
    parser.add_argument("--full", action="store_true", help="half a million nodes")
    arguments = parser.parse_args()
    show([rows(0.67 if arguments.full else 1.5)], as_json=arguments.json)


if __name__ == "__main__":
    main()
