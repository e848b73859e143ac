"""One mesh in every format, from every program that writes it, comes back equal."""

import meshio
import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.errors import MeshError
from cardiotwin.meshes.formats import read_mesh, write_opencarp
from cardiotwin.meshes.formats.vtu import read_vtu
from cardiotwin.meshes.tetrahedra import stuff

pyvista = pytest.importorskip("pyvista")


@pytest.fixture(scope="module")
def mesh():
    return stuff(lambda p: 30.0 - np.linalg.norm(p, axis=1), [-30] * 3, [30] * 3, 12.0)


@pytest.fixture(scope="module")
def data(mesh):
    rng = np.random.default_rng(0)
    return rng.random(len(mesh.points)), rng.random((len(mesh.tets), 3)), rng.integers(1, 9, len(mesh.tets))


@pytest.fixture(scope="module")
def by_meshio(mesh, data):
    voltage, fibres, region = data
    return meshio.Mesh(
        mesh.points, [("tetra", mesh.tets)], {"voltage": voltage}, {"fibres": [fibres], "region": [region]}
    )


@pytest.fixture(scope="module")
def by_pyvista(mesh, data):
    voltage, fibres, region = data
    grid = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: mesh.tets}, mesh.points)
    grid.point_data["voltage"] = voltage
    grid.cell_data["fibres"], grid.cell_data["region"] = fibres, region
    return grid


def check(found, mesh, data, rtol=0.0):
    voltage, fibres, region = data
    np.testing.assert_allclose(found.mesh.points, mesh.points, rtol=rtol, atol=rtol * 30)
    np.testing.assert_array_equal(found.mesh.tets, mesh.tets)
    np.testing.assert_allclose(np.squeeze(found.node_data["voltage"]), voltage, rtol=rtol)
    np.testing.assert_allclose(found.tet_data["fibres"], fibres, rtol=rtol)
    np.testing.assert_array_equal(np.squeeze(found.tet_data["region"]), region)
    assert found.unit == "mm"
    assert found.notes == ()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("h.vtu", {"binary": True}),
        ("h.vtu", {"binary": True, "compression": "lzma"}),
        ("h.vtu", {"binary": True, "compression": None}),
        ("h.vtu", {"binary": True, "header_type": "UInt64"}),
        ("h.vtu", {"binary": False}),
        ("h.vtk", {"binary": True}),
        ("h.vtk", {"binary": False}),
        ("h.vtk", {"binary": True, "file_format": "vtk42"}),
        ("h.msh", {"binary": True, "file_format": "gmsh"}),
        ("h.msh", {"binary": True, "file_format": "gmsh22"}),
        ("h.xdmf", {"data_format": "HDF"}),
        ("h.xdmf", {"data_format": "XML"}),
    ],
)
def test_what_meshio_writes(mesh, data, by_meshio, tmp_path, name, options):
    meshio.write(tmp_path / name, by_meshio, **options)
    check(read_mesh(tmp_path / name), mesh, data, 1e-10)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("name", ["h.vtu", "h.vtk"])
def test_what_pyvista_writes(mesh, data, by_pyvista, tmp_path, name, binary):
    by_pyvista.save(tmp_path / name, binary=binary)
    check(read_mesh(tmp_path / name), mesh, data, 1e-7)


@pytest.mark.parametrize("mode", ["Appended", "Binary", "Ascii"])
@pytest.mark.parametrize("encoded", [0, 1])
@pytest.mark.parametrize("compressor", ["ZLib", "LZMA", "None"])
@pytest.mark.parametrize("header", [32, 64])
def test_every_encoding_of_vtk_itself(mesh, data, by_pyvista, tmp_path, mode, encoded, compressor, header):
    import vtk

    writer = vtk.vtkXMLUnstructuredGridWriter()
    writer.SetFileName(str(tmp_path / "h.vtu"))
    writer.SetInputData(by_pyvista)
    getattr(writer, f"SetDataModeTo{mode}")()
    writer.SetEncodeAppendedData(encoded)
    getattr(writer, f"SetCompressorTypeTo{compressor}")()
    writer.SetHeaderType(header)
    writer.SetBlockSize(4096)
    writer.Write()
    check(read_mesh(tmp_path / "h.vtu"), mesh, data, 1e-7)


def test_several_pieces_are_joined(mesh, by_pyvista, tmp_path):
    """meshio keeps the last piece only."""
    import vtk

    left, right = by_pyvista.extract_cells(range(100)), by_pyvista.extract_cells(range(100, by_pyvista.n_cells))
    for k, part in enumerate((left, right)):
        part.clear_data()
        part.save(tmp_path / f"part{k}.vtu", binary=False)
    first, second = ((tmp_path / f"part{k}.vtu").read_text() for k in (0, 1))
    piece = second[second.index("<Piece") : second.index("</Piece>") + len("</Piece>")]
    whole = first.replace("</Piece>", f"</Piece>{piece}")
    (tmp_path / "whole.vtu").write_text(whole)
    raw = read_vtu(tmp_path / "whole.vtu")
    assert len(raw.tets) == by_pyvista.n_cells
    reader = vtk.vtkXMLUnstructuredGridReader()
    reader.SetFileName(str(tmp_path / "whole.vtu"))
    reader.Update()
    np.testing.assert_array_equal(raw.tets, pyvista.wrap(reader.GetOutput()).cells_dict[10])
    np.testing.assert_allclose(raw.points[raw.tets].sum(), mesh.points[mesh.tets].sum(), rtol=1e-5)


