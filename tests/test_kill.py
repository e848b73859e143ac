"""kill -9 at any moment: what is finished stays, running again ends in the same bits."""

import errno
import os
import random
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_twin import contents, electrodes_file, layout, new_twin

from cardiotwin.errors import CardioTwinError
from cardiotwin.twin.twin import Twin

VANISHED = 99


def prepared(folder: Path, tmp_path: Path) -> Twin:
    twin = new_twin(folder)
    twin.add([electrodes_file(tmp_path, 1.0), electrodes_file(tmp_path, 2.0)], at="2026-01-01")
    return twin


def in_another_process(twin: Twin, beforehand: Callable[[], object] = lambda: None) -> int:
    """Start a run of the twin in a process of its own; returns its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        beforehand()
        Twin(twin.folder, layout).run()
    except CardioTwinError as error:
        os._exit(error.exit_code)
    except BaseException:
        os._exit(1)
    os._exit(0)


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the stages hold after a run nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    twin = prepared(folder / "case", folder)
    assert exit_code(in_another_process(twin)) == 0
    return contents(twin)


def test_a_run_killed_again_and_again_ends_in_the_same_bits(tmp_path, undisturbed):
    """Killed after ever longer, however fast the machine is, until a run ends before its time."""
    rng = random.Random(7)
    for case in range(3):
        twin = prepared(tmp_path / f"case{case}", tmp_path)
        allowed_s = 0.01
        kills = 0
        while killed_after(twin, rng.uniform(0.5, 1.0) * allowed_s):
            kills += 1
            allowed_s *= 1.4
        assert kills >= 3
        Twin(twin.folder, layout).run()
        assert contents(twin) == undisturbed
        assert twin.check() == 2 + len(undisturbed)
        assert leftovers(twin) == []


def killed_after(twin: Twin, seconds: float) -> bool:
    """Start a run and kill it; False where it had ended by then."""
    pid = in_another_process(twin)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    code = exit_code(pid)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def leftovers(twin: Twin) -> list[str]:
    return [path.name for path in twin.folder.rglob("*") if path.name.startswith((".tmp-", ".partial-"))]


@pytest.mark.parametrize("call", ["rename", "fsync", "replace", "write"])
def test_a_process_that_vanishes_at_any_step_of_a_write_loses_only_that_write(tmp_path, undisturbed, call):
    """The process is gone at its n-th call, for a spread of n; no handler runs, nothing is tidied."""
    twin = prepared(tmp_path / "case", tmp_path)
    ends = [exit_code(in_another_process(twin, lambda n=n: vanish_at(call, n))) for n in (1, 2, 3, 5, 8, 13, 21)]
    assert VANISHED in ends
    assert set(ends) <= {0, VANISHED}
    Twin(twin.folder, layout).run()
    assert contents(twin) == undisturbed
    twin.check()


def vanish_at(call: str, fatal: int) -> None:
    real, count = getattr(os, call), [0]

    def vanishing(*arguments, **options):
        count[0] += 1
        if count[0] == fatal:
            os._exit(VANISHED)
        return real(*arguments, **options)

    setattr(os, call, vanishing)


def test_ctrl_c_keeps_partial_results_and_running_again_goes_on(tmp_path, undisturbed):
    twin = prepared(tmp_path / "case", tmp_path)
    pid = in_another_process(twin, lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    deadline = time.monotonic() + 30
    while not list(twin.folder.glob("stages/.partial-*/site2")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(pid, signal.SIGINT)
    assert exit_code(pid) == 75
    kept = list(twin.folder.glob("stages/.partial-*/site*"))
    assert len(kept) >= 3
    Twin(twin.folder, layout).run()
    assert contents(twin) == undisturbed


@pytest.mark.parametrize("fault", ["file size", "disk"])
def test_a_full_disk_stops_the_run_with_5_and_space_lets_it_go_on(tmp_path, undisturbed, fault):
    """Once refused by the kernel (RLIMIT_FSIZE, below the size of one array), once by the third write of a result."""
    twin = prepared(tmp_path / "case", tmp_path)
    assert exit_code(in_another_process(twin, small_files_only if fault == "file size" else full_at_third_write)) == 5
    assert contents(twin) == {}
    Twin(twin.folder, layout).run()
    assert contents(twin) == undisturbed


def small_files_only() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))


def full_at_third_write() -> None:
    real, count = os.write, [0]

    def write(descriptor, data):
        count[0] += 1
        if count[0] >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    os.write = write
