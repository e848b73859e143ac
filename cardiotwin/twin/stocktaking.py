"""How a twin stands, read from its manifests: what is current, stale or missing, and what its inputs were told of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cardiotwin.errors import IntegrityError
from cardiotwin.notes import DRAWN_HOLES
from cardiotwin.storage import artefact, store
from cardiotwin.storage.ledger import Observation, Version
from cardiotwin.storage.lock import holder
from cardiotwin.twin import planning, staleness
from cardiotwin.twin.planning import Planned
from cardiotwin.twin.status import Status, StepStatus
from cardiotwin.twin.step import OBSERVED, kind_of
from cardiotwin.twin.views import View
from cardiotwin.twin.whose import unchecked
from cardiotwin.twin.workshop import Workshop

if TYPE_CHECKING:
    from cardiotwin.segmentation import Cavities


def how_it_stands(view: View, workshop: Workshop) -> Status:
    """What is current, stale, missing; how old the inputs are; who holds the twin."""
    folder, versions, observations = workshop.folder, workshop.ledger.versions(), view.observations
    held = holder(folder / "lock")
    return Status(
        name=folder.resolve().name,
        version=view.version,
        steps=tuple(_of_step(one, view, workshop, versions) for one in view.plan),
        observations=observations,
        used_by=planning.uses(one.step for one in view.plan),
        versions=versions,
        held_by=str(held) if held else "",
        notes={one.sha256: notes for one in observations if (notes := told_of(folder, one, observations))},
        cavities=_cavities(view, workshop),
        electrodes=_electrodes(view, workshop),
        idle_settings=planning.without_effect((one.step for one in view.plan), view.settings),
    )


def told_of(folder: Path, observation: Observation, beside: Iterable[Observation]) -> tuple[str, ...]:
    """What was told of an input when it was put in, twins older than this kept nothing of it; and whose it may be.

    The latter hangs on what has come to lie beside it, so it is not kept but said anew.
    """
    manifest = store.read_manifest(folder / "observations" / observation.sha256) or {}
    return (*manifest.get("notes", ()), *unchecked(observation, beside))


def newest(folder: Path, kind: str, observations: Iterable[Observation]) -> object:
    """The image or label map that is in use; None where there is none."""
    kept = [one.sha256 for one in observations if one.kind == kind]
    if not kept:
        return None
    found: object = store.load(folder / "observations" / kept[-1], kind_of(OBSERVED[kind]))
    return found


def _of_step(one: Planned, view: View, workshop: Workshop, versions: tuple[Version, ...]) -> StepStatus:
    step, is_done = one.step, workshop.is_done(one)
    manifest = store.read_manifest(workshop.folder / step.into) if step.into else workshop.store.manifest(one.key)
    was_done = manifest is not None if step.into else any(step.name in version.keys for version in versions)
    state = "current" if is_done else "missing" if one.missing else "stale" if was_done else "not computed"
    since = next((version.number for version in versions if version.keys.get(step.name) == one.key), 0)
    shown = manifest if is_done and manifest else {}
    return StepStatus(
        name=step.name,
        stage=step.stage,
        state=state,
        version=since if is_done else 0,
        finished=shown.get("created", ""),
        seconds=shown.get("seconds"),
        because=_why_stale(one, view, workshop, versions) if state == "stale" else "",
        note=one.missing,
        doubtful=_doubtful(one, workshop) if is_done else "",
    )


def _why_stale(one: Planned, view: View, workshop: Workshop, versions: tuple[Version, ...]) -> str:
    if one.step.into:
        before = store.read_manifest(workshop.folder / one.step.into)
    else:
        before = workshop.store.manifest(
            next(each.keys[one.step.name] for each in versions[::-1] if one.step.name in each.keys)
        )
    kinds = {observation.sha256: observation.kind for observation in view.observations}
    return staleness.reason(one, before, kinds)


def _doubtful(one: Planned, workshop: Workshop) -> str:
    """What a segmentation says of its slices and right ventricle, a mesh of its holes; the rest is not read."""
    if one.step.name not in ("segment", "mesh"):
        return ""
    try:
        value = json.loads((workshop.store.path(one.key) / artefact.VALUE).read_bytes())
        told = value["notes"] if one.step.name == "mesh" else value["confidence"]
    except (OSError, ValueError, KeyError) as error:
        gone = f"its result cannot be read ({error}); remove stages/{one.key}"
        raise IntegrityError(f"{one.step.name}: {gone}") from error
    if one.step.name == "mesh":
        return " ".join(note for note in told if note.startswith(DRAWN_HOLES))
    said = [told.get("doubtful", ""), told.get("right_ventricle_doubtful", "")]
    return "; ".join(one for one in said if one and one != "none") or str(said[0])


def _electrodes(view: View, workshop: Workshop) -> str:
    """Where they come from and what conducts to them, in words; "" before there are any."""
    one = next((one for one in view.plan if one.step.name == "electrodes"), None)
    return str(workshop.result(one).in_words) if one is not None and workshop.is_done(one) else ""


def _cavities(view: View, workshop: Workshop) -> Cavities | None:
    """Blood as segmented; what a mesh encloses is for the report, since meshes take seconds to read."""
    one = next((one for one in view.plan if one.step.name == "segment"), None)
    if one is None or not workshop.is_done(one) or any(each.kind == "mesh" for each in view.observations):
        return None
    from cardiotwin.segmentation import cavities

    segmentation = workshop.result(one)
    image = None if segmentation.is_given else newest(workshop.folder, "image", view.observations)
    return cavities(segmentation, getattr(image, "kind", None))
