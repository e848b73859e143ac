"""Ways to tell scar core and border zone from late enhancement, each as in its paper, behind one interface.

Every method is two thresholds on the signal, and what it grows from. The thresholds are measured on the image as it is:
smoothing would shrink the standard deviation that the n-SD methods count in. Each paper has a reader draw regions;
here `remote_region` finds the healthy one, and the maximum is the mean over about 5 mm at the brightest place, since
the brightest pixel of noise grows with the number of pixels. These two are the only changes, and hold for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cardiotwin.errors import SettingsError
from cardiotwin.segmentation.remote import Remote, remote_region
from cardiotwin.settings import SegmentSettings
from cardiotwin.units import cubic_mm_to_ml

DENSITY_G_PER_ML = 1.05
"""Of myocardium."""
PEAK_WIDTH_MM = 2.0
"""Gaussian width over which the maximum is a mean."""


@dataclass(frozen=True, eq=False)
class Signal:
    """What a method sees: the image in the wall.

    Attributes
    ----------
    values : (n_slices, n_rows, n_columns) float64
        Signal as measured, any unit.
    myocardium : (n_slices, n_rows, n_columns) bool
        Scar included.
    maximum : float
        The brightest place in the wall.
    remote : Remote
    faintest : float
        Scar whose brightest 5 mm nowhere reach this is none, by any method; minus infinity: not known.
    """

    values: np.ndarray
    myocardium: np.ndarray
    maximum: float
    remote: Remote
    faintest: float = -np.inf


@dataclass(frozen=True, eq=False)
class Scar:
    """Core and border zone by one method.

    Attributes
    ----------
    method : str
        Its name, with its numbers.
    core, border_zone : (n_slices, n_rows, n_columns) bool
        Disjoint; the border zone is empty for methods that have none.
    core_threshold, border_zone_threshold : float
        In the unit of the signal; equal where there is no border zone.
    core_g, border_zone_g : float
        Masses at 1.05 g/mL.
    """

    method: str
    core: np.ndarray
    border_zone: np.ndarray
    core_threshold: float
    border_zone_threshold: float
    core_g: float
    border_zone_g: float

    def __repr__(self) -> str:
        return f"Scar({self.method}: core {self.core_g:.2f} g, border zone {self.border_zone_g:.2f} g)"


class AbstractMethod(ABC):
    """Two thresholds on the signal."""

    @property
    @abstractmethod
    def name(self) -> str:
        """In a few words, with its numbers."""

    @property
    def has_border_zone(self) -> bool:
        return True

    @abstractmethod
    def thresholds(self, signal: Signal) -> tuple[float, float]:
        """From where border zone, from where core, in the unit of the signal; equal where there is no border zone."""

    def seed_threshold(self, signal: Signal) -> float:
        """Scar that nowhere exceeds this is none. Minus infinity: every voxel counts."""
        return -np.inf


@dataclass(frozen=True)
class PercentOfMaximum(AbstractMethod):
    """Border zone and core above fixed shares of the maximum; consensus 40 % and 60 % (PMID 35644355)."""

    border_zone: float = 0.40
    core: float = 0.60

    def __post_init__(self) -> None:
        if not 0 < self.border_zone < self.core < 1:
            raise SettingsError(
                f"percent of maximum: border zone from {self.border_zone:g} and core from {self.core:g}; "
                "expected 0 < border zone < core < 1"
            )

    @property
    def name(self) -> str:
        return f"{100 * self.border_zone:g}/{100 * self.core:g} % of maximum"

    def thresholds(self, signal: Signal) -> tuple[float, float]:
        return self.border_zone * signal.maximum, self.core * signal.maximum


@dataclass(frozen=True)
class FullWidthHalfMaximum(AbstractMethod):
    """Half of the maximum in the hyper-enhanced region, by region growing (Amado 2004, 10.1016/j.jacc.2004.09.020).

    Hyper-enhanced is what exceeds remote by 5 standard deviations: the reader's seed. No border zone.
    """

    @property
    def name(self) -> str:
        return "FWHM"

    @property
    def has_border_zone(self) -> bool:
        return False

    def thresholds(self, signal: Signal) -> tuple[float, float]:
        half = 0.5 * signal.maximum
        return half, half

    def seed_threshold(self, signal: Signal) -> float:
        return signal.remote.mean + 5.0 * signal.remote.sd


@dataclass(frozen=True)
class StandardDeviations(AbstractMethod):
    """Core above remote by so many standard deviations, 2 to 6; border zone from fewer, where that is given.

    Compared with readers and with histology in Amado 2004 (10.1016/j.jacc.2004.09.020). Peri-infarct between two
    numbers: Yan 2006 (10.1161/CIRCULATIONAHA.106.613414).
    """

    core: float = 5.0
    border_zone: float | None = None

    def __post_init__(self) -> None:
        if not 0 < (self.border_zone if self.border_zone is not None else 1e-9) < self.core:
            raise SettingsError(
                f"n-SD: border zone from {self.border_zone} and core from {self.core:g} standard deviations; "
                "expected 0 < border zone < core"
            )

    @property
    def name(self) -> str:
        return f"{self.core:g} SD" if self.border_zone is None else f"{self.border_zone:g}/{self.core:g} SD"

    @property
    def has_border_zone(self) -> bool:
        return self.border_zone is not None

    def thresholds(self, signal: Signal) -> tuple[float, float]:
        low = self.core if self.border_zone is None else self.border_zone
        mean, sd = signal.remote.mean, signal.remote.sd
        return mean + low * sd, mean + self.core * sd


@dataclass(frozen=True)
class OtsuDeviations(AbstractMethod):
    """Otsu's threshold splits the wall; core 4, border zone 2 standard deviations above the mean of its darker part.

    Zhang 2023, Geno-DT (10.7554/eLife.88865), there for dense scar and diffuse fibrosis; Otsu 1979
    (10.1109/TSMC.1979.4310076). Uses no remote region. In a wall without scar it splits noise in two and finds some.
    """

    border_zone: float = 2.0
    core: float = 4.0

    @property
    def name(self) -> str:
        return f"Otsu, {self.border_zone:g}/{self.core:g} SD"

    def thresholds(self, signal: Signal) -> tuple[float, float]:
        inside = signal.values[signal.myocardium]
        dark = inside[inside <= otsu_threshold(inside)]
        mean, sd = float(dark.mean()), float(dark.std(ddof=1)) if dark.size > 1 else 0.0
        return mean + self.border_zone * sd, mean + self.core * sd


@dataclass(frozen=True)
class Schmidt2007(AbstractMethod):
    """Core above half of the maximum, grey zone from the peak of remote up to there.

    doi 10.1161/CIRCULATIONAHA.106.653568.
    Where remote peaks above half of the maximum there is none.
    """

    @property
    def name(self) -> str:
        return "Schmidt 2007"

    def thresholds(self, signal: Signal) -> tuple[float, float]:
        half = 0.5 * signal.maximum
        return min(signal.remote.peak, half), half


def otsu_threshold(values: np.ndarray, bins: int = 256) -> float:
    """The value that parts a sample into the two classes with the largest variance between them (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=bins)
    middles = 0.5 * (edges[1:] + edges[:-1])
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * middles) / np.maximum(below, 1)
    mean_above = (np.cumsum((counts * middles)[::-1]) / np.maximum(above[::-1], 1))[::-1]
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    # Between two clusters every split is as good; the middle of those is as far from either.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(edges[1 + best].mean())


