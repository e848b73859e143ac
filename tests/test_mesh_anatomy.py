"""A user's mesh becomes a heart: what it says is kept, what it does not say is found, what cannot be is refused."""

import meshio
import numpy as np
import pytest
from data_folder import real_data
from ellipsoid_heart import ellipsoid_heart

from cardiotwin import presets
from cardiotwin.anatomy.mesh_anatomy import heart_of, take_in
from cardiotwin.errors import MeshError, QualityGate, SettingsError
from cardiotwin.heart.heart import BASE, BORDER_ZONE, CORE, EPICARDIUM, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM
from cardiotwin.ingest import explain
from cardiotwin.meshes.outline import outline
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle
from cardiotwin.meshes.surfaces import tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.monodomain import Protocol, Solver, Stimulus
from cardiotwin.settings import MeshFileSettings, MeshSettings, TissueSettings
from cardiotwin.tissue.tissue import Velocities, make_tissue
from cardiotwin.twin.twin import Twin

COARSE = MeshFileSettings(allow_coarse=True)
MODEL = "modified_mitchell_schaeffer"


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(3.0)


def written(folder, heart, name="mine.vtu", *, scale=1.0, nodes=None, **cells):
    cell_data = {key: [np.asarray(values)] for key, values in cells.items()}
    meshio.write(
        folder / name, meshio.Mesh(scale * heart.mesh.points, [("tetra", heart.mesh.tets)], nodes or {}, cell_data)
    )
    return folder / name


def made(path, about=COARSE):
    return heart_of(take_in(path), about, MeshSettings(), cell_model=MODEL, velocity_cross=0.3)


def test_surfaces_of_a_ventricle_are_found_from_its_shape():
    shape = ProlateVentricle()
    mesh = stuff(shape, *shape.box, 3.0)
    found = outline(mesh)
    truth = tagged_by_distance(found.faces, shape.surface_distances(mesh.points))
    assert (found.surface == truth).mean() > 0.97
    assert set(found.surface) == {EPICARDIUM, LV_ENDOCARDIUM, BASE}


def test_surfaces_of_two_ventricles_are_found_however_they_lie(heart):
    from cardiotwin.meshes.mesh import Mesh

    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turn[:, 0] *= np.linalg.det(turn)
    found = outline(Mesh(heart.mesh.points @ turn.T + [400.0, 0, -90], heart.mesh.tets))
    np.testing.assert_array_equal(found.faces, heart.faces)
    assert (found.surface == heart.surface).mean() > 0.96
    for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM):
        assert (found.surface[heart.surface == tag] == tag).mean() > 0.95


def test_a_ball_has_no_cavity():
    ball = stuff(lambda p: 40.0 - np.linalg.norm(p, axis=1), [-40] * 3, [40] * 3, 8.0)
    with pytest.raises(QualityGate, match="no cavity"):
        outline(ball)


def test_fibres_are_kept_and_regions_are_what_the_settings_say(heart, tmp_path):
    region = np.where(heart.transmural[heart.mesh.tets].mean(axis=1) > 0.7, 42, 7)
    given = take_in(written(tmp_path, heart, fibres=3.0 * heart.fibres, region=region))
    assert any("regions of `region`: 7 (" in note and "taken as healthy" in note for note in given.notes)
    assert any("not of length 1" in note for note in given.notes)
    plain = made(tmp_path / "mine.vtu")
    assert (plain.tissue_class == HEALTHY).all()
    assert not plain.scar_assessable
    mapped = made(tmp_path / "mine.vtu", COARSE.model_copy(update={"core_regions": (42,)}))
    np.testing.assert_array_equal(mapped.tissue_class == CORE, region == 42)
    assert mapped.scar_assessable
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", mapped.fibres, heart.fibres)), 1.0, atol=1e-9)


def test_tissue_class_by_name_is_taken_at_its_word(heart, tmp_path):
    tissue = np.where(np.arange(len(heart.mesh.tets)) % 50 == 0, BORDER_ZONE, HEALTHY)
    np.testing.assert_array_equal(made(written(tmp_path, heart, tissue_class=tissue)).tissue_class, tissue)


def test_a_region_can_be_left_out(heart, tmp_path):
    """The right ventricle, with its fibres: what remains is a left one."""
    tag = heart.ventricle.astype(int)
    about = COARSE.model_copy(update={"left_out_regions": (2,)})
    path = written(tmp_path, heart, region=tag, fibres=heart.fibres)
    left = made(path, about)
    assert len(left.mesh.tets) == (tag == 1).sum()
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", left.fibres, heart.fibres[tag == 1])), 1.0, atol=1e-9)


@pytest.mark.parametrize("scale", [0.1, 1e-3, 1e3])
def test_centimetres_metres_and_micrometres_are_recognised(heart, tmp_path, scale):
    given = take_in(written(tmp_path, heart, scale=scale))
    np.testing.assert_allclose(given.points, heart.mesh.points, rtol=1e-9, atol=1e-9)
    assert any("coordinates taken as" in note for note in given.notes)


def test_a_size_of_no_heart_is_refused_until_the_unit_is_said(heart, tmp_path):
    path = written(tmp_path, heart, scale=30.0)
    with pytest.raises(QualityGate, match=r"under \[mesh_file\], set unit = "):
        made(path)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_few_missing_fibres_are_filled_by_the_rule_and_told(heart, tmp_path, value):
    fibres = heart.fibres.copy()
    lost = np.arange(len(fibres)) % 25 == 3
    fibres[lost] = value
    path = written(tmp_path, heart, fibres=fibres)
    assert any(f"missing in {lost.sum()} cells (3, 28, 53, 78, 103, ...)" in note for note in take_in(path).notes)
    found = made(path)
    rule = made(written(tmp_path, heart, "plain.vtu"))
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", found.fibres, heart.fibres))[~lost], 1.0, atol=1e-9)
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", found.fibres, rule.fibres))[lost], 1.0, atol=1e-9)


