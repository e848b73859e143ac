"""The bull's eye of inducibility counts twins by the segment that they were paced from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_study import ANTERIOR, AXIS, SEPTAL, _arrhythmias, small_heart, to_patient

from cardiotwin.heart.heart import LEFT, RIGHT
from cardiotwin.meshes.ventricular import VentricularCoordinates
from cardiotwin.report import write_report
from cardiotwin.report.inducibility import _extent, inducibility, inducibility_bullseye
from cardiotwin.study import Study


@pytest.fixture(scope="module")
def heart():
    """With coordinates as they follow from its shape: all of it left ventricle but for the right free wall."""
    heart = small_heart(4.0)
    out = heart.mesh.points - to_patient(0, 0, 0)
    turn = (7 / 12 + np.arctan2(out @ SEPTAL, out @ ANTERIOR) / (2 * np.pi)) % 1.0
    height = np.clip((out @ AXIS + 50) / 68, 0, 1)
    sides = np.zeros(len(turn), np.uint8)
    return replace(heart, coordinates=VentricularCoordinates(height, heart.transmural, turn, sides))


@pytest.fixture(scope="module")
def arrhythmias(heart):
    return _arrhythmias(heart)


def by_name(rows):
    return {row["name"]: row for row in rows}


def test_each_site_counts_where_it_stands(heart, arrhythmias):
    found = by_name(inducibility(heart, arrhythmias))
    seen = {name: (row["sites"], row["induced"], row["twins"]) for name, row in found.items() if row["sites"]}
    assert seen == {
        "mid inferolateral": ([1], 3, 3),
        "basal anteroseptal": ([2], 2, 3),
        "basal inferior": ([3], 0, 3),
    }
    assert found["basal anteroseptal"]["share"] == pytest.approx(2 / 3)
    assert found["apex"]["share"] is None


def test_isthmuses_lie_where_most_of_their_tissue_is(heart, arrhythmias):
    found = inducibility(heart, arrhythmias)
    assert {row["name"]: row["isthmuses"] for row in found if row["isthmuses"]} == {"mid anterior": [1, 2]}


def test_a_twin_that_is_inducible_from_two_sites_of_a_segment_counts_once(heart, arrhythmias):
    together = replace(arrhythmias, site_nodes=arrhythmias.site_nodes[[0, 0, 0]])
    row = by_name(inducibility(heart, together))["mid inferolateral"]
    assert (row["sites"], row["induced"], row["twins"]) == ([1, 2, 3], 3, 3)
    other = tuple(replace(one, profile="both" if one.site == 2 else one.profile) for one in arrhythmias.inductions)
    row = by_name(inducibility(heart, replace(together, inductions=other)))["mid inferolateral"]
    assert (row["induced"], row["twins"]) == (3, 6), "a draw with another profile is another twin"


def test_sites_in_the_right_ventricle_are_told_apart(heart, arrhythmias):
    right = np.setdiff1d(heart.mesh.tets[heart.ventricle == RIGHT], heart.mesh.tets[heart.ventricle == LEFT])[7]
    rows = inducibility(heart, replace(arrhythmias, site_nodes=np.array([right, *arrhythmias.site_nodes[1:]])))
    assert (rows[-1]["segment"], rows[-1]["sites"], rows[-1]["induced"]) == (0, [1], 3)
    assert sum(len(row["sites"]) for row in rows) == 3


def test_without_coordinates_there_is_no_bullseye(arrhythmias):
    assert inducibility(small_heart(4.0), arrhythmias) is None


def test_the_segments_cover_the_disc_once():
    extents = [_extent(k) for k in range(1, 18)]
    assert sum(width * (high**2 - low**2) for _, low, high, width in extents) == pytest.approx(1.0)


def test_colour_hatching_and_diamonds_follow_the_numbers(heart, arrhythmias):
    rows = inducibility(heart, arrhythmias)
    drawn = inducibility_bullseye(rows)
    deepest = b"#800026"
    none = [row | {"induced": 0, "share": 0.0 if row["twins"] else None} for row in rows]
    assert drawn.count(deepest) == inducibility_bullseye(none).count(deepest) + 1
    assert drawn != inducibility_bullseye([row | {"isthmuses": []} for row in rows])
    everywhere = [row | {"twins": 3, "induced": 3, "share": 1.0} for row in rows]
    # The hatching is one pattern, used by each segment without a site and by the key.
    uses = [picture.count(b"url(#") for picture in (drawn, inducibility_bullseye(everywhere))]
    assert uses[0] - uses[1] == 14


@pytest.fixture
def without_pictures(monkeypatch):
    """Of the heart: seconds rather than a minute."""
    monkeypatch.setattr("cardiotwin.pictures.pictures", lambda study: ())
    monkeypatch.setattr("cardiotwin.pictures.MOST_CIRCUITS", 0)


@pytest.mark.usefixtures("without_pictures")
def test_the_report_shows_and_tells_the_same(heart, arrhythmias, tmp_path):
    page = write_report(tmp_path, Study(heart, arrhythmias=arrhythmias)).read_text()
    told = json.loads((tmp_path / "study.json").read_text())["inducibility_by_segment"]
    assert told == inducibility(heart, arrhythmias)
    assert "in which pacing from there induced a circuit" in page


@pytest.mark.usefixtures("without_pictures")
def test_a_report_without_arrhythmias_has_none(heart, tmp_path):
    page = write_report(tmp_path, Study(heart)).read_text()
    assert json.loads((tmp_path / "study.json").read_text())["inducibility_by_segment"] is None
    assert "in which pacing from there" not in page
