"""Every example runs, and the number it is about is right."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from data_folder import real_data

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    """The module of one example, imported from its file."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_examples_are_short():
    lengths = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lengths
    assert max(lengths.values()) < 100, lengths


def test_cine_to_heart():
    """Real cine: on the slices it finds the cavity agrees with biv-me's fit to the same images; no scar is claimed."""
    from cardiotwin.ingest import read_label_map

    fitted, affine = read_label_map(real_data("cine_cmr_labels", "labels_frame000_lvbp1_myo2_rvbp3.nii.gz"))
    segmentation, heart = example("cine_to_heart").cine_heart(real_data("cine_cmr_dicom", "dicoms"), edge_mm=2.5)
    found = np.flatnonzero((segmentation.labels == 1).any(axis=(1, 2)))
    first_voxels = found[:, None] * segmentation.affine[:3, 2] + segmentation.affine[:3, 3]
    same = np.rint(np.linalg.solve(affine[:3, :3], (first_voxels - affine[:3, 3]).T)[2]).astype(int)
    pixels = [(labels == 1).sum() for labels in (segmentation.labels[found], fitted[same])]
    assert found.size >= 4
    assert pixels[0] == pytest.approx(pixels[1], rel=0.25)
    assert not heart.scar_assessable
    assert 80 < 1e-3 * heart.mesh.volumes.sum() < 250


def test_label_map_to_heart():
    """A beat from the apex crosses a dilated heart of 13 cm at 0.3 to 0.6 mm/ms in 100 to 350 ms; core never fires."""
    module = example("label_map_to_heart")
    heart = module.heart_with_scar(real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz"), edge_mm=2.5)
    activation = module.paced(heart, duration_ms=350.0)
    assert 100 < module.activated_in_ms(activation) < 350
    only_core = np.setdiff1d(heart.mesh.tets[heart.tissue_class == 3], heart.mesh.tets[heart.tissue_class != 3])
    assert only_core.size
    assert np.isnan(activation.activation_ms[0, only_core]).all()
