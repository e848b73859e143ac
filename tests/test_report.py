"""The report: one file without a network, hostile text harmless, strict JSON, honest about what is not there."""

import base64
import hashlib
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from small_study import small_comparison, small_study

from cardiotwin.ablation.plan_checks import check_plan
from cardiotwin.ingest.plan_files import read_plan
from cardiotwin.pictures import SIZE_PX
from cardiotwin.report import write_report
from cardiotwin.study import ObservationRecord, Provenance, Study

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>${7*7}{{7*7}}</style>'
SECTIONS = [
    "Ablation plans", "Circuits", "Substrate", "The heart in 3D", "Mesh and conduction", "ECG", "Activation",
    "Ensemble of admissible twins", "Uncertain and missing", "Where every number comes from",
]  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, study)
    return folder


class Page(HTMLParser):
    """Elements with their attributes, and the text a reader sees."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.text, self.scripts, self._inside = [], "", [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside.append((tag, dict(attributes)))
            if tag == "script":
                self.scripts.append("")

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.text += data
        elif self._inside[-1][0] == "script":
            self.scripts[-1] += data

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def without_numbers_that_do_not_exist(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_nothing_on_the_page_comes_from_elsewhere(folder):
    page = Page(folder / "report.html")
    addresses = [a[key] for _, a in page.elements for key in ("src", "href", "data", "action", "srcset") if key in a]
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    css = re.search(r"<style>(.*?)</style>", (folder / "report.html").read_text(), re.S)[1]
    assert "url(" not in css
    assert "@import" not in css


def test_only_scripts_known_by_their_hash_may_run(folder):
    page = Page(folder / "report.html")
    policy = next(a["content"] for a in page.attributes("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    allowed = re.search(r"script-src ([^;]*)", policy)[1].split()
    run = [text for text, a in zip(page.scripts, page.attributes("script"), strict=True) if "type" not in a]
    hashes = {"'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'" for text in run}
    assert set(allowed) == hashes
    assert len(run) == 2


def test_the_answer_comes_first_and_the_sections_in_a_clinician_s_order(folder):
    text = Page(folder / "report.html").text
    places = [text.index("Preferred plan: isthmus"), *(text.index(f"\n{title}\n") for title in SECTIONS[:1])]
    html = (folder / "report.html").read_text()
    places = [html.index("Preferred plan: isthmus"), *(html.index(f">{title}</h2>") for title in SECTIONS)]
    assert places == sorted(places)


def test_the_research_notice_stands_at_the_top_and_at_the_bottom(folder):
    text = Page(folder / "report.html").text.strip()
    notice = "Research use only. Not a medical device."
    body = text[text.index("Research") :]
    assert body.startswith(notice)
    assert notice in text[-120:]


def test_what_the_answer_rests_on_stands_inside_its_box(folder):
    box = re.search(r'<div class="answer">(.*?)</div>', (folder / "report.html").read_text(), re.S)[1]
    assert "Preferred plan: isthmus" in box
    assert "3 of 3 draws could be induced" in box


def test_a_phantom_carries_a_banner_and_a_patient_does_not(study, folder, tmp_path):
    assert "PHANTOM" not in Page(folder / "report.html").text
    record = replace(study.provenance.observations[0], synthetic=True)
    phantom = Study(study.heart, provenance=replace(study.provenance, observations=(record,)))
    text = Page(write_report(tmp_path, phantom)).text
    assert text.index("PHANTOM PATIENT: made by the computer") < text.index("Virtual ablation plans")


def test_each_plan_shows_n_of_m_with_its_interval_and_controls_are_marked(folder):
    text = " ".join(Page(folder / "report.html").text.split())
    assert "1 of 9 11 % (2 % to 39 %) 9 % 0 6.20 (5.27 to 7.44)" in text
    assert "no ablation reference" in text
    assert "wrong control" in text
    assert "isthmus control" not in text


def test_no_ablation_stands_below_the_plans_although_it_shares_a_rank(study, tmp_path):
    plans = study.comparison.plans
    tied = replace(study.comparison, plans=(plans[0], replace(plans[3], rank=2), *plans[1:3]))
    page = Page(write_report(tmp_path, Study(study.heart, plans=study.plans, comparison=tied)))
    assert page.text.index("wrong control") < page.text.index("no ablation reference")
    facts = json.loads((tmp_path / "study.json").read_text())
    assert [plan["name"] for plan in facts["plans"]] == ["isthmus", "homogenise", "wrong", "no ablation"]


def test_each_model_s_correlation_with_the_ecg_is_named_and_explained(folder, study):
    text = " ".join(Page(folder / "report.html").text.split())
    low, median, high = study.posterior.interval(study.posterior.correlation)
    assert f"eikonal ensemble {median:.2f} ({low:.2f} to {high:.2f})" in text
    assert re.search(r"confirming monodomain run \d\.\d\d\.", text)
    own = study.posterior.correlation[study.confirmation.member]
    assert f"the eikonal fit of that member reaches {own:.2f}" in text


def test_the_comparison_for_machines_is_the_comparison(folder, study):
    read = without_numbers_that_do_not_exist((folder / "comparison.json").read_text())
    assert read == json.loads(json.dumps(asdict(study.comparison)))
    wanted = {"name", "rank", "probability_best", "inducible", "tested", "new_circuits", "ablated_ml", "ablated_ml_low"}
    assert all(wanted <= plan.keys() for plan in read["plans"])


def test_every_plan_lies_beside_the_report_as_a_file_to_edit_and_says_on_the_page_what_it_burns(folder, study):
    read = {path.stem: read_plan(path) for path in (folder / "plans").iterdir()}
    assert sorted(read) == ["homogenise", "isthmus", "wrong"]
    assert np.allclose(read["isthmus"].lesions[0].points_mm, study.plans[0].lesions[0].points_mm, atol=0.006)
    text = " ".join(Page(folder / "report.html").text.split())
    assert "What each plan burns" in text
    assert all(note in text for plan in study.plans[:3] for note in check_plan(study.heart, plan).notes)


def test_the_study_for_machines_is_strict_json(folder):
    read = without_numbers_that_do_not_exist((folder / "study.json").read_text())
    assert read["circuits"][0]["cycle_length_ms"] == 312.0
    assert read["provenance"]["stages"][0]["key"] == "11" * 16


def test_the_pictures_have_their_size_and_every_image_says_what_it_shows(folder):
    from PIL import Image

    names = {path.stem for path in (folder / "pictures").iterdir()}
    assert {
        "substrate",
        "mesh",
        "fibres",
        "activation",
        "circuit_1",
        "circuit_2",
        "circuit_1_film",
        "circuit_2_film",
        "ecg_1",
        "plan_1",
        "plan_2",
        "plan_3",
        "slices",
    } == names
    for path in (folder / "pictures").iterdir():
        with Image.open(path) as image:
            assert image.size == SIZE_PX or path.stem in ("ecg_1", "slices") or path.suffix == ".webp"
            assert len(image.convert("RGB").resize((200, 56)).getcolors(maxcolors=100_000)) > 20, (
                f"{path.name} is empty"
            )
    images = Page(folder / "report.html").attributes("img")
    assert len(images) == len(names) + 10  # two tachycardias among them
    assert all(image["alt"] for image in images)


def test_the_file_is_small_enough_to_send(folder):
    assert (folder / "report.html").stat().st_size < 12e6


def test_hostile_text_is_shown_and_does_nothing(study, tmp_path):
    plans = tuple(replace(plan, name=HOSTILE + plan.name, note=HOSTILE) for plan in study.plans[:1])
    results = tuple(replace(plan, name=HOSTILE + plan.name) for plan in study.comparison.plans)
    comparison = replace(study.comparison, plans=results, preference=HOSTILE, reason=HOSTILE)
    record = ObservationRecord(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    provenance = Provenance(HOSTILE, 1, HOSTILE, (record,), (), (HOSTILE,))
    posterior = replace(study.posterior, notes={HOSTILE: HOSTILE})
    segmentation = replace(study.segmentation, confidence={HOSTILE: HOSTILE})
    hostile = Study(
        study.heart,
        plans=plans,
        comparison=comparison,
        provenance=provenance,
        posterior=posterior,
        segmentation=segmentation,
    )
    page = Page(write_report(tmp_path, hostile))
    assert page.text.count("<script>alert(1)</script>") >= 10
    assert len(page.scripts) == 3
    assert "{{7*7}}" in page.text
    assert not any("onerror" in attributes for _, attributes in page.elements)
    scene = json.loads(page.scripts[0])
    assert any("<script>" in colouring["name"] for colouring in scene["colourings"])


def test_a_heart_alone_makes_a_report_that_says_what_is_missing(study, tmp_path):
    page = Page(write_report(tmp_path, Study(study.heart)))
    for sentence in (
        "No arrhythmia has been looked for", "No comparison of plans has been computed.",
        "Programmed stimulation has not been computed.", "No ECG has been given.",
        "No confirming simulation has been computed.", "No ECG: add a 12-lead ECG to calibrate conduction.",
    ):  # fmt: skip
        assert sentence in page.text
    assert not (tmp_path / "comparison.json").exists()


def test_a_cine_is_said_to_show_no_scar(study, tmp_path):
    heart = replace(study.heart, scar_assessable=False)
    image = replace(study.image, kind="cine")
    segmentation = replace(study.segmentation, scar_assessable=False, signal=None)
    text = Page(write_report(tmp_path, Study(heart, image=image, segmentation=segmentation))).text
    assert "Scar cannot be assessed from a cine series" in " ".join(text.split())
    assert "Other thresholds" not in text


def test_where_no_plan_is_better_none_is_preferred(study, tmp_path):
    undecided = small_comparison("no preference")
    page = Page(write_report(tmp_path, Study(study.heart, comparison=undecided)))
    assert "No preference among the plans" in page.text
    assert "Preferred plan" not in page.text
    assert not any(attributes.get("class") == "best" for attributes in page.attributes("tr"))


def test_the_same_study_gives_the_same_bytes(study, tmp_path):
    first = write_report(tmp_path / "a", Study(study.heart)).read_bytes()
    assert write_report(tmp_path / "b", Study(study.heart)).read_bytes() == first
