"""No mesh reaches a kernel unchecked: repaired with a count, or refused in one line with cell numbers (TM01, TM02)."""

import meshio
import numpy as np
import pytest

from cardiotwin.errors import MeshError, ResourceLimit
from cardiotwin.meshes.formats import read_mesh
from cardiotwin.meshes.tetrahedra import stuff


@pytest.fixture(scope="module")
def mesh():
    return stuff(lambda p: 30.0 - np.linalg.norm(p, axis=1), [-30] * 3, [30] * 3, 12.0)


def read(folder, points, tets, ending=".vtu", **data):
    path = folder / f"broken{ending}"
    with np.errstate(all="ignore"):
        meshio.write(path, meshio.Mesh(points, [("tetra", tets)], **data))
    return read_mesh(path)


def refusal(folder, points, tets, ending=".vtu"):
    with pytest.raises(MeshError) as refused:
        read(folder, points, tets, ending)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"broken{ending}: ")
    return str(refused.value)


@pytest.mark.parametrize("ending", [".vtu", ".vtk", ".xdmf"])
@pytest.mark.parametrize("index", [-1, 175, 2**31, 2**62])
def test_an_index_out_of_range_names_its_cell(mesh, tmp_path, index, ending):
    tets = mesh.tets.astype(np.int64)
    tets[[17, 40], 2] = index
    said = refusal(tmp_path, mesh.points, tets, ending)
    assert f"tetrahedron 17 names node {index}, there are 175 nodes" in said
    assert "17, 40" in said


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_positions_that_are_none_name_their_node(mesh, tmp_path, value):
    points = mesh.points.copy()
    points[23, 1] = value
    assert "(23)" in refusal(tmp_path, points, mesh.tets)


def test_a_tetrahedron_without_volume_names_its_cell(mesh, tmp_path):
    tets = mesh.tets.copy()
    tets[5, 3] = tets[5, 0]
    assert "1 of 648 tetrahedra are flat (cells 5)" in refusal(tmp_path, mesh.points, tets)


def test_inverted_tetrahedra_are_turned_and_counted(mesh, tmp_path):
    tets = mesh.tets.copy()
    tets[3:10] = tets[3:10][:, [1, 0, 2, 3]]
    found = read(tmp_path, mesh.points, tets)
    np.testing.assert_allclose(found.mesh.volumes, mesh.volumes)
    assert found.notes == ("7 of 648 tetrahedra were inside out and have been turned",)


def test_tetrahedra_given_twice_are_left_out_with_their_data(mesh, tmp_path):
    tets = np.vstack([mesh.tets[:4], mesh.tets[2][None, ::-1], mesh.tets[4:]])
    found = read(tmp_path, mesh.points, tets, cell_data={"number": [np.arange(len(tets))]})
    np.testing.assert_array_equal(found.mesh.tets, mesh.tets)
    np.testing.assert_array_equal(found.tet_data["number"], np.delete(np.arange(649), 4))
    assert found.notes == ("1 tetrahedra given twice left out (cells 4)",)


def test_unused_nodes_are_left_out_with_their_data(mesh, tmp_path):
    points = np.vstack([[[np.nan, 0, 0]], mesh.points])
    found = read(tmp_path, points, mesh.tets + 1, point_data={"number": np.arange(176)})
    np.testing.assert_array_equal(found.mesh.points, mesh.points)
    np.testing.assert_array_equal(found.node_data["number"], np.arange(1, 176))
    assert found.notes == ("1 nodes of no tetrahedron left out",)


def test_crumbs_below_one_per_cent_are_dropped_and_counted(mesh, tmp_path):
    points = np.vstack([mesh.points, [[90, 0, 0], [95, 0, 0], [90, 5, 0], [90, 0, 5]]])
    found = read(tmp_path, points, np.vstack([mesh.tets, [[175, 176, 177, 178]]]))
    np.testing.assert_array_equal(found.mesh.tets, mesh.tets)
    assert "1 tetrahedra in 1 parts apart from the rest left out (cells 648)" in found.notes


def test_two_hearts_are_refused(mesh, tmp_path):
    points, tets = np.vstack([mesh.points, mesh.points + 100]), np.vstack([mesh.tets, mesh.tets + 175])
    said = refusal(tmp_path, points, tets)
    assert "2 parts that share no face (648, 648 tetrahedra; the second begins at cell 648)" in said


def test_parts_that_touch_in_an_edge_only_are_two_parts(tmp_path):
    points = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9], [0, -9, 0], [0, 0, -9]], float)
    assert "2 parts" in refusal(tmp_path, points, np.array([[0, 1, 2, 3], [0, 1, 4, 5]]))


def test_a_face_of_three_tetrahedra_is_refused(tmp_path):
    points = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9], [0, 0, -9], [1, 1, 5]], float)
    said = refusal(tmp_path, points, np.array([[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 5]]))
    assert "1 faces belong to more than two tetrahedra" in said


