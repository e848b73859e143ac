"""Which steps there are for what was observed, and the content address of each result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from cardiotwin.settings import Settings
from cardiotwin.sources import code_version
from cardiotwin.storage.store import Recipe
from cardiotwin.twin.step import Step

HOW = frozenset({"induce.workers", "induce.only_screened", "simulate.checkpoint_every_s"})
"""Settings that decide how a result is computed, not what it is, or else which inputs it has: in no key."""
PLUG_IN = "plug-in"
"""Among a recipe's inputs: what of another package computes it."""


@dataclass(frozen=True)
class Planned:
    """A step with its content address, or the reason why it has none.

    Attributes
    ----------
    step : Step
    recipe : Recipe or None
    missing : str
        What is missing for it; "" when it can be computed.
    """

    step: Step
    recipe: Recipe | None
    missing: str = ""

    @property
    def key(self) -> str:
        return self.recipe.key if self.recipe else ""

    @property
    def folder_key(self) -> str:
        """The same without what single results of the step do not hang on: names the folder that they are kept in."""
        if self.recipe is None or not self.step.apart_from:
            return self.key
        apart = self.step.apart_from
        inputs = {name: value for name, value in self.recipe.inputs.items() if name not in apart}
        settings = {name: value for name, value in self.recipe.settings.items() if name.split(".")[0] not in apart}
        return replace(self.recipe, inputs=inputs, settings=settings).key


def planned(steps: Iterable[Step], settings: Settings, version: int) -> tuple[Planned, ...]:
    """Every step with the key its result has, or would have; `version` is the one a report would speak of."""
    keys: dict[str, str] = {}
    missing: dict[str, str] = {}
    done = []
    for step in (_as_asked(step, settings) for step in steps):
        needed = (name for argument, name in step.inputs.items() if argument not in step.optional)
        wanting = step.waits_for or next((missing[name] for name in needed if name in missing), "")
        if wanting:
            missing[step.name] = wanting
            done.append(Planned(step, None, wanting))
        else:
            recipe = _recipe(step, keys, settings, version)
            keys[step.name] = recipe.key
            done.append(Planned(step, recipe))
    return tuple(done)


def _as_asked(step: Step, settings: Settings) -> Step:
    """Without the inputs that it takes only under other settings."""
    inputs = {name: source for name, source in step.inputs.items() if step.only_if.get(name, _always)(settings)}
    return replace(step, inputs=inputs)


def _always(_: Settings) -> bool:
    return True


def _recipe(step: Step, keys: dict[str, str], settings: Settings, version: int) -> Recipe:
    inputs = {argument: name for argument, name in step.inputs.items() if is_observation(name)}
    inputs |= {argument: keys[name] for argument, name in step.inputs.items() if name in keys}
    for argument, observations in step.lists.items():
        inputs |= {f"{argument}.{i}": observation for i, observation in enumerate(observations)}
    if step.into:
        inputs["version"] = str(version)
    if step.plug_in and (named := step.plug_in(readable(settings, step.settings, step.but_for))):
        inputs[PLUG_IN] = named
    read = values(settings, step.settings, step.but_for)
    return Recipe(step.function.__name__, inputs, read, code_version(step.function))


def is_observation(name: str) -> bool:
    return name.startswith("sha256:")


def needed(plan: Iterable[Planned], until: str | None) -> set[str]:
    """Names of the steps of a stage, or of one step, and of all they need; of all steps where none is named."""
    steps = {one.step.name: one.step for one in plan}
    waiting = [name for name, step in steps.items() if until in (None, step.stage, name)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in steps and name not in found:
            found.add(name)
            waiting += steps[name].inputs.values()
    return found


def uses(steps: Iterable[Step]) -> dict[str, tuple[str, ...]]:
    """SHA-256 of every observation that a step takes, to the names of those steps."""
    found: dict[str, tuple[str, ...]] = {}
    for step in steps:
        for name in (*step.inputs.values(), *(one for many in step.lists.values() for one in many)):
            if is_observation(name):
                sha256 = name.removeprefix("sha256:")
                found[sha256] = (*found.get(sha256, ()), step.name)
    return found


def values(settings: Settings, declared: Iterable[str], but_for: Iterable[str] = ()) -> dict[str, Any]:
    """Declared settings as `section.key` to JSON value, without those that cannot change a result."""
    chosen, idle = set(declared), HOW.union(but_for)
    found = {}
    for section, part in settings.model_dump(mode="json").items():
        for key, value in part.items():
            name = f"{section}.{key}"
            if {section, name} & chosen and name not in idle:
                found[name] = value
    return found


def without_effect(steps: Iterable[Step], settings: Settings) -> tuple[str, ...]:
    """Settings that are not as by default and that no step reads for these inputs; the report, which shows all, aside.

    Of a step that waits for an input its stage's section may come to be read.
    """
    read: set[str] = set(HOW)
    for step in steps:
        if not step.into:
            read |= values(settings, (*step.settings, *([step.stage] if step.waits_for else [])), step.but_for).keys()
    default = values(Settings(), Settings.model_fields)
    chosen = values(settings, Settings.model_fields)
    return tuple(name for name, value in chosen.items() if name not in read and value != default[name])


def readable(settings: Settings, declared: Iterable[str], but_for: Iterable[str] = ()) -> SimpleNamespace:
    """The settings a stage may read: whole sections, or a section with single keys; those of `but_for` at defaults."""
    settings = _as_if_unset(settings, but_for)
    chosen = SimpleNamespace()
    for name in declared:
        section, _, key = name.partition(".")
        part = getattr(settings, section)
        if key:
            shown = getattr(chosen, section, SimpleNamespace())
            setattr(shown, key, getattr(part, key))
            part = shown
        setattr(chosen, section, part)
    return chosen


def _as_if_unset(settings: Settings, names: Iterable[str]) -> Settings:
    for section, _, key in (name.partition(".") for name in names):
        part = getattr(settings, section)
        default = type(part).model_fields[key].get_default(call_default_factory=True)
        settings = settings.model_copy(update={section: part.model_copy(update={key: default})})
    return settings
