"""A DICOM folder as one volume in patient coordinates."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.errors import CardioTwinError, InputRejected, QualityGate, ResourceLimit
from cardiotwin.imaging import Image
from cardiotwin.ingest.archives import opened
from cardiotwin.ingest.damaged import together
from cardiotwin.ingest.dicom_file import quiet
from cardiotwin.ingest.guard import check_unchanged
from cardiotwin.ingest.pixels import PixelSource
from cardiotwin.ingest.slices import Slice
from cardiotwin.ingest.stacks import (
    ONE_SERIES,
    ONE_SERIES_PER_SLICE,
    Grid,
    in_line,
    make_grid,
    parallel,
)
from cardiotwin.ingest.study import Series, Study, survey
from cardiotwin.ingest.wording import shown
from cardiotwin.progress import Progress, part, silent

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FEWEST_POSITIONS = 3
MOST_VOLUME_BYTES = 4 << 30
KINDS = ("lge", "cine")


@dataclass(frozen=True, eq=False)
class Stack:
    """Series that make one volume.

    Attributes
    ----------
    series : tuple of Series
        One, or one per slice position.
    kind : str
        ``"lge"``, ``"cine"`` or ``""``.
    """

    series: tuple[Series, ...]
    kind: str

    @property
    def slices(self) -> tuple[Slice, ...]:
        return tuple(one for series in self.series for one in series.slices)

    @property
    def n_positions(self) -> int:
        return sum(series.n_positions for series in self.series)

    def __str__(self) -> str:
        if len(self.series) == 1:
            return str(self.series[0])
        numbers = ", ".join(series.number or "-" for series in self.series)
        return f"{len(self.series)} single-slice series ({numbers}): {self.kind or 'undecided'}"


@dataclass(frozen=True)
class Wanted:
    """What the user says about an export.

    Attributes
    ----------
    series : str, sequence of str, optional
        Series Instance UID, series number or (part of) the description: needed where there are several candidates.
    kind : {"lge", "cine", "tachycardia"}, optional
        Of an image series, needed where the header does not say; or that ECGs show the patient's tachycardia.
    skip_bad : bool
        Leave out damaged files, with a note each, instead of refusing all.
    accept_burned_in : bool
        Take pixels that may show a name: somebody has looked at them.
    hz : float, optional
        Samples per second of an ECG in a CSV that does not say.
    unit : {"mV", "uV", "V"}, optional
        Of an ECG in a CSV that does not say.
    """

    series: str | Sequence[str] | None = None
    kind: str | None = None
    skip_bad: bool = False
    accept_burned_in: bool = False
    hz: float | None = None
    unit: str | None = None


@dataclass(frozen=True, eq=False)
class Taken:
    """One stack out of an export.

    Attributes
    ----------
    image : Image
    files : tuple of Path
        What it was read from.
    header : Dataset
        Of the first of them.
    choice : tuple of str
        One line for the series that was taken and why, one for each series or file that was left out and why.
    """

    image: Image
    files: tuple[Path, ...]
    header: Dataset
    choice: tuple[str, ...]


@quiet()
def take_dicom(
    path: str | Path | Iterable[str | Path], wanted: Wanted | None = None, *, progress: Progress = silent
) -> Taken:
    """The stack that `read_dicom` reads, with its files and the reasons; see there."""
    wanted = wanted or Wanted()
    if wanted.kind is not None and wanted.kind not in KINDS:
        raise InputRejected(f"kind={wanted.kind!r}: expected one of {', '.join(KINDS)}")
    study = survey(
        path,
        skip_bad=wanted.skip_bad,
        accept_burned_in=wanted.accept_burned_in,
        progress=part(progress, 0.0, 0.5),
    )
    stack, notes = choose(study, series=wanted.series, kind=wanted.kind)
    image = _load(stack, wanted.kind or stack.kind, study.skipped, part(progress, 0.5, 1.0))
    files = tuple(one.path for group in stack.series for one in group.instances)
    return Taken(image, files, stack.series[0].instances[0].header, (*notes, *study.notes, *study.skipped))


def read_dicom(
    path: str | Path | Iterable[str | Path],
    *,
    series: str | Sequence[str] | None = None,
    kind: str | None = None,
    skip_bad: bool = False,
    accept_burned_in: bool = False,
    progress: Progress = silent,
) -> Image:
    """Read a short-axis LGE or cine stack from a folder, a DICOMDIR or a ZIP archive.

    Series are found and slices sorted by geometry (orientation x position), never by file name or instance number.
    Parallel single-slice series in one frame of reference are gathered into one stack, as many scanners export a cine.
    Where a folder holds an LGE and a cine stack, the LGE is taken, because only it shows scar.

    Parameters
    ----------
    path : folder (searched with its subfolders), DICOMDIR, ZIP archive, file, or several files and folders
    series : str or several, optional
        Series Instance UID, series number or (part of) the description: needed where a folder holds several candidates.
    kind : {"lge", "cine"}, optional
        Needed where the header does not say.
    skip_bad, accept_burned_in : bool
        See `Wanted`.
    progress : Progress, optional

    Returns
    -------
    Image
        `values` is the first frame after the R wave; `notes` says what was left out.

    Raises
    ------
    InputRejected
        Damaged, incomplete or inconsistent files; more than one candidate. Exit code 3.
    QualityGate
        Readable, but no stack of at least 3 parallel slices, or the kind is not decidable. Exit code 4.
    PolicyRefusal
        Two patients, burned-in annotation, secondary capture. Exit code 7.
    ResourceLimit
        The decoded volume would exceed 4 GiB. Exit code 5.
    IntegrityError
        A file changed while it was read. Exit code 6.
    """
    wanted = Wanted(series, kind, skip_bad, accept_burned_in)
    one = isinstance(path, str | os.PathLike)
    with opened(Path(path)) if one else nullcontext(path) as found:  # type: ignore[arg-type]
        taken = take_dicom(found, wanted, progress=progress)
    return replace(taken.image, notes=tuple(dict.fromkeys((*taken.choice[1:], *taken.image.notes))))


def image_files(
    path: str | Path | Iterable[str | Path],
    *,
    series: str | Sequence[str] | None = None,
    kind: str | None = None,
) -> tuple[Path, ...]:
    """The files that `read_dicom` would use: what the twin keeps a de-identified copy of."""
    stack, _ = choose(survey(path), series=series, kind=kind)
    return tuple(one.path for group in stack.series for one in group.instances)


def choose(
    study: Study, *, series: str | Sequence[str] | None = None, kind: str | None = None
) -> tuple[Stack, list[str]]:
    """The one stack to read, a line that says why, and one for each series that was left out, with the reason.

    Raises
    ------
    InputRejected
        None or several; the series are listed.
    QualityGate
        Only undecided ones, or none with at least 3 positions.
    """
    wanted = _selected(study.series, series)
    usable = [one for one in wanted if series is not None or one.kind != "other"]
    first = next((one for one in usable if one.problem is not None), None)
    if first is not None and first.problem is not None:
        n_files = sum(len(one.instances) for one in study.series)
        damaged = [file for one in usable for file in one.damaged]
        problem = together(damaged, n_files) if first.damaged else first.problem
        raise problem if len(study.series) == 1 or problem.listed else _with_advice(problem)
    stacks = _stacks(usable)
    candidates = [one for one in stacks if one.n_positions >= FEWEST_POSITIONS]
    if not candidates:
        raise QualityGate(
            f"no stack of at least {FEWEST_POSITIONS} parallel slices among the {len(wanted)} series"
            f"{' named' if series is not None else ''}; add the short-axis LGE or cine series. Found:",
            listed=list(map(str, study.series)),
        )
    stack = _one_of(candidates, kind)
    used = set(map(id, stack.series))
    others = [one for one in study.series if id(one) not in used]
    chosen = set(map(id, wanted))
    lines = [f"took {stack}: {_because(stack)}{'; named by the user' if series is not None else ''}"]
    return stack, lines + [f"left out {one}: {_why_left_out(one, stack, id(one) in chosen)}" for one in others]


def _because(stack: Stack) -> str:
    """What decided the kind of the series with the most frames: one may have lost some."""
    return max(stack.series, key=lambda one: one.n_frames).because


def _why_left_out(one: Series, stack: Stack, asked_for: bool) -> str:
    if not asked_for:
        return "another was named"
    if one.problem is not None and one.kind != "other":
        return "it cannot be read"
    if one.kind == "other":
        return one.because
    if one.kind != stack.kind:
        preferred = ", because only late enhancement shows scar" * (stack.kind == "lge")
        return f"{one.kind or 'undecided'} ({one.because}); {stack.kind or 'another'} was preferred{preferred}"
    return "it lies in another plane, or has too few positions"


def _with_advice(problem: CardioTwinError) -> CardioTwinError:
    return type(problem)(f"{problem}. Or choose another series with series=")


def _selected(found: Sequence[Series], wanted: str | Sequence[str] | None) -> list[Series]:
    if wanted is None:
        return list(found)
    names = {wanted} if isinstance(wanted, str) else set(wanted)
    selected = [one for one in found if any(_is_called(one, name, found) for name in names)]
    if not selected:
        asked = ", ".join(sorted(map(shown, names)))
        raise InputRejected(
            f"series {asked}: not in the folder; expected UID, number or (part of) the description of one of the "
            f"{len(found)} series found:",
            listed=list(map(str, found)),
        )
    return selected


def _is_called(one: Series, name: str, found: Sequence[Series]) -> bool:
    """Whether a series has this name, or, where none has it whole, has it in its description, in any case."""
    if any(name in (other.uid, other.number, other.description) for other in found):
        return name in (one.uid, one.number, one.description)
    return bool(name.strip()) and name.strip().casefold() in one.description.casefold()


def _stacks(series: Sequence[Series]) -> list[Stack]:
    """Series of several positions as they are; single-position series gathered, of which the largest group stays."""
    whole = [Stack((one,), _kind(one)) for one in series if one.n_positions > 1]
    gathered: list[list[Series]] = []
    for one in (one for one in series if one.n_positions == 1):
        for group in gathered:
            if _belong(group[0], one):
                group.append(one)
                break
        else:
            gathered.append([one])
    largest = max((len(group) for group in gathered), default=0)
    return whole + [Stack(tuple(group), _kind(group[0])) for group in gathered if len(group) == largest]


def _kind(one: Series) -> str:
    """Undecided where the header says neither: such a series is only here because the user named it."""
    return "" if one.kind == "other" else one.kind


def _belong(one: Series, other: Series) -> bool:
    """Whether two single-slice series lie in one stack.

    The frame of reference is compared afterwards: two halves of one stack in two frames are refused, not halved.
    """
    a, b = one.slices[0], other.slices[0]
    return one.kind == other.kind and parallel(a, b) and in_line(a, b, ONE_SERIES_PER_SLICE.in_plane_mm)


def _one_of(candidates: list[Stack], kind: str | None) -> Stack:
    for preferred in (kind, "") if kind else (*KINDS, ""):
        matching = [one for one in candidates if one.kind == preferred]
        if len(matching) > 1:
            raise InputRejected(
                f"{len(matching)} candidate series in one folder; expected one. Choose by UID, "
                "number or (part of) the description, with series=",
                listed=list(map(str, matching)),
            )
        if matching and (preferred or kind):
            return matching[0]
    if kind:
        raise QualityGate(f"no {kind} stack; drop kind= or add the series. Found:", listed=list(map(str, candidates)))
    raise QualityGate(
        f"{candidates[0]}: found neither several frames per slice (cine) nor InversionTime (0018,0082), "
        "ContrastBolusAgent (0018,0010) or a description that says LGE; say which with kind= (lge or cine)"
    )


def _load(stack: Stack, kind: str, skipped: Sequence[str], progress: Progress) -> Image:
    if len({series.frame_of_reference for series in stack.series}) > 1:
        raise InputRejected(
            f"{stack}: FrameOfReferenceUID (0020,0052) differs between parallel series; expected one. "
            "The patient was moved in between; choose with series="
        )
    gathered = len(stack.series) > 1
    grid = make_grid(stack.slices, ONE_SERIES_PER_SLICE if gathered else ONE_SERIES, one_frame=kind == "lge")
    notes = [*skipped, *_remarks(stack, grid, gathered)]
    values, motion = _volumes(grid, kind, progress)
    for one in (file for group in stack.series for file in group.instances):
        check_unchanged(one.path, one.name, one.stamp)
    thickness = np.array([one.thickness_mm for one in stack.slices])
    known = thickness[np.isfinite(thickness) & (thickness > 0)]
    return Image(
        values=values,
        affine=grid.affine,
        kind=kind,
        motion=motion,
        slice_thickness_mm=float(np.median(known)) if known.size else float(np.linalg.norm(grid.affine[:3, 2])),
        notes=tuple(notes),
    )


def _remarks(stack: Stack, grid: Grid, gathered: bool) -> list[str]:
    remarks = []
    if gathered:
        remarks.append(
            f"{len(stack.series)} single-slice series gathered into one stack; distances even within "
            f"{100 * grid.uneven:.2g} % ({100 * ONE_SERIES_PER_SLICE.step:g} % allowed)"
        )
    counts = {len(group) for group in grid.frames}
    if max(counts) > 1:
        remarks.append(_phase(grid, max(counts)))
    if len(counts) > 1:
        remarks.append(_lacking(grid, max(counts)))
    if any(np.isnan(one.time_ms) for group in grid.frames if len(group) > 1 for one in group):
        told = not any(np.isnan(one.turn) for group in grid.frames for one in group)
        order = "by temporal position or instance number" if told else "in file order"
        remarks.append(f"no TriggerTime (0018,1060): frames taken {order}, the first as end-diastole")
    return remarks


def _lacking(grid: Grid, count: int) -> str:
    """Which slices of a cine have fewer frames than others, and where they lie."""
    places = (
        f"slice {k} at ({', '.join(f'{mm:.1f}' for mm in group[0].position_mm)}) mm has {len(group)}"
        for k, group in enumerate(grid.frames, start=1)
        if len(group) < count
    )
    return f"frames per slice differ: {'; '.join(places)}; the others of {len(grid.frames)} have {count}"


def _phase(grid: Grid, count: int) -> str:
    """Which frame of a cine is used, the only one that is: in the trigger times of all its slices, where they tell."""
    times = [group[0].time_ms for group in grid.frames]
    when = ""
    if not np.isnan(times).any():
        low, high = (f"{ms:.0f}" for ms in (min(times), max(times)))
        when = f", {low if low == high else f'{low} to {high}'} ms after the trigger"
    return f"cine of {count} frames: the first of each slice is used{when}, taken as end-diastole"


def _volumes(grid: Grid, kind: str, progress: Progress) -> tuple[np.ndarray, np.ndarray | None]:
    """First frames, and the standard deviation over frames where there are several."""
    shape = (len(grid.frames), *grid.frames[0][0].shape)
    if 4 * np.prod(shape, dtype=float) > MOST_VOLUME_BYTES:
        raise ResourceLimit(f"a volume of {shape} float32 values needs more than 4 GiB; crop the series")
    values = np.empty(shape, dtype=np.float32)
    moves = kind == "cine" and min(map(len, grid.frames)) > 1
    motion = np.empty(shape, dtype=np.float32) if moves else None
    source = PixelSource()
    for index, frames in enumerate(grid.frames):
        progress(index / len(grid.frames), f"reading slice {index + 1} of {len(grid.frames)}")
        signals = [source.signal(one) for one in (frames if moves else frames[:1])]
        values[index] = signals[0]
        if motion is not None:
            motion[index] = np.std(signals, axis=0)
    return values, motion
