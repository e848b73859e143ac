"""Real stacks against what people drew on them. One of each kind: a check, not a claim."""

import numpy as np
from data_folder import real_data
from short_axis import dice

from cardiotwin.imaging import Image
from cardiotwin.segmentation import segment


def volume(*parts: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and affine of a NIfTI file in the LPS frame, slices put in the right-handed order."""
    import SimpleITK

    picture = SimpleITK.ReadImage(str(real_data(*parts)))
    values, affine = SimpleITK.GetArrayFromImage(picture), np.eye(4)
    affine[:3, :3] = np.reshape(picture.GetDirection(), (3, 3)) * picture.GetSpacing()
    affine[:3, 3] = picture.GetOrigin()
    assert np.linalg.det(affine[:3, :3]) > 0
    return values, affine


def test_blood_and_wall_of_a_real_lge_stack():
    values, affine = volume("lge_cmr_nifti", "lge_sax.nii.gz")
    drawn, _ = volume("lge_cmr_nifti", "labels_lvbp1_lvmyo2_rvbp3.nii.gz")
    result = segment(Image(values.astype(np.float32), affine, "lge"))
    labels = result.labels
    assert dice(labels == 1, drawn == 1) > 0.93
    assert dice(np.isfinite(result.signal), drawn == 2) > 0.78  # nobody has drawn the right free wall
    assert dice(labels == 3, drawn == 3) > 0.78


def test_blood_of_a_real_cine_stack():
    values, affine = volume("cine_cmr_labels", "cine_sax_frame000.nii.gz")
    drawn, _ = volume("cine_cmr_labels", "labels_frame000_lvbp1_myo2_rvbp3.nii.gz")
    result = segment(Image(values.astype(np.float32), affine, "cine"))
    assert dice(result.labels == 1, drawn == 1) > 0.90
    assert dice(result.labels[1:4] == 1, drawn[1:4] == 1) > 0.90
    assert dice(result.labels == 3, drawn == 3) > 0.75
    assert not result.scar_assessable
