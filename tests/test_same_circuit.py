"""Two circuits are one tachycardia when isthmus, exit, direction and, roughly, cycle length are the same."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.induction.reentry import Circuit, same_circuit

NONE = np.empty(0, np.int32)
CIRCUIT = Circuit(300.0, 3, np.zeros(3), np.array([12.0, 0.0, 0.0]), np.zeros(4, np.float32), NONE, NONE)


def at(*xyz):
    return np.array(xyz, dtype=float)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({}, True),
        ({"isthmus_mm": at(0, 9.9, 0)}, True),
        ({"isthmus_mm": at(0, 10.1, 0)}, False),
        ({"exit_mm": at(12, 14.9, 0)}, True),
        ({"exit_mm": at(12, 15.1, 0)}, False),
        ({"cycle_length_ms": 300.0 * 0.76}, True),
        ({"cycle_length_ms": 300.0 * 0.74}, False),
        ({"cycle_length_ms": 300.0 / 0.76}, True),
        ({"cycle_length_ms": 300.0 / 0.74}, False),
        ({"exit_mm": at(1, 0, 0)}, True),
        ({"exit_mm": at(-1, 0, 0)}, False),  # it leaves at the other end
    ],
)
def test_each_criterion_at_its_limit(change, is_same):
    other = replace(CIRCUIT, **change)
    assert same_circuit(CIRCUIT, other) is is_same
    assert same_circuit(other, CIRCUIT) is is_same


def test_a_circuit_without_a_direction_is_the_same_as_itself():
    one = replace(CIRCUIT, exit_mm=CIRCUIT.isthmus_mm)
    assert same_circuit(one, one)
