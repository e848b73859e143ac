"""Slices lie on paper as radiologists see them, in whatever order a file holds rows, columns and slices."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.imaging import apply_affine
from cardiotwin.ingest import read_dicom, read_label_map
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.pictures.convention import as_seen
from cardiotwin.segmentation import Segmentation, from_label_map, segment

AXES = np.array([[0.75, 0.0, -0.66], [0.5, 0.65, 0.57], [0.43, -0.76, 0.49]])
"""Columns: to the lateral wall, down on paper, from apex to base; right-handed, as a heart lies in LPS."""


def drawn(transposed: bool, rows: bool, columns: bool, slices: bool) -> Segmentation:
    """Both ventricles, and core where the left wall is on top of the picture, saved in some order of axes."""
    shape = drawn_ventricles()
    labels = (shape.left_blood + 2 * shape.myocardium + 3 * shape.right_blood).astype(np.uint8)
    on_top = np.zeros_like(labels, bool)
    on_top[:, :36, 36:] = True
    labels[(labels == 2) & on_top] = 4
    axes = AXES * [1, 1, -1]  # slice 0 is the base
    affine = np.eye(4)
    affine[:3, :3] = axes * shape.spacing_mm[::-1]
    for axis, flip in ((0, columns), (1, rows), (2, slices)):
        if flip:
            labels = np.flip(labels, 2 - axis)
            affine[:3, 3] += affine[:3, axis] * (labels.shape[2 - axis] - 1)
            affine[:3, axis] *= -1
    if transposed:
        labels, affine = labels.swapaxes(1, 2), affine[:, [1, 0, 2, 3]]
    return Segmentation(np.ascontiguousarray(labels), affine, None, True, {})


@pytest.mark.parametrize("order", list(product((False, True), repeat=4)))
def test_however_it_was_saved_the_right_ventricle_is_left_and_the_anterior_wall_up(order):
    saved = drawn(*order)
    seen, (turned,) = as_seen(saved, saved.labels)
    expected = drawn(False, False, False, False).labels
    np.testing.assert_array_equal(seen.labels[:: -1 if order[3] else 1], expected)
    np.testing.assert_array_equal(turned, seen.labels)


@pytest.mark.parametrize("order", list(product((False, True), repeat=3)))
def test_no_voxel_moves_in_the_patient(order):
    saved = drawn(*order, False)
    seen, _ = as_seen(saved)
    places = [apply_affine(one.affine, np.argwhere(one.labels == 4)[:, ::-1]).round(6) + 0.0 for one in (saved, seen)]
    np.testing.assert_allclose(*(one[np.lexsort(one.T)] for one in places), atol=1e-5)


@pytest.mark.parametrize(("normal", "right", "down"), [("S", "L", "P"), ("P", "L", "I"), ("R", "P", "I")])
def test_without_a_right_ventricle_axial_coronal_and_sagittal_slices_lie_as_usual(normal, right, down):
    """Axial from the feet, coronal from the front, sagittal from the left."""
    letters = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
    wanted = np.array([letters[right], letters[down], letters[normal]], float).T
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1, 1], labels[1, 2, 2] = 1, 2
    for signs in product((-1, 1), repeat=3):
        for order in ([0, 1, 2], [1, 0, 2]):
            affine = np.eye(4)
            affine[:3, :3] = wanted[:, order] * signs
            seen, _ = as_seen(Segmentation(labels, affine, None, False, {}))
            np.testing.assert_array_equal(seen.affine[:3, :2], wanted[:, :2])


def test_a_cine_and_its_label_map_lie_alike():
    image = read_dicom(real_data("cine_cmr_dicom", "dicoms"))
    path = real_data("cine_cmr_labels", "labels_frame000_lvbp1_myo2_rvbp3.nii.gz")
    drawn_here, _ = as_seen(segment(image))
    given, _ = as_seen(from_label_map(*read_label_map(path)))
    for axis in (0, 1):
        one, other = (part.affine[:3, axis] / np.linalg.norm(part.affine[:3, axis]) for part in (drawn_here, given))
        assert one @ other > 0.99
    assert as_seen(replace(drawn_here, signal=drawn_here.labels.astype(np.float32)))[0].signal is not None
