"""Cuts, cameras and colours: what is on the picture is what is in the heart."""

import re
from dataclasses import replace

import numpy as np
import pytest
from small_study import ANTERIOR, AXIS, SEPTAL, small_heart, small_study, to_patient

from cardiotwin.heart.locations import left_ventricle
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.pictures import camera, drawing, palette
from cardiotwin.pictures.content import Marker, mesh_picture, pictures, substrate_picture
from cardiotwin.pictures.render import render
from cardiotwin.pictures.skin import Plane, boundary, outlines, outside, section


@pytest.fixture(scope="module")
def heart():
    return small_heart(4.0)


def area(points):
    return 0.5 * np.linalg.norm(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]), axis=1)


@pytest.mark.parametrize("height_mm", [-20.0, -7.3, 5.1])
def test_sections_stacked_up_are_the_volume(heart, height_mm):
    """Cavalieri: the areas of sections, integrated over their distance, are the volume between."""
    heights = height_mm + np.linspace(0, 4, 41)
    areas = []
    for height in heights:
        face = section(heart, Plane(to_patient(0, 0, height), AXIS))
        areas.append(area(face.at_corners(heart.mesh.points)).sum())
    between = np.trapezoid(areas, heights)
    # Prisms between two grid planes: all elements here have nodes on planes 4 mm apart along the axis.
    centre = (heart.mesh.centroids - to_patient(0, 0, 0)) @ AXIS
    samples = np.random.default_rng(0).dirichlet(np.ones(4), 40)
    inside = (
        np.einsum("sk,tkd->tsd", samples, heart.mesh.points[heart.mesh.tets[np.abs(centre - height_mm - 2) < 8]])
        - to_patient(0, 0, 0)
    ) @ AXIS
    volumes = heart.mesh.volumes[np.abs(centre - height_mm - 2) < 8]
    share = ((inside > height_mm) & (inside < height_mm + 4)).mean(axis=1)
    assert between == pytest.approx(float(volumes @ share), rel=0.02)


def test_a_linear_field_is_exact_on_a_cut(heart):
    gradient = np.array([0.3, -1.2, 0.7])
    face = section(heart, Plane(to_patient(1.1, 2.3, -9.7), ANTERIOR))
    points = face.at_corners(heart.mesh.points)
    np.testing.assert_allclose(face.at_corners(heart.mesh.points @ gradient), points @ gradient, atol=1e-9)
    np.testing.assert_allclose((points - to_patient(1.1, 2.3, -9.7)) @ ANTERIOR, 0, atol=1e-9)


def test_the_boundary_is_the_mesh_s_own_with_its_elements(heart):
    faces, element = boundary(heart.mesh.tets, len(heart.mesh.points))
    key = {tuple(sorted(face)) for face in faces.tolist()}
    assert key == {tuple(sorted(face)) for face in heart.mesh.boundary_faces().tolist()}
    for face, owner in zip(faces[::97], element[::97], strict=True):
        assert set(face.tolist()) < set(heart.mesh.tets[owner].tolist())


def test_from_the_front_the_patient_s_left_is_on_the_right(heart):
    assert camera.direction_letters(camera.ANTERIOR.right) == "L"
    assert camera.direction_letters(camera.ANTERIOR.up) == "S"
    assert camera.direction_letters(-camera.ANTERIOR.towards) == "A"


def test_short_axis_shows_the_septum_left_and_the_anterior_wall_up(heart):
    view = camera.short_axis(left_ventricle(heart), to_patient(0, 0, -10))
    assert view.right @ SEPTAL < -0.9
    assert view.up @ ANTERIOR > 0.9


@pytest.mark.parametrize(
    ("side", "name"), [((1, 0, 0), "from the left"), ((0, 1, 0), "from the back"), ((0, 0, -1), "from below")]
)
def test_a_place_is_seen_from_the_side_it_is_on(heart, side, name):
    place = left_ventricle(heart).centre + 25.0 * np.array(side)
    assert [view.name for view in camera.views_of(heart, place)][:2] == ["from the front", name]


def test_each_value_gets_the_colour_of_its_band():
    key = palette.bands("ms", 3.0, 58.0, "none")
    assert key.edges[0] <= 3
    assert key.edges[-1] >= 58
    values = np.array([key.edges[0], key.edges[1] - 1e-6, key.edges[1], np.nan])
    colours, band = key.paint(values)
    assert band.tolist() == [0, 0, 1, -1]
    np.testing.assert_array_equal(colours[0], key.colours[0])
    np.testing.assert_array_equal(colours[3], key.missing_colour)


def test_where_a_cycle_closes_no_other_colour_appears(heart):
    """Head meets tail: a triangle from 295 to 5 of 300 ms holds nothing near 150."""
    height = (heart.mesh.points - to_patient(0, 0, 0)) @ AXIS
    phase = np.mod(295.0 + 2.0 * (height + 50.0), 300.0)
    skin = outside(heart)
    corners = skin.at_corners_of_cycle(phase, 300.0)
    assert np.ptp(corners, axis=1).max() < 150
    wrapped = np.mod(corners - skin.at_corners(phase) + 150, 300) - 150
    np.testing.assert_allclose(wrapped, 0, atol=1e-9)


