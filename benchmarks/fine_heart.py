"""One heart paced from 17 sites, S1 to S4, on a fine mesh. Shown by `benchmarks/ablation.py`: group ``heart``.

Screened first and then confirmed, and exhaustively. Phantom 2, on which nothing was settled; one draw of 0.6 and
0.3 m/s, one border-zone profile, modified Mitchell-Schaeffer cells. Finished pacing is kept, so that the exhaustive run
goes on from what was confirmed: both together are its time.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phantom_hearts import DEMO, ONE_MEMBER
from table import Row, row

from cardiotwin.ensemble import cores
from cardiotwin.induction.arrhythmias import SCREENED_OUT, Arrhythmias
from cardiotwin.induction.programmed_stimulation import induce, screen
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings, InduceSettings
from cardiotwin.terminal import progress_bar

PHANTOM, EDGE_MM, HOUR_S = 2, 0.8, 3600.0
PROTOCOL = InduceSettings(
    protocol="fixed_couplings",
    cell_model=DEMO.induce.cell_model,
    border_zone_profiles=("structural_and_ionic",),
    dt_ms=0.1,
    n_draws=1,
)


def taken(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, processor seconds of this process and those it started, and the result."""

    def processor_s() -> float:
        used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    start, start_processor = time.monotonic(), processor_s()
    result = work()
    return time.monotonic() - start, processor_s() - start_processor, result


def heart_rows() -> Iterable[Row]:
    """What the screen takes, what confirming takes, what all sites take, and what each of them finds."""
    anatomy = make_anatomy(PHANTOM)
    heart, coarse = true_heart(anatomy, EDGE_MM), true_heart(anatomy, CalibrateSettings().edge_mm)
    with TemporaryDirectory() as folder, progress_bar(quiet=False) as progress:

        def pacing(screened: Arrhythmias | None) -> Arrhythmias:
            kept = Path(folder) / "pacing"
            return induce(heart, ONE_MEMBER, PROTOCOL, DEMO.tissue, screened=screened, folder=kept, progress=progress)

        screen_s, _, screened = taken(lambda: screen(heart, coarse, ONE_MEMBER, PROTOCOL, DEMO.tissue))
        confirm_s, confirm_processor_s, confirmed = taken(lambda: pacing(screened))
        rest_s, rest_processor_s, every = taken(lambda: pacing(None))
    yield from told(every, confirmed, (screen_s, confirm_s, rest_s), confirm_processor_s + rest_processor_s)
    size = f"{len(heart.mesh.points)} nodes, {len(heart.mesh.tets)} tetrahedra"
    yield row("heart: edge of the mesh", EDGE_MM, "mm", note=size)


def told(
    every: Arrhythmias, confirmed: Arrhythmias, seconds: tuple[float, float, float], processor_s: float
) -> Iterable[Row]:
    """Rows; `seconds` are those of the screen, of confirming what it found, and of the other sites."""
    screen_s, confirm_s, rest_s = seconds
    n_sites = len(every.site_nodes)
    paced = sum(one.outcome != SCREENED_OUT for one in confirmed.inductions)
    first, whole = screen_s + confirm_s, confirm_s + rest_s
    note = f"screen {screen_s:.0f} s, then {paced} of {n_sites} sites; {found(confirmed)}"
    yield row("heart: screened first, then confirmed", first, "s", HOUR_S, first <= HOUR_S, note)
    yield row("heart: exhaustively", whole, "s", 8 * HOUR_S, whole <= 8 * HOUR_S, found(every))
    yield row("heart: processor time of a site", processor_s / n_sites, "s", note=f"{cores()} cores, one thread each")


def found(arrhythmias: Arrhythmias) -> str:
    """Circuits and outcomes."""
    outcomes = Counter(one.outcome for one in arrhythmias.inductions)
    return f"{len(arrhythmias.circuits)} circuits; " + ", ".join(f"{one} {n}" for one, n in outcomes.most_common())
