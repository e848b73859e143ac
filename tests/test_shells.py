"""A heart from its surfaces: the statistical mean in one closed surface, a patient in four open ones."""

import re

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.anatomy.given_labels import as_segmentation
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import build_heart
from cardiotwin.ingest.shells import read_shells
from cardiotwin.segmentation import volumes_ml
from cardiotwin.settings import LabelSettings, MeshSettings

pv = pytest.importorskip("pyvista")

# Apex to the left, front and feet, the right ventricle to the right and in front, winding as in a human heart.
TO_APEX = np.array([1.0, -1.0, -1.0]) / np.sqrt(3)
ACROSS = np.array([-1.0, -1.0, 0.0]) / np.sqrt(2)
FRAME = np.column_stack([ACROSS, np.cross(TO_APEX, ACROSS), TO_APEX])


def half(radius, length, centre=(0.0, 0.0), twist=0.0, base=0.05):
    """An open half ellipsoid along +z; its centre line turns by `twist` radians from base to apex."""
    surface = pv.ParametricEllipsoid(radius, radius, length, u_res=60, v_res=60, w_res=60).triangulate().clean()
    surface = surface.clip("z", origin=(0, 0, base), invert=False).extract_surface(algorithm=None).triangulate()
    points = np.asarray(surface.points, float)
    turn = twist * points[:, 2] / length
    x, y = centre[0] + 0 * turn, centre[1] + 0 * turn
    points[:, 0] += np.cos(turn) * x - np.sin(turn) * y
    points[:, 1] += np.sin(turn) * x + np.cos(turn) * y
    return points @ FRAME.T, surface.regular_faces


def heart_files(folder, ending=".stl", mirror=False, names=("epi", "endo_lv", "endo_rv"), sunk_mm=0.05):
    shapes = (half(36, 76), half(24, 66, base=sunk_mm), half(22, 60, (42, 0), twist=0.6))
    folder.mkdir(exist_ok=True)
    for name, (points, triangles) in zip(names, shapes, strict=True):
        points = points * ([-1, 1, 1] if mirror else [1, 1, 1])
        pv.PolyData.from_regular_faces(points, triangles).save(folder / f"heart_{name}{ending}")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("ending", [".stl", ".ply", ".vtp", ".vtk"])
def test_three_open_shells_are_a_heart_of_their_volume(tmp_path, ending):
    label_map, notes = read_shells(heart_files(tmp_path / "shells", ending))
    segmentation, _ = as_segmentation(label_map, LabelSettings())
    found = volumes_ml(segmentation)
    # The half of a voxel by which the rim lies beside a slice is 1.1 % of so short a cavity.
    assert found["lv_blood"] == pytest.approx(2 / 3 * np.pi * 24**2 * 66 / 1000, rel=0.02)
    assert sum("closed by a fan" in note for note in notes) == 3
    assert not any("turned" in note for note in notes)


def test_between_the_rims_of_cavity_and_epicardium_there_is_no_wall(tmp_path):
    """A valve that lies deeper than the edge of the epicardium: a plate of muscle was drawn over it."""
    label_map, _ = read_shells(heart_files(tmp_path / "shells", sunk_mm=12.0))
    segmentation, _ = as_segmentation(label_map, LabelSettings())
    to_voxel = np.linalg.inv(segmentation.affine)
    across = np.array([(x, y, z) for x in (-12, 0, 12) for y in (-12, 0, 12) for z in (2, 6, 10)], float)
    where = np.rint((across @ FRAME.T) @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
    assert (segmentation.labels[where[:, 2], where[:, 1], where[:, 0]] == 1).all()
    beside = np.rint((np.array([[-30.0, 0, 6]]) @ FRAME.T) @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)[0]
    assert segmentation.labels[beside[2], beside[1], beside[0]] == 2


def test_a_heart_in_ras_is_turned_and_a_mirrored_one_refused(tmp_path):
    files = heart_files(tmp_path / "shells")
    straight = read_shells(files)[0]
    for file in files:
        surface = pv.read(file)
        surface.points = surface.points * np.array([-1, -1, 1], np.float32)
        surface.save(file)
    label_map, notes = read_shells(files)
    assert any("RAS" in note for note in notes)
    np.testing.assert_allclose(label_map.affine, straight.affine, atol=0.1)
    mirrored, _ = read_shells(heart_files(tmp_path / "mirrored", mirror=True))
    with pytest.raises(InputRejected, match="mirrored"):
        as_segmentation(mirrored, LabelSettings())


def test_layers_with_a_signal_paint_scar_where_it_is_bright(tmp_path):
    folder = tmp_path / "shells"
    heart_files(folder)
    bright = 0.0
    for number, radius in ((10, 26), (50, 30), (90, 34)):
        points, triangles = half(radius, radius + 42)
        layer = pv.PolyData.from_regular_faces(points, triangles)
        across, along = points @ FRAME[:, 1], points @ FRAME[:, 2]
        signal = np.where((across > 10) & (along > 20) & (along < 40), 100.0, 10.0)
        signal[(across > 10) & (along > 40) & (along < 45)] = 50.0
        layer["signal"] = signal
        layer.save(folder / f"layer_{number}.vtk")
        bright = max(bright, signal.max())
    label_map, notes = read_shells(sorted(folder.iterdir()))
    segmentation, _ = as_segmentation(label_map, LabelSettings())
    where = np.argwhere(segmentation.labels == 4)[:, ::-1] @ segmentation.affine[:3, :3].T + segmentation.affine[:3, 3]
    assert len(where) > 1000
    assert (where @ FRAME[:, 1] > 8).all()
    assert ((where @ FRAME[:, 2] > 18) & (where @ FRAME[:, 2] < 42)).all()
    assert (segmentation.labels == 5).sum() > 100
    assert any("scar from signal in 3 layers" in note for note in notes)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("epi", "endo_lv", "thing"), "thing"),
        (("epi", "endo_lv", "base"), "no right endocardium"),
    ],
)
def test_surfaces_that_say_too_little_are_refused(tmp_path, names, words):
    with pytest.raises(InputRejected, match=words):
        read_shells(heart_files(tmp_path / "shells", names=names))


