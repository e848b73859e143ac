"""The mean adult's trunk: as large as the survey says, closed, and the electrodes at their landmarks on its skin."""

import numpy as np
import pytest

from cardiotwin.ecg.electrodes import ELECTRODES, landmarks
from cardiotwin.errors import SettingsError
from cardiotwin.meshes.reference.torso import (
    HIP,
    ILIAC_CREST,
    NIPPLE,
    ROUNDNESS,
    WAIST,
    adult_torso,
    breadth_of_girth_mm,
    girth_mm,
)


@pytest.fixture(scope="module", params=["male", "female", None])
def torso(request):
    return adult_torso(request.param)


def hull_length(points):
    from scipy.spatial import ConvexHull

    return ConvexHull(points[:, :2]).area  # in two dimensions: the perimeter


@pytest.mark.parametrize(("sex", "breadth", "depth", "girth"), [("male", 326, 238, 941), ("female", 300, 213, 861)])
def test_the_waist_has_the_breadth_depth_and_girth_that_were_measured(sex, breadth, depth, girth):
    """ANSUR II; the girth is not put in: the exponent of the section has to bring it out."""
    torso = adult_torso(sex)
    ring = torso.skin(np.arange(0.0, 360.0, 0.25), torso.level_mm(WAIST))
    assert np.ptp(ring, axis=0)[:2] == pytest.approx([breadth, depth], abs=1.0)
    assert hull_length(ring) == pytest.approx(girth, rel=0.01)


@pytest.mark.parametrize(("sex", "depth", "girth"), [("male", 253, 1059), ("female", 235, 947)])
def test_the_chest_has_the_depth_of_people_who_lie_and_at_most_the_tape_s_girth(sex, depth, girth):
    torso = adult_torso(sex)
    ring = torso.skin(np.arange(0.0, 360.0, 0.25), torso.level_mm(NIPPLE))
    assert np.ptp(ring[:, 1]) == pytest.approx(depth, abs=0.5)
    assert 0.9 * girth < hull_length(ring) < girth


def test_the_perimeter_of_a_section_agrees_with_a_polygon_and_inverts():
    turn = np.linspace(0, 2 * np.pi, 200_001)
    x, y = (
        half * np.sign(part) * np.abs(part) ** (2 / ROUNDNESS)
        for half, part in ((170.0, np.cos(turn)), (120.0, np.sin(turn)))
    )
    assert girth_mm(170.0, 120.0) == pytest.approx(np.hypot(np.diff(x), np.diff(y)).sum(), rel=1e-4)
    assert breadth_of_girth_mm(girth_mm(170.0, 120.0), 240.0) == pytest.approx(340.0, rel=1e-9)


def test_the_skin_is_closed_outward_and_encloses_the_sections(torso):
    """Divergence theorem over the triangles against areas of the sections, the area of a superellipse being known."""
    from scipy.special import gamma

    points, triangles = torso.surface(step_mm=6.0)
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all(), "every edge has two triangles"
    a, b, c = points[triangles].transpose(1, 0, 2)
    volume = np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0
    z = np.linspace(*torso.heights_mm[[0, -1]], 2001)
    area = 4 * np.prod(torso.half_axes(z), axis=0) * gamma(1 + 1 / ROUNDNESS) ** 2 / gamma(1 + 2 / ROUNDNESS)
    assert volume == pytest.approx(np.trapezoid(area, z), rel=0.01)
    assert np.abs(points[:, 1].max()) < 1e-9, "the back lies on the table"


def test_electrodes_lie_on_the_skin_at_their_landmarks(torso):
    at = landmarks(torso)
    assert set(at) == set(ELECTRODES)
    for name, place in at.items():
        half_breadth, half_depth = torso.half_axes(place[2])
        on = np.abs(place[0] / half_breadth) ** ROUNDNESS + np.abs(place[1] / half_depth + 1.0) ** ROUNDNESS
        assert on == pytest.approx(1.0, abs=1e-6), name
    assert at["V1"] == pytest.approx(at["V2"] * [-1, 1, 1]), "either side of the sternum"
    assert at["V4"][2] == at["V5"][2] == at["V6"][2] == at["V1"][2] - 29.0, "one intercostal space lower"
    assert at["V6"][0] == pytest.approx(torso.half_axes(at["V6"][2])[0]), "the flank is the midaxillary line"
    steps = np.linalg.norm(np.diff([at[f"V{k}"] for k in range(2, 7)], axis=0), axis=1)
    assert (steps > 25.0).all()
    assert at["LL"][2] == at["RL"][2] == pytest.approx(torso.stature_mm * (ILIAC_CREST - 0.8183))
    assert at["LA"] == pytest.approx(at["RA"] * [-1, 1, 1])


def test_a_taller_person_is_longer_and_no_broader():
    short, tall = adult_torso("female", 1500.0), adult_torso("female", 1800.0)
    np.testing.assert_allclose(tall.heights_mm, 1.2 * short.heights_mm)
    np.testing.assert_array_equal(tall.half_breadths_mm, short.half_breadths_mm)
    assert tall.half_axes(tall.level_mm(HIP))[0] == pytest.approx(177.0)


@pytest.mark.parametrize(("sex", "stature_mm"), [("man", None), (None, 1.75), ("male", 175.0), ("female", np.nan)])
def test_what_is_no_adult_is_refused(sex, stature_mm):
    with pytest.raises(SettingsError, match=r"torso: .*expected"):
        adult_torso(sex, stature_mm)
