"""Programmed stimulation: what is healthy is not inducible, what was paced is kept, what is ablated cannot be paced."""

import dataclasses

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, HEALTHY
from cardiotwin.heart.pacing_sites import pacing_sites
from cardiotwin.induction import programmed_stimulation
from cardiotwin.induction.arrhythmias import AS_SEGMENTED, UNPACED
from cardiotwin.induction.programmed_stimulation import induce, retest
from cardiotwin.induction.reentry import neighbours
from cardiotwin.induction.stimulation import Electrode, Paced, Stimulator
from cardiotwin.settings import InduceSettings, TissueSettings

TISSUE = TissueSettings(cell_model="mitchell_schaeffer")
PROTOCOL = InduceSettings(
    cell_model="mitchell_schaeffer",
    border_zone_profiles=("structural",),
    dt_ms=0.1,
    n_sites=2,
    n_draws=2,
    s1_beats=2,
    s1_cycle_length_ms=400.0,
    s2_step_ms=30.0,
    extra_stimuli=1,
    watch_ms=300.0,
    workers=1,
)


@pytest.fixture(scope="module")
def wall():
    """A healthy wall, 3 mm thick and 30 x 30 mm wide."""
    heart = block_heart((2, 20, 20), 1.5)
    return dataclasses.replace(heart, apicobasal=heart.mesh.points[:, 2] / heart.mesh.points[:, 2].max())


ENSEMBLE = Posterior.of_velocities([(0.6, 0.4), (0.5, 0.3)])


def test_a_healthy_wall_is_not_inducible_and_is_paced_down_to_loss_of_capture(wall):
    found = induce(wall, ENSEMBLE, PROTOCOL, TISSUE)
    assert {one.outcome for one in found.inductions} == {"not inducible"}
    assert len(found.inductions) == 4
    # The last attempt failed to capture: it came earlier than the refractory period, about 250 ms, allows.
    assert all(180 <= one.couplings_ms[-1] <= 270 for one in found.inductions)
    assert found.circuits == ()


def test_tissue_that_is_refractory_at_the_first_s2_is_paced_from_where_it_captures(wall):
    found = induce(wall, ENSEMBLE, protocol(s2_first_ms=190.0, n_sites=1), TISSUE)
    assert {one.outcome for one in found.inductions} == {"not inducible"}
    # Up from 190 in steps of 30 to the first that captures.
    assert {one.couplings_ms[-1] for one in found.inductions} <= {280.0, 310.0}


def test_tissue_that_never_captures_is_said_to_be_untested(wall, monkeypatch):
    monkeypatch.setattr(Electrode, "captured", lambda *_: False)
    found = induce(wall, ENSEMBLE, protocol(n_sites=1), TISSUE)
    assert {one.outcome for one in found.inductions} == {"no capture"}


def test_s3_comes_behind_the_earliest_s2_that_captured(wall, monkeypatch):
    starts = []
    attempt = Stimulator._attempt
    monkeypatch.setattr(
        Stimulator, "_attempt", lambda self, state, at: starts.append((at, attempt(self, state, at))) or starts[-1][1]
    )
    found = induce(wall, ENSEMBLE, protocol(n_sites=1, n_draws=1, extra_stimuli=2), TISSUE)
    s2, s3 = found.inductions[0].couplings_ms
    last_s1 = 400.0
    second = [at for at, found in starts if found.captured and at < last_s1 + 301]
    assert s2 == min(second) - last_s1
    assert starts[-1][0] == last_s1 + s2 + s3


def test_a_member_drawn_twice_is_paced_once(wall, monkeypatch):
    paced = []
    monkeypatch.setattr(
        programmed_stimulation,
        "_pace",
        lambda _, task: paced.append(task) or Paced((), None, "stub"),
    )
    found = induce(wall, Posterior.of_velocities([(0.6, 0.4)]), PROTOCOL, TISSUE)
    assert len(found.inductions) == 4
    assert len(paced) == 2


def test_what_was_paced_before_a_kill_is_not_paced_again(wall, tmp_path, monkeypatch):
    first = induce(wall, ENSEMBLE, PROTOCOL, TISSUE, folder=tmp_path)

    def must_not_run(*_):
        raise AssertionError("paced again")

    monkeypatch.setattr(programmed_stimulation, "_pace", must_not_run)
    again = induce(wall, ENSEMBLE, PROTOCOL, TISSUE, folder=tmp_path)
    assert [one.couplings_ms for one in again.inductions] == [one.couplings_ms for one in first.inductions]


