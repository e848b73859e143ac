"""Reads surface files with VTK in a process of its own, under limits: `python -m cardiotwin.ingest.surface_child OUT FILE...`.

VTK's readers believe what a file says of itself and may take the process with them. What they make of a file is written
to ``OUT/0.npz``, ``OUT/1.npz`` ... and checked by the parent; a file that cannot be read has none.
"""  # noqa: E501

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

MOST_ADDRESS_BYTES = 3 << 30
MOST_SECONDS = 120


def _limit() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESS_BYTES, MOST_ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS + 5))


def _reader(path: Path) -> Any:
    """The VTK reader for an ending."""
    from vtkmodules.vtkIOGeometry import vtkSTLReader
    from vtkmodules.vtkIOLegacy import vtkPolyDataReader
    from vtkmodules.vtkIOPLY import vtkPLYReader
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    kinds = {".stl": vtkSTLReader, ".vtk": vtkPolyDataReader, ".ply": vtkPLYReader, ".vtp": vtkXMLPolyDataReader}
    reader: Any = kinds[path.suffix.lower()]()
    reader.SetFileName(str(path))
    if path.suffix.lower() == ".vtk":
        reader.ReadAllScalarsOn()
        reader.ReadAllFieldsOn()
    return reader


def _read(path: Path) -> dict[str, np.ndarray]:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersCore import vtkTriangleFilter

    reader = _reader(path)
    reader.Update()
    triangulated = vtkTriangleFilter()
    triangulated.SetInputData(reader.GetOutput())
    triangulated.PassVertsOff()
    triangulated.PassLinesOff()
    triangulated.Update()
    surface = triangulated.GetOutput()
    if not surface.GetNumberOfPolys():
        surface = reader.GetOutput()  # points without a surface, such as lesions
    found: dict[str, np.ndarray] = {"points": np.zeros((0, 3)), "triangles": np.zeros((0, 3), np.int64)}
    if surface.GetNumberOfPoints():
        found["points"] = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    if surface.GetNumberOfPoints() and surface.GetNumberOfPolys():
        found["triangles"] = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)
    data = surface.GetPointData()
    for index in range(min(data.GetNumberOfArrays(), 64)):
        array = data.GetArray(index)  # None for an array of texts
        if array is not None and array.GetNumberOfComponents() == 1 and array.GetName():
            found[f"data:{array.GetName()[:200]}"] = vtk_to_numpy(array).astype(np.float64)
    return found


def main(out: Path, files: list[Path]) -> None:
    """Read each file; what VTK has to say about it goes nowhere."""
    _limit()
    for number, path in enumerate(files):
        with contextlib.suppress(Exception):  # no file is the answer
            found = _read(path)
            draft = out / f".{number}.npz"
            np.savez(draft, **{key: value for key, value in found.items() if "/" not in key})  # type: ignore[arg-type]
            draft.rename(out / f"{number}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
