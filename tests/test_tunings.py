"""What was tuned once is taken from disk to the last bit, and a damaged or missing disk costs nothing but time."""

import json
import shutil

import numpy as np
import pytest

from cardiotwin.tissue import lattice, velocity
from cardiotwin.tissue.tunings import kept

CELLS = {"tau_in": 0.6, "tau_out": 12.0}
WAVE = (0.5, "mitchell_schaeffer", CELLS, 1.0, 0.1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget()
    yield
    forget()


def forget():
    """As a new process would begin."""
    from cardiotwin.tissue import tunings

    tunings._state.cache_clear()
    for known in (velocity._tuned, velocity._tuned_layer, lattice._fitted):
        known.cache_clear()


def files(folder):
    return sorted(folder.rglob("*.json"))


def test_a_second_process_finds_what_the_first_tuned(tmp_path, monkeypatch):
    first = velocity.tune(*WAVE)
    assert len(files(tmp_path)) == 1
    forget()
    monkeypatch.setattr(velocity, "_plane_wave_velocity", lambda *_: pytest.fail("tuned again"))
    assert velocity.tune(*WAVE) == first


def test_the_same_number_from_numpy_is_the_same_file(tmp_path):
    first = velocity.tune(*WAVE)
    forget()
    assert velocity.tune(np.float64(WAVE[0]), *WAVE[1:]) == first
    assert len(files(tmp_path)) == 1


def test_functions_that_are_given_the_same_have_files_of_their_own(tmp_path):
    def one(x):
        return x + 1.0

    def other(x):
        return x - 1.0

    for function in (one, other):
        function.__module__ = velocity.__name__
    found = [kept(float, float)(function)(2.0) for function in (one, other)]
    assert found == [3.0, 1.0]
    assert len(files(tmp_path)) == 2


def test_a_cache_that_is_removed_under_a_process_is_made_again(tmp_path):
    velocity.tune(*WAVE)
    shutil.rmtree(files(tmp_path)[0].parent)
    velocity.tune(0.4, *WAVE[1:])
    assert len(files(tmp_path)) == 1


def test_a_fitted_tensor_comes_back_to_the_last_bit(monkeypatch):
    arguments = (0.6, 0.3, (0.45, 0.13), "mitchell_schaeffer", CELLS, 1.5, 0.1)
    first = lattice.oriented(*arguments)
    forget()
    monkeypatch.setattr(lattice, "_velocity", lambda *_: pytest.fail("fitted again"))
    again = lattice.oriented(*arguments)
    assert again is not first
    assert np.array_equal(again.tensor, first.tensor)
    assert np.array_equal(again.alternating, first.alternating)
    assert {name: list(error) for name, error in again.errors.items()} == {
        name: list(error) for name, error in first.errors.items()
    }


@pytest.mark.parametrize(
    "damage", [b"", b"[0.1", b"7", b"\xff\xfe", b"[]", b"[0.1]", b"[null, null]", b'"ab"', b"[0.1, NaN]"]
)
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    first = velocity.tune(*WAVE)
    (file,) = files(tmp_path)
    file.write_bytes(damage)
    forget()
    assert velocity.tune(*WAVE) == first
    assert tuple(json.loads(file.read_bytes())) == first


def test_another_state_of_the_sources_tunes_anew(tmp_path, monkeypatch):
    velocity.tune(*WAVE)
    monkeypatch.setattr("cardiotwin.sources.version_of", lambda *_: "another")
    forget()
    velocity.tune(*WAVE)
    assert len({file.parent for file in files(tmp_path)}) == 2


def test_a_full_disk_costs_time_only(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cardiotwin.compiled._make_room", full)
    assert abs(velocity.tune(*WAVE)[1]) < velocity.TOLERANCE


def test_without_a_place_it_is_tuned_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("cardiotwin.compiled._roots", lambda: iter(()))
    assert abs(velocity.tune(*WAVE)[1]) < velocity.TOLERANCE
    assert not files(tmp_path)


def test_what_is_found_does_not_depend_on_what_was_tuned_before():
    alone = velocity.tune(*WAVE)
    forget()
    for other in (0.35, 0.45, 0.55, 0.7):
        velocity.tune(other, *WAVE[1:])
    velocity._tuned.cache_clear()
    assert velocity.tune(*WAVE) == alone


def test_other_arguments_are_another_result(tmp_path):
    calls = []

    def twice(number, name):
        calls.append((number, name))
        return 2 * number

    twice.__module__ = velocity.__name__
    double = kept(str, int)(twice)
    assert [double(1, "a"), double(2, "a"), double(1, "b"), double(1, "a")] == [2, 4, 2, 2]
    assert calls == [(1, "a"), (2, "a"), (1, "b")]
    double.cache_clear()
    assert double(2, "a") == 4
    assert len(calls) == 3
