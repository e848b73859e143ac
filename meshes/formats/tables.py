"""A mesh as tables of comma-separated numbers, one file each, as heart_dti004 has it (Camps et al. 2025).

NAME_xyz.csv holds nodes (cm in that collection), NAME_tetra.csv node indices, NAME_nodefield_FIELD.csv one number or
three for each node, NAME_boundarynodefield_FIELD.csv a list of nodes, NAME_material_tetra.csv one number a tetrahedron.
No headers. doi 10.1016/j.media.2024.103361.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from cardiotwin.errors import MeshError
from cardiotwin.meshes.formats.claims import (
    MOST_CELLS,
    MOST_NODES,
    MOST_VALUES_PER_ROW,
    RawMesh,
    check_counts,
    refused,
    shown,
)

NODES, CELLS = "_xyz.csv", "_tetra.csv"
FIELDS = ("_nodefield_", "_boundarynodefield_")
MOST_TABLES = 64
LONGEST_LINE = 4000
MOST_BYTES = 4 << 30


def is_table_mesh(path: Path) -> bool:
    """Whether a folder, or a file of it, is such a mesh."""
    return (path.is_dir() and any(path.glob(f"*{NODES}"))) or (path.name.endswith(NODES) and path.is_file())


def is_field_table(path: Path) -> bool:
    """Whether a file is a field, a list of nodes or the tetrahedra of such a mesh, by its name."""
    return any(part in path.name for part in FIELDS) or path.name.endswith(CELLS)


def read_tables(path: Path) -> RawMesh:
    """Read the mesh in a folder, or the one that a NAME_xyz.csv belongs to.

    Raises
    ------
    MeshError
        No nodes or no tetrahedra, several meshes in one folder, a word that is no number, a field of another length.
    ResourceLimit
        Too large.
    """
    nodes, stem = _nodes_file(path)
    cells = nodes.with_name(f"{stem}{CELLS}")
    if not cells.is_file():
        raise MeshError(
            f"{shown(nodes.name)}: no tetrahedra beside it; expected {shown(cells.name)} with four node indices a "
            "line. Add it, or give the mesh in one file instead (.vtu, .vtk, .msh, .xdmf, or .pts with .elem)"
        )
    points, tets = _table(nodes, MOST_NODES, (3,)), _table(cells, MOST_CELLS, (4,))
    check_counts(shown(nodes.name), len(points), len(tets))
    notes: tuple[str, ...] = ()
    counted = _indices(tets, cells)
    if counted.min() == 1 and counted.max() == len(points):
        counted, notes = counted - 1, (f"{shown(cells.name)} counts nodes from 1",)
    node_data, tet_data = _fields(nodes.parent, stem, len(points), len(tets))
    return RawMesh(points, counted, node_data, tet_data, "cm", notes)


def _nodes_file(path: Path) -> tuple[Path, str]:
    if path.is_dir():
        found = sorted(path.glob(f"*{NODES}"))
        found = [one for one in found if one.with_name(one.name[: -len(NODES)] + CELLS).is_file()] or found
        if len(found) != 1:
            raise refused(shown(path.name), f"{len(found)} files *{NODES}", "one mesh", "Give the file you mean")
        path = found[0]
    return path, path.name[: -len(NODES)]


def _fields(folder: Path, stem: str, n_nodes: int, n_tets: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    files = sorted(folder.glob(f"{_escaped(stem)}_*field_*.csv"))
    if len(files) > MOST_TABLES:
        raise refused(shown(folder.name), f"{len(files)} fields", f"at most {MOST_TABLES}", "Keep those you need")
    node_data: dict[str, np.ndarray] = {}
    for file in files:
        kind, _, field = file.name[len(stem) + 1 : -len(".csv")].partition("_")
        if kind == "nodefield":
            node_data[field] = _of_length(_table(file, n_nodes), n_nodes, file)
        elif kind == "boundarynodefield":
            node_data[field] = _member(_indices(_table(file, n_nodes, (1,)), file).ravel(), n_nodes, file)
    material = folder / f"{stem}_material{CELLS}"
    tet_data = {"material": _of_length(_table(material, n_tets), n_tets, material)} if material.is_file() else {}
    return node_data, tet_data


def _escaped(stem: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in stem)


def _of_length(table: np.ndarray, length: int, file: Path) -> np.ndarray:
    if len(table) != length:
        raise refused(shown(file.name), f"{len(table)} lines", f"{length}, one for each node or tetrahedron")
    return table[:, 0] if table.shape[1] == 1 else table


def _member(listed: np.ndarray, n_nodes: int, file: Path) -> np.ndarray:
    """(n_nodes,) uint8, 1 for the nodes that a file lists."""
    if listed.size and not 0 <= listed.min() <= listed.max() < n_nodes:
        raise refused(
            shown(file.name), f"nodes {listed.min()} to {listed.max()}", f"0 to {n_nodes - 1}", "Count from 0"
        )
    member = np.zeros(n_nodes, np.uint8)
    member[listed] = 1
    return member


def _indices(table: np.ndarray, file: Path) -> np.ndarray:
    """Whole numbers; some programs write them as 9.633000e+03."""
    if not (np.isfinite(table) & (table == np.rint(table)) & (np.abs(table) < 2**53)).all():
        row = int(np.argmin((np.isfinite(table) & (table == np.rint(table))).all(axis=1)))
        raise refused(shown(file.name), f"line {row + 1} with {table[row].tolist()}", "node indices, whole numbers")
    return table.astype(np.int64)


def _lines(text: TextIO, name: str) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE or line.count(",") >= MOST_VALUES_PER_ROW:
            raise refused(name, "a line of many values", f"at most {MOST_VALUES_PER_ROW} numbers")
        yield line


def _table(file: Path, most_rows: int, columns: tuple[int, ...] = ()) -> np.ndarray:
    """(n_rows, n_columns) float64."""
    name = shown(file.name)
    if file.stat().st_size > MOST_BYTES:
        raise refused(name, f"{file.stat().st_size} bytes", f"at most {MOST_BYTES}", "Coarsen the mesh")
    try:
        with file.open(encoding="ascii", errors="replace") as text, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of NumPy, about a file without lines
            table = np.loadtxt(_lines(text, name), delimiter=",", ndmin=2, comments=None, max_rows=most_rows + 1)
    except (ValueError, OverflowError) as error:
        why = shown(" ".join(str(error).split()), 120)
        raise refused(name, f"what is no table ({why})", "numbers separated by commas, no header") from error
    if len(table) > most_rows or (columns and table.shape[1] not in columns):
        expected = f"at most {most_rows} rows" + (f" of {columns[0]}" if columns else "")
        raise refused(name, f"{len(table)} rows of {table.shape[1] if table.ndim > 1 else 0} numbers", expected)
    return table
