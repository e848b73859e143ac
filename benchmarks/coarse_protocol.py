"""What a coarse protocol finds of a full one on a fine mesh. Shown by `benchmarks/ablation.py`: group ``fine``.

Phantoms from 2 on, on which nothing was settled; one draw, one border-zone profile, the demo's cells. Full: 19 sites,
three extra stimuli every 10 ms as in Arevalo 2016, edges of 0.8 mm. Coarse: four sites, one extra stimulus every 20 ms,
edges of 1.5 mm. A site of the full one is a case, some ten minutes of one core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from cases import computed
from phantom_hearts import DEMO, ONE_MEMBER, paced
from table import Row, row

from cardiotwin.heart.heart import Heart
from cardiotwin.induction.arrhythmias import Arrhythmias
from cardiotwin.induction.programmed_stimulation import induce
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.report.inducibility import inducibility
from cardiotwin.settings import InduceSettings

EDGE_MM = 0.8
SEGMENTS = range(1, 18)
FULL = InduceSettings(
    protocol="arevalo_2016",
    cell_model=DEMO.induce.cell_model,
    border_zone_profiles=DEMO.induce.border_zone_profiles,
    dt_ms=DEMO.induce.dt_ms,
    n_draws=1,
    workers=1,
)
COARSE = "coarse"


@dataclass(frozen=True)
class Isthmuses:
    """AHA segments in which there are some, and how many sites induced; the right free wall is no segment."""

    segments: tuple[int, ...]
    inducing: int

    def by_segment(self) -> np.ndarray:
        """(17,) bool."""
        return np.isin(SEGMENTS, self.segments)


def isthmuses(_: None, case: tuple[int, str]) -> Isthmuses:
    """Of one phantom, by the coarse protocol or from one site of the full one."""
    number, site = case
    anatomy = make_anatomy(number)
    if site == COARSE:
        return _found(*paced(anatomy))
    heart = true_heart(anatomy, EDGE_MM)
    return _found(heart, induce(heart, ONE_MEMBER, FULL.model_copy(update={"sites": (site,)}), DEMO.tissue))


def _found(heart: Heart, arrhythmias: Arrhythmias) -> Isthmuses:
    rows = inducibility(heart, arrhythmias)
    assert rows is not None
    segments = tuple(one["segment"] for one in rows if one["isthmuses"] and one["segment"] in SEGMENTS)
    return Isthmuses(segments, sum(one.circuit is not None for one in arrhythmias.inductions))


def fine_rows(count: int) -> Iterable[Row]:
    """How much of what the full protocol finds the coarse one does, segment by segment."""
    cases = {
        f"phantom_{number:02d}_{site.replace(' ', '_')}": (number, site)
        for number in range(2, 2 + count)
        for site in (COARSE, *FULL.sites)
    }
    found = dict(zip(cases.values(), computed("fine", isthmuses, None, cases, Isthmuses), strict=True))
    yield from compared({
        number: (found[number, COARSE], [found[number, site] for site in FULL.sites])
        for number in range(2, 2 + count)
    })  # fmt: skip


def compared(hearts: dict[int, tuple[Isthmuses, list[Isthmuses]]]) -> Iterable[Row]:
    """Rows; of each heart what the coarse protocol found, and what each site of the full one did."""
    coarse = np.stack([one.by_segment() for one, _ in hearts.values()])
    fine = np.stack([np.any([site.by_segment() for site in sites], axis=0) for _, sites in hearts.values()])
    inducing = [sum(site.inducing for site in sites) for _, sites in hearts.values()]
    told = "; ".join(
        f"{number}: {_listed(one)} full (from {n} of {len(FULL.sites)} sites), {_listed(other)} coarse"
        for number, one, other, n in zip(hearts, fine, coarse, inducing, strict=True)
    )
    for name, right, of, bar in (
        ("sensitivity", fine & coarse, fine, 0.86),
        ("specificity", ~fine & ~coarse, ~fine, 0.90),
    ):
        share = right.sum() / of.sum() if of.any() else None
        note = f"{right.sum()} of {of.sum()} segments of {len(hearts)} hearts; phantom {told}"
        yield row(f"fine: {name} of the coarse protocol", share, "1", bar, share is not None and share >= bar, note)


def _listed(segments: np.ndarray) -> str:
    return ", ".join(str(number) for number in SEGMENTS if segments[number - 1]) or "none"
