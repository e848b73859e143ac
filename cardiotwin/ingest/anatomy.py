"""Whether a labelled heart is a heart, or its reflection in a mirror."""

from __future__ import annotations

import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.imaging import apply_affine
from cardiotwin.segmentation import LV_BLOOD, RV_BLOOD

N_LEVELS = 10
ON_EDGE_MM = 0.01
FEWEST_LEVELS = 3
FEWEST_VOXELS = 10
LARGEST_TILT_DEG = 30.0
CLEAR_TWIST_DEG = 6.0
"""Phantoms without a twist measure 0 to 2.5 degrees on 8 mm slices, the least twisted real label map 13."""
CLEAR_ROUGH_TWIST_DEG = 10.0
"""By nodes of surfaces, unevenly spread, an idealised heart without a twist measures up to 6 degrees, by contours that
were drawn automatically up to 3."""

TO_APEX = np.array([1.0, -1.0, -1.0]) / np.sqrt(3)
"""Left, front, feet."""
TO_RIGHT_VENTRICLE = np.array([-1.0, -1.0, 0.0]) / np.sqrt(2)
"""Right, front."""
LEAST_RIGHT_SHARE = 0.2
"""Of the left pool: a smaller right one was not found, or hardly."""
ADVICE = {
    "label map": "Check the sign of each axis in the program that wrote it, and save it in the patient frame (LPS)",
    "mesh": "Check the sign of each axis in the program that wrote it, or, in twin.toml, under [mesh_file], set "
    'frame = "ras" (or "lps")',
    "image": "Export the series again; if the contours are wrong, give a label map, if all is right, in "
    "twin.toml, under [segment], set allow_mirrored = true",
}
LEAST_APEX_COSINE = 0.5
"""Real apices lie within 30 degrees of `TO_APEX`; 60 degrees leaves room for a lying or a vertical heart. An apex on
`TO_APEX` that is reflected along one axis of the patient is 71 degrees from it."""


def check_not_mirrored(labels: np.ndarray, affine: np.ndarray) -> float:
    """Refuse a mirrored heart, by the way its right ventricle winds around the left.

    Two directions, base to apex and left to right ventricle, can always be turned into any other two: they cannot tell
    a heart from its mirror image. A third is needed that belongs to the heart. At the base the right ventricle lies in
    front, under the outflow tract; towards the apex it winds to the inferior wall. Its centre turns by 13 to 68 degrees
    around the left ventricle (five subjects), always the same way. In a reflected heart it turns the other way,
    whichever plane it was reflected in and however it lies in the patient; mistaking base for apex changes nothing.

    Where the right ventricle hardly winds, as in an idealised heart, only the pose is left: the apex points to the
    patient's left, front and feet, and the right ventricle lies to the right and in front. The pose also finds a map
    whose axes are those of another frame (RAS read as LPS).

    A left ventricle alone, nearly round, is its own mirror image: only where its apex points can be judged, which finds
    another frame but not a mirror.

    Parameters
    ----------
    labels : (n_slices, n_rows, n_columns) uint8
    affine : (4, 4) float64

    Returns
    -------
    float
        Twist from base to apex, degrees; positive in a human heart. NaN without a right ventricle.

    Raises
    ------
    InputRejected
        Mirrored, or lying in the patient as no heart does.
    QualityGate
        No blood pools to judge by.
    """
    left, right = (_points(labels == label, affine) for label in (LV_BLOOD, RV_BLOOD))
    if len(left) < FEWEST_VOXELS or 0 < len(right) < FEWEST_VOXELS:
        raise QualityGate(
            f"label map: found {len(left)} voxels of label {LV_BLOOD} (LV blood) and {len(right)} of label {RV_BLOOD} "
            f"(RV blood), expected {FEWEST_VOXELS} of each to tell a heart from its mirror image. Complete them, or "
            "leave the right ventricle out"
        )
    to_apex = _apex_direction(left, right if len(right) else left)
    return _judged(left, right, to_apex, _level_direction(affine, to_apex), "label map")


