"""What is checked of new inputs before a twin keeps them, and what their coming changes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.imaging import apply_affine
from cardiotwin.progress import Progress
from cardiotwin.settings import LabelSettings, Settings
from cardiotwin.storage import artefact, store
from cardiotwin.storage.ledger import Observation, words
from cardiotwin.storage.store import now
from cardiotwin.twin import planning
from cardiotwin.twin.step import Layout

if TYPE_CHECKING:
    from cardiotwin.ecg.recording import Ecg
    from cardiotwin.heart.heart import Heart
    from cardiotwin.segmentation import Segmentation
    from cardiotwin.twin.observations import Found

SAME_PLACE_MM = 30.0
"""Within which the middles of two drawn hearts of one patient lie: phases and readers differ by a few."""


def new_observations(found: Iterable[Found], known: Iterable[Observation]) -> dict[Observation, Found]:
    """Those of the inputs that a twin does not have, each once."""
    seen = {observation.sha256 for observation in known}
    new = {}
    for one in found:
        sha256 = artefact.digest(one.value)
        if sha256 not in seen:
            seen.add(sha256)
            row = (one.kind, one.name, one.source, one.identity, one.effective, one.recorded, now())
            new[Observation(sha256, *row)] = one
    return new


def checked_label_maps(
    new: dict[Observation, Found], newest: Callable[[str], Any], settings: LabelSettings
) -> dict[Observation, tuple[str, ...]]:
    """For each label map its volumes, what was guessed of it, and what it lacks.

    Parameters
    ----------
    newest : callable
        Gives the image or label map that the twin uses so far, or None.

    Raises
    ------
    InputRejected, QualityGate
        What the segmentation would refuse later; a label map and an image that are not of one heart.
    """
    from cardiotwin.anatomy.given_labels import as_segmentation, check_within
    from cardiotwin.segmentation.labels import volumes_line

    maps = {observation: one for observation, one in new.items() if one.kind == "label_map"}
    images = [one.value for one in new.values() if one.kind == "image"]
    image = images[-1] if images else newest("image") if maps else None
    told = {}
    for observation, one in maps.items():
        segmentation, lines = as_segmentation(one.value, settings, one.file)
        if image is not None:
            check_within(segmentation, image, one.file)
        if image is None and (earlier := newest("label_map")) is not None:
            lines = (*lines, *_moved(segmentation, as_segmentation(earlier, settings)[0]))
        guessed = (line.removeprefix(f"{one.file or 'label map'}: ") for line in lines)
        told[observation] = (volumes_line(segmentation), *guessed)
    if images and not maps and (label_map := newest("label_map")) is not None:
        segmentation, _ = as_segmentation(label_map, settings, "label map of this twin")
        check_within(segmentation, images[-1], "label map of this twin")
    return told


def _moved(one: Segmentation, before: Segmentation) -> tuple[str, ...]:
    """A line where the heart of a label map lies elsewhere than that of the one before it in the same twin."""
    middles = [apply_affine(each.affine, np.argwhere(each.labels > 0)[:, ::-1]).mean(axis=0) for each in (one, before)]
    apart_mm = float(np.linalg.norm(middles[0] - middles[1]))
    if apart_mm <= SAME_PLACE_MM:
        return ()
    return (
        f"its heart lies {apart_mm:.0f} mm from that of the label map that is in use so far: another patient's, or "
        "another frame? `cardiotwin remove` takes it out again",
    )


def checked_meshes(new: dict[Observation, Found], settings: Settings, progress: Progress) -> list[str]:
    """A line for all that the settings let pass of a mesh.

    Raises
    ------
    CardioTwinError
        What `run` would refuse of it.
    """
    meshes = [one for one in new.values() if one.kind == "mesh"]
    if not meshes:
        return []
    from cardiotwin.anatomy.mesh_anatomy import judged

    asked, told = settings.tissue, []
    for one in meshes:
        fit = judged(
            one.value, settings.mesh_file, cell_model=asked.cell_model,
            velocity_cross=asked.velocity_cross_m_per_s, progress=progress,
        )  # fmt: skip
        told += [f"{one.file}: {note}" for note in fit.notes]
    return told


ANATOMY = ("image", "label_map", "mesh")
"""Kinds of input of which another heart is made."""


def checked_plans(
    new: dict[Observation, Found], known: Iterable[Observation], current_heart: Callable[[], Heart | None]
) -> list[str]:
    """A line for each plan that cannot be checked yet; of one that can what it burns, from where, and each gap.

    Raises
    ------
    InputRejected
        What the comparison would refuse hours later: a name given twice, a lesion off the heart.
    """
    plans = {observation: one.value for observation, one in new.items() if observation.kind == "plan"}
    names = {one.name: one for one in known if one.kind == "plan"}
    for observation in plans:
        if observation.name in names:
            raise InputRejected(
                f"{observation.source}: found the name of another {words(names[observation.name])}; expected each "
                "plan under its own. Rename it, or put it in the other's place with `cardiotwin add --replace`"
            )
        names[observation.name] = observation
    if not plans:
        return []
    heart = None if any(one.kind in ANATOMY for one in new) else current_heart()
    if heart is None:
        return [f"{one.source}: will be checked against the heart once there is one" for one in plans]
    from cardiotwin.ablation.plan_checks import check_plan

    return [f"plan '{plan.name}': {line}" for plan in plans.values() for line in check_plan(heart, plan).lines]


def check_electrodes(new: dict[Observation, Found], current_heart: Callable[[], Heart | None]) -> None:
    """That electrodes lie around the heart, where there is one that still counts.

    Raises
    ------
    InputRejected
        As `cardiotwin.ecg.electrodes.check_around`.
    """
    given = [one.value for observation, one in new.items() if observation.kind == "electrodes"]
    if not given or any(one.kind in ANATOMY for one in new):
        return
    if (heart := current_heart()) is not None:
        from cardiotwin.ecg.electrodes import check_around

        for electrodes in given:
            check_around(heart, electrodes)


def replaced_plans(new: Iterable[Observation], known: Iterable[Observation]) -> tuple[Observation, ...]:
    """Plans of a twin whose names new ones have."""
    names = {one.name for one in new if one.kind == "plan"}
    return tuple(one for one in known if one.kind == "plan" and one.name in names)


def unused_torso(new: dict[Observation, Found], settings: Settings) -> list[str]:
    """A line for a torso that the settings leave unused."""
    if settings.electrodes.conductor == "torso":
        return []
    return [
        f'{one.file}: kept, but used only once `conductor = "torso"` stands in [electrodes] of twin.toml'
        for one in new.values()
        if one.kind == "torso"
    ]


OTHER_QRS_MS = 25.0
"""By which QRS complexes of one patient and rhythm hardly differ: detectors do by some 15, see the limits."""


def fitted_together(new: dict[Observation, Found], known: Iterable[tuple[Observation, Ecg]]) -> list[str]:
    """A line where an ECG joins others: all are fitted, also one that was meant to replace another; and one where its
    QRS complex is another."""
    from cardiotwin.ecg.beats import qrs_ms

    joining = [(observation, one.value) for observation, one in new.items() if observation.kind == "ecg"]
    there = list(known) if joining else []
    if not there:
        return []
    before = {words(one): qrs_ms(ecg) for one, ecg in there}
    told = []
    for one, ecg in joining:
        mine = qrs_ms(ecg)
        which, theirs = max(before.items(), key=lambda other: abs(other[1] - mine))
        if abs(theirs - mine) > OTHER_QRS_MS:
            told.append(
                f"{words(one)}: a QRS complex of {mine:.0f} ms, {theirs:.0f} ms in the {which}: is it the same "
                "patient, in the same rhythm?"
            )
    return [
        *told,
        f"{len(joining) + len(there)} ECGs of this twin are fitted together from now on; `cardiotwin remove` takes one "
        "out that this one is to replace",
    ]


def also_calibrated(found: Iterable[Found], known: Iterable[Observation]) -> list[str]:
    """A line for each tachycardia whose recording the twin also has as an ECG, which calibration fits."""
    ecgs = {one.sha256: one for one in known if one.kind == "ecg"}
    alike = [(one, ecgs.get(artefact.digest(one.value.ecg))) for one in found if one.kind == "tachycardia"]
    return [
        f"{one.file}: is in this twin also as {words(ecg)}, which calibration fits as any other; `cardiotwin remove` "
        "takes that one out of use"
        for one, ecg in alike
        if ecg is not None
    ]


def keep(folder: Path, observation: Observation, one: Found, told: tuple[str, ...], salt: str) -> None:
    """Write an input into its folder of a twin, with what was told of it and the de-identified copies of its files."""
    from cardiotwin.ingest import write_deidentified
    from cardiotwin.ingest.deidentify import METHOD

    about: dict[str, Any] = {
        "kind": observation.kind,
        "source": observation.source,
        "effective": observation.effective,
    }
    if kept := [*one.kept, *told]:
        about["notes"] = kept
    if _is_synthetic(one):
        about["synthetic"] = True
    if one.dicom:
        about["deidentified"] = METHOD
    copies = partial(write_deidentified, one.dicom, salt=salt.encode()) if one.dicom else None
    store.save(folder / observation.sha256, one.value, copies, **about)


def _is_synthetic(found: Found) -> bool:
    """Whether an input says that a computer made it: DICOM has an attribute for it, and our phantoms set it."""
    from cardiotwin.ingest.dicom_file import read_dataset, text

    first = found.dicom[:1]
    return any(text(read_dataset(path, found.source, pixels=False), "SyntheticData") == "YES" for path in first)


def changes_of_use(
    layout: Layout, before: tuple[Observation, ...], after: tuple[Observation, ...], given: Container[str]
) -> Iterator[str]:
    """One line for each given input that takes another's place, or that is in use nowhere.

    Parameters
    ----------
    before, after : tuple of Observation
        All of a twin's.
    given : SHA-256 of each input that was put in, also of those that were there already
    """
    used_before, used = (planning.uses(layout(observations)) for observations in (before, after))
    for one in after:
        alike = [other for other in after if other.kind == one.kind and other is not one]
        if one.sha256 not in given:
            continue
        if one.sha256 in used:
            yield from _instead_of_contours(one, after, used_before, used)
            gone = (other for other in alike if other.sha256 in used_before and other.sha256 not in used)
            yield from (f"{words(one)}: replaces the {words(other)}" for other in gone)
        else:
            hint = "`cardiotwin remove` takes that one out of use"
            instead = (other for other in alike if other.sha256 in used)
            yield from (f"{words(one)}: not used, in favour of the {words(other)}; {hint}" for other in instead)


def _instead_of_contours(
    one: Observation, known: Iterable[Observation], used_before: Container[str], used: Container[str]
) -> Iterator[str]:
    """A line where a label map and an image have come together: the one that is drawn counts."""
    pair = {"label_map", "image"}
    other = next((each for each in known if {each.kind, one.kind} == pair and each.sha256 in used), None)
    if other is None or one.sha256 in used_before:
        return
    if one.kind == "label_map":
        yield f"{words(one)}: takes the place of the automatic segmentation of the {words(other)}"
    elif other.sha256 in used_before:
        yield f"{words(one)}: shown in the report but not segmented; the heart is made from the {words(other)}"