def measured(
    values: np.ndarray, myocardium: np.ndarray, spacing_mm: np.ndarray, maximum: float | None = None
) -> Signal:
    """Remote region and maximum of an image in a wall.

    Parameters
    ----------
    values : (n_slices, n_rows, n_columns) float
    myocardium : (n_slices, n_rows, n_columns) bool
    spacing_mm : (3,) between columns, rows, slices.
    maximum : float, optional
        Where it is known already.

    Raises
    ------
    QualityGate
        Too little myocardium.
    """
    known = np.where(myocardium, values, 0.0).astype(np.float64)
    remote = remote_region(known, myocardium)
    return Signal(
        known, myocardium, local_maximum(known, myocardium, spacing_mm) if maximum is None else maximum, remote
    )


def local_maximum(values: np.ndarray, myocardium: np.ndarray, spacing_mm: np.ndarray) -> float:
    """The brightest place, as the mean over about 5 mm: the maximum of noise grows with the number of pixels."""
    return float(np.quantile(local_mean(values, myocardium, spacing_mm)[myocardium], 0.998))


def local_mean(values: np.ndarray, myocardium: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """(n_slices, n_rows, n_columns) mean over about 5 mm of a slice, of the wall only."""
    column_mm, row_mm, _ = spacing_mm
    width = (0, PEAK_WIDTH_MM / row_mm, PEAK_WIDTH_MM / column_mm)
    share = ndimage.gaussian_filter(myocardium.astype(np.float64), width)
    return ndimage.gaussian_filter(np.where(myocardium, values, 0.0), width) / np.maximum(share, 1e-6)


def delineate(
    method: AbstractMethod, signal: Signal, spacing_mm: np.ndarray, applied_to: np.ndarray | None = None
) -> Scar:
    """Core and border zone by one method.

    Parameters
    ----------
    method : AbstractMethod
    signal : Signal
        Where the thresholds are measured.
    spacing_mm : (3,) between columns, rows, slices.
    applied_to : (n_slices, n_rows, n_columns) float, optional
        The same signal with noise reduced and partial volume undone, to which the thresholds are applied. Left out:
        the signal as measured.
    """
    values = signal.values if applied_to is None else np.nan_to_num(applied_to, nan=-np.inf)
    low, high = method.thresholds(signal)
    scar = grown(signal.myocardium & (values > low), values > method.seed_threshold(signal))
    if np.isfinite(signal.faintest):
        # No method's threshold knows whether there is scar: percent of maximum, Otsu and 2 SD always find some.
        scar = grown(scar, local_mean(values, signal.myocardium, spacing_mm) >= signal.faintest)
    core = scar & (values > high)
    border_zone = scar & ~core if method.has_border_zone else np.zeros_like(core)
    gram = DENSITY_G_PER_ML * cubic_mm_to_ml(float(np.prod(spacing_mm)))
    return Scar(method.name, core, border_zone, high, low, float(core.sum() * gram), float(border_zone.sum() * gram))


def grown(region: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The pieces of a region that hold a seed; pieces hang together across faces, edges and corners."""
    pieces, count = ndimage.label(region, np.ones((3, 3, 3)))
    seeded = np.zeros(count + 1, bool)
    seeded[pieces[seeds & region]] = True
    seeded[0] = False
    return seeded[pieces]


def chosen_method(settings: SegmentSettings) -> AbstractMethod:
    """What the settings ask for."""
    if settings.scar_method == "fwhm":
        return FullWidthHalfMaximum()
    if settings.scar_method == "n_sd":
        return StandardDeviations(settings.core_sd, settings.border_zone_sd or None)
    if settings.scar_method == "otsu_sd":
        return OtsuDeviations()
    if settings.scar_method == "schmidt_2007":
        return Schmidt2007()
    return PercentOfMaximum(settings.border_zone_threshold, settings.core_threshold)


def standard_methods(pairs: tuple[tuple[float, float], ...]) -> tuple[AbstractMethod, ...]:
    """Every method of the routine sweep: the given shares of the maximum, FWHM, 2 to 6 SD, Otsu, Schmidt 2007."""
    return (
        *(PercentOfMaximum(low, high) for low, high in pairs),
        FullWidthHalfMaximum(),
        *(StandardDeviations(float(n)) for n in range(2, 7)),
        OtsuDeviations(),
        Schmidt2007(),
    )
