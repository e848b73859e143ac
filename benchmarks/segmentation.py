"""Overlap of the automatic segmentation with what is known: the phantom's truth, and what people drew.

python benchmarks/segmentation.py [--json] [--seeds 1 2 3]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cardiotwin.imaging import Image
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.segmentation import from_label_map, segment, volumes_ml

DATA = Path(os.environ.get("CARDIOTWIN_DATA", Path(__file__).parents[2] / "shared" / "data"))
WALL, SCAR = (2, 4, 5), (4, 5)
REAL = {
    "LGE": ("lge", "lge_cmr_nifti/lge_sax.nii.gz", "lge_cmr_nifti/labels_with_scar4.nii.gz"),
    "cine": (
        "cine",
        "cine_cmr_labels/cine_sax_frame000.nii.gz",
        "cine_cmr_labels/labels_frame000_lvbp1_myo2_rvbp3.nii.gz",
    ),
}


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Twice the overlap over the sum of both; 1 where both are empty."""
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 1.0


def row(name: str, value: float, unit: str, bar: float | None = None, note: str = "") -> dict:
    """One line of the table; `bar` is what was asked, or None where nothing was."""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "bar": bar,
        "ok": bar is None or value >= bar,
        "note": note,
    }


def left_wall(truth: np.ndarray, affine: np.ndarray, reach_mm: float = 13.0) -> np.ndarray:
    """Myocardium within reach of left blood in its slice: the rest of a biventricular label is right free wall."""
    from scipy import ndimage

    pixel = np.linalg.norm(affine[:3, [1, 0]], axis=0)
    apart = np.full(truth.shape, np.inf)
    for k, plane in enumerate(truth):
        if (plane == 1).any():
            apart[k] = ndimage.distance_transform_edt(plane != 1, sampling=pixel)
    return np.isin(truth, WALL) & (apart < reach_mm)


def compared(name: str, image: Image, truth: np.ndarray, biventricular: bool) -> Iterator[dict]:
    """Rows for one stack."""
    start = time.perf_counter()
    result = segment(image)
    seconds = time.perf_counter() - start
    ours, given = volumes_ml(result), volumes_ml(from_label_map(truth, image.affine))
    yield row(f"{name}: LV blood", dice(result.labels == 1, truth == 1), "Dice", 0.85)
    note = "truth holds the right free wall, which the mesh adds" if biventricular else ""
    yield row(f"{name}: wall", dice(np.isin(result.labels, WALL), np.isin(truth, WALL)), "Dice", 0.80, note)
    if biventricular:
        near = left_wall(truth, image.affine)
        yield row(f"{name}: wall near the LV", dice(np.isin(result.labels, WALL), near), "Dice")
    yield row(f"{name}: RV blood", dice(result.labels == 3, truth == 3), "Dice")
    if result.scar_assessable:
        yield row(f"{name}: scar", dice(np.isin(result.labels, SCAR), np.isin(truth, SCAR)), "Dice", 0.70)
        yield row(f"{name}: core", ours["core"], "mL", note=f"truth {given['core']:.1f} mL")
        yield row(f"{name}: border zone", ours["border_zone"], "mL", note=f"truth {given['border_zone']:.1f} mL")
    yield row(f"{name}: time", seconds, "s", note=f"slices {result.confidence['slices']}")


def volume(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values and LPS affine of a NIfTI file."""
    import SimpleITK

    picture = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(picture.GetDirection(), (3, 3)) * picture.GetSpacing()
    affine[:3, 3] = picture.GetOrigin()
    return SimpleITK.GetArrayFromImage(picture), affine


def rows(seeds: list[int]) -> Iterator[dict]:
    """Phantoms first, then real stacks where they are on this machine."""
    for seed in seeds:
        image, truth = scan(make_anatomy(seed), LgeScan(seed=seed))
        yield from compared(f"phantom {seed}", image, truth.labels, biventricular=True)
    for name, (kind, picture, drawn) in REAL.items():
        if (DATA / picture).exists():
            values, affine = volume(DATA / picture)
            truth = volume(DATA / drawn)[0]
            yield from compared(f"real {name}", Image(values.astype(np.float32), affine, kind), truth, kind == "cine")


def main() -> None:
    """Print the table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    arguments = parser.parse_args()
    table = list(rows(arguments.seeds))
    if arguments.json:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(json.dumps({"machine": machine, "rows": table}))
        return
    for line in table:
        verdict = "" if line["bar"] is None else f"{'ok' if line['ok'] else 'BELOW'} (asked {line['bar']})"
        print(f"{line['name']:28} {line['value']:8.3f} {line['unit']:5} {verdict:18} {line['note']}")


if __name__ == "__main__":
    main()
