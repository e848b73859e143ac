"""A twin as it is, or as an earlier version of it was: what was in use, and the result of each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from cardiotwin.errors import SettingsError
from cardiotwin.settings import Settings, explained
from cardiotwin.storage.ledger import Ledger, Observation, Version
from cardiotwin.storage.store import Recipe, Store
from cardiotwin.twin import planning, stages
from cardiotwin.twin.planning import Planned
from cardiotwin.twin.step import Layout, Step


@dataclass(frozen=True)
class View:
    """What a study, a report or an export is made from.

    Attributes
    ----------
    version : int
        0 before the first.
    observations : tuple of Observation
        In use; by the time they are about, then in order of arrival.
    settings : Settings
    plan : tuple of Planned
        Every step with the key of its result. Of an earlier version, without a recipe where it had no result.
    outdated : str
        Of an earlier version, what has become of it since, in words; "" where nothing has, and of today's.
    """

    version: int
    observations: tuple[Observation, ...]
    settings: Settings
    plan: tuple[Planned, ...]
    outdated: str = ""


def laid_out(observations: Iterable[Observation], settings: Settings, layout: Layout) -> tuple[Step, ...]:
    """The steps for what was observed, without what the settings do not let count."""
    return layout(stages.counting(observations, settings))


def earlier_view(ledger: Ledger, store: Store, layout: Layout, number: int, today: Iterable[Planned]) -> View:
    """An earlier version as its results' manifests have it: their inputs and settings, none of today's.

    Raises
    ------
    SettingsError
        There is no such version, or its settings are of another release and none of this one's.
    """
    version = _found(ledger.versions(), number)
    manifests = {name: manifest for name, key in version.keys.items() if (manifest := store.manifest(key))}
    settings = _settings(manifests.values(), number)
    observations = ledger.observations_at(number)
    # A plug-in may be gone by now; what it computed is there.
    steps = [replace(step, plug_in=None) for step in laid_out(observations, settings, layout)]
    plan = (_as_computed(one, manifests.get(one.step.name)) for one in planning.planned(steps, settings, number))
    return View(number, observations, settings, tuple(plan), _since(version, today))


def newest_with(ledger: Ledger, store: Store, name: str) -> int:
    """The newest version in which a step has a result that is still there; 0 where there is none."""
    kept = (one.number for one in ledger.versions()[::-1] if name in one.keys and store.has(one.keys[name]))
    return next(kept, 0)


def _found(versions: tuple[Version, ...], number: int) -> Version:
    found = [one for one in versions if one.number == number]
    if not found:
        there = f"expected 1 to {len(versions)}" if versions else "there is none yet"
        raise SettingsError(f"version {number}: {there}; `cardiotwin status` lists them")
    return found[0]


def _settings(manifests: Iterable[Mapping[str, Any]], number: int) -> Settings:
    """Those that the results were computed with; what none of them read is as if nobody had set it."""
    chosen: dict[str, dict[str, Any]] = {}
    for manifest in manifests:
        for name, value in manifest["settings"].items():
            section, _, key = name.partition(".")
            if section in Settings.model_fields:
                chosen.setdefault(section, {})[key] = value
    known = {section: _known(section, values) for section, values in chosen.items()}
    try:
        return Settings(**known)
    except ValidationError as error:
        raise SettingsError(
            f"version {number}: its settings are of another release ({explained(error)}); that release shows it"
        ) from error


def _known(section: str, values: dict[str, Any]) -> dict[str, Any]:
    fields = type(getattr(Settings(), section)).model_fields
    return {key: value for key, value in values.items() if key in fields}


def _as_computed(one: Planned, manifest: Mapping[str, Any] | None) -> Planned:
    if manifest is None:
        return replace(one, recipe=None)
    recipe = Recipe(manifest["stage"], manifest["inputs"], manifest["settings"], manifest["code"])
    return replace(one, recipe=recipe, missing="")


def _since(version: Version, today: Iterable[Planned]) -> str:
    """What would come out anew today."""
    keys = {one.step.name: one.key for one in today}
    changed = [name for name, key in version.keys.items() if keys.get(name) != key]
    if not changed:
        return ""
    return (
        f"Version {version.number}, made {version.created}. Inputs, settings or the program have changed since; not as "
        f"they would be today: {', '.join(changed)}."
    )