def test_a_hanging_node_is_refused(tmp_path):
    """Four tetrahedra at the foot of one, joined to it at the corners and not at the middle of its edge."""
    points = np.array([[0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8], [0, 0, -8], [4, 0, 0]], float)
    tets = np.array([[0, 1, 2, 3], [0, 5, 2, 4], [5, 1, 2, 4]])
    assert "node 5 hangs on a face of cell 0" in refusal(tmp_path, points, tets)


def test_nodes_at_one_place_that_are_not_joined_are_refused(mesh, tmp_path):
    """As programs write it that give every region nodes of its own."""
    split = mesh.centroids[:, 0] > 0
    tets = mesh.tets.copy()
    tets[split] += 175
    assert "hangs on a face" in refusal(tmp_path, np.vstack([mesh.points, mesh.points]), tets)


def test_an_empty_mesh_is_refused(tmp_path):
    assert "expected a volume mesh" in refusal(tmp_path, np.zeros((0, 3)), np.zeros((0, 4), int), ".xdmf")


OPENCARP = {".pts": "4\n0 0 0\n9 0 0\n0 9 0\n0 0 9\n", ".elem": "1\nTt 0 1 2 3 1\n", ".lon": "1\n1 0 0\n"}


@pytest.mark.parametrize(
    ("ending", "text", "says"),
    [
        (".pts", "5\n0 0 0\n9 0 0\n0 9 0\n0 0    9\n", "found 4 lines; expected 5"),
        (".pts", "3\n0 0 0\n9 0 0\n0 9 0\n0 0 9\n", "more than 3 lines"),
        (".pts", "4000000\n0 0 0\n", "expected 4000000 lines"),
        (".pts", "four\n0 0 0\n", "first line 'four'"),
        (".pts", "-4\n0 0 0\n", "first line '-4'"),
        (".pts", "4\n0 0 0\n9 0 x\n0 9 0\n0 0 9\n", "no table"),
        (".pts", "4\n0 0 0\n9 0 nan\n0 9 0\n0 0 9\n", "not finite (1)"),
        (".pts", "4\n0 0 0\n9 0" + 5000 * " " + "0\n0 9 0\n0 0 9\n", "more than 1000 characters"),
        (".elem", "1\nTt 0 1 2 4 1\n", "names node 4"),
        (".elem", "1\nTt 0 1 2 -1 1\n", "names node -1"),
        (".elem", "1\nTt 0 1 2 99999999999999999999 1\n", "no table"),
        (".elem", "1\nTt 0 1 2\n", "no table"),
        (".elem", "1\nHx 0 1 2 3 0 1 2 3 1\n", "found 1 hexahedron"),
        (".elem", "1\nZz 0 1 2 3 1\n", "'Zz'"),
        (".lon", "1\n1 0 0\n0 1 0\n", "more than 1 lines"),
        (".lon", "7\n1 0 0\n", "first line '7'"),
        (".lon", "2\n1.0000 0 0\n", "no table"),
        (".lon", "", "first line ''"),
    ],
)
def test_opencarp_files_that_do_not_keep_their_word(tmp_path, ending, text, says):
    for one, right in OPENCARP.items():
        (tmp_path / f"h{one}").write_text(text if one == ending else right)
    with pytest.raises(MeshError) as refused:
        read_mesh(tmp_path / "h.pts")
    assert says in str(refused.value)


def test_a_missing_companion_is_named(tmp_path):
    (tmp_path / "h.pts").write_text(OPENCARP[".pts"])
    with pytest.raises(MeshError, match=r"h\.elem: no such file"):
        read_mesh(tmp_path / "h.pts")


def test_more_cells_than_fit_are_refused_before_they_are_read(tmp_path):
    (tmp_path / "h.pts").write_text(OPENCARP[".pts"])
    with (tmp_path / "h.elem").open("w") as file:
        file.write("20000001\n")
        file.truncate(20_000_001 * 8)
    with pytest.raises(ResourceLimit, match="limit 5000000 and 20000000"):
        read_mesh(tmp_path / "h.pts")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("h_tetra.csv", "0,1,2\n", "rows of 3 numbers"),
        ("h_tetra.csv", "0,1,2,3.5\n", "line 1 with"),
        ("h_tetra.csv", "0,1,2,9\n", "names node 9"),
        ("h_tetra.csv", "", "0 rows"),
        ("h_xyz.csv", "x,y,z\n0,0,0\n", "no table"),
        ("h_nodefield_tm.csv", "1\n2\n", "2 lines"),
        ("h_boundarynodefield_lvendo.csv", "7\n", "nodes 7 to 7"),
        ("h_nodefield_tm.csv", 5000 * "1," + "\n", "a line of many values"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, name, text, says):
    (tmp_path / "h_xyz.csv").write_text("0,0,0\n9,0,0\n0,9,0\n0,0,9\n")
    (tmp_path / "h_tetra.csv").write_text("0,1,2,3\n")
    assert len(read_mesh(tmp_path).mesh.tets) == 1
    (tmp_path / name).write_text(text)
    with pytest.raises(MeshError) as refused:
        read_mesh(tmp_path)
    assert says in str(refused.value)
