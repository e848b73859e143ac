"""A circuit is followed through the ensemble by what each induction saw of it."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.induction.arrhythmias import Arrhythmias, Induction, OwnCircuit
from cardiotwin.induction.followed_circuits import followed
from cardiotwin.induction.programmed_stimulation import _numbered
from cardiotwin.induction.reentry import Circuit
from cardiotwin.induction.stimulation import Paced
from cardiotwin.storage import artefact

NONE = np.zeros(0, np.int32)
CIRCUIT = Circuit(300.0, 3, np.zeros(3), np.array([8.0, 0.0, 0.0]), np.zeros(4, np.float32), NONE, NONE)
ELSEWHERE = replace(CIRCUIT, isthmus_mm=np.full(3, 60.0), exit_mm=np.full(3, 66.0))


def at(site, draw, profile, cycle_ms, moved_mm, circuit=CIRCUIT):
    """One combination, and what pacing it showed: the circuit, moved along y, its exit twice as far."""
    shift = np.array([0.0, moved_mm, 0.0])
    seen = replace(
        circuit,
        cycle_length_ms=cycle_ms,
        isthmus_mm=circuit.isthmus_mm + shift,
        exit_mm=circuit.exit_mm + 2 * shift,
    )
    return Induction(site, draw, profile, (), None, ""), Paced((300.0,), seen, "re-entry")


@pytest.fixture(scope="module")
def found():
    paced = dict(
        [
            at(0, 0, "structural", 300.0, 0.0),
            at(1, 0, "structural", 310.0, 3.0),
            at(0, 2, "structural", 280.0, -4.0),
            at(0, 2, "ionic", 340.0, 1.0),
            at(2, 1, "ionic", 250.0, 0.0, ELSEWHERE),
            (Induction(2, 0, "ionic", (), None, ""), Paced((300.0,), None, "not inducible")),
        ]
    )
    blank = Arrhythmias(np.zeros((3, 3)), np.zeros(3, np.int32), np.arange(3), (), ())
    return _numbered(blank, paced)


def test_a_circuit_counts_once_and_is_followed_through_draws_sites_and_profiles(found):
    first, second = followed(found)
    assert (first.inductions, first.draws, first.sites) == (4, 2, 2)
    assert first.draws_of_profile == {"ionic": 1, "structural": 2}
    assert first.cycle_length_ms == (280.0, 340.0)
    assert first.isthmus_spread_mm == pytest.approx(7.0)
    assert first.exit_spread_mm == pytest.approx(14.0)
    assert (second.inductions, second.isthmus_spread_mm) == (1, 0.0)
    assert second.draws_of_profile == {"ionic": 1, "structural": 0}


def test_what_each_induction_saw_is_stored_and_read_back(found, tmp_path):
    artefact.write(tmp_path, found)
    again = artefact.read(tmp_path, Arrhythmias)
    assert followed(again) == followed(found)
    assert [one.own for one in again.inductions] == [one.own for one in found.inductions]
    assert again.inductions[1].own == OwnCircuit(310.0, (0.0, 3.0, 0.0), (8.0, 6.0, 0.0))


def test_what_a_lesion_has_ended_keeps_nothing_of_the_circuit_before(found):
    ended = {one: Paced((300.0,), None, "not inducible") for one in found.inductions}
    assert all(one.own is None for one in _numbered(found, ended).inductions)
