"""From which segments pacing induced a circuit, and in which the isthmuses lie: numbers, and a bull's eye of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cardiotwin.heart.heart import Heart
from cardiotwin.heart.segments import APICAL_FROM, BASAL_FROM, MID_FROM, NAMES, segments_of_nodes
from cardiotwin.induction.arrhythmias import Arrhythmias
from cardiotwin.pictures.bullseye import middles, name_walls, on_paper, outline_segments
from cardiotwin.pictures.content import INK
from cardiotwin.pictures.short_axis import new_figure
from cardiotwin.report.figures import _svg

RIGHT_VENTRICLE = "free wall of the right ventricle"
"""Stands last, with number 0: the statement of the segments leaves it out, pacing does not."""

COLOURS = "YlOrRd"
UNTESTED = "#ececec"


def inducibility(heart: Heart, arrhythmias: Arrhythmias) -> list[dict[str, Any]] | None:
    """Segment by segment, in how many twins a circuit was induced from it and which isthmuses lie in it.

    A twin is a draw of the ensemble with a border-zone profile and a scar. Several sites in a segment count once: a
    twin is inducible from there when it is from one of them. A site or an isthmus belongs to the segment with most
    tissue around its nodes.

    Returns
    -------
    list of dict, or None
        Segments 1 to 17 and the right ventricle's free wall as 0: ``segment``, ``name``, ``sites`` and ``isthmuses``
        (numbers from 1 of pacing sites and circuits), ``twins`` tested, ``induced`` among them, ``share`` (None
        without a site). None where the heart has no ventricular coordinates.
    """
    if heart.coordinates is None:
        return None
    of_sites = segments_of_nodes(heart, arrhythmias.site_nodes)
    of_isthmuses = [_most_of(segments_of_nodes(heart, one.isthmus_nodes)) for one in arrhythmias.circuits]
    return [_row(number, of_sites, of_isthmuses, arrhythmias) for number in (*range(1, 18), 0)]


def _most_of(numbers: np.ndarray) -> int:
    """-1 of none, which is no segment."""
    return int(np.bincount(numbers).argmax()) if numbers.size else -1


def _row(number: int, of_sites: np.ndarray, of_isthmuses: Sequence[int], arrhythmias: Arrhythmias) -> dict[str, Any]:
    paced = [one for one in arrhythmias.inductions if of_sites[one.site] == number]
    twins = {one.twin for one in paced}
    induced = {one.twin for one in paced if one.circuit is not None}
    return {
        "segment": number,
        "name": NAMES[number - 1] if number else RIGHT_VENTRICLE,
        "sites": [int(site) + 1 for site in np.flatnonzero(of_sites == number)],
        "twins": len(twins),
        "induced": len(induced),
        "share": len(induced) / len(twins) if twins else None,
        "isthmuses": [circuit + 1 for circuit, segment in enumerate(of_isthmuses) if segment == number],
    }


def inducibility_bullseye(rows: Sequence[dict[str, Any]]) -> bytes:
    """SVG of the rows of `inducibility`: colour the share, hatched without a site, a diamond for the isthmuses."""
    from matplotlib import colormaps

    figure = new_figure(8.2, 6.2)
    axes = figure.add_axes((0.06, 0.06, 0.66, 0.88), projection="polar")
    axes.set_axis_off()
    axes.set_ylim(0.0, 1.0)
    name_walls(axes, 12)
    shades = colormaps[COLOURS].resampled(10)
    for row in rows:
        if row["segment"]:
            _wedge(axes, row, shades)
    outline_segments(axes)
    for row, (turn, radius) in zip(rows, middles(), strict=False):
        _tell(axes, row, turn, radius)
    _key(figure, shades)
    return _svg(figure)


def _wedge(axes: Any, row: dict[str, Any], shades: Any) -> None:
    """One segment, filled."""
    turn, low, high, width = _extent(row["segment"])
    tested = row["share"] is not None
    look = {"color": shades(row["share"])} if tested else {"fc": UNTESTED, "ec": "#b5b5b5", "hatch": "///", "lw": 0.0}
    axes.bar(on_paper(turn), high - low, width=2 * np.pi * width, bottom=low, **look)


def _extent(segment: int) -> tuple[float, float, float, float]:
    """Middle (turns), inner and outer radius, and width (turns) of a segment on the disc."""
    turn, _ = middles()[segment - 1]
    if segment <= 6:
        return turn, BASAL_FROM, 1.0, 1 / 6
    if segment <= 12:
        return turn, MID_FROM, BASAL_FROM, 1 / 6
    return (turn, APICAL_FROM, MID_FROM, 1 / 4) if segment <= 16 else (turn, 0.0, APICAL_FROM, 1.0)


def _tell(axes: Any, row: dict[str, Any], turn: float, radius: float) -> None:
    """The segment's number and count; beside them, or in the small apex below, a diamond for the isthmuses."""
    apex = row["segment"] == 17
    count = f"\n{row['induced']}/{row['twins']}" if row["twins"] else ""
    place, radius = (np.pi / 2, 0.03) if apex and row["isthmuses"] else (on_paper(turn), radius)
    colour, size = "white" if (row["share"] or 0.0) > 0.7 else INK, 8 if apex else 11
    axes.text(
        place,
        radius,
        f"{row['segment']}{count}",
        ha="center",
        va="center",
        fontsize=size,
        color=colour,
        linespacing=1.0,
    )
    if row["isthmuses"]:
        _, low, high, width = _extent(row["segment"])
        beside, at = (-np.pi / 2, 0.062) if apex else (on_paper(turn + 0.3 * width), 0.5 * (low + high))
        size = 8 if apex else 10
        axes.plot(beside, at, "D", ms=1.5 * size, mfc="white", mec=INK, mew=1.2, zorder=5)
        number = f"{len(row['isthmuses'])}"
        axes.text(beside, at, number, ha="center", va="center", fontsize=size, weight="bold", color=INK, zorder=6)


def _key(figure: Any, shades: Any) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    axes = figure.add_axes((0.80, 0.36, 0.025, 0.5))
    bar = figure.colorbar(ScalarMappable(cmap=shades), cax=axes, ticks=np.linspace(0, 1, 6))
    bar.ax.set_yticklabels([f"{share:.0%}".replace("%", " %") for share in np.linspace(0, 1, 6)])
    bar.ax.tick_params(labelsize=10, colors=INK)
    figure.text(0.79, 0.88, "twins in which pacing\nthere induced a circuit", fontsize=11, color=INK, va="bottom")
    handles = [
        Patch(fc=UNTESTED, ec="#b5b5b5", hatch="///", label="no pacing site"),
        Line2D([], [], marker="D", ms=11, mfc="white", mec=INK, ls="", label="isthmuses there"),
    ]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.78, 0.3), fontsize=11, frameon=False)
