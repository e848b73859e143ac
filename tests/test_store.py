"""What is stored comes back bit for bit, or is refused; a write that fails leaves nothing."""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cardiotwin.ablation.lesions import Lesion, Plan
from cardiotwin.errors import IntegrityError, ResourceLimit
from cardiotwin.storage import durable, store
from cardiotwin.storage.store import Recipe, Store


@dataclass(frozen=True, eq=False)
class Inner:
    values: np.ndarray
    name: str


@dataclass(frozen=True, eq=False)
class Outer:
    inners: tuple[Inner, ...]
    pair: tuple[float, float]
    couplings_ms: tuple[float, ...]
    table: dict[str, np.ndarray]
    notes: dict[str, float | str]
    row: int | None
    velocity: float | None
    motion: np.ndarray | None
    assessable: bool


def an_outer() -> Outer:
    inners = (Inner(np.arange(6, dtype=np.int32).reshape(2, 3), "a/b"), Inner(np.array([np.nan, -0.0]), "ü\n"))
    return Outer(
        inners, (1.0, float("nan")), (), {"tau in": np.ones((0, 3), np.float32), "tau_in": np.full(3, np.inf)},
        {"ess": float("inf"), "word": "nan", "n": 3.0}, None, 0.1 + 0.2, None, True,
    )  # fmt: skip


def same(a, b) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and same(vars(a), vars(b))
    return type(a) is type(b) and repr(a) == repr(b)


def test_a_value_comes_back_bit_for_bit(tmp_path):
    store.save(tmp_path / "one", an_outer())
    assert same(store.load(tmp_path / "one", Outer), an_outer())


def test_a_tuple_of_the_projects_own_data_comes_back(tmp_path):
    plans = (Plan("none", ()), Plan("cut", (Lesion("line", np.ones((2, 3)), 5.0, 8.0),), "mine"))
    store.save(tmp_path / "plans", plans)
    assert same(store.load(tmp_path / "plans", tuple[Plan, ...]), plans)


def test_the_same_value_has_the_same_content_and_another_value_another(tmp_path):
    for name in ("a", "b"):
        store.save(tmp_path / name, an_outer(), created=name)
    store.save(tmp_path / "c", Inner(np.zeros(1), ""))
    a, b, c = (store.content(store.read_manifest(tmp_path / name)) for name in "abc")
    assert a == b != c


def test_a_python_object_is_not_stored(tmp_path):
    with pytest.raises(TypeError, match="values"):
        store.save(tmp_path / "one", Inner(np.array([object()]), ""))
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_byte_is_noticed(tmp_path):
    """One bit in any byte of any file: refused, or (in the manifest) as good as absent."""
    store.save(tmp_path / "one", Inner(np.arange(4.0), "name"))
    for path in sorted((tmp_path / "one").iterdir()):
        original = path.read_bytes()
        for position in range(len(original)):
            path.write_bytes(original[:position] + bytes([original[position] ^ 1]) + original[position + 1 :])
            with pytest.raises(IntegrityError, match="one"):
                store.load(tmp_path / "one", Inner)
        path.write_bytes(original)
    store.load(tmp_path / "one", Inner)


def test_a_missing_file_is_named(tmp_path):
    store.save(tmp_path / "one", Inner(np.arange(4.0), "name"))
    (tmp_path / "one" / "values.npy").unlink()
    with pytest.raises(IntegrityError, match=r"one: values\.npy is missing"):
        store.load(tmp_path / "one", Inner)


def test_a_stage_under_another_ones_key_is_refused(tmp_path):
    box = Store(tmp_path)
    a, b = (Recipe(name, {}, {}, "code") for name in "ab")
    box.put(a, Inner(np.zeros(2), ""), 1.0)
    box.path(a.key).rename(box.path(b.key))
    with pytest.raises(IntegrityError, match=a.key):
        box.get(b.key, Inner)


def test_the_key_depends_on_stage_inputs_settings_and_code():
    base = {"stage": "mesh", "inputs": {"a": "1"}, "settings": {"mesh.edge_mm": 1.0}, "code": "c"}
    changes = [{}, {"stage": "x"}, {"inputs": {"a": "2"}}, {"settings": {"mesh.edge_mm": 1.1}}, {"code": "d"}]
    assert len({Recipe(**(base | change)).key for change in changes}) == len(changes)


def test_files_are_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        store.save(tmp_path / "one", an_outer())
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "one").iterdir()}
    assert (modes, (tmp_path / "one").stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_a_disk_that_fills_at_any_write_leaves_the_old_value_and_nothing_else(tmp_path, monkeypatch):
    """Every write in turn says ENOSPC, once half of it was taken."""
    store.save(tmp_path / "one", Inner(np.zeros(3), "old"))
    writes, real = [0], os.write

    def counted(descriptor, data):
        writes[0] += 1
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", counted)
    store.save(tmp_path / "trial", an_outer())
    total = writes[0]
    assert total > 8
    for fatal in range(1, total + 1):
        monkeypatch.setattr(os, "write", filling_up(fatal, real))
        with pytest.raises(ResourceLimit, match=r"disk full while writing one: [\d,]+ bytes needed, [\d,]+ free"):
            store.save(tmp_path / "one", an_outer())
        assert {path.name for path in tmp_path.iterdir()} == {"one", "trial"}
        assert store.load(tmp_path / "one", Inner).name == "old"


def filling_up(fatal: int, real):
    count = [0]

    def write(descriptor, data):
        count[0] += 1
        if count[0] < fatal:
            return real(descriptor, data)
        if count[0] == fatal and len(data) > 1:
            return real(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return write


@pytest.mark.parametrize("call", ["fsync", "rename", "close"])
def test_a_failing_call_leaves_the_old_value(tmp_path, monkeypatch, call):
    store.save(tmp_path / "one", Inner(np.zeros(3), "old"))
    real, count = getattr(os, call), [0]

    def failing(*arguments):
        count[0] += 1
        if call == "close":
            real(*arguments)
        if count[0] == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return None if call == "close" else real(*arguments)

    monkeypatch.setattr(os, call, failing)
    with pytest.raises(ResourceLimit, match="one"):
        store.save(tmp_path / "one", an_outer())
    monkeypatch.undo()
    assert store.load(tmp_path / "one", Inner).name == "old"


def test_leftovers_of_a_killed_run_are_swept(tmp_path):
    box = Store(tmp_path)
    (tmp_path / ".tmp-123").mkdir()
    (tmp_path / ".partial-abc" / ".tmp-4").mkdir(parents=True)
    box.sweep()
    assert [path.name for path in tmp_path.rglob("*")] == [".partial-abc"]


def test_nothing_in_the_package_unpickles_or_evaluates():
    package = Path(store.__file__).parent
    banned = re.compile(r"pickle\.load|allow_pickle=True|(?<!\.)\beval\(|\bexec\(|yaml\.load|extractall")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if banned.search(path.read_text(encoding="utf-8"))
    }
    # A cell model is a program: its file is run when the user names it, and equations parsed from CellML are tried.
    assert found <= {"kernels/ionic/__init__.py", "cellml/equations.py"}


def test_write_file_replaces_in_one_step(tmp_path, monkeypatch):
    durable.write_file(tmp_path / "f", b"old")
    monkeypatch.setattr(os, "write", filling_up(1, os.write))
    with pytest.raises(ResourceLimit):
        durable.write_file(tmp_path / "f", b"new text")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
