"""Which segment of a label map is which region: as the user says, else guessed and held against anatomy.

Conventions read in the tools' own sources and data descriptions: ACDC (Bernard et al. 2018, doi
10.1109/TMI.2018.2837502; nnU-Net keeps its codes), M&Ms (Campello et al. 2021, doi 10.1109/TMI.2021.3090082), MM-WHS
(Zhuang & Shen 2016), MyoPS (Li et al. 2023), TotalSegmentator's task `heartchambers_highres`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.segmentation.label_map import LabelMap
from cardiotwin.segmentation.labels import BACKGROUND, BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, NAMES, RV_BLOOD
from cardiotwin.segmentation.plausible import contradiction
from cardiotwin.settings import LabelSettings
from cardiotwin.units import cubic_mm_to_ml

MOST_STRAY = 0.05
"""Share of the labelled voxels that may be of unknown labels in a heart that is otherwise in a known coding."""
PRECEDENCE = (BACKGROUND, MYOCARDIUM, RV_BLOOD, LV_BLOOD, BORDER_ZONE, CORE)
"""Where segments overlap the later wins: a filled epicardial contour is muscle where no blood is drawn."""

CONVENTIONS: dict[str, dict[int, int]] = {
    "CardioTwin or M&Ms": {1: LV_BLOOD, 2: MYOCARDIUM, 3: RV_BLOOD, 4: CORE, 5: BORDER_ZONE},
    "ACDC or nnU-Net": {1: RV_BLOOD, 2: MYOCARDIUM, 3: LV_BLOOD},
    "TotalSegmentator heartchambers_highres": {
        1: MYOCARDIUM, 2: BACKGROUND, 3: LV_BLOOD, 4: BACKGROUND, 5: RV_BLOOD, 6: BACKGROUND, 7: BACKGROUND
    },
    "MM-WHS": {
        205: MYOCARDIUM, 420: BACKGROUND, 500: LV_BLOOD, 550: BACKGROUND, 600: RV_BLOOD, 820: BACKGROUND,
        850: BACKGROUND,
    },
    "MyoPS": {200: MYOCARDIUM, 500: LV_BLOOD, 600: RV_BLOOD, 1220: MYOCARDIUM, 2221: CORE},
}  # fmt: skip
"""What other tools write; atria and vessels are background to a ventricular model, oedema is muscle."""

_UNNAMED = re.compile(r"(segment|label|region|mask|class|object|new label)?[ _]*\d*", re.IGNORECASE)
_WORDS: tuple[tuple[int, str], ...] = (
    (BORDER_ZONE, r"border|grey zone|gray zone|greyzone|grayzone|peri ?infarct|\bbz\b|\bgz\b"),
    (CORE, r"scar|infarct|\bcore\b|fibrosis|hyperenhanc|necrosis|no ?reflow|\bmvo\b"),
    (
        BACKGROUND,
        r"\batri|auricle|appendage|\bla\b|\bra\b|aort|pulmonary|arter|vein|vena|valve|\bfat\b|lung|liver|spleen|"
        r"pericard|background|coronar|torso|\bbody\b|oesophag|esophag|spine|rib\b|outside|exterior",
    ),
    (MYOCARDIUM, r"\bmyo|muscle|\bwall\b|\bepi|septum|oedema|edema"),
    (LV_BLOOD, r"\blv|left ventric|ventric\w* left"),
    (RV_BLOOD, r"\brv|right ventric|ventric\w* right"),
)
"""Checked in this order; a ventricle without a word for its wall is its blood, as in ACDC and TotalSegmentator."""
_RIGHT = dict(_WORDS)[RV_BLOOD]


@dataclass(frozen=True)
class Coding:
    """What every segment is.

    Attributes
    ----------
    regions : tuple of int
        One of `BACKGROUND` ... `BORDER_ZONE` for each segment.
    note : str
        One line: what it was read as and how to say otherwise; "" where CardioTwin's own codes were found.
    """

    regions: tuple[int, ...]
    note: str = ""


def decode(label_map: LabelMap, settings: LabelSettings | None = None) -> tuple[np.ndarray, str]:
    """Labels in CardioTwin's coding, and a line on what was guessed.

    Returns
    -------
    labels : (n_slices, n_rows, n_columns) uint8
    note : str
        "" where there is nothing to tell.

    Raises
    ------
    InputRejected
        A segment that nothing says the region of; names it with its voxel count.
    """
    settings = settings or LabelSettings()
    left_out = {_key(entry) for entry in settings.background}
    coding = _as_told(label_map, settings) if settings.lv_blood else _guessed(label_map, left_out)
    return _labels(label_map, coding.regions), coding.note


def right_wall_by_name(label_map: LabelMap) -> np.ndarray | None:
    """(n_slices, n_rows, n_columns) bool, where a segment such as "RV wall" lies and no other muscle does.

    None where no name says that muscle is the right ventricle's.
    """
    muscle = {k for k, one in enumerate(label_map.segments) if _by_name(one.name) == MYOCARDIUM}
    right = {k for k in muscle if re.search(_RIGHT, _words(label_map.segments[k].name))}
    if not right:
        return None
    return np.array([bool(right & set(parts)) and not (muscle - right) & set(parts) for parts in label_map.members])[
        label_map.codes
    ]


def _labels(label_map: LabelMap, regions: tuple[int, ...]) -> np.ndarray:
    rank = {region: place for place, region in enumerate(PRECEDENCE)}
    table = [max((regions[k] for k in parts), key=rank.__getitem__, default=BACKGROUND) for parts in label_map.members]
    return np.array(table, np.uint8)[label_map.codes]


def _as_told(label_map: LabelMap, settings: LabelSettings) -> Coding:
    told = {_key(entry): NAMES.index(region) for region, entries in settings.told().items() for entry in entries}
    regions = [told.get(_key(one.name), told.get(_key(one.value))) for one in label_map.segments]
    missing = [k for k, region in enumerate(regions) if region is None]
    if missing:
        raise InputRejected(
            f"label map: found {label_map.listed(missing)} that [labels] in twin.toml does not name; expected every "
            "label in one region. Add them, to labels.background where they are to be left out"
        )
    known = tuple(int(region) for region in regions if region is not None)
    why = _objection(label_map, known)
    return Coding(known, f"label map: [labels] in twin.toml is used, although {why}" if why else "")


def _key(entry: int | str) -> str:
    return str(entry).strip().casefold()


def _guessed(label_map: LabelMap, left_out: set[str]) -> Coding:
    """By names where there are any, else by the codes of a known tool; never against anatomy.

    Segments that `left_out` names are background in every coding.
    """
    gone = [k for k, one in enumerate(label_map.segments) if {_key(one.name), _key(one.value)} & left_out]
    if len(label_map.segments) - len(gone) == 1:
        _refuse_one(label_map, next(k for k in range(len(label_map.segments)) if k not in gone))
    by_name = [BACKGROUND if k in gone else _by_name(one.name) for k, one in enumerate(label_map.segments)]
    if any(region not in (None, BACKGROUND) for region in by_name):
        return _by_names(label_map, by_name)
    return _by_codes(label_map, gone)


def _refuse_one(label_map: LabelMap, index: int) -> NoReturn:
    """A region drawn alone, such as the scar: whatever it is, it is no heart, and no setting makes it one."""
    voxel_ml = cubic_mm_to_ml(abs(float(np.linalg.det(label_map.affine[:3, :3]))))
    raise QualityGate(
        f"label map: found a single label, {label_map.listed([index])}, {label_map.counts()[index] * voxel_ml:.3g} mL; "
        "expected a label each for left ventricular blood and myocardium at least. Scar alone is no heart: write it "
        "as label 4 (border zone: 5) into the map that holds cavity and wall, and add that one"
    )


def _by_names(label_map: LabelMap, regions: list[int | None]) -> Coding:
    unknown = [k for k, region in enumerate(regions) if region is None]
    if unknown:
        raise InputRejected(
            f"label map: found segment {label_map.listed(unknown)} of unknown meaning; expected names such as "
            f"'LV blood', 'Myocardium', 'RV blood', 'Scar'. {_advice(label_map)}"
        )
    known = tuple(int(region) for region in regions if region is not None)
    if why := _objection(label_map, known):
        raise InputRejected(
            f"label map: by its names {_told(label_map, known)}, but {why}; expected a thick wall around the left "
            f"ventricular blood and the right one beside it. {_advice(label_map)}"
        )
    return Coding(known, f"label map: read by the names in {label_map.form}: {_told(label_map, known)}; {_OVERRULE}")


def _by_codes(label_map: LabelMap, gone: list[int]) -> Coding:
    reasons = []
    for tool in CONVENTIONS:
        regions = _in_codes_of(tool, label_map, gone)
        if -1 in regions:
            continue
        why = _objection(label_map, regions)
        if not why:
            own = tool == "CardioTwin or M&Ms" and not gone
            note = f"label map: read in the coding of {tool}: {_told(label_map, regions)}; {_OVERRULE}"
            return Coding(regions, "" if own else note)
        reasons.append(f"as {tool} {why}")
    _check_strays(label_map, gone)
    if reasons:
        # Of the right kind but incomplete is not the same as wrong.
        error = QualityGate if any(" no " in reason for reason in reasons) else InputRejected
        found = label_map.listed() or "0 (all voxels)"
        raise error(f"label map: found labels {found} that make no heart: {'; '.join(reasons)}. {_advice(label_map)}")
    ours = CONVENTIONS["CardioTwin or M&Ms"]
    foreign = [k for k, one in enumerate(label_map.segments) if one.value not in ours]
    raise InputRejected(
        f"label map: found unknown labels {label_map.listed(foreign)}; expected 0 background, 1 LV blood, "
        f"2 myocardium, 3 RV blood, 4 scar core, 5 border zone, or the codes of {', '.join(list(CONVENTIONS)[1:])}. "
        f"{_advice(label_map)}"
    )


def _in_codes_of(tool: str, label_map: LabelMap, gone: Sequence[int]) -> tuple[int, ...]:
    """The region of each segment in a tool's codes, -1 where it has none; `gone` are background."""
    codes = CONVENTIONS[tool]
    return tuple(BACKGROUND if k in gone else codes.get(one.value, -1) for k, one in enumerate(label_map.segments))


