"""Heart and electrodes in a torso: names that can be read, discs as large as the doubt, nothing where it is not."""

import io
from dataclasses import replace

import numpy as np
import pytest
from small_study import small_study

from cardiotwin.ecg.electrodes import in_torso, torso_electrodes
from cardiotwin.pictures.in_torso import CHEST_COLOUR, LIMB_COLOUR, SIZE_PX, SKIN_COLOUR, _apart, torso_picture
from cardiotwin.report import write_report


@pytest.fixture(scope="module")
def heart():
    return small_study().heart


def pixels(png):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def inked(image, colour):
    """(rows, columns) bool: nearly this colour."""
    from matplotlib.colors import to_rgb

    return np.abs(image - 255 * np.array(to_rgb(colour))).max(axis=2) < 12


def test_the_picture_has_its_size_and_both_kinds_of_electrodes(heart):
    image = pixels(torso_picture(heart, torso_electrodes(heart)))
    assert image.shape == (SIZE_PX[1], SIZE_PX[0], 3)
    for colour in (CHEST_COLOUR, LIMB_COLOUR):
        columns = np.flatnonzero(inked(image, colour)[100:800].any(axis=0))
        assert (columns < 800).any(), "from the front"
        assert (columns > 860).any(), "from the left"


def test_the_torso_that_conducts_is_the_one_that_is_drawn(heart, monkeypatch):
    """A taller one than that around the electrodes reaches further up and down, at the same scale."""
    monkeypatch.setattr("cardiotwin.ecg.electrodes.CONDUCTOR_STEP_MM", 30.0)
    electrodes = torso_electrodes(heart)
    tall = in_torso(heart, electrodes, stature_mm=2200.0)
    skins = [
        (np.abs(pixels(torso_picture(heart, one)) - 255 * SKIN_COLOUR).max(axis=2) < 25)[100:805, 20:800]
        for one in (electrodes, tall)
    ]
    columns = [np.flatnonzero(skin.any(axis=0)) for skin in skins]
    assert skins[1].sum() != skins[0].sum()
    assert (skins[0] != skins[1]).mean() > 0.02
    assert np.ptp(columns[1]) == pytest.approx(np.ptp(columns[0]), rel=0.1), "as broad as before"


def test_a_disc_is_as_wide_as_its_electrode_s_doubt(heart):
    """Against the same picture without discs: what changed round the limb electrodes of the front view."""
    electrodes = torso_electrodes(heart)
    bare = pixels(torso_picture(heart, replace(electrodes, uncertainty_mm=None)))
    widths = []
    for mm in (12.0, 24.0):
        image = pixels(torso_picture(heart, replace(electrodes, uncertainty_mm=np.full(10, mm))))
        changed = (image != bare).any(axis=2)[560:790, 30:400]  # around RL alone
        widths.append(np.ptp(np.flatnonzero(changed.any(axis=0))))
    assert widths[1] / widths[0] == pytest.approx(2.0, abs=0.1)


def test_names_stand_clear_of_each_other_and_of_dots():
    """V1 to V6 of a real subject as seen from the front, mm."""
    places = np.array([[-72.0, 14.0], [-34, 5], [-6, -14], [20, -37], [103, -30], [117, 13]])
    labels = _apart(places, np.zeros(2))
    apart = np.linalg.norm(labels[:, None] - labels[None], axis=2) + 1e3 * np.eye(len(labels))
    assert apart.min() > 20.0
    to_dots = np.linalg.norm(labels[:, None] - places[None], axis=2)
    assert to_dots.min() > 12.0
    assert np.diag(to_dots).max() < 60.0, "and near their own"


@pytest.mark.slow
def test_the_report_shows_electrodes_where_there_are_some(heart, tmp_path):
    electrodes = torso_electrodes(heart)
    study = small_study()
    with_them = replace(
        study, electrodes=electrodes, posterior=None, confirmation=None, arrhythmias=None, comparison=None, plans=()
    )
    page = write_report(tmp_path / "with", with_them).read_text(encoding="utf-8")
    assert "The electrodes that were used" in page
    off = electrodes.uncertainty_mm
    assert f"{off.min():.0f} to {off.max():.0f} mm off (standard deviation)" in page
    page = write_report(tmp_path / "without", replace(with_them, electrodes=None)).read_text(encoding="utf-8")
    assert "The electrodes that were used" not in page
