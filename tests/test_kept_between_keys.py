"""Single results of a step stay of use where only that changes which they do not hang on, and nowhere else."""

from dataclasses import replace

import pytest
import small_twin
from small_twin import Number, electrodes_file

from cardiotwin import presets
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin.stages import path
from cardiotwin.twin.twin import Twin


def layout(observations):
    """As the small twin's, but that `pace` keeps its results whatever the settings of `induce`."""
    return tuple(
        replace(step, apart_from=("induce",)) if step.name == "pace" else step
        for step in small_twin.layout(observations)
    )


@pytest.fixture
def asked(monkeypatch):
    computed: list[int] = []

    def paced(context, task):
        computed.append(task)
        return Number(context.value * task)

    monkeypatch.setattr(small_twin, "paced", paced)
    return computed


def with_sites(twin, count):
    settings = presets.preset("default")
    changed = settings.model_copy(update={"induce": settings.induce.model_copy(update={"n_sites": count})})
    (twin.folder / "twin.toml").write_text(presets.settings_text(changed, "test"))


@pytest.mark.parametrize("until", ["induce", None])
def test_a_step_finds_its_results_again_until_their_inputs_change(tmp_path, asked, until):
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), "test"), layout)
    twin.add([electrodes_file(tmp_path, 1.0)], at="2026-01-01")
    for sites, computed in ((7, 6), (9, 0), (7, 0)):
        with_sites(twin, sites)
        asked.clear()
        Twin(twin.folder, layout).run(until)
        assert len(asked) == computed, f"{sites} sites"
    twin.add([electrodes_file(tmp_path, 2.0)], at="2026-01-02")
    asked.clear()
    Twin(twin.folder, layout).run(until)
    assert len(asked) == 6, "another posterior"
    folders = [one.name for one in (twin.folder / "stages").glob(".partial-*")]
    assert len(folders) == (1 if until is None else 2), "a whole run drops what nothing asks for any more"


def test_the_comparison_hangs_on_all_but_plans_and_its_own_settings():
    seen = [Observation(f"{n:064x}", kind, "", "", "", "", "", "") for n, kind in enumerate(("image", "ecg", "plan"))]
    step = next(one for one in path(seen) if one.name == "compare")
    assert set(step.apart_from) == {"plans", "compare"}
    assert set(step.apart_from) <= {*step.inputs, *step.settings}
