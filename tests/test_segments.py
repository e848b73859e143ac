"""AHA segments: numbers where the statement puts them, means that are means, a bull's eye that says so."""

import io
from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.errors import MeshError
from cardiotwin.exports.paraview import FIELDS, write_study
from cardiotwin.heart.heart import LV_ENDOCARDIUM, RIGHT, RV_ENDOCARDIUM, build_heart, heart_from_mesh
from cardiotwin.heart.segments import NAMES, heart_segments, segment_means, segments
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle, drawn_ventricles
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.meshes.ventricular import VentricularCoordinates
from cardiotwin.pictures.bullseye import SIZE_PX, bullseye, disc
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings
from cardiotwin.study import Study


def at(height, turn, side=0):
    one = np.array([height])
    return int(segments(VentricularCoordinates(one, one, np.array([turn]), np.array([side], np.uint8)))[0])


@pytest.mark.parametrize(
    ("height", "turn", "name"),
    [
        (0.9, 7 / 12, "basal anterior"),
        (0.9, 3 / 4, "basal anteroseptal"),
        (0.9, 11 / 12, "basal inferoseptal"),
        (0.8, 1 / 12, "basal inferior"),
        (1.0, 1 / 4, "basal inferolateral"),
        (0.7, 5 / 12, "basal anterolateral"),
        (0.69, 7 / 12, "mid anterior"),
        (0.5, 11 / 12, "mid inferoseptal"),
        (0.3, 7 / 12, "apical anterior"),
        (0.3, 5 / 6, "apical septal"),
        (0.2, 1 / 12, "apical inferior"),
        (0.2, 0.99, "apical inferior"),
        (0.11, 1 / 3, "apical lateral"),
        (0.05, 0.4, "apex"),
    ],
)
def test_numbers_are_those_of_the_statement(height, turn, name):
    assert NAMES[at(height, turn) - 1] == name


def test_the_septum_is_left_on_both_sides_and_the_right_free_wall_has_no_segment():
    assert at(0.9, 0.75, side=1) == 2
    assert at(0.9, 0.3, side=1) == 0


@pytest.fixture(scope="module")
def ventricle():
    """The prolate ventricle; the septum towards -x, anterior -y."""
    shape = ProlateVentricle()
    mesh = stuff(shape, *shape.box, 2.5)
    distances = np.abs(shape.surface_distances(mesh.points))
    return heart_from_mesh(
        mesh.points,
        mesh.tets,
        left_endocardium=np.flatnonzero(distances[:, 1] < 0.3),
        base=np.flatnonzero(distances[:, 3] < 0.3),
    )


def test_sectors_of_a_round_ventricle_are_equal(ventricle):
    """Sixths of the two upper rings, quarters of the apical one."""
    ml = segment_means(ventricle, np.zeros(len(ventricle.mesh.tets))).volume_ml
    for ring, off in ((slice(0, 6), 0.04), (slice(6, 12), 0.04), (slice(12, 16), 0.08)):  # the apical one is small
        np.testing.assert_allclose(ml[ring] / ml[ring].mean(), 1.0, atol=off)
    assert ml.sum() == pytest.approx(1e-3 * ventricle.mesh.volumes.sum())


def test_segments_lie_where_their_names_say(ventricle):
    number, middles = heart_segments(ventricle), ventricle.mesh.centroids
    centre = np.array([middles[number == k].mean(axis=0) for k in range(1, 18)])
    assert centre[0, 1] == centre[:6, 1].min()
    assert centre[3, 1] == centre[:6, 1].max()
    assert set(np.argsort(centre[:6, 0])[:2]) == {1, 2}
    assert np.argmin(centre[12:16, 0]) == 1
    assert centre[16, 2] == centre[:, 2].min()


