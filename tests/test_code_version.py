"""A stage's code version covers what it imports, and nothing else."""

import inspect
import textwrap
from pathlib import Path

import pytest

from cardiotwin import sources
from cardiotwin.twin import stage_functions


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in the place of CardioTwin: stage -> a -> b; models/x and models/y only by name; c by nobody."""
    files = {
        "stage": "def run():\n    from cardiotwin.a import f\n    return f()\n",
        "a": "import importlib\nfrom . import b\nmodel = importlib.import_module('cardiotwin.models.' + 'x')\n",
        "b": "from cardiotwin.errors import CardioTwinError\n",
        "c": "",
        "errors": "",
        "models/__init__": "",
        "models/x": "",
        "models/y": "",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(sources, "_roots", lambda: (tmp_path,))
    clear()
    yield tmp_path
    clear()


def clear():
    for cached in (sources._imports, sources._source_hash, sources._file_or_none):
        cached.cache_clear()


def version() -> str:
    clear()
    named = sources._named_in("from cardiotwin.a import f\n", "cardiotwin.stage")
    return sources.version_of("def run(): ...", named)


def test_imports_are_followed_also_those_by_name(package):
    assert sources.reachable(["cardiotwin.a"]) == {
        "cardiotwin.a", "cardiotwin.b", "cardiotwin.models", "cardiotwin.models.x", "cardiotwin.models.y",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "is_new"),
    [("a", True), ("b", True), ("models/y", True), ("c", False), ("errors", False)],
)
def test_a_change_counts_where_it_is_imported(package, changed, is_new):
    before = version()
    with (package / f"{changed}.py").open("a") as file:
        file.write("# changed\n")
    assert (version() != before) == is_new


def reached(function) -> frozenset[str]:
    source = textwrap.dedent(inspect.getsource(function))
    return sources.reachable(sources._named_in(source, function.__module__))


def test_the_report_is_no_part_of_any_other_stage():
    upper = ("cardiotwin.report.", "cardiotwin.cli.", "cardiotwin.twin.twin.")
    for function in (
        stage_functions.segment_image,
        stage_functions.build_heart,
        stage_functions.calibrate,
        stage_functions.induce,
        stage_functions.compare,
    ):
        assert not [name for name in reached(function) if f"{name}.".startswith(upper)]


def test_calibration_knows_its_kernels_and_meshing_does_not_know_calibration():
    assert "cardiotwin.kernels.eikonal" in reached(stage_functions.calibrate)
    assert "cardiotwin.calibration.fit" not in reached(stage_functions.build_heart)


def test_no_public_name_is_hidden_by_a_module_of_its_own_name():
    """Importing the module would put it in the place of the function."""
    import cardiotwin

    folder = Path(cardiotwin.__file__).parent
    hidden = [name for name in cardiotwin.__all__ if (folder / name).exists() or (folder / f"{name}.py").exists()]
    assert not hidden