def _check_strays(label_map: LabelMap, gone: Sequence[int]) -> None:
    """Refuse a heart in a tool's codes with a few voxels of other ones, and say how to leave these out."""
    counts = label_map.counts()
    for tool in CONVENTIONS:
        regions = _in_codes_of(tool, label_map, gone)
        strays = [k for k, region in enumerate(regions) if region == -1]
        few = sum(counts[k] for k in strays) < MOST_STRAY * sum(counts)
        if strays and few and not _objection(label_map, tuple(max(region, BACKGROUND) for region in regions)):
            values = ", ".join(str(label_map.segments[k].value) for k in strays)
            raise InputRejected(
                f"label map: found unknown label {label_map.listed(strays)} in a heart in the coding of {tool}; "
                f"expected a region for every label. background = [{values}] under [labels] in twin.toml leaves it out"
            )


_OVERRULE = "[labels] in twin.toml overrules it"


def _advice(label_map: LabelMap) -> str:
    """Where to say it. Not which label is which: only their author knows, and a guess may make scar of blood."""
    labels = [f'"{one.name}"' if one.name else str(one.value) for one in label_map.segments]
    if not labels:
        return "Draw the heart, or save the right file"
    return (
        f"Say under [labels] in twin.toml which of {', '.join(labels)} is lv_blood = [...], myocardium = [...] "
        "and, where drawn, rv_blood, core (scar), border_zone or background"
    )


def _told(label_map: LabelMap, regions: tuple[int, ...]) -> str:
    """``1 = rv_blood, 2 = myocardium``: what each segment was taken for."""
    words = (f"{one} = {NAMES[region]}" for one, region in zip(label_map.segments, regions, strict=True))
    return ", ".join(words)


def _objection(label_map: LabelMap, regions: tuple[int, ...]) -> str:
    spacing_mm = np.linalg.norm(label_map.affine[:3, :3], axis=0)[::-1]
    return contradiction(_labels(label_map, regions), spacing_mm)


def _by_name(name: str) -> int | None:
    """The region a segment's name stands for; None where it says nothing."""
    if _UNNAMED.fullmatch(name.strip()):
        return None
    words = _words(name)
    return next((region for region, pattern in _WORDS if re.search(pattern, words)), None)


def _words(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.sub(r"[^a-z0-9]+", " ", words.lower()).strip()
    return re.sub(r"\b(lv|rv)(?=[a-z])", r"\1 ", words)
