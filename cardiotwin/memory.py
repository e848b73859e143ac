"""How much memory there is, and a refusal before it runs out."""

from __future__ import annotations

import os
from pathlib import Path

from cardiotwin.errors import ResourceLimit

SHARE = 0.8
"""Of what is free, what a computation may ask for."""


def available_bytes() -> int:
    """Memory that can be had: the least of what the system has free and what the control group allows."""
    found = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    info = Path("/proc/meminfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        found = [int(fields["MemAvailable"].split()[0]) * 1024]
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and limit.read_text().strip().isdigit():
        found.append(int(limit.read_text()) - int(used.read_text()))
    return min(found)


def require(n_bytes: float, what: str, advice: str) -> None:
    """Refuse what would take more than 80 % of the memory that is free.

    Raises
    ------
    ResourceLimit
    """
    free = available_bytes()
    if n_bytes > SHARE * free:
        raise ResourceLimit(
            f"{what}: needs about {n_bytes / 1e9:.1f} GB, {free / 1e9:.1f} GB are free and {100 * SHARE:.0f} % of that "
            f"may be used. {advice}"
        )
