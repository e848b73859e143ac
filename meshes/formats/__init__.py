"""Other programs' mesh files."""

from cardiotwin.meshes.formats.meshio_files import MeshFile, read_mesh, write_mesh

__all__ = ["MeshFile", "read_mesh", "write_mesh"]
