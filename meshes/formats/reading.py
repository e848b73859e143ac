"""Tetrahedra from any of the formats that are read, told by their endings."""

from __future__ import annotations

from pathlib import Path

from cardiotwin.errors import MeshError, ResourceLimit
from cardiotwin.meshes.formats import meshio_files, opencarp, tables, vtk_legacy, vtu
from cardiotwin.meshes.formats.checking import MeshFile, checked
from cardiotwin.meshes.formats.claims import RawMesh, shown

MESH_ENDINGS = (".vtu", ".vtk", *meshio_files.READERS, *opencarp.ENDINGS)
MOST_BYTES = 8 << 30


def is_mesh(path: Path) -> bool:
    """Whether a file or folder is one that `read_mesh` reads, by its ending; a .vtk may be a surface."""
    if path.suffix.lower() != ".vtk":
        return path.suffix.lower() in MESH_ENDINGS or tables.is_table_mesh(path)
    with path.open("rb") as file:
        return b"UNSTRUCTURED_GRID" in file.read(4096)


def read_mesh(path: Path | str, unit: str | None = None) -> MeshFile:
    """Read tetrahedra and their data: openCARP, VTU, legacy VTK, Gmsh, XDMF, or a folder of tables.

    Parameters
    ----------
    path : Path or str
        A file; of openCARP's three any one, or their name without ending.
    unit : str or None
        ``"mm"``, ``"cm"``, ``"m"`` or ``"um"``; None: the format's own (openCARP µm, tables cm, others mm), unless the
        size says that it is m, mm or µm; the notes tell. Positions are taken as LPS.

    Raises
    ------
    MeshError
        Not readable, or no mesh that a solver should see: see `cardiotwin.meshes.formats.checking.checked`.
    ResourceLimit
        Larger than 5 million nodes or 20 million cells.
    """
    path = Path(path)
    return checked(read_raw(path), shown(path.name), unit)


def read_raw(path: Path) -> RawMesh:
    """What a file says, in its own unit; see `read_mesh`."""
    name, ending = shown(path.name), path.suffix.lower()
    if tables.is_table_mesh(path):
        return tables.read_tables(path)
    if ending in opencarp.ENDINGS or (not path.exists() and path.with_name(f"{path.name}.pts").is_file()):
        return opencarp.read_opencarp(path)
    if not path.is_file():
        raise MeshError(f"{name}: no such file")
    size = path.stat().st_size
    if not size:
        raise MeshError(f"{name}: the file is empty; export it again")
    if size > MOST_BYTES:
        raise ResourceLimit(f"{name}: found {size} bytes; limit {MOST_BYTES}. Coarsen the mesh")
    if ending == ".vtu":
        return vtu.read_vtu(path)
    if ending == ".vtk":
        return vtk_legacy.read_vtk(path)
    if ending in meshio_files.READERS:
        return meshio_files.read_through_meshio(path)
    raise MeshError(f"{name}: no mesh by its ending; expected one of {', '.join(MESH_ENDINGS)}, or a folder of tables")
