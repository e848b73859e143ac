"""Cavities have the volume that was drawn, and say when in the cycle it was and where the base is cut."""

from dataclasses import replace

import numpy as np
import pytest
from data_folder import real_data
from ellipsoid_heart import ellipsoid_heart
from short_axis import PIXEL_MM, SLICE_MM, affine, image, truth
from small_study import small_study

from cardiotwin import cli, presets
from cardiotwin.ingest import read_label_map
from cardiotwin.report.facts import report_facts
from cardiotwin.report.html import write_report
from cardiotwin.segmentation import RV_BLOOD, cavities, from_label_map, segment
from cardiotwin.study import Study
from cardiotwin.twin.twin import Twin


def test_a_voxel_counts_with_the_gap_beside_it():
    found = cavities(from_label_map(truth(), affine()), None)
    for ml, code in ((found.left_ml, 1), (found.right_ml, 3)):
        assert ml == pytest.approx(1e-3 * PIXEL_MM**2 * SLICE_MM * (truth() == code).sum())


def test_where_the_cavities_end_is_told_in_slices():
    labels = truth()
    labels[1][labels[1] == 3] = 0
    found = cavities(from_label_map(labels, affine()), None)
    held = [np.flatnonzero((labels == code).any(axis=(1, 2))) + 1 for code in (1, 3)]
    assert found.cut.startswith(
        f"left slices {held[0][0]} (base) to {held[0][-1]} (apex) and right slices {held[1][0]} (base) to "
        f"{held[1][-1]} (apex) of {len(labels)}"
    )
    assert held[0][0] != held[1][0]
    over = affine() @ np.diag([1.0, -1.0, -1.0, 1.0])  # the same stack, from its other end
    assert cavities(from_label_map(labels[::-1, ::-1], over), None).cut.startswith(
        f"left slices {len(labels) + 1 - held[0][-1]} (apex) to {len(labels) + 1 - held[0][0]} (base)"
    )


def test_a_ventricle_that_was_not_drawn_has_no_volume():
    labels = np.where(truth() == RV_BLOOD, 0, truth())
    found = cavities(from_label_map(labels, affine()), None)
    assert np.isnan(found.right_ml)
    assert "right" not in found.cut


@pytest.mark.parametrize(("kind", "words"), [("cine", "end-diastole"), ("lge", "not the end-diastolic volume")])
def test_the_phase_is_that_of_the_image_and_unknown_of_a_label_map(kind, words):
    automatic = segment(image(kind))
    assert words in cavities(automatic, kind).phase
    given = from_label_map(automatic.labels, automatic.affine)
    assert "does not say" in cavities(given, kind).phase


def test_the_real_hearts_cavities_are_those_that_its_reader_measured():
    """Segment's own volumes, stored in the file that the label map was made from."""
    path = real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz")
    found = cavities(from_label_map(*read_label_map(path)), None)
    assert found.left_ml == pytest.approx(266.3, rel=0.005)
    assert found.right_ml == pytest.approx(204.2, rel=0.005)


def test_a_mesh_encloses_what_its_ellipsoid_does():
    """Its volume below the base, by the formula. The mesher bevels the rim, so a lid lies up to half an edge low."""
    heart = ellipsoid_heart(2.0)
    told = report_facts(Study(heart))["substrate"]["cavities"]
    wide, long, base = 21.0, 43.0, 14.0
    exact = 1e-3 * np.pi * wide**2 * ((base + long) - (base**3 + long**3) / (3.0 * long**2))
    lid = 1e-3 * np.pi * wide**2 * (1.0 - base**2 / long**2) * 0.5 * 2.0
    assert exact - lid < told["left_ml"] < exact
    turned = replace(heart, faces=heart.faces[:, ::-1])
    assert report_facts(Study(turned))["substrate"]["cavities"]["left_ml"] == pytest.approx(told["left_ml"])


@pytest.mark.slow
def test_the_report_shows_both_with_phase_and_base(tmp_path):
    study = small_study(4.0)
    page = write_report(tmp_path, study).read_text()
    facts = report_facts(study)["substrate"]["cavities"]
    assert f'cavity of the left ventricle (phase and base: below)</td><td class="n">{facts["left_ml"]:.1f} mL' in page
    assert facts["phase"] in page
    assert facts["cut"] in page


def test_status_gives_them_to_people_and_machines(tmp_path, capsys):
    import SimpleITK

    drawn = SimpleITK.GetImageFromArray(truth())
    matrix = affine()
    drawn.SetSpacing([float(mm) for mm in np.linalg.norm(matrix[:3, :3], axis=0)])
    drawn.SetDirection((matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)).ravel().tolist())
    SimpleITK.WriteImage(drawn, str(tmp_path / "labels.nii.gz"))
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))
    twin.add([tmp_path / "labels.nii.gz"])
    assert twin.status().cavities is None
    twin.run("segment")
    expected = cavities(from_label_map(truth(), matrix), None)
    assert twin.status().cavities.left_ml == pytest.approx(expected.left_ml, rel=1e-5)
    assert cli.execute(["status", str(twin.folder)]) == 0
    assert f"cavities: left {expected.left_ml:.1f} mL, right {expected.right_ml:.1f} mL" in capsys.readouterr().out