def test_metres_are_refused(tmp_path):
    files = heart_files(tmp_path / "shells")
    for file in files:
        surface = pv.read(file)
        surface.points = surface.points / 1000
        surface.save(file)
    with pytest.raises(InputRejected, match="in mm"):
        read_shells(files)


@pytest.mark.parametrize(
    ("parts", "volume_ml"),
    [(("geo1", "heart.vtp"), 144.76), pytest.param(("geo2",), None, marks=pytest.mark.slow)],
    ids=["closed mean of many", "open patient"],
)
@pytest.mark.slow
def test_real_surfaces_give_mesh_fibres_and_coordinates_without_help(parts, volume_ml):
    """Volume of the closed surface by the divergence theorem; the four open ones enclose none by themselves."""
    path = real_data("biventricular_surfaces", *parts)
    label_map, _ = read_shells([path] if path.is_file() else sorted(path.iterdir()))
    segmentation, _ = as_segmentation(label_map, LabelSettings())
    heart = build_heart(segmentation, MeshSettings(edge_mm=2.0))
    assert 1e-3 * heart.mesh.volumes.sum() == pytest.approx(volumes_ml(segmentation)["wall"], rel=0.02)
    if volume_ml:
        assert 1e-3 * heart.mesh.volumes.sum() == pytest.approx(volume_ml, rel=0.005)
    np.testing.assert_allclose(np.linalg.norm(heart.fibres, axis=1), 1.0, atol=1e-9)
    assert set(np.unique(heart.surface)) == {1, 2, 3, 4}
    assert (heart.apicobasal.min(), heart.apicobasal.max()) == pytest.approx((0, 1), abs=0.01)


def test_hearts_in_two_folders_are_not_made_into_one(tmp_path):
    """Also where one of them is a whole heart in one file; but layers may lie apart from what they are layers of."""
    first, second = heart_files(tmp_path / "one"), heart_files(tmp_path / "two")
    with pytest.raises(InputRejected, match=r"2 folders, one \(3\) and two \(3\); expected those of one heart"):
        read_shells([*first, *second])
    whole = second[0].rename(second[0].with_name("heart.stl"))
    with pytest.raises(InputRejected, match=r"one \(3\) and two \(1\)"):
        read_shells([*first, whole])
    (tmp_path / "layers").mkdir()
    layer = first[0].with_name("apart.stl")
    layer.write_bytes(first[0].read_bytes())
    layer = layer.rename(tmp_path / "layers" / "layer_1.stl")
    assert read_shells([*first, layer])[1] == read_shells(first)[1]


@pytest.mark.parametrize(("away_mm", "doubted"), [(0.0, False), (25.0, True)])
def test_a_base_that_is_not_used_is_told_with_its_distance_and_doubted_far_off(tmp_path, away_mm, doubted):
    """A disc in the plane of the rims, and one beyond them along the long axis."""
    files = heart_files(tmp_path / "shells")
    disc = pv.Disc(inner=0.0, outer=30.0, r_res=8, c_res=40).triangulate()
    points = np.asarray(disc.points, float) + np.array([0.0, 0.0, 0.05 - away_mm])
    pv.PolyData.from_regular_faces(points @ FRAME.T, disc.regular_faces).save(tmp_path / "shells" / "heart_base.stl")
    (told,) = (note for note in read_shells([*files, tmp_path / "shells" / "heart_base.stl"])[1] if "base" in note)
    assert float(re.search(r"within (\S+) mm", told)[1]) == pytest.approx(away_mm, abs=1.0)
    assert ("is it of this heart?" in told) == doubted
