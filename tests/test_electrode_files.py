"""Electrodes by their content: with names in any unit, or without where their places leave no doubt; else refused."""

import logging

import numpy as np
import pytest
from data_folder import real_data
from ellipsoid_heart import ellipsoid_heart
from small_twin import CHEST_MM

from cardiotwin import presets
from cardiotwin.ecg.electrodes import ELECTRODES
from cardiotwin.errors import InputRejected, MeshError
from cardiotwin.ingest import electrodes_and_notes, explain, read_electrodes
from cardiotwin.settings import MeshFileSettings
from cardiotwin.twin.twin import Twin

RIGHT_LEG = {"RL": (-150, -30, -240)}
ALL = {**CHEST_MM, **RIGHT_LEG}


def bare(path, names, scale=1.0, axes=(1, 1, 1)):
    np.savetxt(path, [scale * np.multiply(ALL[name], axes) for name in names], delimiter=",")
    return path


@pytest.mark.parametrize(
    "names",
    [
        ELECTRODES,
        ("RA", "LA", "RL", "LL", "V1", "V2", "V3", "V4", "V5", "V6"),
        ("V1", "V2", "V3", "V4", "V5", "V6", "RA", "LA", "LL"),
    ],
)
@pytest.mark.parametrize(("scale", "unit"), [(1.0, "mm"), (0.1, "cm"), (1e-3, "m")])
def test_rows_without_names_are_named_by_their_place_and_that_is_told(tmp_path, names, scale, unit):
    path = bare(tmp_path / "mine_xyz.csv", names, scale)
    assert explain(path)[0] == "electrodes"
    found, notes = electrodes_and_notes(path)
    assert found.names == tuple(names)
    np.testing.assert_allclose(found.positions, [ALL[name] for name in names], atol=1e-9)
    assert f"taken as {unit}" in notes[0]
    assert f"taken as {', '.join(names)}" in notes[1]


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("LA", "RA", "LL", "RL", "V2", "V1", "V3", "V4", "V5", "V6"), (1, 1, 1)),  # swapped on the chest
        (("LA", "RA", "LL", "RL", "V6", "V5", "V4", "V3", "V2", "V1"), (1, 1, 1)),
        (("V1", "V2", "V3", "LA", "RA", "LL", "RL", "V4", "V5", "V6"), (1, 1, 1)),
        (ELECTRODES, (-1, 1, 1)),  # mirrored
        (ELECTRODES, (-1, -1, 1)),  # RAS
        (ELECTRODES, (1, 1, -1)),  # upside down
        (ELECTRODES, (1, 1, 0.05)),  # limbs at the height of the chest
    ],
)
def test_an_order_that_no_place_bears_out_is_refused_with_what_to_write(tmp_path, names, axes):
    path = bare(tmp_path / "mine.csv", names, axes=axes)
    assert explain(path)[0] == "electrodes"
    with pytest.raises(InputRejected, match=r"mine\.csv: found 10 positions without names.*header name,x_mm,y_mm,z_mm"):
        read_electrodes(path)


@pytest.mark.parametrize(
    ("header", "scale"),
    [("name,x_cm,y_cm,z_cm\n", 0.1), ("Name;X [cm];Y [cm];Z [cm]\n", 0.1), ("name,x,y,z\n", 0.1), ("", 1e-3)],
)
def test_named_rows_are_read_in_any_unit(tmp_path, header, scale):
    rows = "".join(f"{name},{scale * x},{scale * y},{scale * z}\n" for name, (x, y, z) in CHEST_MM.items())
    path = tmp_path / "named.csv"
    path.write_text(header + (rows.replace(",", ";") if ";" in header else rows))
    assert explain(path)[0] == "electrodes"
    found, notes = electrodes_and_notes(path)
    assert found.names == tuple(CHEST_MM)
    np.testing.assert_allclose(found.positions, list(CHEST_MM.values()), atol=1e-9)
    assert len(notes) == (0 if "c" in header else 1)


def test_in_python_an_assumption_stands_in_the_log(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read_electrodes(bare(tmp_path / "mine.csv", ELECTRODES))
    assert "positions without names" in caplog.text


def test_mixed_units_and_columns_in_another_order_are_no_electrodes(tmp_path):
    for header in ("name,x_cm,y_mm,z_mm", "name,z_mm,y_mm,x_mm", "name,x_mm,y_mm"):
        (tmp_path / "odd.csv").write_text(f"{header}\nLA,1,2,3\n")
        assert explain(tmp_path / "odd.csv")[0] == "unknown"


def new_twin(folder):
    return Twin.create(folder / "case", presets.settings_text(presets.preset("default"), "test"))


def test_the_real_file_is_taken_in_the_order_of_its_source(tmp_path):
    path = real_data("heart_dti004", "geometric_data", "DTI004", "DTI004_electrode_xyz.csv")
    twin = new_twin(tmp_path)
    added = twin.add([path])
    assert [one.kind for one in added.observations] == ["electrodes"]
    assert any("taken as LA, RA, LL, RL, V1, V2, V3, V4, V5, V6" in note for note in added.notes)
    (kept,) = twin.status().notes.values()
    assert any("taken as cm" in note for note in kept)
    assert not any("DTI004" in note for note in kept)
    found = read_electrodes(path)
    assert found.names == ELECTRODES
    np.testing.assert_allclose(found.positions, 10.0 * np.loadtxt(path, delimiter=","))


def test_the_real_folders_say_what_is_missing_and_what_can_be_named(tmp_path):
    folder = real_data("heart_dti004", "geometric_data", "DTI004")
    with pytest.raises(InputRejected) as no:
        new_twin(tmp_path).add([folder])
    assert "electrodes: DTI004_electrode_xyz.csv" in no.value.listed
    with pytest.raises(MeshError, match=r"expected DTI004_coarse_tetra\.csv.*in one file instead \(\.vtu"):
        Twin(tmp_path / "case").add([folder / "DTI004_coarse"])
    kind, why = explain(folder / "DTI004_coarse" / "DTI004_coarse_nodefield_ab.csv")
    assert (kind, "a field of a mesh in tables" in why) == ("unknown", True)


def test_electrodes_beside_a_mesh_in_tables_are_left_out_and_told(tmp_path):
    """The mesh needs its tetrahedra, the electrodes do not take its name from it."""
    heart = ellipsoid_heart(3.0).mesh
    folder = tmp_path / "tables"
    folder.mkdir()
    np.savetxt(folder / "mine_xyz.csv", 0.1 * heart.points, delimiter=",")
    np.savetxt(folder / "mine_tetra.csv", heart.tets, delimiter=",", fmt="%d")
    bare(folder / "electrode_xyz.csv", ELECTRODES, 0.1)
    settings = presets.preset("default").model_copy(update={"mesh_file": MeshFileSettings(allow_coarse=True)})
    added = Twin.create(tmp_path / "case", presets.settings_text(settings, "test")).add([folder])
    assert [one.kind for one in added.observations] == ["mesh"]
    assert any(note.startswith("left out electrodes (electrode_xyz.csv)") for note in added.notes)
