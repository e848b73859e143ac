"""The pages lead where they say, and the README's table says what the readers take."""

import re
from pathlib import Path

import pytest

from cardiotwin.ingest.labels import LABELS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))


def anchors(page: Path) -> set[str]:
    """Of the headings, as they are made of their words."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _, heading = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        assert not heading or heading in anchors(there), target


def test_every_page_is_linked_from_the_readme():
    text = PAGES[0].read_text()
    assert all(f"({page.relative_to(ROOT)})" in text for page in PAGES[1:])


def test_the_table_of_inputs_has_the_readers_labels():
    assert f"| {LABELS};" in PAGES[0].read_text()


def test_every_script_that_a_page_names_is_there():
    for page in PAGES:
        for name in re.findall(r"`(?:python )?((?:benchmarks|examples|cardiotwin)/[\w/]+\.py)", page.read_text()):
            assert (ROOT / name).is_file(), f"{page.name}: {name}"
