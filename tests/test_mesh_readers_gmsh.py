"""Gmsh's own text files, which meshio reads but writes unreadably under NumPy 2."""

import numpy as np

from cardiotwin.meshes.formats import read_mesh

V2 = """$MeshFormat
2.2 0 8
$EndMeshFormat
$Nodes
5
1 0 0 0
2 9 0 0
3 0 9 0
4 0 0 9
5 9 9 9
$EndNodes
$Elements
3
1 2 2 11 1 1 2 3
2 4 2 7 1 1 2 3 4
3 4 2 8 1 2 3 4 5
$EndElements
"""
V4 = """$MeshFormat
4.1 0 8
$EndMeshFormat
$Entities
0 0 0 1
1 0 0 0 9 9 9 1 7 0
$EndEntities
$Nodes
1 5 1 5
3 1 0 5
1
2
3
4
5
0 0 0
9 0 0
0 9 0
0 0 9
9 9 9
$EndNodes
$Elements
1 2 1 2
3 1 4 2
1 1 2 3 4
2 2 3 4 5
$EndElements
"""


def test_version_2_with_physical_groups(tmp_path):
    (tmp_path / "h.msh").write_text(V2)
    found = read_mesh(tmp_path / "h.msh")
    np.testing.assert_array_equal(found.tet_data["gmsh:physical"], [7, 8])
    assert len(found.mesh.points) == 5
    assert found.mesh.volumes[0] == 121.5


def test_version_4_with_entities(tmp_path):
    (tmp_path / "h.msh").write_text(V4)
    found = read_mesh(tmp_path / "h.msh")
    np.testing.assert_array_equal(found.tet_data["gmsh:physical"], [7, 7])
    np.testing.assert_array_equal(found.mesh.points[4], [9, 9, 9])
