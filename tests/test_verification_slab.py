"""Niederer's slab in `cardiotwin verify`: nine points of every pair."""

import numpy as np
import pytest

from cardiotwin.verification import niederer


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
