"""Where the real test data lie, and the reason to skip when they do not."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("CARDIOTWIN_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real_data(*parts: str) -> Path:
    """A file or folder of real data; skips the calling test when it is not on this machine."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data not on this machine: {'/'.join(parts)} (set CARDIOTWIN_DATA)")
    return path