def check_image_not_mirrored(labels: np.ndarray, affine: np.ndarray) -> float:
    """As `check_not_mirrored`, for an image, by contours that were drawn on it automatically.

    Contours are sought where the right ventricle should be, so in a mirrored image it may be missed: where it was not
    found, or hardly, only the apex is judged.

    Returns
    -------
    float
        NaN without a right ventricle.

    Raises
    ------
    QualityGate
        Mirrored, or lying in the patient as no heart does.
    """
    left, right = (_points(labels == label, affine) for label in (LV_BLOOD, RV_BLOOD))
    if len(right) < LEAST_RIGHT_SHARE * len(left):
        right = right[:0]
    to_apex = _apex_direction(left, right if len(right) else left)
    try:
        return _judged(left, right, to_apex, _level_direction(affine, to_apex), "image")
    except InputRejected as error:
        raise QualityGate(str(error)) from None


def check_mesh_not_mirrored(left: np.ndarray, right: np.ndarray, base: np.ndarray) -> float:
    """As `check_not_mirrored`, for a mesh: by the nodes of its surfaces.

    Parameters
    ----------
    left, right, base : (n, 3) float64
        Nodes of left and right endocardium and base, mm; `right` may be empty.

    Returns
    -------
    float
        Twist from base to apex, degrees; NaN without a right ventricle.

    Raises
    ------
    InputRejected
        Mirrored, or lying in the patient as no heart does.
    """
    to_apex = _apex_direction(left, right if len(right) else left)
    if to_apex @ (left.mean(axis=0) - base.mean(axis=0)) < 0:
        to_apex = -to_apex
    return _judged(left, right, to_apex, to_apex, "mesh")


def _judged(left: np.ndarray, right: np.ndarray, to_apex: np.ndarray, level: np.ndarray, what: str) -> float:
    """The twist of two cavities, refused where it or their pose is that of no heart; `level` is across the levels."""
    if not len(right):
        _check_pose(to_apex, None, what)
        return float("nan")
    to_right = _across(right.mean(axis=0) - left.mean(axis=0), to_apex)
    twist_deg = _twist_deg(left, right, level, to_right)
    if twist_deg < -(CLEAR_TWIST_DEG if what == "label map" else CLEAR_ROUGH_TWIST_DEG):
        raise InputRejected(
            f"{what}: found a mirrored heart: from base to apex the right ventricle winds {-twist_deg:.0f} degrees "
            f"the wrong way round the left one. {ADVICE[what]}"
        )
    _check_pose(to_apex, to_right, what)
    return twist_deg


def standing(left: np.ndarray, right: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, str]:
    """The turn that puts a heart where hearts lie in LPS, and how in words; the identity and "" where it does already.

    Surfaces carry no frame. Those of other programs are often in RAS, and those of atlases in none at all. A turn is
    never a mirror: what is mirrored stays so, for `check_not_mirrored` to find.

    Parameters
    ----------
    left, right : (n_slices, n_rows, n_columns) bool
        Blood pools.
    affine : (4, 4) float64

    Returns
    -------
    turn : (4, 4) float64
    how : str
    """
    pools = _points(left, affine), _points(right, affine)
    if min(map(len, pools)) < FEWEST_VOXELS:
        return np.eye(4), ""
    to_apex = _apex_direction(*pools)
    to_right = _across(pools[1].mean(axis=0) - pools[0].mean(axis=0), to_apex)
    from_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    for turn, how in ((np.eye(4), ""), (from_ras, "the heart lies as in RAS; turned into LPS")):
        if _lies_well(turn[:3, :3] @ to_apex, turn[:3, :3] @ to_right):
            return turn, how
    wanted, found = (
        np.column_stack([apex, across, np.cross(apex, across)])
        for apex, across in ((TO_APEX, _across(TO_RIGHT_VENTRICLE, TO_APEX)), (to_apex, to_right))
    )
    turn = np.eye(4)
    turn[:3, :3] = wanted @ found.T
    return turn, "in no patient's frame; turned so that the apex lies left, in front and below"


