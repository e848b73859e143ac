"""Chart of the substrate: how much scar each method finds."""

from __future__ import annotations

from collections.abc import Sequence

from cardiotwin.pictures.content import TISSUE_COLOURS
from cardiotwin.report.figures import INK, _figure, _plain, _svg
from cardiotwin.segmentation import SweepRow


def scar_methods(rows: Sequence[SweepRow]) -> bytes:
    """SVG: a bar a method, core and border zone on top of each other, g."""
    figure = _figure(7.2, 0.27 * len(rows) + 0.9)
    axes = figure.subplots()
    places = range(len(rows))
    core = [row.core_g for row in rows]
    axes.barh(places, core, color=TISSUE_COLOURS[2], label="scar core")
    axes.barh(places, [row.border_zone_g for row in rows], left=core, color=TISSUE_COLOURS[1], label="border zone")
    axes.set_yticks(places, [row.method for row in rows])
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.invert_yaxis()
    axes.set_xlabel("mass, g", fontsize=9, color=INK)
    _plain(axes)
    axes.legend(fontsize=9, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1)
    return _svg(figure)
