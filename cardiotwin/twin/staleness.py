"""Why a result is stale: what it was made from, against what it would be made from now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cardiotwin.storage.store import Recipe
from cardiotwin.twin.planning import PLUG_IN, Planned, is_observation

MOST_SETTINGS = 3


def reason(one: Planned, before: Mapping[str, Any] | None, kinds: Mapping[str, str]) -> str:
    """A few words on what has changed.

    Parameters
    ----------
    one : Planned
    before : mapping or None
        Manifest of the result that is stale; None where it is no longer there.
    kinds : mapping of str to str
        SHA-256 of every observation to its kind.
    """
    if one.recipe is None:
        return ""
    if before is None or before.get("key") == one.key:
        return "its result is gone"
    if "code" not in before:
        return "made by an earlier release"
    if not one.step.into and _is_made_otherwise(one.recipe, before):
        return "made from another kind of input now"
    return "; ".join((*_own(one, before, kinds), *_upstream(one, before)))


def _is_made_otherwise(recipe: Recipe, before: Mapping[str, Any]) -> bool:
    """Whether another function makes it, of other inputs: a label map in place of an image, measured electrodes.

    Code and settings are others too then, though nobody changed either. With the same inputs a function was renamed.
    """
    old, new = (inputs.keys() - {PLUG_IN, "version"} for inputs in (before["inputs"], recipe.inputs))
    return "stage" in before and before["stage"] != recipe.stage and old != new


def _own(one: Planned, before: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[str]:
    """What changed at this step itself."""
    assert one.recipe is not None
    if before["code"] != one.recipe.code:
        yield "program changed"
    old, new = before["settings"], one.recipe.settings
    changed = [name for name in (*new, *(old.keys() - new.keys())) if old.get(name) != new.get(name)]
    if changed:
        more = f" and {len(changed) - MOST_SETTINGS} more" if len(changed) > MOST_SETTINGS else ""
        yield f"setting{'s' * (len(changed) > 1)} {', '.join(changed[:MOST_SETTINGS])}{more} changed"
    if before["inputs"].get(PLUG_IN) != one.recipe.inputs.get(PLUG_IN) and PLUG_IN in one.recipe.inputs:
        yield "plug-in changed"
    seen, now = (
        {value for value in inputs.values() if is_observation(value)}
        for inputs in (before["inputs"], one.recipe.inputs)
    )
    added = sorted({_kind(value, kinds) for value in now - seen})
    gone = sorted({_kind(value, kinds) for value in seen - now} - set(added))
    if added:
        yield f"input added: {', '.join(added)}"
    if gone:
        yield f"input no longer used: {', '.join(gone)}"


def _kind(observation: str, kinds: Mapping[str, str]) -> str:
    return kinds.get(observation.removeprefix("sha256:"), "unknown").replace("_", " ")


def _upstream(one: Planned, before: Mapping[str, Any]) -> Iterator[str]:
    """Earlier steps whose result is, or will be, another than the one that was used."""
    assert one.recipe is not None
    old, new = before["inputs"], one.recipe.inputs
    steps = {
        argument: name
        for argument, name in one.step.inputs.items()
        if not is_observation(name) and old.get(argument) != new.get(argument)
    }
    if steps:
        yield f"depends on {', '.join(dict.fromkeys(steps.values()))}"
    elif old.get("version") != new.get("version"):
        yield "version changed"
