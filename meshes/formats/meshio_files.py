"""Tetrahedra in other programs' files, through meshio, which is kept at arm's length.

meshio is unmaintained since 2024. Under NumPy 2 it writes ASCII Gmsh and DOLFIN files that nobody can read, it accepts
indices that point nowhere, and it ends the whole process on a damaged VTU. So here only binary is written and read back
before it replaces anything; what is read is checked before a compiled kernel sees it; an exit becomes an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin.errors import IntegrityError, MeshError
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.surfaces import without_unused
from cardiotwin.meshes.tetrahedra import oriented

WRITERS: dict[str, dict[str, Any]] = {
    ".vtu": {"file_format": "vtu", "binary": True},
    ".vtk": {"file_format": "vtk", "binary": True},
    ".msh": {"file_format": "gmsh", "binary": True},
}
"""Suffixes that can be written; for anything else convert the VTU."""


@dataclass(frozen=True, eq=False)
class MeshFile:
    """What a file held.

    Attributes
    ----------
    mesh : Mesh
        Oriented; nodes that no tetrahedron uses left out.
    node_data, tet_data : dict of str to (n_nodes, ...) or (n_tets, ...) arrays
    """

    mesh: Mesh
    node_data: Mapping[str, np.ndarray] = field(default_factory=dict)
    tet_data: Mapping[str, np.ndarray] = field(default_factory=dict)


def read_mesh(path: Path | str) -> MeshFile:
    """Read tetrahedra and their data.

    Parameters
    ----------
    path : Path or str
        Any format meshio reads; coordinates are taken as mm in LPS.

    Raises
    ------
    MeshError
        Not readable, no tetrahedra, an index out of range, a node not finite, a flat tetrahedron, data of another
        length.
    """
    path = Path(path)
    raw = _read(path)
    points = np.asarray(raw.points, np.float64)
    blocks = [k for k, block in enumerate(raw.cells) if block.type == "tetra"]
    if not blocks:
        kinds = ", ".join(sorted({block.type for block in raw.cells})) or "no cells"
        raise MeshError(f"{path.name}: no tetrahedra (found {kinds}); expected a volume mesh of 4-node tetrahedra")
    tets = np.concatenate([np.asarray(raw.cells[k].data) for k in blocks])
    _check_raw(path, points, tets)
    used = np.unique(tets)
    kept, numbered = without_unused(points, tets)
    node_data = {
        name: np.asarray(values)[used] for name, values in raw.point_data.items() if len(values) == len(points)
    }
    tet_data = {name: np.concatenate([np.asarray(values[k]) for k in blocks]) for name, values in raw.cell_data.items()}
    try:
        return MeshFile(Mesh(kept, oriented(kept, numbered)), node_data, tet_data)
    except MeshError as error:
        raise MeshError(f"{path.name}: {error}") from error


def write_mesh(
    path: Path | str,
    mesh: Mesh,
    node_data: Mapping[str, np.ndarray] | None = None,
    tet_data: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a binary file, read it back, and only then put it in place.

    Raises
    ------
    MeshError
        The suffix is not one of `WRITERS`.
    IntegrityError
        What was read back is not what was written.
    """
    import meshio

    path = Path(path)
    if path.suffix not in WRITERS:
        raise MeshError(f"{path.name}: cannot write `{path.suffix}`; use one of {', '.join(WRITERS)}")
    per_tet = {name: [values] for name, values in (tet_data or {}).items()}
    content = meshio.Mesh(mesh.points, [("tetra", mesh.tets)], point_data=dict(node_data or {}), cell_data=per_tet)
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        meshio.write(draft, content, **WRITERS[path.suffix])
        _check_same(path, _read(draft), mesh, node_data or {}, tet_data or {})
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> Any:
    import meshio

    if not path.is_file():
        raise MeshError(f"{path.name}: no such file")
    if not path.stat().st_size:
        raise MeshError(f"{path.name}: the file is empty; export it again")
    try:
        return meshio.read(path)
    except SystemExit as error:  # meshio ends the process on a damaged file
        raise MeshError(f"{path.name}: damaged or not a mesh file; export it again") from error
    except Exception as error:
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise MeshError(f"{path.name}: not readable as a mesh ({what})") from error


def _check_raw(path: Path, points: np.ndarray, tets: np.ndarray) -> None:
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise MeshError(f"{path.name}: nodes of shape {points.shape}, not all finite; expected (n, 3) finite numbers")
    outside = (tets < 0) | (tets >= len(points))
    if outside.any():
        bad = int(np.argmax(outside.any(axis=1)))
        raise MeshError(f"{path.name}: tetrahedron {bad} names node {tets[bad].max()}, there are {len(points)} nodes")


def _check_same(
    path: Path, found: Any, mesh: Mesh, node_data: Mapping[str, np.ndarray], tet_data: Mapping[str, np.ndarray]
) -> None:
    same = np.array_equal(found.points, mesh.points) and np.array_equal(found.cells_dict.get("tetra"), mesh.tets)
    for name, values in node_data.items():
        same = same and np.array_equal(np.squeeze(found.point_data.get(name)), np.squeeze(values))
    for name, values in tet_data.items():
        same = same and np.array_equal(np.squeeze(found.cell_data.get(name, [None])[0]), np.squeeze(values))
    if not same:
        raise IntegrityError(f"{path.name}: what was read back differs from what was written; nothing was replaced")
