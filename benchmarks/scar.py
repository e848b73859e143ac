"""Scar: every method against the phantom's truth and a reader's, small structures, corridors, slices out of line.

python benchmarks/scar.py [--json] [--seeds 1 2 3]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from drawn_truth import LGE, LGE_SCAR, data, dice, near_left_blood, skipped, volume
from scipy import ndimage
from table import Row, at_least, at_most, options, row, show

from cardiotwin.imaging import Image
from cardiotwin.phantom.anatomy import corridor_centre_line, make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.segmentation import Segmentation, aligned_slices, delineated, find_corridors, segment
from cardiotwin.segmentation.methods import DENSITY_G_PER_ML, delineate, measured, standard_methods
from cardiotwin.segmentation.refined import smoothed
from cardiotwin.segmentation.scar import enhancement
from cardiotwin.settings import SegmentSettings

METHODS = standard_methods(SegmentSettings().sweep)
WALL = (2, 4, 5)


def given_contours(image: Image, labels: np.ndarray, wall: np.ndarray) -> Segmentation:
    """Blood as drawn, and the wall whose signal scar methods get; drawn scar becomes wall."""
    scar = enhancement(image, wall, labels == 1, labels == 3)
    plain = np.where(wall, 2, labels).astype(np.uint8)
    return Segmentation(plain, image.affine, scar.signal, True, {}, scar.measured, scar.faintest)


def mass_g(mask: np.ndarray, affine: np.ndarray) -> float:
    """Of a mask, at 1.05 g/mL."""
    return float(DENSITY_G_PER_ML * 1e-3 * mask.sum() * abs(np.linalg.det(affine[:3, :3])))


def phantom_rows(seeds: tuple[int, ...]) -> Iterator[Row]:
    """Core by the default method, in the true and in the automatic wall; every method on the first phantom."""
    for seed in seeds:
        image, truth = scan(make_anatomy(seed), LgeScan(seed=seed))
        left_wall = near_left_blood(truth.labels, image.spacing_mm)  # the right one is too thin for a signal
        core, scar = truth.labels == 4, np.isin(truth.labels, (4, 5))
        for wall, one in (("true", given_contours(image, truth.labels, left_wall)), ("automatic", segment(image))):
            found = delineated(one, METHODS[1])
            name = f"phantom {seed}, {wall} wall"
            yield at_least(f"{name}: core", [dice(found.core, core)], "Dice", 0.75)
            error = 100 * (found.core_g / mass_g(core, image.affine) - 1)
            yield at_most(f"{name}: core mass error", [error], "%", 15.0)
            both = 100 * ((found.core_g + found.border_zone_g) / mass_g(scar, image.affine) - 1)
            yield row(f"{name}: core and border zone mass error", both, "%")
            if seed == seeds[0] and wall == "true":
                yield from method_rows(name, one, core, scar)
        yield from corridor_rows(seed, truth)


def method_rows(name: str, one: Segmentation, core: np.ndarray, scar: np.ndarray) -> Iterator[Row]:
    """Every method: overlap of its core with the core and of all it finds with all there is."""
    for method in METHODS:
        found = delineated(one, method)
        everything = found.core | found.border_zone
        note = f"with border zone {dice(everything, scar):.2f}; {found.core_g:.1f} + {found.border_zone_g:.1f} g"
        yield row(f"{name}: {method.name}", dice(found.core, core), "Dice", note=note)


def real_rows() -> Iterator[Row]:
    """One LGE stack, scar as a reader drew it, inside the reader's contours."""
    paths = data(LGE, LGE_SCAR)
    if paths is None:
        yield skipped("real LGE, reader's wall: best method")
        return
    values, affine = volume(paths[0])
    drawn, _ = volume(paths[1])
    image = Image(values.astype(np.float32), affine, "lge")
    wall, scar = np.isin(drawn, WALL), drawn == 4
    one = given_contours(image, drawn, wall)
    raw = measured(image.values, wall, image.spacing_mm)
    best = 0.0
    for method in METHODS:
        found, plain = delineated(one, method), delineate(method, raw, image.spacing_mm)
        note = f"{found.core_g:.1f} g of {mass_g(scar, affine):.1f}; image as it is {dice(plain.core, scar):.2f}"
        best = max(best, dice(found.core, scar), dice(plain.core, scar))
        yield row(f"real LGE, reader's wall: {method.name}", dice(found.core, scar), "Dice", note=note)
    assert one.signal is not None
    levels = np.nanquantile(one.signal, np.linspace(0.5, 0.999, 60))
    reach = max(dice(wall & (np.nan_to_num(one.signal) > level), scar) for level in levels)
    yield at_least("real LGE, reader's wall: best method", [best], "Dice", 0.6, f"best of any threshold {reach:.2f}")


