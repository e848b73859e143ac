"""What is told when an input is put in stays with it: in `status` and in the report, without the file's name."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from bad_input import new_case
from small_study import small_study
from test_left_ventricle_alone import alone, saved

from cardiotwin import cli
from cardiotwin.heart.heart import CORE, HEALTHY, RIGHT
from cardiotwin.imaging import Image, gap_note
from cardiotwin.provenance import ObservationRecord, Provenance
from cardiotwin.report import write_report
from cardiotwin.report.facts import report_facts
from cardiotwin.report.missing import what_is_missing
from cardiotwin.report.uncertain import told_of_inputs, what_is_uncertain
from cardiotwin.twin.twin import Twin


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


@pytest.fixture
def case(tmp_path, capsys):
    pytest.importorskip("SimpleITK")
    folder = new_case(capsys, tmp_path)
    file = saved(tmp_path / "DOE_JANE.nii.gz", alone((0, 3, 2, 0)))
    Twin(folder).add([file])
    return folder


def test_status_prints_what_was_told_at_add(case, capsys):
    assert cli.execute(["status", str(case)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"told of label map [0-9a-f]{12}: no right ventricle in it", said)
    assert "ACDC" in said


def test_the_report_s_record_holds_it_and_no_file_name(case):
    (record,) = Twin(case).provenance().observations
    assert any("no right ventricle" in note for note in record.notes)
    kept = b"".join(file.read_bytes() for file in case.rglob("*") if file.is_file())
    assert b"DOE_JANE" not in kept


def test_a_twin_that_kept_no_notes_still_opens(case):
    (manifest,) = case.glob("observations/*/manifest.json")
    told = json.loads(manifest.read_bytes())
    assert told.pop("notes")
    manifest.write_text(json.dumps(told))
    twin = Twin(case)
    assert twin.status().notes == {}
    assert twin.provenance().observations[0].notes == ()


@pytest.mark.slow
def test_the_page_lists_notes_with_their_input(study, tmp_path):
    record = ObservationRecord("ab" * 32, "mesh", "mesh, 4 nodes", "", "", "", notes=("3 tetrahedra <turned>",))
    page = write_report(tmp_path, replace(study, provenance=Provenance(observations=(record,)))).read_text()
    assert "Told when the inputs were put in" in page
    assert "mesh <code>abababababab</code>: 3 tetrahedra &lt;turned&gt;" in page


def test_slices_with_wide_gaps_are_told_once(study):
    def stack(apart_mm, thick_mm):
        return Image(np.zeros((3, 4, 4), np.float32), np.diag([1.0, 1.0, apart_mm, 1.0]), "cine", None, thick_mm)

    assert gap_note(stack(17.7, 6.0)).startswith("slices 6 mm thick lie 17.7 mm apart: 11.7 mm between slices were not")
    assert [gap_note(stack(apart, 8.0)) for apart in (4.0, 8.0, 12.0)] == [""] * 3
    assert gap_note(stack(12.1, 8.0))
    wide = replace(study, image=stack(17.7, 6.0))
    wide = replace(
        wide,
        segmentation=replace(study.segmentation, labels=wide.image.values.astype(np.uint8), affine=wide.image.affine),
    )
    assert any("11.7 mm between slices" in one for one in what_is_uncertain(wide))
    record = ObservationRecord("ab" * 32, "image", "", "", "", "", notes=(gap_note(wide.image), "frames differ"))
    wide = replace(wide, provenance=Provenance(observations=(record,)))
    assert [one["note"] for one in told_of_inputs(wide)] == ["frames differ"]


def test_gaps_of_an_image_the_heart_is_not_made_from_are_not_told(study):
    """Contours on the same slices, whichever way their rows run, share the gaps; finer slices or a mesh do not."""
    affine = np.diag([1.0, 1.0, 17.7, 1.0])
    image = Image(np.zeros((3, 4, 6), np.float32), affine, "cine", None, 6.0)
    record = ObservationRecord("ab" * 32, "image", "", "", "", "", notes=(gap_note(image),))

    def told(columns_rows_slices, mesh=()):
        drawn = replace(study.segmentation, labels=np.ones((3, 6, 4), np.uint8), affine=affine @ columns_rows_slices)
        one = replace(study, image=image, segmentation=drawn, provenance=Provenance(observations=(record, *mesh)))
        assert told_of_inputs(one) == []
        return any("between slices were not imaged" in line for line in what_is_uncertain(one))

    transposed = np.eye(4)[[1, 0, 2, 3]]
    assert told(transposed)
    assert told(transposed @ np.diag([0.5, 0.5, 1, 1]))
    assert not told(transposed @ np.diag([1, 1, 0.5, 1]))
    assert not told(transposed + 0.4 * np.outer([0, 0, 1, 0], [0, 0, 0, 1]))  # between the slices imaged
    assert not told(transposed, (ObservationRecord("cd" * 32, "mesh", "", "", "", ""),))


def test_what_several_steps_wait_for_is_said_once(study):
    needs = ("calibrate needs a 12-lead ECG: add one", "simulate needs a 12-lead ECG: add one", "segment needs imaging")
    missing = what_is_missing(replace(study, provenance=Provenance(missing=(*needs, "Something else."))))
    assert missing == ["calibrate, simulate need a 12-lead ECG: add one", "segment needs imaging", "Something else."]


def test_scar_of_the_right_wall_is_no_share_of_the_left_ventricle(study):
    study = replace(study, segmentation=None)  # of a label map its voxels count, see test_walls.py
    heart = study.heart
    before = report_facts(study)["substrate"]
    right = np.where(heart.ventricle == RIGHT, CORE, heart.tissue_class).astype(np.uint8)
    after = report_facts(replace(study, heart=replace(heart, tissue_class=right)))["substrate"]
    left = heart.ventricle != RIGHT
    share = heart.mesh.volumes[left & (heart.tissue_class != HEALTHY)].sum() / heart.mesh.volumes[left].sum()
    assert after["scar_share_of_left"] == before["scar_share_of_left"] == pytest.approx(share)
    assert after["in_mesh"]["core_ml"] > before["in_mesh"]["core_ml"]