def _points(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(n, 3) positions in LPS of the voxels in a mask."""
    return apply_affine(affine, np.argwhere(mask)[:, ::-1])


def _apex_direction(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(3,) unit vector from base to apex.

    The left ventricle is nearly round, so its long axis is the principal axis whose moment differs most from the other
    two, also where the stack is short and the axis is not the longest. Blood thins out towards the apex: there lies the
    long tail of its heights.
    """
    moments, axes = np.linalg.eigh(np.cov(left.T))
    axis = axes[:, 0] if moments[1] - moments[0] > moments[2] - moments[1] else axes[:, 2]
    tail = sum(np.mean(((pool - pool.mean(axis=0)) @ axis) ** 3) for pool in (left, right))
    return axis if tail > 0 else -axis


def _level_direction(affine: np.ndarray, to_apex: np.ndarray) -> np.ndarray:
    """(3,) unit vector across the levels at which the twist is measured: the slice direction, if that is near the axis.

    Levels a few degrees oblique to thick slices cut each slice in part, now here, now there: on an untwisted phantom
    with 8 mm slices that alone made 27 degrees.
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = to_apex @ axes
    nearest = int(np.abs(cosines).argmax())
    if abs(cosines[nearest]) < np.cos(np.radians(LARGEST_TILT_DEG)):
        return to_apex
    return axes[:, nearest] * np.sign(cosines[nearest])


def _across(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The part of a vector across a unit axis, at length 1."""
    across = vector - (vector @ axis) * axis
    return across / np.linalg.norm(across)


def _twist_deg(left: np.ndarray, right: np.ndarray, axis: np.ndarray, towards: np.ndarray) -> float:
    """By how much the centre of the right ventricle turns around that of the left, from base to apex."""
    to_right = _across(towards, axis)
    behind = np.cross(axis, to_right)
    height = right @ axis
    # Slices may lie exactly on an edge: a hundredth of a millimetre below, rounding cannot part one between two levels.
    edges = np.linspace(height.min(), height.max(), N_LEVELS + 1) - ON_EDGE_MM
    edges[-1] += 2 * ON_EDGE_MM
    levels, angles = [], []
    for level in range(N_LEVELS):
        near, far = (_between(pool, axis, edges[level], edges[level + 1]) for pool in (left, right))
        if min(len(near), len(far)) < FEWEST_VOXELS:
            continue
        offset = far.mean(axis=0) - near.mean(axis=0)
        levels.append(level / (N_LEVELS - 1))
        angles.append(np.arctan2(offset @ behind, offset @ to_right))
    if len(levels) < FEWEST_LEVELS:
        return 0.0
    return float(np.degrees(np.polyfit(levels, np.unwrap(angles), 1)[0]))


def _between(points: np.ndarray, axis: np.ndarray, low: float, high: float) -> np.ndarray:
    height = points @ axis
    return points[(height >= low) & (height < high)]


def _lies_well(to_apex: np.ndarray, to_right: np.ndarray) -> bool:
    return bool(to_apex @ TO_APEX >= LEAST_APEX_COSINE and to_right @ TO_RIGHT_VENTRICLE >= 0)


def _check_pose(to_apex: np.ndarray, to_right: np.ndarray | None, what: str) -> None:
    if _lies_well(to_apex, TO_RIGHT_VENTRICLE if to_right is None else to_right):
        return
    found, expected = f"the apex towards {_words(to_apex)}", "left, front, feet"
    if to_right is not None:
        found, expected = f"{found} and the right ventricle towards {_words(to_right)}", f"{expected} and right, front"
    raise InputRejected(
        f"{what}: found {found}; expected {expected}. It is mirrored or in another frame. {ADVICE[what]}"
    )


def _words(direction: np.ndarray) -> str:
    """``left, front, feet``: the parts of a direction that count, largest first."""
    names = (("right", "left"), ("front", "back"), ("feet", "head"))
    order = np.argsort(-np.abs(direction))
    return ", ".join(names[axis][int(direction[axis] > 0)] for axis in order if abs(direction[axis]) > 0.3)
