"""Walls have their names, in a heart whose walls are known."""

import pytest
from small_study import ANTERIOR, AXIS, SEPTAL, small_heart, to_patient

from cardiotwin.heart.locations import left_ventricle, wall


@pytest.fixture(scope="module")
def heart():
    return small_heart(4.0)


def test_axes_point_to_base_septum_and_anterior_wall(heart):
    ventricle = left_ventricle(heart)
    assert ventricle.axis @ AXIS > 0.97
    assert ventricle.septal @ SEPTAL > 0.9
    assert ventricle.anterior @ ANTERIOR > 0.9


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((0, 28, -14), "mid anterior"),
        ((0, -28, -14), "mid inferior"),
        ((-26, 14, 13), "basal anterolateral"),
        ((-26, -14, 13), "basal inferolateral"),
        ((22, 12, -14), "mid anteroseptal"),
        ((22, -12, -14), "mid inferoseptal"),
        ((-20, 0, -32), "apical lateral"),
    ],
)
def test_a_segment_is_named_as_in_the_17_segment_model(heart, place, name):
    assert wall(heart, to_patient(*place)).startswith(name)


def test_the_layer_is_named(heart):
    assert wall(heart, to_patient(-20.5, 0, 0)).endswith("subendocardial")
    assert wall(heart, to_patient(-29, 0, 0)).endswith("subepicardial")


def test_the_right_ventricle_is_not_taken_for_a_wall_of_the_left(heart):
    assert wall(heart, to_patient(52, 6, 4)).startswith("right ventricle")
