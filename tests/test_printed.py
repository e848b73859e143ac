"""What is printed of a result is what a person asks of it: sizes, volumes, intervals; no arrays."""

import dataclasses

import numpy as np
import pytest
from small_study import small_study


@pytest.fixture(scope="module")
def study():
    return small_study()


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("heart", ("Heart(Mesh(", "tetrahedra", "edge 3 mm", "border zone", "core")),
        ("image", ("Image(lge", "slices of")),
        ("segmentation", ("Segmentation(", "lv_blood", "core", "wall")),
        ("electrodes", ("Electrodes(LA RA LL RL V1", "placed by rule")),
        ("posterior", ("Posterior(", "members", "m/s, 90 % interval: fibre 0.", "mean correlation")),
        ("arrhythmias", ("Arrhythmias(", "combinations inducible", "circuits")),
    ],
)
def test_a_result_prints_its_numbers_and_no_array(study, part, said):
    printed = repr(getattr(study, part))
    assert all(words in printed for words in said), printed
    assert "array" not in printed
    assert "\n" not in printed
    assert len(printed) < 300


def test_a_recording_prints_its_leads_and_length(study):
    assert repr(study.ecgs[0]) == "Ecg(12 leads: I II III aVR aVL aVF V1 V2 V3 V4 V5 V6; 2.0 s at 500 Hz)"


def test_an_activation_prints_how_far_it_came(study):
    assert repr(study.confirmation.activation).startswith("Activation(")


def test_the_volumes_printed_are_the_volumes_there_are(study):
    """Of the mesh and of the label map, counted another way."""
    mesh, drawn = study.heart.mesh, study.segmentation
    edges = mesh.points[mesh.tets[:, 1:]] - mesh.points[mesh.tets[:, :1]]
    assert f"{np.linalg.det(edges).sum() / 6000.0:.1f} mL)" in repr(mesh)
    voxel_ml = np.prod(np.linalg.norm(drawn.affine[:3, :3], axis=0)) / 1000.0
    assert f"lv_blood {voxel_ml * (drawn.labels == 1).sum():.1f}," in repr(drawn)


def test_a_heart_whose_scar_cannot_be_seen_does_not_print_zero(study):
    blind = dataclasses.replace(study.heart, scar_assessable=False)
    assert repr(blind).endswith("scar not assessable)")
