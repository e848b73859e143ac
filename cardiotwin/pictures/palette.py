"""Which colour a value gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Palette:
    """Which colour a value gets: always in bands, so that a value can be read off.

    Attributes
    ----------
    title : str
        What is shown, with its unit.
    edges : (n_bands + 1,) float64
    colours : (n_bands, 3) float64
    names : tuple of str
        Of the bands, for categories; empty for numbers.
    missing : str
        What NaN means, or "" where there is none.
    period : float
        The value at which colours start again; infinite for values that do not go round.
    upward : bool
        The key has its smallest value at the bottom. False: on top, as time runs in clinical activation maps.
    """

    title: str
    edges: np.ndarray
    colours: np.ndarray
    names: tuple[str, ...] = ()
    missing: str = ""
    period: float = np.inf
    missing_colour: np.ndarray = field(default_factory=lambda: np.array([0.62, 0.62, 0.62]))
    upward: bool = False

    def paint(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours (..., 3) and band (...) of values; NaN is band -1."""
        missing = ~np.isfinite(values)
        known = np.where(missing, 0.0, values)
        if np.isfinite(self.period):
            known = np.mod(known, self.period)
        band = np.clip(np.searchsorted(self.edges, known, side="right") - 1, 0, len(self.colours) - 1)
        return np.where(missing[..., None], self.missing_colour, self.colours[band]), np.where(missing, -1, band)


def categories(title: str, names: Sequence[str], colours: Sequence[str]) -> Palette:
    """A palette for the values 1, 2, 3, ..."""
    from matplotlib.colors import to_rgb

    return Palette(
        title, np.arange(len(names) + 1) + 0.5, np.array([to_rgb(colour) for colour in colours]), tuple(names)
    )


_ROUND = (1.0, 5.0, 2.0, 2.5, 4.0, 1.5, 3.0, 6.0, 8.0)
"""Times a power of ten; the roundest first."""
FEWEST, MOST = 10, 12


def round_width(low: float, high: float) -> float:
    """Of bands from `low` to `high`: round, so that there are ten to twelve, or as near to that as round numbers go."""
    rough = max(high - low, 1e-9 * max(abs(low), 1.0), 1e-12) / FEWEST
    unit = 10.0 ** np.floor(np.log10(rough))
    widths = [float(unit * power * step) for step in _ROUND for power in (0.1, 1.0, 10.0)]
    counts = [band_count(low, high, width) for width in widths]
    return widths[int(np.argmin([max(FEWEST - count, count - MOST, 0) for count in counts]))]


def band_count(low: float, high: float, width: float) -> int:
    """Bands from the multiple of the width at or below `low` to the one at or above `high`."""
    return max(1, int(np.ceil((high - np.floor(low / width) * width) / width)))


def bands(
    title: str,
    low: float,
    high: float,
    missing: str = "",
    *,
    width: float | None = None,
    period: float = np.inf,
    colours: str = "turbo_r",
    upward: bool = False,
) -> Palette:
    """Bands of one round width from `low` to `high`; red first, blue last, as in clinical activation maps."""
    from matplotlib import colormaps

    if width is None:
        width = round_width(low, high)
    first = np.floor(low / width) * width
    count = band_count(low, high, width)
    shades = colormaps[colours](np.linspace(0.06, 0.92, count))[:, :3]
    edges = first + width * np.arange(count + 1)
    return Palette(title, edges, 0.12 + 0.88 * shades, (), missing, period, upward=upward)


def nearest_turn(difference: np.ndarray, period: float) -> np.ndarray:
    """A difference of phases, between minus and plus half a period."""
    return difference - period * np.rint(difference / period)


WAVE = ((0.0, "#fffbe0"), (0.1, "#ffd23f"), (0.3, "#ee6c2d"), (0.6, "#8e3563"), (1.0, "#465173"))
"""A wave that passes: share of the time in which it fades, and colour, from bright to dark."""

WAVE_FADES_IN = 0.5
"""Of the cycle."""


def wave_colours(count: int) -> np.ndarray:
    """(count, 3) colours from 0 to 1 of a whole cycle: of tissue that the wave has just passed, then of the faded."""
    from matplotlib.colors import to_rgb

    at = [share * WAVE_FADES_IN for share, _ in WAVE]
    shades = np.array([to_rgb(colour) for _, colour in WAVE])
    return np.stack([np.interp(np.arange(count) / count, at, shades[:, k]) for k in range(3)], axis=1)
