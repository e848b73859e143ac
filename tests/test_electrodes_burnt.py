"""A plan that burns the ground under the pacing electrode has ended nothing: such pacing counts for no plan."""

from dataclasses import replace

import numpy as np
import pytest
from test_induction import PROTOCOL, TISSUE, wall  # noqa: F401

from cardiotwin.ablation.lesions import Lesion, Plan
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.comparison.results import NO_PREFERENCE
from cardiotwin.comparison.retesting import compare
from cardiotwin.heart.heart import CORE
from cardiotwin.induction import programmed_stimulation
from cardiotwin.induction.arrhythmias import AS_SEGMENTED, UNPACED
from cardiotwin.induction.programmed_stimulation import induce
from cardiotwin.induction.reentry import Circuit
from cardiotwin.induction.stimulation import Paced
from cardiotwin.settings import CompareSettings

POSTERIOR = Posterior.of_velocities([(0.4 + 0.02 * member, 0.3) for member in range(6)])
SETTINGS = PROTOCOL.model_copy(update={"n_draws": 5, "n_sites": 3})
CIRCUIT = Circuit(
    300.0, 3, np.zeros(3), np.array([0.0, 12.0, 0.0]), np.zeros(3, np.float32), np.array([0]), np.array([0])
)


@pytest.fixture(params=UNPACED)
def burnt_site(request, wall, monkeypatch):  # noqa: F811
    """Everything re-enters, but for what cannot be paced from the first site under a plan, for whatever reason."""
    first: list = []

    def pace(_, task):
        if not first:
            first.append(task.site_node)
        if task.plan == "electrode" and task.site_node == first[0]:
            return Paced((), None, request.param)
        return Paced((300.0,), CIRCUIT, "re-entry")

    monkeypatch.setattr(programmed_stimulation, "_pace", pace)
    return induce(wall, POSTERIOR, SETTINGS, TISSUE)


def test_burning_an_electrode_wins_nothing(wall, burnt_site):  # noqa: F811
    plans = [
        Plan(name, (Lesion("point", np.array([[0.0, 15.0, z]]), 3.0, 3.0),))
        for name, z in (("electrode", 15.0), ("other", 24.0))
    ]
    found = compare(wall, POSTERIOR, plans, burnt_site, SETTINGS, TISSUE, CompareSettings())
    assert {(one.inducible, one.tested) for one in found.plans} == {(10, 10)}
    assert found.untested == 5
    assert found.preference == NO_PREFERENCE
    assert "no plan changed what is inducible in any of 5 draws" in found.reason
    assert [one.probability_best for one in found.plans] == pytest.approx([1 / 3] * 3)
    assert "5 combinations of site, draw and profile are left out for every plan" in str(found)
    alone = compare(wall, POSTERIOR, plans[1:], burnt_site, SETTINGS, TISSUE, CompareSettings())
    assert {(one.inducible, one.tested) for one in alone.plans} == {(15, 15)}
    assert (alone.untested, alone.of_untested) == (0, "")


def test_a_scar_in_which_nothing_could_be_paced_is_no_scar_in_which_nothing_turns(wall, monkeypatch):  # noqa: F811
    """Of the scar as segmented one site of three re-enters, whatever is burnt; of the other none can be paced."""
    first: list = []

    def pace(_, task):
        if task.scar != AS_SEGMENTED:
            return Paced((), None, "site in scar")
        if not first:
            first.append(task.site_node)
        found = CIRCUIT if task.site_node == first[0] else None
        return Paced((300.0,), found, "re-entry" if found else "not inducible")

    monkeypatch.setattr(programmed_stimulation, "_pace", pace)
    core = np.where(wall.mesh.centroids[:, 2] > 28, CORE, wall.tissue_class).astype(np.uint8)
    others = {"other": replace(wall, tissue_class=core)}
    before = induce(wall, POSTERIOR, SETTINGS, TISSUE, others=others)
    plan = Plan("a", (Lesion("point", np.array([[0.0, 15.0, 15.0]]), 3.0, 3.0),))
    found = compare(wall, POSTERIOR, [plan], before, SETTINGS, TISSUE, CompareSettings(), others=others)
    for one in found.plans:
        low, high = one.inducibility_interval
        assert (one.inducible, one.tested) == (5, 15)
        assert low < 1 / 3 < high
    pair = found.pairs[0]
    assert pair.better + pair.same + pair.worse == 5  # the dead twins are compared nowhere


def test_a_study_whose_only_site_lies_under_a_plan_says_so(wall, monkeypatch):  # noqa: F811
    def pace(_, task):
        return Paced((), None, "site cut off") if task.plan else Paced((300.0,), CIRCUIT, "re-entry")

    monkeypatch.setattr(programmed_stimulation, "_pace", pace)
    before = induce(wall, POSTERIOR, SETTINGS, TISSUE)
    plan = Plan("ring", (Lesion("point", np.array([[0.0, 15.0, 24.0]]), 3.0, 3.0),))
    found = compare(wall, POSTERIOR, [plan], before, SETTINGS, TISSUE, CompareSettings(most_draws=20))
    assert found.preference == NO_PREFERENCE
    assert "no site is left to pace from" in found.reason
    assert found.pairs == ()
    assert found.draws == 5  # no further draws are paced for it
    assert "15 combinations" in str(found)
