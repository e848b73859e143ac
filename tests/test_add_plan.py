"""A plan is checked when it is given, not hours later when plans are compared."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin import presets
from cardiotwin.ablation import proposals
from cardiotwin.ablation.lesions import NO_ABLATION, RESERVED_NAMES, Lesion, Plan
from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.heart.heart import Heart
from cardiotwin.ingest.plan_files import read_plan
from cardiotwin.progress import silent
from cardiotwin.provenance import Provenance
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin.stage_functions import gather_plans
from cardiotwin.twin.stages import path
from cardiotwin.twin.step import Step, Work
from cardiotwin.twin.twin import Twin

ON_SURFACE_MM = np.array([0.0, 8.0, 8.0])


def anatomy(work: Work) -> Heart:
    return block_heart((8, 8, 8), 2.0)


def layout(observations) -> tuple[Step, ...]:
    return (Step("mesh", "mesh", anatomy, {}, ("mesh",)),)


@pytest.fixture
def twin(tmp_path):
    return Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""), layout)


def plan_file(folder, point, name="mine", depth=20.0):
    file = folder / "plan.toml"
    text = f'name = "{name}"\n[[lesion]]\nkind = "point"\npoints_mm = [{[float(x) for x in point]}]\n'
    file.write_text(text + f"depth_mm = {depth}\n")
    return file


def test_a_plan_far_from_the_current_heart_is_refused_and_the_twin_unchanged(twin, tmp_path):
    twin.run()
    far = plan_file(tmp_path, (500, 500, 500))
    with pytest.raises(InputRejected, match=r"plan 'mine', lesion 1: point 1 lies \d+ mm from the heart's surface"):
        twin.add([far])
    assert twin.status().observations == ()
    assert list((twin.folder / "observations").iterdir()) == []


def test_of_a_plan_on_the_current_heart_it_is_told_what_it_burns_and_from_where(twin, tmp_path):
    twin.run()
    done = twin.add([plan_file(tmp_path, ON_SURFACE_MM)])
    assert len(done.observations) == 1
    assert done.notes == (
        "plan 'mine': burns 0.97 mL of healthy muscle, 0.00 mL of border zone",
        "plan 'mine': lesion 1 (point): left endocardium",
        "plan 'mine': no gap found",
    )


def test_a_gap_in_a_plan_is_told_when_it_is_added(twin, tmp_path):
    twin.run()
    notes = twin.add([plan_file(tmp_path, ON_SURFACE_MM, depth=8.0)]).notes
    assert "plan 'mine': lesion 1 (point): not transmural: below 1 of 1 points viable tissue is left" in notes[-1]


def test_without_a_heart_a_plan_is_taken_and_it_is_said_that_it_will_be_checked(twin, tmp_path):
    done = twin.add([plan_file(tmp_path, (500, 500, 500))])
    assert len(done.observations) == 1
    assert "will be checked against the heart" in done.notes[0]


def test_a_stale_heart_does_not_judge_a_plan(twin, tmp_path):
    twin.run()
    file = twin.folder / "twin.toml"
    file.write_text(re.sub(r"(?m)^(\[mesh\]\n(?:#.*\n)*edge_mm = )1.0", r"\g<1>0.9", file.read_text()))
    done = Twin(twin.folder, layout).add([plan_file(tmp_path, (500, 500, 500))])
    assert "will be checked against the heart" in done.notes[0]


def test_a_plan_added_before_there_was_a_heart_is_checked_right_after_the_mesh():
    plan = Observation("abc", "plan", "mine", "", "", "", "", "")
    steps = path([plan])
    names = [step.name for step in steps]
    own = steps[names.index("own plans")]
    assert names.index("mesh") < names.index("own plans") < names.index("calibrate")
    assert steps[names.index("plan")].inputs["own"] == "own plans"
    assert "own plans" not in [step.name for step in path([])]
    far, near = (Plan("mine", (Lesion("point", at[None], 5.0, 8.0),)) for at in (ON_SURFACE_MM + 500, ON_SURFACE_MM))
    work = Work(SimpleNamespace(), Path(), silent, Provenance())
    heart = anatomy(work)
    assert own.function(work, heart=heart, plans=(near,)) == (near,)
    with pytest.raises(InputRejected, match="from the heart's surface"):
        own.function(work, heart=heart, plans=(near, far))


def test_a_proposal_out_of_reach_ends_the_path_only_where_there_is_no_other_plan():
    work = Work(SimpleNamespace(), Path(), silent, Provenance())
    mine = Plan("mine", (Lesion("point", ON_SURFACE_MM[None], 5.0, 8.0),))
    deep = proposals.Proposals((), ("isthmus: left out",), "plan: the circuit's isthmus lies up to 12.0 mm deep")
    assert gather_plans(work, deep, (mine,)) == (mine,)
    with pytest.raises(QualityGate, match=r"^plan: the circuit's isthmus lies up to 12\.0 mm deep$"):
        gather_plans(work, deep)
    assert gather_plans(work, proposals.Proposals(())) == ()


@pytest.mark.parametrize("name", [*RESERVED_NAMES, "Isthmus", " Wrong Place "])
def test_a_name_of_the_tools_own_is_refused(twin, tmp_path, name):
    with pytest.raises(InputRejected, match=r"plan\.toml: found name = '.*', one of the tool's own"):
        twin.add([plan_file(tmp_path, ON_SURFACE_MM, name)])
    assert twin.status().observations == ()


def test_every_name_the_tool_gives_is_reserved():
    given = {proposals.ISTHMUS, proposals.HOMOGENISE, proposals.WRONG_PLACE, NO_ABLATION.name}
    assert given < set(RESERVED_NAMES)


def test_two_plans_of_one_name_are_refused_until_the_first_is_taken_out(twin, tmp_path):
    first = twin.add([plan_file(tmp_path, ON_SURFACE_MM)]).observations[0]
    changed = plan_file(tmp_path, ON_SURFACE_MM + 0.5)
    with pytest.raises(InputRejected, match=rf"the name of another plan 'mine' that arrived .*{first.sha256[:12]}"):
        twin.add([changed])
    twin.remove(first.sha256)
    assert len(twin.add([changed]).observations) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'name = "a"\n[[lesion]]\nkind = "homogenise"\n[[lesion]]\nkind = "point"\nradius = 3.0\n',
            "plan.toml: lesion 2: unknown key `radius`; did you mean `radius_mm`? A lesion takes kind, points_mm",
        ),
        (
            'name = "a"\n[[lesions]]\nkind = "point"\n',
            "unknown key `lesions`; did you mean `lesion`? A plan takes name,",
        ),
        ('name = "a"\n', "plan.toml: `lesion` is missing; a plan takes name, note, lesion"),
        ('name = "a"\n[[lesion]]\nkind = "spot"\n', "lesion 1: `kind`: expected 'point', 'line', 'patch'"),
    ],
)
def test_a_typo_in_a_plan_is_told_as_one_of_the_plan(tmp_path, text, told):
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(InputRejected) as refused:
        read_plan(file)
    assert told in str(refused.value)
    assert "settings" not in str(refused.value)
