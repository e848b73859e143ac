"""Other programs' mesh files: one door in, `read_mesh`."""

from cardiotwin.meshes.formats.checking import MeshFile, checked, recognised_unit
from cardiotwin.meshes.formats.claims import MM_PER, RawMesh, shown
from cardiotwin.meshes.formats.meshio_files import WRITERS, write_mesh
from cardiotwin.meshes.formats.opencarp import vertex_text, write_opencarp
from cardiotwin.meshes.formats.reading import MESH_ENDINGS, is_mesh, read_mesh, read_raw
from cardiotwin.meshes.formats.tables import is_field_table, is_table_mesh

__all__ = [
    "MESH_ENDINGS",
    "MM_PER",
    "WRITERS",
    "MeshFile",
    "RawMesh",
    "checked",
    "is_field_table",
    "is_mesh",
    "is_table_mesh",
    "read_mesh",
    "read_raw",
    "recognised_unit",
    "shown",
    "vertex_text",
    "write_mesh",
    "write_opencarp",
]
