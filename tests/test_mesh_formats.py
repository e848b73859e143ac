"""Mesh files come back bit for bit, and damaged ones are refused in one line."""

import meshio
import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.errors import IntegrityError, MeshError
from cardiotwin.meshes.formats import meshio_files, read_mesh, write_mesh
from cardiotwin.meshes.tetrahedra import stuff


@pytest.fixture(scope="module")
def mesh():
    return stuff(lambda p: 4.0 - np.linalg.norm(p, axis=1), [-4] * 3, [4] * 3, 2.0)


@pytest.mark.parametrize("suffix", meshio_files.WRITERS)
def test_what_is_written_is_read_back(mesh, tmp_path, suffix):
    rng = np.random.default_rng(0)
    voltage, fibres = rng.random(len(mesh.points)), rng.random((len(mesh.tets), 3))
    write_mesh(tmp_path / f"heart{suffix}", mesh, {"voltage": voltage}, {"fibres": fibres})
    found = read_mesh(tmp_path / f"heart{suffix}")
    np.testing.assert_array_equal(found.mesh.points, mesh.points)
    np.testing.assert_array_equal(found.mesh.tets, mesh.tets)
    np.testing.assert_array_equal(found.node_data["voltage"], voltage)
    np.testing.assert_array_equal(found.tet_data["fibres"], fibres)
    assert [p.name for p in tmp_path.iterdir()] == [f"heart{suffix}"]


def test_vtk_itself_reads_the_vtu(mesh, tmp_path):
    pyvista = pytest.importorskip("pyvista")
    write_mesh(tmp_path / "heart.vtu", mesh)
    volume = pyvista.read(tmp_path / "heart.vtu").compute_cell_sizes()["Volume"]
    np.testing.assert_allclose(volume, mesh.volumes, rtol=1e-12)


def test_a_write_that_comes_back_different_replaces_nothing(mesh, tmp_path, monkeypatch):
    (tmp_path / "heart.vtu").write_text("the old file")
    right = meshio.read

    def wrong(path):
        result = right(path)
        result.points[0, 0] += 1.0
        return result

    monkeypatch.setattr(meshio, "read", wrong)
    with pytest.raises(IntegrityError, match="differs"):
        write_mesh(tmp_path / "heart.vtu", mesh)
    assert [p.name for p in tmp_path.iterdir()] == ["heart.vtu"]
    assert (tmp_path / "heart.vtu").read_text() == "the old file"


def broken(folder, points, tets, kind="tetra"):
    meshio.write(folder / "broken.vtu", meshio.Mesh(np.asarray(points, float), [(kind, np.asarray(tets))]))
    return folder / "broken.vtu"


CORNERS = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("points", "tets", "kind", "says"),
    [
        (CORNERS, [[0, 1, 2, 999999]], "tetra", "names node 999999, there are 4 nodes"),
        ([[np.nan, 0, 0], *CORNERS[1:]], [[0, 1, 2, 3]], "tetra", "finite"),
        (CORNERS, [[0, 0, 0, 0]], "tetra", "1 of 1 tetrahedra are flat .cells 0."),
        (CORNERS, [[0, 1, 2]], "triangle", "found 1 triangle"),
    ],
)
def test_a_mesh_no_kernel_should_see_is_refused(tmp_path, points, tets, kind, says):
    with pytest.raises(MeshError, match=says):
        read_mesh(broken(tmp_path, points, tets, kind))


@pytest.mark.parametrize("content", [b"", b"not a mesh", b"<?xml version='1.0'?><VTKFile type='Unstr"])
@pytest.mark.parametrize("suffix", [".vtu", ".vtk", ".msh"])
def test_damaged_files_end_in_a_line_not_in_an_exit(tmp_path, content, suffix):
    (tmp_path / f"heart{suffix}").write_bytes(content)
    with pytest.raises(MeshError, match=rf"^heart\{suffix}: [^\n]*$"):
        read_mesh(tmp_path / f"heart{suffix}")


def test_inverted_tetrahedra_are_turned_and_unused_nodes_left_out(tmp_path):
    found = read_mesh(broken(tmp_path, [[9, 9, 9], *CORNERS], [[2, 1, 3, 4]])).mesh
    assert len(found.points) == 4
    assert found.volumes[0] == pytest.approx(1 / 6)


def test_an_unknown_suffix_is_refused(mesh, tmp_path):
    with pytest.raises(MeshError, match="cannot write"):
        write_mesh(tmp_path / "heart.xml", mesh)


def test_the_real_heart_is_read(tmp_path):
    """SOURCE.txt counts 191,998 tetrahedra and 107.2 cm3."""
    found = read_mesh(real_data("heart_dti004", "DTI004_coarse_reconstructed.vtu"))
    assert len(found.mesh.tets) == 191_998
    assert found.mesh.volumes.sum() == pytest.approx(107_200, rel=1e-3)
    assert found.node_data["fibre"].shape == (36_875, 3)
