"""Gmsh and XDMF files through meshio, which is kept at arm's length; and its writers, checked.

meshio is unmaintained since 2024. Under NumPy 2 it writes ASCII Gmsh and DOLFIN files that nobody can read, it believes
counts and indices, and it ends the whole process on a damaged file. So it reads in a process of its own, whose memory
and time are limited by what a file of that size can need; it writes binary only, and what it wrote is read back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin.errors import IntegrityError, MeshError
from cardiotwin.meshes.formats.claims import RawMesh, check_counts, only_tetrahedra, refused, shown
from cardiotwin.meshes.formats.heavy_data import check_xdmf
from cardiotwin.meshes.mesh import Mesh

READERS = {".msh": "gmsh", ".xdmf": "xdmf", ".xmf": "xdmf"}
"""Endings, and meshio's names of their formats."""
WRITERS: dict[str, dict[str, Any]] = {
    ".vtu": {"file_format": "vtu", "binary": True},
    ".vtk": {"file_format": "vtk", "binary": True},
    ".msh": {"file_format": "gmsh", "binary": True},
}
"""Suffixes that can be written; for anything else convert the VTU."""
MEMORY_BYTES, MEMORY_PER_BYTE, MOST_MEMORY_BYTES = 1 << 30, 40, 16 << 30
"""Address space of the reading process: NumPy and h5py alone take half of the first."""
WAIT_S = 3600


def read_through_meshio(path: Path) -> RawMesh:
    """Read a file of `READERS`.

    Raises
    ------
    MeshError
        Damaged, hostile or without tetrahedra.
    ResourceLimit
        Too large.
    """
    name = shown(path.name)
    if path.suffix.lower() in (".xdmf", ".xmf"):
        check_xdmf(path)
    with tempfile.TemporaryDirectory(prefix="cardiotwin-") as folder:
        meta = _child(path, Path(folder))
        if "error" in meta:
            raise MeshError(f"{name}: not readable as a mesh ({shown(meta['error'], 200)}). Export it again")
        arrays = {file.stem: np.load(file, allow_pickle=False) for file in sorted(Path(folder).glob("*.npy"))}
    points, tets = arrays["points"], arrays["tets"]
    check_counts(name, len(points), max(sum(meta["counts"].values()), 1))
    notes = only_tetrahedra(name, meta["counts"])
    if points.ndim != 2 or points.shape[1] != 3 or tets.shape[1:] != (4,) or tets.dtype.kind not in "iu":
        raise refused(name, f"nodes of shape {points.shape}, cells of shape {tets.shape}", "(n, 3) and (m, 4)")
    node_data = {key: arrays[f"node{k}"] for k, key in enumerate(meta["node"])}
    tet_data = {key: arrays[f"tet{k}"] for k, key in enumerate(meta["tet"])}
    return RawMesh(points.astype(np.float64), tets.astype(np.int64), node_data, tet_data, "mm", notes)


def _child(path: Path, folder: Path) -> dict[str, Any]:
    """What the reading process left about the file, or why it left nothing."""
    program = Path(__file__).with_name("meshio_child.py")
    n_bytes = min(MEMORY_BYTES + MEMORY_PER_BYTE * path.stat().st_size, MOST_MEMORY_BYTES)
    if path.suffix.lower() in (".xdmf", ".xmf"):
        n_bytes = MOST_MEMORY_BYTES  # the data lie in another file, which has been looked at
    command = [sys.executable, "-I", str(program), str(path.resolve()), READERS[path.suffix.lower()], str(folder)]
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            [*command, str(n_bytes)], env=os.environ | threads, stdin=subprocess.DEVNULL, timeout=WAIT_S,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return json.loads((folder / "meta.json").read_text())
    except subprocess.TimeoutExpired:
        return {"error": f"takes more than {WAIT_S} s to read"}
    except (OSError, ValueError):
        return {"error": f"its reader ended with {done.returncode}"}


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
        _check_same(path, meshio.read(draft), mesh, node_data or {}, tet_data or {})
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


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