def test_surface_triangles_beside_tetrahedra_are_left_out_and_told(mesh, tmp_path):
    faces = mesh.boundary_faces()
    cells = [("triangle", faces), ("tetra", mesh.tets)]
    region = [np.full(len(faces), 7), np.arange(len(mesh.tets))]
    meshio.write(tmp_path / "h.vtu", meshio.Mesh(mesh.points, cells, cell_data={"region": region}))
    found = read_mesh(tmp_path / "h.vtu")
    np.testing.assert_array_equal(found.tet_data["region"], np.arange(len(mesh.tets)))
    assert found.notes == (f"{len(faces)} cells of kind triangle left out",)


def test_other_volumes_are_refused_rather_than_left_as_holes(tmp_path):
    points = np.array([[x, y, z] for x in (0, 10, 20) for y in (0, 10) for z in (0, 10)], float)
    cells = [("tetra", [[0, 1, 2, 4]]), ("hexahedron", [[4, 6, 7, 5, 8, 10, 11, 9]])]
    for name in ("h.vtu", "h.vtk"):
        meshio.write(tmp_path / name, meshio.Mesh(points, cells))
        with pytest.raises(MeshError, match="found 1 hexahedron, 1 tetra"):
            read_mesh(tmp_path / name)


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "m"), (1.0, "mm"), (1e3, "um")])
def test_metres_and_micrometres_are_recognised_by_size_and_told(mesh, tmp_path, factor, unit):
    meshio.write(tmp_path / "h.vtu", meshio.Mesh(factor * mesh.points, [("tetra", mesh.tets)]))
    found = read_mesh(tmp_path / "h.vtu")
    assert found.unit == unit
    np.testing.assert_allclose(found.mesh.points, mesh.points, rtol=1e-12, atol=1e-12)
    assert len(found.notes) == (unit != "mm")
    assert all(f"taken as {unit}" in note for note in found.notes)


def test_opencarp_files_are_in_micrometres_and_come_back_equal(mesh, data, tmp_path):
    _, fibres, region = data
    fibres = fibres / np.linalg.norm(fibres, axis=1, keepdims=True)
    sheets = np.cross(fibres, [0.0, 0.0, 1.0])
    files = write_opencarp(tmp_path / "h", mesh, region, fibres, sheets)
    naive = [[line.split() for line in file.read_text().splitlines()] for file in files]
    points, elements, directions = naive
    assert int(points[0][0]) == len(points) - 1
    np.testing.assert_allclose(np.array(points[1:], float), 1e3 * mesh.points, rtol=1e-15)
    assert {row[0] for row in elements[1:]} == {"Tt"}
    np.testing.assert_array_equal(np.array([row[1:] for row in elements[1:]], int)[:, :4], mesh.tets)
    assert directions[0] == ["2"]
    for given in (tmp_path / "h", *files):
        found = read_mesh(given)
        np.testing.assert_allclose(found.mesh.points, mesh.points, rtol=1e-14)
        np.testing.assert_array_equal(found.mesh.tets, mesh.tets)
        np.testing.assert_array_equal(found.tet_data["region"], region)
        np.testing.assert_allclose(found.tet_data["fibres"], fibres, atol=1e-8)
        np.testing.assert_allclose(found.tet_data["sheets"], sheets, atol=1e-8)
        assert found.unit == "um"


def test_opencarp_without_tags_headers_or_fibres_and_with_surface_elements(tmp_path):
    (tmp_path / "h.pts").write_text("5\n0 0 0\n9 0 0\n0 9 0\n0 0 9\n9 9 9\n")
    (tmp_path / "h.elem").write_text("3\nTr 0 1 2\nTt 0 1 2 3\nTt 1 2 3 4\n")
    found = read_mesh(tmp_path / "h.elem")
    assert len(found.mesh.tets) == 2
    assert found.unit == "mm"
    assert found.notes[0] == "1 cells of kind triangle left out"
    assert not found.tet_data
    (tmp_path / "h.lon").write_text("0 0 1\n1 0 0\n0 1 0\n")
    np.testing.assert_array_equal(read_mesh(tmp_path / "h").tet_data["fibres"], [[1, 0, 0], [0, 1, 0]])


def test_a_folder_of_tables_as_published(tmp_path):
    """The nodes and fields of heart_dti004, with the rebuilt tetrahedra counted from 1 as another program would."""
    vtu = read_mesh(real_data("heart_dti004", "DTI004_coarse_reconstructed.vtu"))
    for file in real_data("heart_dti004", "geometric_data", "DTI004", "DTI004_coarse").glob("*.csv"):
        (tmp_path / file.name).symlink_to(file)
    raw = read_vtu(real_data("heart_dti004", "DTI004_coarse_reconstructed.vtu"))
    np.savetxt(tmp_path / "DTI004_coarse_tetra.csv", raw.tets + 1, fmt="%d", delimiter=",")
    found = read_mesh(tmp_path)
    assert found.unit == "cm"
    assert found.notes[0] == "DTI004_coarse_tetra.csv counts nodes from 1"
    np.testing.assert_allclose(found.mesh.points, vtu.mesh.points, atol=1e-4)
    np.testing.assert_allclose(found.node_data["fibre"], vtu.node_data["fibre"], atol=1e-6)
    assert found.node_data["lvendo"].sum() == 3204
    assert read_mesh(tmp_path / "DTI004_coarse_xyz.csv").mesh.volumes.sum() == pytest.approx(107_200, rel=1e-3)
