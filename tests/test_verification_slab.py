"""Niederer's slab in `cardiotwin verify`: nine points of every pair, and what they converge to."""

import re

import numpy as np
import pytest

from cardiotwin.errors import ResourceLimit
from cardiotwin.verification import niederer, reference


def test_times_are_read_where_the_nine_points_are_also_between_nodes():
    """Of a field that is linear in space, any interpolation at the right place is exact; at 0.2 mm P9 is no node."""
    expected = {
        "P1": 0, "P2": 700, "P3": 20, "P4": 720, "P5": 30_000, "P6": 30_700, "P7": 30_020, "P8": 30_720, "P9": 15_360,
    }  # fmt: skip
    for edge_mm in (0.5, 0.2):
        field = niederer.slab_medium(edge_mm).points @ [1.0, 100.0, 10_000.0]
        assert niederer.at_points(field, edge_mm) == pytest.approx(expected)


@pytest.mark.parametrize("edge_mm", [0.5, 0.25, 0.2])
def test_a_stimulus_by_volume_is_the_cube_whatever_the_mesh(edge_mm):
    points = niederer.slab_medium(edge_mm).points
    high = np.minimum(points + 0.5 * edge_mm, niederer.SIZE_MM)
    volume = (high - np.maximum(points - 0.5 * edge_mm, 0.0)).prod(axis=1)
    injected = [
        volume[one.nodes].sum() * one.strength_mv_per_ms for one in niederer.stimuli(points, edge_mm, by_volume=True)
    ]
    assert sum(injected) == pytest.approx(1.5**3 * niederer.STIMULUS_MV_PER_MS)


def test_a_pair_has_nine_rows_and_a_bar_where_another_code_of_its_family_has_one():
    rows = {one["name"]: one for one in niederer.pair_rows(0.5, 0.05)}
    assert list(rows) == [f"niederer/dx0.5_dt0.05/P{k}" for k in range(1, 10)]
    assert all(np.isfinite(one["value"]) for one in rows.values())
    assert {name for name, one in rows.items() if one["ok"] is not None} == {"niederer/dx0.5_dt0.05/P8"}
    assert rows["niederer/dx0.5_dt0.05/P8"]["ok"]
    times = [rows[f"niederer/dx0.5_dt0.05/P{k}"]["value"] for k in range(1, 9)]
    for near, far in ((1, 2), (1, 3), (1, 5), (2, 4), (3, 4), (5, 6), (5, 7), (6, 8), (7, 8), (2, 6), (3, 7), (4, 8)):
        assert times[near - 1] < times[far - 1], (near, far)


def test_the_finest_pair_is_judged_by_the_spread_of_the_paper(monkeypatch):
    for p8, ok in ((37.0, False), (44.0, True), (49.0, False)):
        times = {**dict.fromkeys(niederer.POINTS_MM, 1.0), "P8": p8}
        monkeypatch.setattr(niederer, "niederer", lambda *_, times=times, **__: (times, 1.0))
        assert niederer.pair_rows(0.1, 0.005)[7]["ok"] is ok
        assert niederer.pair_rows(0.1, 0.05)[7]["ok"] is None


@pytest.mark.parametrize("order", [1.0, 1.7, 2.0])
def test_extrapolation_finds_limit_and_order_of_a_power_law(order):
    edges = np.array([0.1, 20.0 / 300.0, 0.05])
    assert reference.extrapolated(edges, 42.0 + 300.0 * edges**order) == pytest.approx((42.0, order), abs=1e-6)


def uncertainty(one):
    return float(re.search(r"uncertainty ([\d.]+) ms", one["note"])[1])


def test_the_reference_is_the_limit_of_the_theoretical_order():
    edges = np.array(reference.EDGES_MM)
    one = reference.reference_row(42.0 + 250.0 * edges**2)
    assert one["value"] == pytest.approx(42.0, abs=1e-6)
    assert "observed order 2.00" in one["note"]
    assert uncertainty(one) == 0.0
    assert one["ok"]
    assert not reference.reference_row(50.0 + 250.0 * edges**2)["ok"]


@pytest.mark.parametrize("order", [1.5, 1.8, 2.5, 3.3])
def test_the_reference_says_no_less_than_how_wrong_it_is(order):
    one = reference.reference_row(42.0 + 250.0 * np.array(reference.EDGES_MM) ** order)
    assert uncertainty(one) >= abs(one["value"] - 42.0) - 0.005
    assert uncertainty(one) > 0.0


@pytest.mark.parametrize(("free_gb", "finest_mm"), [(20.0, 0.05), (8.0, 20.0 / 300.0)])
def test_the_finest_slab_is_left_out_where_memory_is_short(monkeypatch, free_gb, finest_mm):
    asked = []
    monkeypatch.setattr(reference, "available_bytes", lambda: free_gb * 1e9)
    monkeypatch.setattr(
        reference, "niederer", lambda edge, *_, **__: asked.append(edge) or ({"P8": 42.0 + 250.0 * edge**2}, 1.0)
    )
    (one,) = reference.reference_rows(lambda fraction, what: None)
    assert one["value"] == pytest.approx(42.0, abs=1e-6)
    assert asked[-1] == finest_mm
    assert f"{finest_mm:.4g} mm" in one["note"]


def test_a_reference_that_does_not_fit_into_memory_is_neither_kept_nor_missed(monkeypatch):
    def refused(*_, **__):
        raise ResourceLimit("a tissue of 1467676 nodes: needs about 4.7 GB, 3.0 GB are free")

    monkeypatch.setattr(reference, "niederer", refused)
    (one,) = reference.reference_rows(lambda fraction, what: None)
    assert one["ok"] is None
    assert "not measured" in one["note"]


def test_values_that_go_to_and_fro_have_no_order():
    one = reference.reference_row([44.0, 43.0, 43.5])
    assert "observed order nan" in one["note"]
