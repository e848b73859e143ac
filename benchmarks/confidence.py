"""Whether the confidence of a slice predicts its error: damaged phantoms, on which the truth is known.

python benchmarks/confidence.py [--json] [--fit]

Stacks are damaged as scanners and patients damage them: noise, lost contrast, ghosts, slices displaced or blurred, a
truncated stack, a search begun in the wrong place. A slice is bad where its left-ventricular blood or its wall (within
13 mm of that blood: the right free wall is drawn by rule) overlaps the truth by a Dice below 0.7. `--fit` prints
weights like those of `cardiotwin/segmentation/confidence.py`, from other phantoms than the rates are measured on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from drawn_truth import dice, near_left_blood
from scipy import ndimage, optimize
from table import Row, at_least, at_most, options, show

from cardiotwin.errors import QualityGate
from cardiotwin.imaging import Image
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.segmentation.confidence import INTERCEPT, WEIGHTS, Drawn, evidence
from cardiotwin.segmentation.contours import find_wall
from cardiotwin.segmentation.drawing import drawn, slices_found
from cardiotwin.segmentation.locate import locate

FEWEST_SLICES, BAD_BELOW, DOUBTFUL_BELOW, AROUND = 3, 0.7, 0.5, 40
FITTED = [
    (11, {}, {}),
    (12, {"core_angle_deg": 200.0, "core_width_mm": 25.0}, {"noise": 0.07, "slice_mm": 6.0}),
    (13, {"core_angle_deg": 0.0, "core_width_mm": 30.0, "border_zone_mm": 5.0}, {"noise": 0.02, "slice_mm": 10.0}),
    (14, {"core_width_mm": 60.0, "lv_wall_mm": 7.0}, {"noise": 0.05, "pixel_mm": 1.8, "rows": 172, "columns": 200}),
    (15, {"core_angle_deg": 270.0, "core_width_mm": 15.0, "lv_wall_mm": 11.0, "lv_radius_mm": 28.0}, {"noise": 0.10}),
]
HELD_BACK = [
    (21, {}, {"noise": 0.05, "slice_mm": 7.0}),
    (22, {"core_angle_deg": 150.0, "core_width_mm": 50.0, "corridor_width_mm": 3.0}, {"noise": 0.08}),
    (23, {"core_angle_deg": 320.0, "core_width_mm": 20.0}, {"slice_mm": 10.0, "pixel_mm": 1.8, "rows": 172}),
    (24, {"core_angle_deg": 60.0, "lv_wall_mm": 10.0, "lv_radius_mm": 30.0, "lv_length_mm": 70.0}, {}),
    (25, {"core_angle_deg": 230.0, "core_width_mm": 45.0}, {"noise": 0.03, "slice_mm": 6.0}),
]
Damage = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def _blood_level(values: np.ndarray, truth: np.ndarray) -> float:
    return float(np.median(values[truth == 1]))


def noisy(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noise of a quarter of blood's signal."""
    sigma = 0.25 * _blood_level(values, truth)
    return np.hypot(
        values + sigma * rng.standard_normal(values.shape), sigma * rng.standard_normal(values.shape)
    ), truth