def test_means_are_by_volume_and_leave_out_what_is_not_finite(ventricle):
    number, volumes = heart_segments(ventricle), ventricle.mesh.volumes
    field = np.random.default_rng(1).standard_normal(len(volumes))
    field[number == 5] = np.nan
    field[np.flatnonzero(number == 9)[::2]] = np.inf
    mean = segment_means(ventricle, field).mean
    assert np.isnan(mean[4])
    nine = (number == 9) & np.isfinite(field)
    assert mean[8] == pytest.approx(np.average(field[nine], weights=volumes[nine]))


def test_a_field_of_nodes_is_the_mean_of_their_tetrahedra(ventricle):
    heights = ventricle.mesh.points[:, 2]
    by_node = segment_means(ventricle, heights).mean
    by_element = segment_means(ventricle, ventricle.mesh.centroids[:, 2]).mean
    np.testing.assert_allclose(by_node, by_element)


def test_the_disc_shows_the_field_where_it_is(ventricle):
    """Height rises with the radius; a step between anterior and inferior shows in the upper and lower half."""
    height = disc(ventricle, ventricle.mesh.points[:, 2])
    assert (np.diff(height.mean(axis=1))[2:] > 0).all()  # cells at the tip are smaller than elements
    front = disc(ventricle, (ventricle.mesh.centroids[:, 1] < 0).astype(float))
    turn = (np.arange(front.shape[1]) + 0.5) / front.shape[1]
    upper = np.cos(2 * np.pi * (turn - 7 / 12)) > 0.2
    assert front[10:, upper].mean() > 0.95
    assert front[10:, np.cos(2 * np.pi * (turn - 7 / 12)) < -0.2].mean() < 0.05


def test_the_picture_is_a_picture_of_the_stated_size(ventricle):
    from matplotlib.image import imread

    png = bullseye(ventricle, ventricle.mesh.points[:, 2], "height, mm")
    assert imread(io.BytesIO(png)).shape[:2] == SIZE_PX[::-1]


def test_what_cannot_be_shown_is_refused(ventricle):
    with pytest.raises(MeshError, match="no finite value"):
        bullseye(ventricle, np.full(len(ventricle.mesh.tets), np.nan), "nothing, ms")
    with pytest.raises(MeshError, match="expected one value for each"):
        segment_means(ventricle, np.zeros(3))
    with pytest.raises(MeshError, match="no ventricular coordinates"):
        heart_segments(block_heart((2, 2, 2), 3.0))


def test_segments_of_both_ventricles():
    """The right free wall has none, the septum between the cavities has 2, 3, 8, 9 and 14."""
    drawn = drawn_ventricles()
    labels = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    heart = build_heart(
        Segmentation(labels, np.diag([*drawn.spacing_mm[::-1], 1.0]), None, False, {}), MeshSettings(edge_mm=2.5)
    )
    number = heart_segments(heart)
    np.testing.assert_array_equal(number == 0, heart.ventricle == RIGHT)
    faces = {tag: heart.mesh.points[heart.surface_nodes(tag)].mean(axis=0) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM)}
    along = heart.mesh.centroids @ (faces[RV_ENDOCARDIUM] - faces[LV_ENDOCARDIUM])
    reach = [along[number == k].mean() for k in range(1, 7)]
    assert set(np.argsort(reach)[-2:] + 1) == {2, 3}


def test_paraview_shows_segments_and_rotation(ventricle, tmp_path):
    import pyvista as pv

    write_study(tmp_path, Study(heart=ventricle))
    grid = pv.read(tmp_path / "heart.vtu")
    np.testing.assert_array_equal(grid.cell_data["segment"], heart_segments(ventricle))
    np.testing.assert_allclose(grid.point_data["rotational"], ventricle.coordinates.rotational, atol=1e-6)
    assert {"segment", "rotational"} <= FIELDS.keys()
    write_study(tmp_path, Study(heart=replace(ventricle, coordinates=None)))
    assert "segment" not in pv.read(tmp_path / "heart.vtu").cell_data
