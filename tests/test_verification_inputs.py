"""Every row of `cardiotwin verify` runs what its name says: precision, time step, tolerance, threads, orientations."""

import numpy as np
import pytest

from cardiotwin.progress import silent
from cardiotwin.verification import cells, niederer, numerics, reference, velocity


@pytest.fixture
def asked(monkeypatch):
    """Have functions write down what they are called with, and return something that will do."""
    heard = []

    def listen(module, name, answer):
        def function(*given, **named):
            heard.append((*given, {k: v for k, v in named.items() if k != "progress"}))
            return answer(*given)

        monkeypatch.setattr(module, name, function)
        return heard

    return listen


def test_the_nine_pairs_are_run_as_they_are_named(asked):
    heard = asked(niederer, "niederer", lambda *_: (dict.fromkeys(niederer.POINTS_MM, 45.0), 1.0))
    names = {
        one["name"] for edge in niederer.EDGES_MM for dt in niederer.STEPS_MS for one in niederer.pair_rows(edge, dt)
    }
    assert [call[:2] for call in heard] == [(edge, dt) for edge in niederer.EDGES_MM for dt in niederer.STEPS_MS]
    assert all(call[-1] == {} for call in heard), "as in production"
    assert len(names) == 81


def test_the_reference_shares_its_stimulus_by_volume_in_small_steps(asked, monkeypatch):
    monkeypatch.setattr(reference, "available_bytes", lambda: 1e12)
    heard = asked(reference, "niederer", lambda edge, *_: ({"P8": 42.0 + edge}, 1.0))
    reference.reference_rows(silent)
    assert [call[0] for call in heard] == list(reference.EDGES_MM)
    for _, dt_ms, how in heard:
        assert dt_ms <= 0.005
        assert how["by_volume"]
        assert how["tolerance_mv"] <= 0.1


def test_the_finest_beat_of_a_cell_is_fine(asked):
    heard = asked(cells, "Solver", lambda *_: pytest.fail("heard"))
    with pytest.raises(pytest.fail.Exception):
        cells.fine_beat("mitchell_schaeffer")
    with pytest.raises(pytest.fail.Exception):
        cells.production_beat("mitchell_schaeffer")
    (_, fine_ms, fine), (_, production_ms, production) = heard
    assert fine == {"precision": "double", "tolerance_mv": 0.0}
    assert production == {}
    assert fine_ms <= 0.25 * production_ms


def test_precision_and_threads_are_what_differs(asked):
    run = type("Run", (), {"activation_ms": np.zeros((1, 4)), "repolarisation_ms": np.zeros((1, 4))})()
    heard = asked(numerics, "simulated", lambda *_: (run, None))
    numerics.precision_rows(silent, duration_ms=300.0)
    assert [call[-1] for call in heard] == [{}, {"precision": "double"}]


def test_orientations_are_any_way_in_the_lattice():
    assert len(velocity.ORIENTATIONS) >= 5
    for one in velocity.ORIENTATIONS:
        assert one @ one.T == pytest.approx(np.eye(3), abs=1e-12)
    fibres = np.array([one[0] for one in velocity.ORIENTATIONS])
    oblique = np.abs(fibres).max(axis=1) < 0.97
    assert oblique.sum() >= 3, "most are along no axis"


def test_openCARP_is_compared_with_consistent_mass_at_first_order(asked):  # noqa: N802
    heard = asked(velocity, "tune", lambda wanted, *_: (0.13, 0.0))
    velocity.opencarp_rows(silent)
    assert {(call[-1]["geometry"], call[-1]["order"]) for call in heard} == {
        ("consistent cable", 1), ("consistent cable", 2), ("cable", 2)
    }  # fmt: skip
