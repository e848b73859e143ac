"""Computes planned steps: loads what they need, calls them, stores what they return."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cardiotwin import compiled
from cardiotwin.errors import IntegrityError, Interrupted, stopped
from cardiotwin.progress import Progress, announced, named, part
from cardiotwin.provenance import Provenance
from cardiotwin.storage import durable, store
from cardiotwin.storage.ledger import Ledger
from cardiotwin.storage.store import Store
from cardiotwin.twin.planning import Planned, is_observation, readable
from cardiotwin.twin.step import OBSERVED, Work, kind_of
from cardiotwin.twin.views import View


class Workshop:
    """One plan being carried out; keeps what it has loaded.

    Parameters
    ----------
    folder : Path
        Of the twin.
    ledger : Ledger
    view : View
        Its plan holds all steps, also those that will not be computed.
    provenance : callable
        Of the twin as it is when called.
    """

    def __init__(self, folder: Path, ledger: Ledger, view: View, provenance: Callable[[], Provenance]) -> None:
        self.folder, self.ledger, self.settings, self.provenance = folder, ledger, view.settings, provenance
        self.store = Store(folder / "stages")
        self.plan = {one.step.name: one for one in view.plan}
        self._kinds = {one.sha256: one.kind for one in view.observations}
        self._loaded: dict[str, Any] = {}

    def is_done(self, one: Planned) -> bool:
        """Whether the result that today's inputs, settings and code would give is there."""
        if one.recipe is None:
            return False
        manifest = store.read_manifest(self.folder / one.step.into) if one.step.into else self.store.manifest(one.key)
        return manifest is not None and manifest.get("key") == one.key

    def compute(self, wanted: Iterable[Planned], progress: Progress) -> list[str]:
        """Compute the steps whose result is not there, in order; returns their names."""
        todo = []
        for one in wanted:
            if not self.is_done(one):
                todo += [one] if one.recipe else []
            elif not one.step.into and self.ledger.content_of(one.key) is None:
                self._record(one, 0.0)  # killed between storing and recording it
        if todo:
            compiled.say_when_compiling()
        total, done = sum(one.step.share for one in todo), 0.0
        for one in todo:
            mine = part(progress, done / total, (done + one.step.share) / total)
            with announced(one.step.name):
                try:
                    self._compute_one(one, named(one.step.name, mine))
                except (KeyboardInterrupt, Interrupted) as error:
                    raise self._stopped(one, error) from error
            done += one.step.share
        return [one.step.name for one in todo]

    def _stopped(self, one: Planned, error: BaseException) -> Interrupted:
        """What is kept and lost of a step that was stopped."""
        name, partial = one.step.name, self.store.partial(one.folder_key)
        partly = error.kept if isinstance(error, Interrupted) else ""
        if not partly and partial.is_dir() and any(partial.iterdir()):
            partly = "its last checkpoint"
        if not partly:
            return stopped(name, kept="finished stages", lost=f"all of {name} so far")
        return stopped(name, kept=f"finished stages and, of {name}, {partly}", lost=f"the rest of {name} so far")

    def _compute_one(self, one: Planned, progress: Progress) -> None:
        assert one.recipe is not None
        progress(0.0, "starting")
        self.inputs(one)  # read from disk now, so that reading is not in the time it took
        start = time.monotonic()
        if one.step.into:
            about = {"inputs": one.recipe.inputs, "settings": one.recipe.settings, "code": one.recipe.code}
            with store.filled(self.folder / one.step.into, key=one.key, stage=one.step.stage, **about) as folder:
                self.call(one, folder, progress)
        else:
            partial = self.store.partial(one.folder_key)
            durable.make_private(partial)
            self.store.put(one.recipe, self.call(one, partial, progress), time.monotonic() - start)
        self._record(one, time.monotonic() - start)

    def call(self, one: Planned, folder: Path, progress: Progress) -> Any:
        """What a step's function returns, stored nowhere; `folder` is where it keeps partial results, or fills."""
        inputs = self.inputs(one)
        read = readable(self.settings, one.step.settings, one.step.but_for)
        work = Work(read, folder, progress, self.provenance())
        return compiled.retrying(lambda: one.step.function(work, **inputs))

    def _record(self, one: Planned, seconds: float) -> None:
        manifest = self.store.manifest(one.key)
        self.ledger.finished(one.step.name, one.key, store.content(manifest) if manifest else "", seconds)

    def inputs(self, one: Planned) -> dict[str, Any]:
        """Every argument of a step, read from disk: a resumed run sees the same bits as an uninterrupted one."""
        found: dict[str, Any] = {}
        for argument, name in one.step.inputs.items():
            if is_observation(name):
                found[argument] = self._observed(name)
            elif self.is_done(self.plan[name]):
                found[argument] = self.result(self.plan[name])
        for argument, names in one.step.lists.items():
            found[argument] = tuple(self._observed(name) for name in names)
        return found

    def result(self, one: Planned) -> Any:
        """A finished step's output.

        Raises
        ------
        IntegrityError
            A file of it changed, or it is not what this twin computed.
        """
        if one.key not in self._loaded:
            manifest, recorded = self.store.manifest(one.key), self.ledger.content_of(one.key)
            if manifest and recorded and store.content(manifest) != recorded:
                raise IntegrityError(
                    f"artefact {one.key} ({one.step.name}) is not the one this twin computed. "
                    f"Delete {self.store.path(one.key)} and run again to recompute it and what follows"
                )
            self._loaded[one.key] = self.store.get(one.key, one.step.kind)
        return self._loaded[one.key]

    def _observed(self, name: str) -> Any:
        if name not in self._loaded:
            sha256 = name.removeprefix("sha256:")
            kind = kind_of(OBSERVED[self._kinds[sha256]])
            self._loaded[name] = store.load(self.folder / "observations" / sha256, kind)
        return self._loaded[name]
