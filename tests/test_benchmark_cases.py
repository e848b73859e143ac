"""What the benchmarks draw and compare is what they say."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ecg import INDEPENDENT_LEADS, LEADS, Ecg


@pytest.fixture
def benchmark_module(monkeypatch):
    """Imports a script of the folder by name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module


def test_two_in_five_of_the_independent_leads_are_lost_and_no_lead_brings_one_back(benchmark_module):
    drop = benchmark_module("interval_coverage").without_leads
    ecg = Ecg(LEADS, np.arange(12.0)[:, None] * np.ones((12, 5)), 1000.0)
    rng = np.random.default_rng(0)
    left = [drop(ecg, 0.4, rng) for _ in range(2000)]
    assert np.mean([len(one.leads) for one in left]) == pytest.approx(4.8, abs=0.05)
    assert {len(one.leads) for one in left} == {4, 5}
    assert set().union(*(one.leads for one in left)) == set(INDEPENDENT_LEADS)
    for one in left[:20]:
        np.testing.assert_array_equal(one.mv[:, 0], [LEADS.index(lead) for lead in one.leads])
    assert drop(ecg, 0.0, rng) is ecg


def test_a_scar_that_is_ignored_conducts_everywhere_and_moves_nothing_else(benchmark_module):
    tissue_class = np.ones(48, np.uint8)
    tissue_class[:5] = 3
    heart = block_heart((2, 2, 2), 1.0, tissue_class=tissue_class)
    healthy = benchmark_module("scar_known").taken_for_healthy(heart)
    assert (healthy.tissue_class == 1).all()
    assert (heart.tissue_class[:5] == 3).all()
    assert healthy.mesh is heart.mesh


def test_what_knowing_the_scar_gains_is_its_mean_against_the_other(benchmark_module):
    Score = benchmark_module("patients").Score

    def one(correlation, activation):
        return Score(correlation, -0.1, 0.2, 0.0, (True,), activation, 1.0, 5.0, 1.0, 1.0)

    gains = benchmark_module("scar_known").gains
    rows = {row["name"]: row for row in gains([(one(0.9, 4.0), one(0.8, 9.0)), (one(0.9, 6.0), one(0.8, 11.0))])}
    assert rows["scar known: activation, mean error"]["value"] == 5.0
    assert rows["scar known: activation, mean error"]["bar"] == 10.0
    assert rows["scar known: activation, mean error"]["ok"]
    assert rows["scar known: QRS correlation"]["ok"]
    assert not rows["scar known: earliest site, error"]["ok"]
    assert gains([])[0]["value"] is None
