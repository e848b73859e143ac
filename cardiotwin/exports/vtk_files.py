"""Fields on a mesh as files of VTK, made in memory: points in mm, LPS, and never a NaN, by which VTK cannot colour."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

NEVER_MS = -1.0
"""Stands for a time that never came; every time that did is 0 or later."""
NO_POTENTIAL_MV = -100.0
"""Stands for the potential of tissue that has none; below anything a cell reaches."""

_VTK_TYPES = {3: 5, 4: 10}
"""VTK's number of a cell, by its corners: triangle, tetrahedron."""

File = tuple[bytes, tuple[str, ...]]
"""What a file holds, and the names of its fields."""


def finite(values: np.ndarray, missing: float) -> np.ndarray:
    """The values as float32, what is not finite replaced."""
    return np.where(np.isfinite(values), values, missing).astype(np.float32)


def unstructured(
    points: np.ndarray, cells: np.ndarray, elements: Mapping[str, np.ndarray], nodes: Mapping[str, np.ndarray]
) -> File:
    """A ``.vtu`` file of tetrahedra (n, 4) or triangles (n, 3) with fields of theirs and of the nodes."""
    import pyvista as pv
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    grid = pv.UnstructuredGrid({_VTK_TYPES[cells.shape[1]]: cells}, np.asarray(points, float))
    for name, values in elements.items():
        grid.cell_data[name] = values
    for name, values in nodes.items():
        grid.point_data[name] = values
    return xml_file(vtkXMLUnstructuredGridWriter(), grid), (*elements, *nodes)


def xml_file(writer: Any, data: Any) -> bytes:
    """A VTK XML file in memory. Written to disk by VTK itself, a full disk would abort the whole process."""
    writer.SetInputData(data)
    # Base64, compressed: what Python gets back from VTK must be text.
    writer.SetDataModeToBinary()
    writer.SetCompressorTypeToZLib()
    writer.WriteToOutputStringOn()
    writer.Write()
    text: str = writer.GetOutputString()
    return text.encode()


def time_series(
    points: np.ndarray,
    cells: np.ndarray,
    times_ms: np.ndarray,
    values: Iterable[np.ndarray],
    still: Mapping[str, np.ndarray] | None = None,
    *,
    name: str = "potential_mv",
    missing: float = NO_POTENTIAL_MV,
) -> bytes:
    """A ``.vtkhdf`` file: one field over time on one mesh, VTKHDF 2.0 (https://docs.vtk.org/en/latest/vtk_file_formats/vtkhdf_file_format).

    Of type UnstructuredGrid also for a surface: what ParaView reads over time since 5.12.

    Parameters
    ----------
    points : (n_nodes, 3) float64
        mm.
    cells : (n_cells, 4) or (n_cells, 3) int32
        Tetrahedra or triangles.
    times_ms : (n_steps,) float64
    values : n_steps of (n_nodes,) float32, or one array of them
        NaN where tissue has none.
    still : dict of str to array, optional
        Fields that do not change: ``PointData/name`` with a value for each node, ``CellData/name`` for each cell.
    name : str
        Of the field.
    missing : float
        What stands for NaN.
    """
    import h5py

    still, corners = still or {}, cells.shape[1]
    # gzip: ParaView and the VTK wheel read neither lzf nor zstd. A chunk is one step: what a reader asks for.
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        root = file.create_group("VTKHDF")
        root.attrs["Version"] = (2, 0)
        root.attrs.create("Type", b"UnstructuredGrid", dtype="S16")
        for what, count in (("Points", len(points)), ("Cells", len(cells)), ("ConnectivityIds", cells.size)):
            root[f"NumberOf{what}"] = np.array([count], np.int64)
        root.create_dataset("Points", data=points, **packed)
        root.create_dataset("Connectivity", data=cells.ravel().astype(np.int64), **packed)
        root.create_dataset("Offsets", data=corners * np.arange(len(cells) + 1, dtype=np.int64), **packed)
        root.create_dataset("Types", data=np.full(len(cells), _VTK_TYPES[corners], np.uint8), **packed)
        for place, field in still.items():
            root.create_dataset(place, data=field, **packed)
        size, chunk = (len(times_ms) * len(points),), (len(points),)
        series = root.create_dataset(f"PointData/{name}", size, np.float32, chunks=chunk, **packed)
        for step, now in enumerate(values):
            series[step * len(points) : (step + 1) * len(points)] = finite(now, missing)
        _write_steps(root, np.asarray(times_ms, np.float64), len(points), tuple(still), name)
    return buffer.getvalue()


def _write_steps(root: Any, times_ms: np.ndarray, nodes: int, still: tuple[str, ...], moving: str) -> None:
    """Where each step begins: the field moves on, the mesh and what belongs to it stay at 0."""
    steps = root.create_group("Steps")
    steps.attrs["NSteps"] = len(times_ms)
    steps["Values"] = times_ms
    start = np.zeros(len(times_ms), np.int64)
    steps["NumberOfParts"] = start + 1
    for name in ("PartOffsets", "PointOffsets"):
        steps[name] = start
    for name in ("CellOffsets", "ConnectivityIdOffsets"):
        steps[name] = start[:, None]
    for name in still:
        steps[name.replace("Data/", "DataOffsets/")] = start
    steps[f"PointDataOffsets/{moving}"] = np.arange(len(times_ms), dtype=np.int64) * nodes
