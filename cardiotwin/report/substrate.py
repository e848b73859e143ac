"""The substrate in numbers, and a chart of how much scar each method finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, LEFT, LV_ENDOCARDIUM, RIGHT, RV_ENDOCARDIUM, Heart
from cardiotwin.heart.locations import wall
from cardiotwin.meshes.patches import enclosed_mm3
from cardiotwin.meshes.scan import capped
from cardiotwin.pictures.content import INK, TISSUE_COLOURS
from cardiotwin.pictures.short_axis import new_figure
from cardiotwin.report.figures import _plain, _svg
from cardiotwin.report.glossary import CONFIDENCE, explained
from cardiotwin.segmentation import (
    Cavities,
    Segmentation,
    SweepRow,
    cavities,
    left_wall_ml,
    scar_of_left_ml,
    sweep,
    volumes_ml,
)
from cardiotwin.study import Study
from cardiotwin.units import cubic_mm_to_ml


def substrate(study: Study) -> dict[str, Any]:
    """Volumes in mesh and image, what of them is scar, corridors through it and what other methods would find."""
    heart, volumes = study.heart, study.heart.mesh.volumes
    left = heart.ventricle == LEFT
    in_mesh = {
        "left_ml": volumes[left].sum(),
        "right_ml": volumes[heart.ventricle == RIGHT].sum(),
        "healthy_ml": volumes[heart.tissue_class == HEALTHY].sum(),
        "border_zone_ml": volumes[heart.tissue_class == BORDER_ZONE].sum(),
        "core_ml": volumes[heart.tissue_class == CORE].sum(),
    }
    segmentation = study.segmentation
    rows = sweep(segmentation, study.settings.segment) if segmentation is not None else ()
    made_from = None if study.heart_was_given else segmentation
    wall_ml = left_wall_ml(segmentation) if segmentation is not None else math.nan
    return {
        "scar_assessable": heart.scar_assessable,
        "imaging": study.image.kind if study.image is not None and not study.heart_was_given else None,
        "border_zone_given": study.was_looked_for(BORDER_ZONE),
        "core_given": study.was_looked_for(CORE),
        "cavities": asdict(_cavities(study)),
        "in_mesh": {name: cubic_mm_to_ml(float(value)) for name, value in in_mesh.items()},
        "scar_share_of_left": _scar_share_of_left(heart, made_from),
        "share_counted_in": "mesh" if made_from is None else "image",
        "in_image_ml": volumes_ml(segmentation) if segmentation is not None else None,
        "confidence": explained(segmentation.confidence, CONFIDENCE) if segmentation is not None else [],
        "corridors": [
            {
                "length_mm": one.length_mm,
                "narrowest_mm": one.narrowest_mm,
                "location": wall(heart, one.narrowest_at_mm),
                "depth": one.depth,
                "depth_from": one.depth_from,
                "depth_to": one.depth_to,
                "border_zone_share": one.border_zone_share,
                "narrowest_at_mm": one.narrowest_at_mm,
            }
            for one in study.corridors
        ],
        "sweep": [
            asdict(row) | {"used": number == 0, "of_left": (row.core_ml + row.border_zone_ml) / wall_ml}
            for number, row in enumerate(rows)
        ],
    }


def _cavities(study: Study) -> Cavities:
    """As labelled; of a mesh that was given, and of a study put together without labels, within the mesh."""
    if study.segmentation is not None and not study.heart_was_given:
        return cavities(study.segmentation, study.image.kind if study.image is not None else None)
    left, right = (_within_ml(study.heart, tag) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM))
    return Cavities(left, right, "that of the mesh, which it does not say", "within the endocardium, closed at its rim")


def _within_ml(heart: Heart, tag: int) -> float:
    """Within an endocardium, each rim closed by a fan to its middle; NaN where there is none."""
    if not (heart.surface == tag).any():
        return math.nan
    points, faces, _ = capped(heart.mesh.points, heart.faces[heart.surface == tag])
    return cubic_mm_to_ml(abs(float(enclosed_mm3(points, faces, np.zeros(len(faces), np.int64))[0])))


def _scar_share_of_left(heart: Heart, segmentation: Segmentation | None) -> float:
    """Of the left wall as labelled: that of the mesh is rounded off at base and apex. In the mesh where it is all."""
    if segmentation is not None:
        return scar_of_left_ml(segmentation) / (left_wall_ml(segmentation) or math.nan)
    left, volumes = heart.ventricle == LEFT, heart.mesh.volumes
    return float(volumes[left & (heart.tissue_class != HEALTHY)].sum()) / (float(volumes[left].sum()) or math.nan)


def scar_methods(rows: Sequence[SweepRow]) -> bytes:
    """SVG: a bar a method, core and border zone on top of each other, g."""
    figure = new_figure(7.2, 0.27 * len(rows) + 0.9)
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
