"""Where compiled kernels are kept: a private place, a new one when sources change, mended when damaged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cardiotwin import compiled


@pytest.fixture(autouse=True)
def a_home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))


def test_the_cache_is_private_and_in_the_users_cache_folder(tmp_path):
    folder = compiled.cache_folder()
    assert folder.parent == tmp_path / "xdg" / "cardiotwin"
    assert folder.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o500])
def test_a_folder_others_may_write_to_or_we_may_not_is_passed_over(tmp_path, mode):
    if mode == 0o500 and os.getuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "xdg" / "cardiotwin").mkdir(parents=True)
    (tmp_path / "xdg" / "cardiotwin").chmod(mode)
    assert compiled.cache_folder().parent == tmp_path / "home" / ".cache" / "cardiotwin"


def test_a_link_planted_in_its_place_is_passed_over(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "xdg").mkdir()
    (tmp_path / "xdg" / "cardiotwin").symlink_to(tmp_path / "elsewhere")
    assert compiled.cache_folder().parent == tmp_path / "home" / ".cache" / "cardiotwin"


def test_without_any_place_there_is_no_cache_and_no_error(monkeypatch):
    monkeypatch.setattr(compiled, "_is_private", lambda folder: False)
    assert compiled.cache_folder() is None


def test_changed_kernels_get_a_cache_of_their_own(tmp_path, monkeypatch):
    before = compiled.cache_folder()
    assert compiled.cache_folder() == before
    monkeypatch.setattr(compiled, "_files", lambda folder: iter([("kernels/simd.py", 1, 1)]))
    assert compiled.cache_folder() != before


def test_only_the_newest_caches_are_kept(tmp_path):
    home = tmp_path / "xdg" / "cardiotwin"
    for age in range(12):
        (home / f"numba-{age}").mkdir(parents=True)
        os.utime(home / f"numba-{age}", (1e9 - age, 1e9 - age))
    home.chmod(0o700)
    compiled.cache_folder()
    assert len(list(home.iterdir())) == compiled.KEPT
    assert (home / "numba-0").exists()
    assert not (home / "numba-11").exists()


KERNEL = """
import sys
sys.path.insert(0, sys.argv[1])
from cardiotwin.compiled import retrying

def compute():
    from tiny_kernel import twice
    return twice(21.0)

print(retrying(compute))
"""


@pytest.mark.parametrize("damage", ["empty", "half"])
@pytest.mark.parametrize("which", ["nbi", "nbc"])
def test_a_damaged_cache_is_deleted_and_compiled_again(tmp_path, damage, which):
    (tmp_path / "tiny_kernel.py").write_text(
        "from numba import njit\n\n@njit(cache=True)\ndef twice(x):\n    return 2.0 * x\n"
    )
    cache = tmp_path / "cache"
    assert in_a_process(tmp_path, cache) == "42.0"
    for path in cache.rglob(f"*.{which}"):
        content = path.read_bytes()
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    assert in_a_process(tmp_path, cache) == "42.0"


def in_a_process(folder: Path, cache: Path) -> str:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KERNEL, folder], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
