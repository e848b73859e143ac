"""Keys and words of the pictures say what is there, all of it and no more."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart
from small_study import small_study

from cardiotwin.ecg.electrodes import offset_electrodes
from cardiotwin.heart.heart import CORE as CORE_TISSUE
from cardiotwin.heart.heart import HEALTHY, LEFT
from cardiotwin.pictures import bullseye, in_torso
from cardiotwin.pictures import short_axis as pages
from cardiotwin.pictures.palette import bands, round_width
from cardiotwin.report.heart3d import heart_scene, thinned
from cardiotwin.segmentation import BORDER_ZONE, CORE, MYOCARDIUM


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(3.0)


def key_of(segmentation):
    figure = pages.new_figure(4, 4)
    pages.contour_key(figure, segmentation)
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize(
    ("instead", "there"),
    [
        ({}, {"myocardium", "border zone", "scar core"}),
        ({CORE: MYOCARDIUM, BORDER_ZONE: MYOCARDIUM}, {"myocardium"}),
        ({BORDER_ZONE: MYOCARDIUM}, {"myocardium", "scar core"}),
        ({CORE: BORDER_ZONE}, {"myocardium", "border zone"}),
    ],
)
def test_the_key_of_the_slices_names_the_lines_that_are_drawn(study, instead, there):
    labels = study.segmentation.labels.copy()
    for code, other in instead.items():
        labels[study.segmentation.labels == code] = other
    cavities = {"left-ventricular cavity", "right-ventricular cavity"}
    assert set(key_of(replace(study.segmentation, labels=labels))) == there | cavities


def test_slices_that_are_left_out_are_counted(study, monkeypatch):
    made = []
    figure_of = pages.new_figure
    monkeypatch.setattr(pages, "new_figure", lambda *size: made.append(figure_of(*size)) or made[-1])
    muscle = np.isin(study.segmentation.labels, (MYOCARDIUM, BORDER_ZONE, CORE)).any(axis=(1, 2)).sum()
    for at_most in (4, 12):
        pages.slices(study.image, study.segmentation, at_most)
    told = [[text.get_text() for text in figure.texts] for figure in made]
    assert told == [[f"4 of {muscle} slices with muscle shown, evenly spread"], []]


@pytest.mark.parametrize("high", [0.35, 1.0, 47.0, 80.0, 110.0, 155.0, 260.0, 301.0, 512.0])
def test_a_scale_has_about_eleven_bands_of_a_round_width(high):
    count = len(bands("ms", 0.0, high).colours)
    assert 9 <= count <= 13
    width = round_width(0.0, high)
    assert float(f"{width:.2g}") == pytest.approx(width)


def test_small_is_at_the_bottom_but_early_on_top(heart):
    values = np.linspace(0.0, 100.0, 50)
    assert bullseye._about_ten_bands("height, mm", values, "").upward
    assert not bullseye._about_ten_bands("activation, ms", values, "").upward


def test_grey_is_called_scar_core_where_it_is_that(heart):
    height = heart.mesh.centroids[:, 2].copy()
    core = (heart.ventricle == LEFT) & (height > np.median(height))
    scarred = replace(heart, tissue_class=np.where(core, CORE_TISSUE, HEALTHY).astype(np.uint8))
    height[core] = np.nan
    assert bullseye._what_is_missing(scarred, height) == "scar core"
    assert bullseye._what_is_missing(heart, height) == "no value"


def test_the_electrodes_say_by_which_rule_and_no_ventricle_that_is_not_there(heart, monkeypatch):
    from matplotlib.figure import Figure

    electrodes = offset_electrodes(heart)
    assert "fixed offsets" in in_torso._how(electrodes, "offsets")
    assert "mean adult's torso" in in_torso._how(electrodes, "torso")
    assert in_torso._how(replace(electrodes, measured=True), "torso").startswith("Measured.")

    def keyed(one):
        figure = Figure()
        in_torso._key(figure, one, electrodes)
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert "right ventricle" in keyed(heart)
    assert "right ventricle" not in keyed(replace(heart, ventricle=np.full_like(heart.ventricle, LEFT)))


def test_letters_keep_away_from_names():
    taken = np.array([[100.0, -60.0], [100.0, -90.0], [60.0, -60.0]])
    z = in_torso._clear(100.0, -60.0, taken)
    assert np.linalg.norm(taken - (100.0, z), axis=1).min() >= 30.0
    assert in_torso._clear(-100.0, -60.0, taken) == -60.0


def test_a_fine_surface_is_thinned_and_keeps_its_shape_and_colours(study, monkeypatch):
    from cardiotwin.pictures.skin import boundary
    from cardiotwin.report import heart3d

    mesh = study.heart.mesh
    faces, _ = boundary(mesh.tets, len(mesh.points))
    points, triangles, nearest = thinned(mesh.points, faces, len(faces) // 3)
    assert len(faces) // 4 < len(triangles) <= 1.05 * len(faces) // 3
    assert np.ptp(points, axis=0) == pytest.approx(np.ptp(mesh.points, axis=0), rel=0.05)
    apart = points[triangles].mean(axis=1) - mesh.points[faces[nearest]].mean(axis=1)
    assert np.linalg.norm(apart, axis=1).max() < 6.0
    whole = heart_scene(study)
    monkeypatch.setattr(heart3d, "MOST_FACES", len(faces) - 1)
    monkeypatch.setattr(heart3d, "FEWER_FACES", len(faces) // 3)
    fewer = heart_scene(study)
    assert len(fewer["faces"]) < 0.4 * len(whole["faces"])
    triangles_shown = len(base64.b64decode(fewer["faces"])) // 12
    for colouring in fewer["colourings"]:
        wide = {"u1": 1, "i2": 2}[colouring["kind"]]
        assert len(base64.b64decode(colouring["values"])) == wide * triangles_shown
    assert [one["name"] for one in fewer["colourings"]] == [one["name"] for one in whole["colourings"]]
