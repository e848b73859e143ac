"""What is wrong with a plan or with twin.toml is said to the person who wrote it, not to a programmer."""

import pytest

from cardiotwin.errors import InputRejected, SettingsError
from cardiotwin.ingest.plan_files import read_plan
from cardiotwin.settings import read_settings

POINT = 'name = "a"\n[[lesion]]\nkind = "point"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (POINT + "points_mm = [[12,5, 3,2, 4,1]]\n", "`points_mm`, point 1: expected 3 values, found 6: [12, 5,"),
        (POINT + "points_mm = [[12,5, 3,2, 4,1]]\n", "decimals take a point, not a comma"),
        (POINT + "points_mm = [[1, 2, 3], [1, 2]]\n", "`points_mm`, point 2: expected 3 values, found [1, 2]"),
        (POINT + "points_mm = [12.5, 3.2, 4.1]\n", "write points as [[x, y, z], [x, y, z]], also a single one"),
        (POINT + 'points_mm = [[1, 2, 3], [1, 2, "c"]]\n', "`points_mm`, point 2, z: expected a number, found 'c'"),
        (POINT + "radius_mm = 5,0\n", "'radius_mm = 5,0'; decimals take a point, not a comma"),
        (POINT + "points_mm = [[1, 2, 3]]\nradius_mm = 50\n", "`radius_mm`: expected at most 20, found 50"),
        ("name = my plan\n", "(at line 1, column 8): 'name = my plan'; text stands in quotation marks"),
        ('name = "a"\n[lesion]\nkind = "point"\n', "each lesion begins with [[lesion]]"),
        ('name = "a"\n[[lesion]]\nkind = "segment"\nsegments = "AHA 7"\n', "expected a list in brackets, [...], found"),
        ('name = 5\n[[lesion]]\nkind = "homogenise"\n', "`name`: expected text in quotation marks, found 5"),
    ],
)
def test_a_plan_that_is_not_one(tmp_path, text, told):
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(InputRejected) as refused:
        read_plan(file)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[mesh]\nedge_mm = 0,8\n", "line 2, column 12): 'edge_mm = 0,8'; decimals take a point, not a comma"),
        ("[mesh]\nedge_mm = 50\n", "`mesh.edge_mm`: expected at most 3, found 50"),
        ("[induce]\nprotocol = own\n", "'protocol = own'; text stands in quotation marks"),
        ('[induce]\nprotocol = "s1"\n', "`induce.protocol`: expected 'own', 'arevalo_2016' or 'fixed_couplings'"),
        ("[calibrate]\nn_sites = 2.5\n", "`calibrate.n_sites`: expected a whole number, found 2.5"),
        ("[calibrate]\nfast_endocardium = maybe\n", "text stands in quotation marks"),
        ('[calibrate]\nfast_endocardium = "maybe"\n', "`calibrate.fast_endocardium`: expected true or false, found"),
        ("[mesh\n", "Expected ']' at the end of a table declaration (at line 1, column 6): '[mesh')"),
    ],
)
def test_settings_that_are_none(tmp_path, text, told):
    file = tmp_path / "twin.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_settings(file)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_comma_that_parts_values_is_not_blamed(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text(POINT + "points_mm = [[1, 2, 3]] 4\n")
    with pytest.raises(InputRejected) as refused:
        read_plan(file)
    assert "decimals" not in str(refused.value)