def pale(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A fifth of the contrast."""
    blood = _blood_level(values, truth)
    return 0.75 * blood + (values - 0.75 * blood) * 0.22 + 0.06 * blood * rng.standard_normal(values.shape), truth


def ghosted(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two copies of half the signal along the rows, as breathing leaves them."""
    rows = values.shape[1]
    return values + 0.5 * np.roll(values, rows // 9, 1) + 0.4 * np.roll(values, -(rows // 6), 1), truth


def displaced(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three slices of another breath-hold, 2 to 4 pixels away along rows and columns."""
    values, truth = values.copy(), truth.copy()
    for k in rng.choice(np.flatnonzero((truth == 1).any(axis=(1, 2))), 3, replace=False):
        by = rng.integers(2, 5, 2) * rng.choice([-1, 1], 2)
        values[k], truth[k] = np.roll(values[k], by, (0, 1)), np.roll(truth[k], by, (0, 1))
    return values, truth


def blurred(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two slices blurred by motion."""
    values = values.copy()
    for k in rng.choice(np.flatnonzero((truth == 1).any(axis=(1, 2))), 2, replace=False):
        values[k] = ndimage.gaussian_filter(values[k], 2.5)
    return values, truth


def truncated(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The middle half of the ventricle."""
    heart = np.flatnonzero((truth == 1).any(axis=(1, 2)))
    kept = slice(heart[len(heart) // 3], heart[len(heart) // 3] + max(4, len(heart) // 2))
    return values[kept], truth[kept]


def untouched(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """As scanned."""
    return values, truth


DAMAGES: tuple[tuple[Damage, float], ...] = (
    (untouched, 0.0),
    (untouched, 12.0),
    *((damage, 0.0) for damage in (noisy, pale, ghosted, displaced, blurred, truncated)),
)
"""What is done to the stack, and how far from the ventricle the search begins, mm."""


def judged(cases: list[tuple[int, dict, dict]]) -> tuple[np.ndarray, np.ndarray, int]:
    """Evidence (n, n_terms) and smaller Dice (n,) of every slice drawn, and how many stacks were refused outright."""
    terms, scores, refused = [], [], 0
    for seed, anatomy, settings in cases:
        image, truth = scan(replace(make_anatomy(seed), **anatomy), LgeScan(seed=seed, **settings))
        image, labels = cropped(image, truth.labels)
        for number, (damage, away_mm) in enumerate(DAMAGES):
            values, there = damage(image.values.astype(np.float64), labels, np.random.default_rng([seed, number]))
            try:
                found = one_stack(replace(image, values=values.astype(np.float32)), there, away_mm)
            except QualityGate:
                refused += 1
                continue
            terms.append(found[0])
            scores.append(found[1])
    return np.vstack(terms), np.concatenate(scores), refused


def cropped(image: Image, labels: np.ndarray) -> tuple[Image, np.ndarray]:
    """The heart and what is round it: the search is not on trial, and half the time."""
    where = np.argwhere(labels > 0)[:, 1:]
    low, high = np.maximum(where.min(axis=0) - AROUND, 0), where.max(axis=0) + AROUND
    window = (slice(None), slice(low[0], high[0]), slice(low[1], high[1]))
    affine = image.affine.copy()
    affine[:3, 3] = image.to_lps(np.array([[low[1], low[0], 0]]))[0]
    return replace(image, values=image.values[window], affine=affine), labels[window]


def one_stack(image: Image, truth: np.ndarray, away_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Evidence and smaller Dice of every slice drawn in one stack."""
    axis = locate(image)
    axis = replace(axis, centres=axis.centres + away_mm / image.spacing_mm[0] * np.array([0.7, -0.7]))
    wall = find_wall(image, axis)
    found = slices_found(wall, image)
    if len(found) < FEWEST_SLICES:
        raise QualityGate("fewer than three slices")
    labels = drawn(wall, found, image)
    terms = evidence(image, Drawn(axis, wall, found, labels))
    slices = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    near = near_left_blood(truth, image.spacing_mm)
    score = [min(dice(labels[k] == 1, truth[k] == 1), dice(labels[k] == 2, near[k])) for k in slices]
    return np.column_stack([terms[name][slices] for name in WEIGHTS]), np.array(score)


def fitted(terms: np.ndarray, bad: np.ndarray, ridge: float = 0.02) -> np.ndarray:
    """Intercept and weights of the logistic regression, good and bad slices counting alike."""
    mean, spread = terms.mean(axis=0), terms.std(axis=0)
    design = np.column_stack([np.ones(len(terms)), (terms - mean) / spread])
    weights, sign = np.where(bad, 0.5 / bad.mean(), 0.5 / (1 - bad.mean())), np.where(bad, -1, 1)

    def loss(b: np.ndarray) -> float:
        return float(np.mean(weights * np.logaddexp(0, -sign * (design @ b))) + ridge * (b[1:] ** 2).sum())

    b = optimize.minimize(loss, np.zeros(design.shape[1]), method="BFGS").x
    return np.concatenate([[b[0] - (b[1:] * mean / spread).sum()], b[1:] / spread])


def rows() -> list[Row]:
    """Sensitivity and false alarms on the phantoms that were held back."""
    terms, score, refused = judged(HELD_BACK)
    bad = score < BAD_BELOW
    flagged = INTERCEPT + terms @ list(WEIGHTS.values()) < np.log(DOUBTFUL_BELOW / (1 - DOUBTFUL_BELOW))
    note = f"slices of {len(HELD_BACK)} phantoms, {len(DAMAGES)} ways each; {refused} stacks refused outright"
    return [
        at_least("confidence: bad slices flagged", [flagged[bad].mean()], "share", 0.8, f"{bad.sum()} {note}"),
        at_most("confidence: good slices flagged", [flagged[~bad].mean()], "share", 0.2, f"{(~bad).sum()} {note}"),
    ]


def main() -> None:
    """Print the table, or one JSON object, or the weights."""
    parser = options(__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the weights anew and print them")
    arguments = parser.parse_args()
    if arguments.fit:
        terms, score, _ = judged(FITTED)
        print(dict(zip(("intercept", *WEIGHTS), np.round(fitted(terms, score < BAD_BELOW), 2).tolist(), strict=True)))
        return
    show([rows()], as_json=arguments.json)


if __name__ == "__main__":
    main()
