"""What every refusal of an input must be, asked of the command line: its exit code, one line, no name, nothing kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cardiotwin.cli import main

CANARIES = ("CANARY", "canary-id", "19610203")
NO_NAME = "names no patient"


def command(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in arguments])
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


def new_case(capsys, folder: Path) -> Path:
    """An empty twin beside whatever the test makes."""
    assert command(capsys, "new", folder / "case")[0] == 0
    return folder / "case"


def kept(case: Path) -> list[str]:
    """What of the twin an `add` could have changed: its inputs and results."""
    return sorted(str(path.relative_to(case)) for path in case.rglob("*") if path.parent.name != "case")


def refused(capsys, case: Path, exit_code: int, words: Sequence[str], *arguments: object) -> str:
    """The line with which `cardiotwin add` refuses, checked for what every refusal must have."""
    before = kept(case)
    code, out, err = command(capsys, "add", case, *arguments)
    assert code == exit_code, err or out
    lines = [line for line in err.splitlines() if "error" in line or "refused" in line] or err.splitlines()
    line = lines[-1]
    # What there is to choose from follows the line, indented.
    said = err if line.startswith("  ") else line
    assert err.count("Traceback") == 0
    assert len(line) <= 520, line
    assert not any(canary in err + out for canary in CANARIES), err
    for word in words:
        assert word in said, said
    assert kept(case) == before
    return line


def taken(capsys, case: Path, words: Sequence[str], *arguments: object) -> str:
    """What `cardiotwin add` says of something that it takes."""
    code, out, err = command(capsys, "add", case, *arguments)
    assert code == 0, err
    said = " ".join(out.split())
    for word in words:
        assert word in said, said
    assert not any(canary in err + out for canary in CANARIES), err + out
    return said
