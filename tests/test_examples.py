"""Every example runs, and the number it is about is right."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

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


@pytest.mark.slow
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
    _, segmentation = module.seen(real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz"))
    heart = module.heart_with_scar(segmentation, edge_mm=2.5)
    activation = module.paced(heart, duration_ms=350.0)
    assert 100 < module.activated_in_ms(activation) < 350
    only_core = np.setdiff1d(heart.mesh.tets[heart.tissue_class == 3], heart.mesh.tets[heart.tissue_class != 3])
    assert only_core.size
    assert np.isnan(activation.activation_ms[0, only_core]).all()


def test_label_map_to_heart_says_how_it_is_called(monkeypatch):
    monkeypatch.setattr("sys.argv", ["label_map_to_heart.py"])
    with pytest.raises(SystemExit, match=r"usage: python examples/label_map_to_heart\.py"):
        example("label_map_to_heart").main()


@pytest.mark.slow
def test_label_map_to_heart_draws_the_phantom(tmp_path):
    """Pictures in the README are those that examples or the demo draw; the core is as large as the labels say."""
    module = example("label_map_to_heart")
    image, truth = module.seen(Path("phantom"))
    heart = module.heart_with_scar(truth, edge_mm=3.0)
    core_mm3 = (truth.labels == 4).sum() * abs(np.linalg.det(truth.affine[:3, :3]))
    assert heart.mesh.volumes[heart.tissue_class == 3].sum() == pytest.approx(core_mm3, rel=0.05)
    made_up = SimpleNamespace(activation_ms=100.0 * heart.apicobasal[None])
    module.draw_all(tmp_path, image, truth, heart, made_up)
    kept = list((EXAMPLES.parent / "docs" / "pictures").iterdir())
    others = {"calibration.png", "circuit.webp"}  # of a clinical ECG, and of the demo's report
    assert {path.name for path in kept} - others == {path.name for path in tmp_path.iterdir()}
    assert sum(path.stat().st_size for path in kept) < 600_000
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert all(f"(docs/pictures/{path.name})" in readme for path in kept)
    assert image.values.shape == truth.labels.shape


def test_s1_s2_restitution(tmp_path):
    """At rest the wave runs at the velocity that was asked for; earlier beats are slower and shorter, as is published.

    As in ten Tusscher & Panfilov 2006 velocity falls by a tenth or more, APD by a third, towards the shortest
    diastolic intervals.
    """
    module = example("s1_s2_restitution")
    told = []
    medium, beats, last = module.restitution(np.array([600.0, 340.0]), lambda share, what: told.append(share))
    assert beats[0].velocity == pytest.approx(0.6, rel=0.01)
    assert 0.6 < beats[1].velocity / beats[0].velocity < 0.9
    assert 0.6 < beats[1].apd_ms / beats[0].apd_ms < 0.8
    assert beats[0].diastolic_ms + beats[0].apd_ms == pytest.approx(600.0, abs=3.0), "the last S1 was steady"
    assert told == sorted(told)
    assert last.electrode_mv.shape == (2, len(last.ecg_ms))
    assert np.ptp(last.electrode_mv, axis=1).min() > 0.05
    assert last.snapshots.shape == (len(last.snapshot_ms), len(medium.points))
    assert np.diff(last.snapshot_ms) == pytest.approx(2.0)


@pytest.mark.slow
def test_plan_by_hand(tmp_path):
    """A line from scar to edge opens every way around the scar, and burns less than the border zone does."""
    module = example("plan_by_hand")
    heart, found, plans, comparison = module.study(tmp_path)
    assert all(one.outcome == "re-entry" for one in found.inductions)
    left = {one.name: one for one in comparison.plans}
    assert left["no ablation"].inducible == left["no ablation"].tested == 8
    assert (comparison.preference, left["by hand"].inducible) == ("by hand", 0)
    assert left["by hand"].ablated_ml_high < left["homogenise"].ablated_ml_low
    module.draw(tmp_path / "plans.png", heart, found, plans, comparison)
    assert (tmp_path / "plans.png").stat().st_size > 10_000


@pytest.mark.slow
def test_study_on_cluster():
    """Two workers of Dask find what one process finds."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    (here, _), (there, _) = example("study_on_cluster").both(None).values()
    assert here == there
    assert here.preference == "by hand"
