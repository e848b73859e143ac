"""What plans leave behind, and which of them is preferred: the shapes of the answer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cardiotwin.ablation.lesions import Plan
from cardiotwin.ablation.plan_checks import PlanCheck
from cardiotwin.storage import durable

NO_PREFERENCE = "no preference"


@dataclass(frozen=True)
class PlanResult:
    """What one plan leaves behind.

    Attributes
    ----------
    name : str
    control : bool
        Compared against, not meant to be done.
    rank : int
        1 is best; plans that cannot be told apart share a rank.
    probability_best : float
        That the plan is best: its share of the bootstraps, times the probability that it beats no ablation.
    inducible, tested : int
        Residual inducibility as `inducible` of `tested` combinations of site, draw and profile.
    inducibility_interval : tuple of float
        90 % interval of the share, over draws.
    new_circuits : int
        Unique circuits that were not there without ablation.
    ablated_ml, ablated_ml_low, ablated_ml_high : float
        Volume of viable tissue ablated; the interval moves the lesion edge by half an element edge.
    better_than_none : tuple of int
        Draws in which it leaves less inducible than no ablation, and draws in which that could be asked.
    worse_than_none : int
        Draws in which it leaves more inducible.
    check : PlanCheck or None
        What it burns, and its gaps; None for no ablation.
    probability_not_worse : float
        That in most admissible twins it leaves no more inducible than no ablation, by the sign test.
    draws_with_new_circuits : int
    """

    name: str
    control: bool
    rank: int
    probability_best: float
    inducible: int
    tested: int
    inducibility_interval: tuple[float, float]
    new_circuits: int
    ablated_ml: float
    ablated_ml_low: float
    ablated_ml_high: float
    better_than_none: tuple[int, int]
    worse_than_none: int
    check: PlanCheck | None = None
    probability_not_worse: float = math.nan
    draws_with_new_circuits: int = 0


@dataclass(frozen=True)
class PairOfPlans:
    """Of all admissible twins (draws, each under every border-zone profile and scar), those in which a plan leads.

    Attributes
    ----------
    plan, other : str
    better, same, worse : int
        Twins in which `plan` leaves less, as much, or more inducible than `other`.
    """

    plan: str
    other: str
    better: int
    same: int
    worse: int

    def __str__(self) -> str:
        twins = self.better + self.same + self.worse
        if self.same == twins:
            return f"{self.plan} and {self.other} leave as much inducible in all {twins} admissible twins"
        return f"{self.plan} beats {self.other} in {self.better} of {twins} admissible twins, loses in {self.worse}"


@dataclass(frozen=True)
class Comparison:
    """Plans in order of rank: by residual inducibility, then new circuits, then ablated volume.

    Attributes
    ----------
    plans : tuple of PlanResult
    preference : str
        Name of the preferred plan, or ``"no preference"``.
    reason : str
        Why, in a sentence.
    draws : int
        Draws of the posterior that every plan was tested in.
    pairs : tuple of PairOfPlans
        Every two plans, in order of rank.
    decides : str
        What the lead of the first plan over the second goes with, from twin to twin, in a sentence.
    only_by_volume : tuple of str
        Plans that left the same as the preferred one in every twin, and burn more: over these the preference is a
        rule's and no finding about arrhythmias.
    untested : int
        Combinations of site, draw, profile and scar that no plan was held against another in: under one of them, or in
        other scar, nothing could be paced there (`arrhythmias.UNPACED`).
    """

    plans: tuple[PlanResult, ...]
    preference: str
    reason: str
    draws: int = 0
    pairs: tuple[PairOfPlans, ...] = ()
    decides: str = ""
    only_by_volume: tuple[str, ...] = ()
    untested: int = 0

    def __str__(self) -> str:
        head = (
            f"{'rank':>4}  {'plan':24}  {'P(best)':>7}  {'inducible':>10}  {'new':>3}  {'ablated mL':>18}  "
            f"{'healthy mL':>10}  {'points':>6}"
        )
        rows = [
            f"{p.rank:>4}  {p.name:24.24}  {p.probability_best:>7.2f}  {f'{p.inducible} of {p.tested}':>10}  "
            f"{p.new_circuits:>3}  {f'{p.ablated_ml:.2f} ({p.ablated_ml_low:.2f}-{p.ablated_ml_high:.2f})':>18}"
            + (f"  {p.check.healthy_ml:>10.2f}  {p.check.applications:>6}" if p.check else "")
            for p in self.plans
        ]
        gaps = [f"{p.name}: {note}" for p in self.plans if p.check for note in p.check.notes]
        told = [str(one) for one in self.pairs if one.plan == self.plans[0].name]
        told += [line for line in (self.decides, self.of_untested) if line]
        return "\n".join([head, *rows, *gaps, f"{self.preference}: {self.reason}", *told])

    @property
    def of_untested(self) -> str:
        """A sentence about what could not be compared; "" where all could."""
        if not self.untested:
            return ""
        one = self.untested == 1
        return (
            f"{self.untested} combination{'' if one else 's'} of site, draw and profile {'is' if one else 'are'} left "
            "out for every plan: a lesion, or other scar, leaves nothing there that can be paced, or no way from it to "
            "the rest of the heart."
        )

    @property
    def of_volume(self) -> str:
        """Over which plans volume alone decides, for the end of a sentence; "" for none."""
        alike = [f"{one.name} ({one.ablated_ml:.1f} mL)" for one in self.plans if one.name in self.only_by_volume]
        behind = f"come{'s' if len(alike) == 1 else ''} behind only for burning more"
        return f"; {' and '.join(alike)} left as much inducible and {behind}" if alike else ""

    def save(self, folder: Path | str) -> Path:
        """Write `comparison.json` into `folder` and return its path."""
        path = Path(folder) / "comparison.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write_file(path, durable.readable(asdict(self)))
        return path


@dataclass(frozen=True, eq=False)
class Outcome:
    """One plan's re-test, on the draws.

    Attributes
    ----------
    plan : Plan
    by_twin : (n_draws, n_profiles of the border zone * n_scars) float64
        Share of the sites from which it is inducible; NaN, under every plan, where nothing could be paced.
    new : list of set of int
        Numbers of the new circuits in each draw.
    count, tested : int
        Combinations that are inducible, and all that were tested under every plan.
    volume : tuple of float
        Ablated, mL: low, middle, high.
    """

    plan: Plan
    by_twin: np.ndarray
    new: list[set[int]]
    count: int
    tested: int
    volume: tuple[float, float, float]
    check: PlanCheck | None = None

    @property
    def inducible(self) -> np.ndarray:
        """(n_draws,) share of the combinations of site, profile and scar."""
        return np.asarray(np.nanmean(self.by_twin, axis=1))