def test_a_rendered_section_has_the_area_it_shows(heart):
    """Pixels of one colour, counted, are the tissue of that class in the section."""
    place = to_patient(0, 0, -11.0)
    cut = Plane(place, -AXIS)
    view = camera.View("", AXIS, ANTERIOR, cut)
    face = section(heart, cut)
    key = palette.categories("tissue", ("a", "b", "c"), ("#ff0000", "#00ff00", "#0000ff"))
    scale = camera.fitting_scale(heart, [view])
    panel = render(heart, [(face, face.of_elements(heart.tissue_class))], key, view, scale)
    triangles = area(face.at_corners(heart.mesh.points))
    for tissue, channel in ((1, 0), (2, 1), (3, 2)):
        expected = triangles[heart.tissue_class[face.element] == tissue].sum()
        colour = panel.rgb[..., channel] - np.delete(panel.rgb, channel, axis=2).max(axis=2)
        assert (colour > 0.3).sum() / scale**2 == pytest.approx(expected, rel=0.12)


def test_a_picture_says_why_a_marker_is_hollow_and_which_are_left_out():
    one, many = np.zeros((1, 3)), np.zeros((drawing.MANY + 1, 3))
    letters = "The patient's A front, P back, L left, R right, S head, I feet."
    star, diamond = Marker("exit", one, "#101010", "*"), Marker("isthmus", one, "#ffffff", "D")
    assert drawing._legend(()) == letters
    both = f"Diamonds and stars are filled on what a view shows, hollow where it hides them. {letters}"
    assert drawing._legend((diamond, star)) == both
    cloud = Marker("sites", many, "#ffffff")
    assert "Stars are filled" in drawing._legend((cloud, star))
    assert "; circles are left out where it does." in drawing._legend((cloud, star))


def test_every_marker_that_is_drawn_has_a_word():
    study = small_study(4.0)
    shapes = {marker.shape for picture in pictures(study) for marker in picture.markers}
    assert len(shapes) == 3
    assert shapes <= set(drawing._PLURALS)


@pytest.mark.parametrize(
    ("point", "normal", "sides"),
    [
        ((0, 0, 0.2), (0, 0, 1), [0.8, 0.8, 0.8 * np.sqrt(2)]),
        ((0.25, 0.25, 0), (1, 1, 0), [0.5, 0.5, np.sqrt(0.5), np.sqrt(0.5)]),
    ],
)
def test_outlines_of_a_cut_element_are_its_sides_alone(heart, point, normal, sides):
    """The corner of a cube: across an axis a triangle, between opposite edges a rectangle, without its diagonal."""
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    one = replace(heart, mesh=Mesh(points, np.array([[0, 1, 2, 3]])))
    face = section(one, Plane(np.array(point), np.array(normal) / np.linalg.norm(normal)))
    lengths = np.linalg.norm(np.diff(outlines(face, points), axis=1)[:, 0], axis=1)
    np.testing.assert_allclose(np.sort(lengths), sides, atol=1e-9)


def test_the_key_of_the_substrate_holds_the_whole_volume(heart):
    told = [float(re.search(r": ([\d.]+) mL", name)[1]) for name in substrate_picture(heart).palette.names]
    assert sum(told) == pytest.approx(1e-3 * heart.mesh.volumes.sum(), abs=0.2)
    assert told[2] == pytest.approx(1e-3 * heart.mesh.volumes[heart.tissue_class == 3].sum(), abs=0.06)


def test_scar_that_was_not_assessed_is_not_said_to_be_none(heart):
    names = substrate_picture(replace(heart, scar_assessable=False)).palette.names
    assert [name.split(": ")[1] for name in names[1:]] == ["not assessed"] * 2
    assert float(names[0].split()[1]) == pytest.approx(1e-3 * heart.mesh.volumes.sum(), abs=0.06)


def test_the_mesh_picture_tells_what_is_there(heart):
    picture = mesh_picture(heart)
    assert f"{len(heart.mesh.tets):,} tetrahedra" in picture.figures
    worst = np.degrees(np.pi)
    for a, b, c, d in heart.mesh.points[heart.mesh.tets[::50]]:
        corners = np.stack([a, b, c, d])
        inward = np.linalg.inv(np.column_stack([corners, np.ones(4)]))[:3].T
        inward /= np.linalg.norm(inward, axis=1, keepdims=True)
        cosines = -(inward @ inward.T)[np.triu_indices(4, 1)]
        worst = min(worst, np.degrees(np.arccos(np.clip(cosines, -1, 1))).min())
    told = float(next(re.search(r"worst angle ([\d.]+)", line)[1] for line in picture.figures if "worst" in line))
    assert told == pytest.approx(worst, abs=0.06)
    shown = picture.values(outside(heart))
    assert shown.min() >= told - 0.06
    assert shown.max() <= 70.6
