"""The heart with its scar told otherwise: what pacing and plans are repeated with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cardiotwin.errors import SettingsError
from cardiotwin.heart.heart import Heart, with_scar_of
from cardiotwin.segmentation import Segmentation, relabel


def other_scars(
    heart: Heart, segmentation: Segmentation | None, pairs: Sequence[tuple[float, float]], *, align_slices: bool
) -> dict[str, Heart]:
    """By the name of each pair of thresholds, the same mesh with that scar.

    Parameters
    ----------
    heart : Heart
    segmentation : Segmentation or None
        That it was built from; None for a mesh of the user's own.
    pairs : sequence of (border zone, core)
        Shares of the brightest myocardial signal.
    align_slices : bool
        As when `heart` was built.

    Raises
    ------
    SettingsError
        Pairs for a heart whose scar is not told by thresholds; a pair that gives the scar as segmented, or another's.
    QualityGate
        A segmentation without a signal.
    """
    if pairs and segmentation is None:
        raise SettingsError(
            "induce.scar_thresholds: this heart is a mesh that was added, whose scar is not told by thresholds; "
            "leave the list empty"
        )
    found: dict[str, Heart] = {}
    for low, high in pairs:
        assert segmentation is not None
        name = f"{100 * low:g} % and {100 * high:g} %"
        other = with_scar_of(heart, relabel(segmentation, low, high), align_slices=align_slices)
        same = [known for known, one in found.items() if np.array_equal(one.tissue_class, other.tissue_class)]
        if np.array_equal(heart.tissue_class, other.tissue_class):
            same.append("the segmentation's own")
        if same:
            raise SettingsError(
                f"induce.scar_thresholds: {low:g}, {high:g} gives the same scar as {same[0]}, which would count twice; "
                "leave it out"
            )
        found[name] = other
    return found
