"""How far each slice of an automatic segmentation can be trusted, before anybody has drawn the truth.

Three kinds of evidence: what the image shows along the contours, how far they move when the prior shape is let go, and
how far they move when the search starts elsewhere in a noisier image. Contours that the image fixes come back to the
same place. The weights were fitted to damaged phantoms (`WEIGHTS`), never to a real heart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.errors import QualityGate
from cardiotwin.imaging import Image
from cardiotwin.segmentation.contours import OUTSHINES_BLOOD, Wall, find_wall, free_contours, mean_between
from cardiotwin.segmentation.drawing import drawn
from cardiotwin.segmentation.labels import LV_BLOOD, MYOCARDIUM
from cardiotwin.segmentation.locate import Axis
from cardiotwin.segmentation.scar import noise_level
from cardiotwin.settings import SegmentSettings

MOVED_MM = 4.0
SCALES = (0.8, 1.25, 0.8, 1.25)
"""The other starts lie this far off the first one, to four sides, and are this much smaller or larger."""
ADDED_NOISE = 0.5
"""Of the image's own."""
ROUNDS = 3

INTERCEPT = -8.91
WEIGHTS = {"again": 3.67, "free": 7.79, "over": -1.39}
"""Logistic regression, good and bad slices counting alike (`benchmarks/confidence.py --fit`), on damaged phantoms.

A step at the epicardium was evidence too, until contours were moved onto their edges: now bad slices show as much of
one as good ones, 0.76 of their rays against 0.69.
"""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The contours of one stack, and what they were drawn as.

    Attributes
    ----------
    axis : Axis
        Where the search began.
    wall : Wall
    found : (n_found,) int
        Consecutive slices that show the left ventricle.
    labels : (n_slices, n_rows, n_columns) uint8
        Left blood and myocardium.
    """

    axis: Axis
    wall: Wall
    found: np.ndarray
    labels: np.ndarray


def confidence_by_slice(image: Image, contours: Drawn) -> np.ndarray:
    """(n_slices,) probability that cavity and wall both overlap the truth by a Dice of 0.7; 0 where none is drawn."""
    terms = evidence(image, contours)
    total = INTERCEPT + np.sum([weight * terms[name] for name, weight in WEIGHTS.items()], axis=0)
    return np.where((contours.labels > 0).any(axis=(1, 2)), 1 / (1 + np.exp(-total)), 0.0)


def evidence(image: Image, contours: Drawn) -> dict[str, np.ndarray]:
    """What speaks for and against each slice, each (n_slices,) in [0, 1].

    Returns
    -------
    dict
        ``again``: overlap of the wall with that of four other starts, on average; ``free``: overlap with the wall
        that the image alone would have; ``over``: share of rays on which what was taken for blood outshines blood, as
        scar does.
    """
    wall = contours.wall
    inside = mean_between(wall.profiles, wall.endocardium - 5, wall.endocardium - 1)
    return {
        "again": _found_again(image, contours),
        "free": ring_overlap(wall, free_contours(wall)),
        "over": (inside > OUTSHINES_BLOOD).mean(axis=1),
    }


def _found_again(image: Image, contours: Drawn) -> np.ndarray:
    """(n_slices,) mean Dice of the wall with the walls found from other starts; 0 away from the ventricle."""
    low, high = max(0, contours.found[0] - 1), min(len(contours.labels), contours.found[-1] + 2)
    axis = Axis(*(part[low:high] for part in (contours.axis.centres, contours.axis.radii_mm, contours.axis.votes)))
    near, labels = replace(image, values=image.values[low:high], motion=None), contours.labels[low:high]
    sigma = ADDED_NOISE * noise_level(near.values, labels == LV_BLOOD)
    overlaps = []
    for side, scale in enumerate(SCALES):
        noise = sigma * np.random.default_rng(side).standard_normal(near.values.shape)
        noisy = replace(near, values=(near.values + noise).astype(np.float32))
        # Not circled: that would bring every start to the same place, and agree with itself.
        again = find_wall(noisy, _elsewhere(axis, image.spacing_mm, side, scale), ROUNDS, circled=False)
        overlaps.append(dice(labels == MYOCARDIUM, drawn(again, contours.found - low, noisy) == MYOCARDIUM))
    result = np.zeros(len(contours.labels))
    result[low:high] = np.mean(overlaps, axis=0)
    return result


def _elsewhere(axis: Axis, spacing_mm: np.ndarray, side: int, scale: float) -> Axis:
    """The axis moved in plane to one of four sides, its circles made larger or smaller."""
    angle = 0.5 * np.pi * (side + 0.5)
    moved = MOVED_MM * np.array([np.sin(angle) / spacing_mm[1], np.cos(angle) / spacing_mm[0]])
    return replace(axis, centres=axis.centres + moved, radii_mm=axis.radii_mm * scale)


def dice(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n_slices,) overlap of two masks; 1 where both are empty."""
    both, total = (first & second).sum(axis=(1, 2)), first.sum(axis=(1, 2)) + second.sum(axis=(1, 2))
    return np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)


def ring_overlap(first: Wall, second: Wall) -> np.ndarray:
    """(n_slices,) Dice of two walls seen from the same centres."""
    inner = np.maximum(first.endocardium, second.endocardium)
    outer = np.maximum(np.minimum(first.epicardium, second.epicardium), inner)
    areas = [(wall.epicardium**2 - wall.endocardium**2).sum(axis=1) for wall in (first, second)]
    return 2 * (outer**2 - inner**2).sum(axis=1) / (areas[0] + areas[1])


def told(by_slice: np.ndarray, settings: SegmentSettings) -> dict[str, float | str | tuple[float, ...]]:
    """Entries of `Segmentation.confidence`.

    Raises
    ------
    QualityGate
        More than `settings.doubtful_allowed` of the slices drawn are below `settings.least_confidence`.
    """
    drawn_slices = np.flatnonzero(by_slice > 0)
    doubtful = drawn_slices[by_slice[drawn_slices] < settings.least_confidence]
    listed = ", ".join(str(k + 1) for k in doubtful)
    if len(doubtful) > settings.doubtful_allowed * len(drawn_slices):
        raise QualityGate(
            f"segmentation: {len(doubtful)} of {len(drawn_slices)} slices are doubtful ({listed}, counted from 1: "
            f"confidence below {settings.least_confidence:g}), expected at most {settings.doubtful_allowed:.0%}; "
            "add a label map, or, in twin.toml, under [segment], set least_confidence and doubtful_allowed"
        )
    next_step = "look at their contours in the report, and where they are wrong add a label map (cardiotwin add)"
    summary = f"{len(doubtful)} of {len(drawn_slices)} slices: {listed}; {next_step}" if len(doubtful) else "none"
    return {"by_slice": tuple(round(float(value), 3) for value in by_slice), "doubtful": summary}