@pytest.mark.parametrize(
    "other",
    [
        {"posterior": Posterior.of_velocities([(0.61, 0.4)])},
        {"protocol": {"s1_cycle_length_ms": 590.0}},
        {"tissue": {"border_zone_velocity_fraction": 0.4}},
    ],
)
def test_pacing_of_other_velocities_or_another_protocol_is_not_taken_for_it(wall, tmp_path, monkeypatch, other):
    paced = []
    monkeypatch.setattr(
        programmed_stimulation,
        "_pace",
        lambda _, task: paced.append(task) or Paced((), None, "stub"),
    )
    same = {"posterior": Posterior.of_velocities([(0.6, 0.4)]), "protocol": {}, "tissue": {}}

    def again(posterior, protocol, tissue):
        settings = PROTOCOL.model_copy(update={"n_draws": 1, "workers": 1} | protocol)
        induce(wall, posterior, settings, TISSUE.model_copy(update=tissue), folder=tmp_path)
        return len(paced)

    first = again(**same)
    assert again(**same) == first
    assert again(**same | {"protocol": {"workers": 2}}) == first
    assert again(**same | other) == 2 * first


def test_a_site_that_was_ablated_is_said_to_be(wall):
    before = induce(wall, ENSEMBLE, protocol(n_draws=1, n_sites=1), TISSUE)
    away = np.linalg.norm(wall.mesh.centroids - before.site_positions[0], axis=1)
    after = retest(
        wall,
        ENSEMBLE,
        before,
        {"burnt": {AS_SEGMENTED: away < 12.0}},
        protocol(n_draws=1, n_sites=1),
        TISSUE,
        only_inducible=False,
    )
    assert [one.outcome for one in after["burnt"].inductions] == ["site ablated"]


@pytest.mark.parametrize(("inner_mm", "outer_mm", "said"), [(6.0, 12.0, "site cut off"), (0.0, 6.0, "site ablated")])
def test_a_ring_around_the_electrode_leaves_nothing_tested(wall, inner_mm, outer_mm, said):
    """Tissue below and beside it is alive and would be captured, and no wave would leave it."""
    before = induce(wall, ENSEMBLE, protocol(n_draws=1, n_sites=1), TISSUE)
    away = np.linalg.norm((wall.mesh.centroids - before.site_positions[0])[:, 1:], axis=1)
    ring = {AS_SEGMENTED: (away >= inner_mm) & (away < outer_mm)}
    after = retest(wall, ENSEMBLE, before, {"ring": ring}, protocol(n_draws=1, n_sites=1), TISSUE, only_inducible=False)
    assert [one.outcome for one in after["ring"].inductions] == [said]
    assert said in UNPACED


def test_an_electrode_is_cut_off_from_the_larger_piece_by_volume_and_by_no_narrow_bridge(wall):
    centroids = wall.mesh.centroids
    small = np.abs(centroids[:, 1] - 22.5) < 1.5  # leaves 21 mm on one side, 6 on the other
    bridged = small & (np.abs(centroids[:, 2] - 15.0) > 1.6)
    for burnt, y, cut_off in ((small, 28.5, True), (small, 10.5, False), (bridged, 28.5, False)):
        tissue = neighbours(wall.mesh.points, wall.mesh.tets[~burnt])
        node = int(np.argmin(np.linalg.norm(wall.mesh.points - [0.0, y, 15.0], axis=1)))
        electrode = Electrode.at(node, tissue, 2.0)
        assert electrode is not None
        assert electrode.is_cut_off(tissue) == cut_off


def protocol(**changes):
    return PROTOCOL.model_copy(update=changes)


def test_sites_lie_on_healthy_endocardium_far_apart(wall):
    nodes = pacing_sites(wall, 3)
    points = wall.mesh.points[nodes]
    assert np.allclose(points[:, 0], 0.0)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)[np.triu_indices(3, 1)]
    assert apart.min() > 15.0


def test_sites_near_scar_are_near_it_and_the_second_has_most_border_zone_around(wall):
    centroids = wall.mesh.centroids
    border = (centroids[:, 1] > 14) & (centroids[:, 1] < 18) & (centroids[:, 2] > 20)
    scarred = dataclasses.replace(wall, tissue_class=np.where(border, BORDER_ZONE, HEALTHY).astype(np.uint8))
    points = scarred.mesh.points[pacing_sites(scarred, 4, near_scar_mm=10.0)]
    away = np.linalg.norm(points[1:, None] - centroids[border][None], axis=2).min(axis=1)
    assert away.max() <= 12.0
    assert points[1, 2] > 18.0


def test_more_sites_than_endocardium_is_refused(wall):
    with pytest.raises(QualityGate, match="healthy endocardium"):
        pacing_sites(wall, 10_000)