def test_many_missing_fibres_are_refused_with_their_cells(heart, tmp_path):
    fibres = heart.fibres.copy()
    fibres[::10] = 0.0
    with pytest.raises(MeshError, match=r"zero or not finite in \d+ of \d+ cells \(0, 10, 20, 30, 40, \.\.\.\)"):
        take_in(written(tmp_path, heart, fibres=fibres))


@pytest.mark.parametrize(
    ("change", "says"),
    [({"core_regions": (9,)}, "region 9 is not in the mesh, which has 1, 2"),
     ({"core_regions": (1,), "healthy_regions": (1,)}, "region 1 is in two lists")],
)  # fmt: skip
def test_regions_that_are_not_there_are_refused(heart, tmp_path, change, says):
    path = written(tmp_path, heart, region=heart.ventricle.astype(int))
    with pytest.raises(SettingsError, match=says):
        made(path, COARSE.model_copy(update=change))


def test_a_mesh_too_coarse_for_its_velocity_is_refused_with_the_error(heart, tmp_path):
    """3 mm are too much for ten Tusscher-Panfilov at 0.3 m/s; the two-variable model's front widens."""
    given = take_in(written(tmp_path, heart))
    strict = MeshFileSettings()
    with pytest.raises(QualityGate, match=r"allow_coarse"):
        heart_of(given, strict, MeshSettings(), cell_model="ten_tusscher_2006", velocity_cross=0.3)
    assert heart_of(given, strict, MeshSettings(), cell_model=MODEL, velocity_cross=0.3).edge_mm > 2


def test_a_twin_takes_a_mesh_instead_of_imaging(heart, tmp_path):
    settings = presets.preset("default").model_copy(update={"mesh_file": COARSE})
    twin = Twin.create(tmp_path / "case", presets.settings_text(settings, "test"))
    added = twin.add([written(tmp_path, heart, fibres=heart.fibres)])
    assert [one.kind for one in added.observations] == ["mesh"]
    assert any(note.startswith("mine.vtu: surfaces: none by name") for note in added.notes)
    twin.run("mesh")
    found = twin.result("mesh")
    assert len(found.mesh.tets) == len(heart.mesh.tets)
    assert (found.surface == heart.surface).mean() > 0.93
    assert not twin.add([tmp_path / "mine.vtu"]).observations


@pytest.fixture(scope="module")
def real():
    """Subject DTI004, whose file names both endocardia."""
    return take_in(real_data("heart_dti004", "DTI004_coarse_reconstructed.vtu"))


def test_the_real_hearts_surfaces_are_found_without_its_lists(real):
    from cardiotwin.meshes.mesh import Mesh

    found = outline(Mesh(real.points, real.tets))
    for tag, nodes in ((LV_ENDOCARDIUM, real.left), (RV_ENDOCARDIUM, real.right)):
        mine, theirs = (np.isin(np.arange(len(real.points)), one) for one in (found.faces[found.surface == tag], nodes))
        assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.97


@pytest.mark.slow
def test_the_real_heart_beats_with_its_own_fibres(real):
    """Paced at the left endocardium: everything is reached, at a velocity between those asked for."""
    heart = heart_of(real, COARSE, MeshSettings(), cell_model=MODEL, velocity_cross=0.3)
    corners = real.fibres[heart.mesh.tets]
    main = np.linalg.eigh(np.einsum("eki,ekj->eij", corners, corners))[1][:, :, 2]
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", heart.fibres, main)), 1.0, atol=1e-6)
    tissue = make_tissue(heart, Velocities(0.6, 0.3), TissueSettings(cell_model=MODEL), dt_ms=0.1)
    start = heart.mesh.points[heart.surface_nodes(LV_ENDOCARDIUM)[0]]
    near = np.flatnonzero(np.linalg.norm(heart.mesh.points - start, axis=1) < 6.0)
    activation, _ = Solver(tissue.medium(), dt_ms=0.1).run(Protocol((Stimulus(near, 0.0),), 400.0))
    times = activation.activation_ms[0]
    assert np.isfinite(times).all()
    away = np.linalg.norm(heart.mesh.points - start, axis=1)
    far = away > 40.0
    assert 0.25 < np.median(away[far] / times[far]) < 0.65


def test_a_mesh_is_recognised_and_a_surface_is_none(heart, tmp_path):
    assert explain(written(tmp_path, heart))[0] == "mesh"
    assert explain(written(tmp_path, heart, "mine.vtk"))[0] == "mesh"
    meshio.write(tmp_path / "wall.vtu", meshio.Mesh(heart.mesh.points, [("triangle", heart.faces)]))
    (tmp_path / "wall.vtk").write_text("# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 0 float\n")
    assert explain(tmp_path / "wall.vtk")[0] == "surfaces"
    (tmp_path / "grid.vtk").write_text("# vtk DataFile Version 3.0\nx\nASCII\nDATASET STRUCTURED_POINTS\n")
    kind, why = explain(tmp_path / "grid.vtk")
    assert (kind, "UNSTRUCTURED_GRID" in why, "POLYDATA" in why) == ("unknown", True, True)
    with pytest.raises(MeshError, match="no tetrahedra"):
        take_in(tmp_path / "wall.vtu")