def corridor_rows(seed: int, truth: Segmentation) -> Iterator[Row]:
    """The phantom's corridor, 6 mm wide, in slices of 8 mm."""
    line = corridor_centre_line(make_anatomy(seed))
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
    found = find_corridors(truth)
    yield row(f"phantom {seed}: corridors", len(found), "", note="1 in truth")
    if found:
        note = f"truth {length:.1f} mm long, 6 mm wide; found {found[0].narrowest_mm:.1f} mm wide"
        yield row(f"phantom {seed}: length of the corridor", found[0].length_mm, "mm", note=note)


def small_rows() -> Iterator[Row]:
    """Share of its volume that a sphere keeps under a Gaussian of 1 mm."""
    step = 0.25
    z, y, x = (np.indices((64, 64, 64)) - 31.5) * step
    for diameter in (2, 3, 4, 5, 6):
        mask = z**2 + y**2 + x**2 < (diameter / 2) ** 2
        cut = ndimage.gaussian_filter(mask.astype(float), 1.0 / step) > 0.5
        kept = smoothed(mask, np.full(3, step), 1.0).sum() / mask.sum()
        note = f"cut at one half {cut.sum() / mask.sum():.2f}"
        yield at_least(f"sphere of {diameter} mm: volume kept", [kept], "share", 0.99, note)


def alignment_rows(truth: Segmentation, name: str) -> Iterator[Row]:
    """Root mean square of what is left of a shift of 6 mm of one or two slices, over six draws."""
    pixel = np.linalg.norm(truth.affine[:3, :3], axis=0)[[1, 0]]
    slices = np.flatnonzero((truth.labels == 1).any(axis=(1, 2)))
    moved = int(aligned_slices(truth)[1].shifts.any(axis=1).sum())
    yield at_most(f"{name}, no shift: slices moved", [moved], "", 0)
    for count in (1, 2):
        before, after = [], []
        for seed in range(6):
            rng = np.random.default_rng(seed)
            shifts = np.zeros((len(truth.labels), 2), int)
            for k in rng.choice(slices[1:-1], count, replace=False):
                turn = rng.uniform(0, 2 * np.pi)
                shifts[k] = np.rint(6.0 * np.array([np.cos(turn), np.sin(turn)]) / pixel)
            labels = np.stack([ndimage.shift(s, move, order=0) for s, move in zip(truth.labels, shifts, strict=True)])
            found = aligned_slices(Segmentation(labels, truth.affine, None, True, {}))[1].shifts
            before.append(float(np.sqrt(((shifts * pixel)[slices] ** 2).sum(axis=1).mean())))
            after.append(float(np.sqrt((((shifts + found) * pixel)[slices] ** 2).sum(axis=1).mean())))
        note = f"{np.mean(before):.2f} mm before"
        yield row(f"{name}, {count} of {len(slices)} slices shifted by 6 mm", float(np.mean(after)), "mm", note=note)


def rows(seeds: tuple[int, ...] = (1, 2, 3)) -> Iterator[Row]:
    """Everything about scar, a row each."""
    yield from phantom_rows(seeds)
    yield from real_rows()
    yield from small_rows()
    _, truth = scan(make_anatomy(seeds[0]), LgeScan(seed=seeds[0], rows=112, columns=112))
    yield from alignment_rows(truth, f"phantom {seeds[0]}")
    paths = data(LGE_SCAR)
    if paths:
        drawn, affine = volume(paths[0])
        yield from alignment_rows(Segmentation(drawn.astype(np.uint8), affine, None, True, {}), "real LGE")


def main() -> None:
    """Print the table, or one JSON object."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    show([rows(tuple(arguments.seeds))], as_json=arguments.json)


if __name__ == "__main__":
    main()
