"""A twin is a folder: what was observed, what follows from it, and every version of that."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardiotwin import __version__
from cardiotwin.errors import IntegrityError, QualityGate, SettingsError, stopped
from cardiotwin.progress import PLAN, Progress, part, shares, silent
from cardiotwin.provenance import ObservationRecord, Provenance, StageRecord
from cardiotwin.settings import read_settings
from cardiotwin.storage import artefact, durable, store
from cardiotwin.storage.ledger import Ledger, Observation, Version, words
from cardiotwin.storage.lock import locked
from cardiotwin.storage.store import Store
from cardiotwin.twin import planning, stage_functions, stages
from cardiotwin.twin.arrivals import (
    also_calibrated,
    changes_of_use,
    check_electrodes,
    checked_label_maps,
    checked_meshes,
    checked_plans,
    fitted_together,
    keep,
    new_observations,
    replaced_plans,
    unused_torso,
)
from cardiotwin.twin.planning import Planned
from cardiotwin.twin.status import Added, Run, Status
from cardiotwin.twin.step import OBSERVED, Layout, kind_of
from cardiotwin.twin.stocktaking import how_it_stands, newest, told_of
from cardiotwin.twin.views import View, earlier_view, laid_out, newest_with
from cardiotwin.twin.whose import refuse_other_person, told_of_unnamed
from cardiotwin.twin.workshop import Workshop

if TYPE_CHECKING:
    from cardiotwin.ecg.recording import Ecg
    from cardiotwin.heart.heart import Heart
    from cardiotwin.ingest import Wanted
    from cardiotwin.study import Study
    from cardiotwin.twin.observations import Found


class Twin:
    """One patient's twin.

    Parameters
    ----------
    folder : Path
        Of an existing twin; `Twin.create` makes one.
    layout : callable
        Lays out the steps for the observations at hand.

    Raises
    ------
    SettingsError
        The folder is no twin, or `twin.toml` has an unknown key or a value out of range.
    """

    def __init__(self, folder: Path | str, layout: Layout = stages.path) -> None:
        self.folder = Path(folder)
        self.layout = layout
        self.ledger = Ledger(self.folder / "twin.db")
        self.store = Store(self.folder / "stages")
        if not self.ledger.path.is_file():
            raise SettingsError(f"{folder}: not a twin (no twin.db); start one with `cardiotwin new {folder}`")
        self.settings = read_settings(self.folder / "twin.toml")

    @classmethod
    def create(cls, folder: Path | str, settings_text: str, layout: Layout = stages.path) -> Twin:
        """Start a twin in a new or empty folder.

        Raises
        ------
        SettingsError
            There is something in the folder already.
        ResourceLimit
            The folder cannot be written to.
        """
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingsError(f"{folder}: not empty; start a twin in a new folder")
        with durable.new_folder(folder) as temporary:
            for name in ("observations", "stages", "exports"):
                (temporary / name).mkdir(mode=0o700)
            durable.write_file(temporary / "twin.toml", settings_text.encode())
            Ledger(temporary / "twin.db").create()
        return cls(folder, layout)

    @property
    def report(self) -> Path:
        """The HTML report; there once the report stage has run."""
        return self.folder / "report" / "report.html"

    def add(
        self,
        paths: Iterable[Path | str],
        *,
        at: str = "",
        wanted: Wanted | None = None,
        replace: bool = False,
        progress: Progress = silent,
    ) -> Added:
        """Put in imaging, label maps, ECGs, electrode positions, a torso or plans; their kind is recognised.

        All are read before any is kept: when one is refused, the twin is unchanged. What is there already is left as it
        is, so adding twice is adding once.

        Parameters
        ----------
        paths : iterable of Path
        at : str
            ISO 8601: when it was recorded, for files that do not say.
        wanted : Wanted
            Which image series to take from a folder that has several; rate and unit of a CSV ECG that does not say.
        replace : bool
            A plan takes the place of the one of the same name, which is otherwise refused.
        progress : Progress

        Raises
        ------
        InputRejected, QualityGate
            See `cardiotwin.twin.observations.find`; and what `run` would refuse of a label map, a mesh or a plan.
        PolicyRefusal
            Two patients.
        """
        with self._locked(), ExitStack() as archives:
            found, people, notes = self._read(paths, at, wanted, archives, part(progress, 0.0, 0.6))
            progress(0.6, "holding labels and plans against anatomy")
            before = self.ledger.observations()
            new, repeated = self._unknown(found)
            told = checked_label_maps(new, self._newest, self.settings.labels)
            outgoing = replaced_plans(new, before) if replace else ()
            notes += [*repeated, *told_of_unnamed(new, people, before)]
            notes += (f"{new[one].file or 'label map'}: {line}" for one, lines in told.items() for line in lines)
            notes += [f"{words(old)}: replaced, out of use" for old in outgoing]
            check_electrodes(new, self._current_heart)
            notes += checked_plans(new, set(before) - set(outgoing), self._current_heart)
            notes += checked_meshes(new, self.settings, part(progress, 0.7, 0.95))
            notes += unused_torso(new, self.settings)
            notes += also_calibrated(found, before)
            notes += fitted_together(new, self._known_ecgs())
            progress(0.95, "storing")
            for observation, one in new.items():
                keep(self.folder / "observations", observation, one, told.get(observation, ()), self.ledger.salt())
            for old in outgoing:  # stopped here, the same command brings the new one in
                self.ledger.remove(old)
            if new:
                self.ledger.add(list(new))
            given = {artefact.digest(one.value) for one in found}
            notes += changes_of_use(self.layout, before, self.ledger.observations(), given)
        progress(1.0, "done")
        return Added(tuple(new), tuple(notes))

    def _read(
        self, paths: Iterable[Path | str], at: str, wanted: Wanted | None, archives: ExitStack, progress: Progress
    ) -> tuple[list[Found], list[tuple[str, str]], list[str]]:
        """What lies at the paths, each recording once; who says whose it is, all of one person; what is to be told."""
        from cardiotwin.ingest import opened
        from cardiotwin.twin.observations import check_told, find
        from cardiotwin.twin.repeats import without_repeats

        places = [archives.enter_context(opened(Path(path), self.folder, progress)) for path in paths]
        options: dict[str, Any] = {"salt": self.ledger.salt(), "at": at, "wanted": wanted}
        reading = shares(progress, len(places))
        found = [
            one for place, share in zip(places, reading, strict=True) for one in find(place, **options, progress=share)
        ]
        check_told(found, wanted)
        people = [(identity, "this twin") for identity in self.ledger.identities()]
        for one in found:
            refuse_other_person(people, one)
        found, repeats = without_repeats(found)
        return found, people, [*(note for one in found for note in one.notes), *repeats]

    def _unknown(self, found: list[Found]) -> tuple[dict[Observation, Found], list[str]]:
        """What of it this twin does not have yet, and what is said of ECGs that it has in another form."""
        from cardiotwin.twin.repeats import under_other_times, without_known

        new = new_observations(found, self.ledger.observations())
        notes = [*under_other_times(found, self._known_ecgs() if any(one.kind == "ecg" for one in found) else ())]
        if any(one.kind == "ecg" for one in new):
            left, known = without_known(new.values(), self._known_ecgs())
            new = {observation: one for observation, one in new.items() if one in left}
            notes += known
        return new, notes

    def _newest(self, kind: str) -> Any:
        return newest(self.folder, kind, self.ledger.observations())

    def _current_heart(self) -> Heart | None:
        view = self.view()
        mesh = next((one for one in view.plan if one.step.name == "mesh"), None)
        workshop = self._workshop(view)
        return workshop.result(mesh) if mesh and workshop.is_done(mesh) else None

    def remove(self, which: str) -> Observation:
        """Take an input out of use; what was made from it becomes stale. Adding the file again brings it back.

        Its files, its line in the audit chain and every version made from it stay. The twin still belongs to the
        patient that it named.

        Parameters
        ----------
        which : str
            The name of a plan; or the SHA-256 as `status` shows it, at least its first 6 digits.

        Raises
        ------
        SettingsError
            No plan of that name, and too short, or no input begins so, or more than one.
        """
        with self._locked():
            known = self.ledger.observations()
            named = [one for one in known if one.kind == "plan" and one.name == which]
            found = named or [one for one in known if one.sha256.startswith(which.lower())]
            where = f"input {which!r} of {self.folder.name}"
            if not named and not re.fullmatch("[0-9a-f]{6,64}", which.lower()):
                expected = "the name of a plan, or 6 to 64 hexadecimal digits"
                raise SettingsError(f"{where}: expected {expected}; `cardiotwin status` lists them")
            if len(found) != 1:
                which = f"{len(found)} of {len(known)} inputs begin so"
                raise SettingsError(f"{where}: {which}, expected one; `cardiotwin status` lists them")
            self.ledger.remove(found[0])
        return found[0]

    def planned(self) -> tuple[Planned, ...]:
        """Every step with the key its result has, or would have, for today's observations, settings and code."""
        return self.view().plan

    def view(self, version: int | None = None) -> View:
        """The twin as it is now, or as an earlier version of it was.

        Raises
        ------
        SettingsError
            There is no such version, or it is of another release whose settings this one has not.
        """
        observations, number = self.ledger.observations(), self.ledger.current().number
        steps = laid_out(observations, self.settings, self.layout)
        today = planning.planned(steps, self.settings, number)
        if version is not None:
            return earlier_view(self.ledger, self.store, self.layout, version, today)
        return View(number, observations, self.settings, today)

    def run(self, until: str | None = None, progress: Progress = silent) -> Run:
        """Bring every stage up to date, or one stage and what it needs.

        Only what is stale is computed. A killed or interrupted run resumes where it was.

        Parameters
        ----------
        until : str or None
            Of `stages.STAGES`, or `stages.OWN_PLANS`; None: as far as the observations allow.
        progress : Progress

        Raises
        ------
        QualityGate
            `until` names a stage that cannot be computed yet; says what to add. What can be computed has been. A
            report can be without what is missing.
        Interrupted
            Ctrl-C or a signal.
        CardioTwinError
            Whatever a stage refuses.
        """
        if until not in (None, stages.OWN_PLANS, *stages.STAGES):
            raise SettingsError(f"stage {until!r}: expected one of {', '.join(stages.STAGES)}")
        with self._locked(), _interruptible():
            self.store.sweep()
            view, before = self.view(), self.ledger.current()
            wanted = planning.needed(view.plan, until)
            results = [one for one in view.plan if one.step.name in wanted and not one.step.into]
            wanting = dict.fromkeys(one.missing for one in view.plan if one.missing and one.step.stage == until)
            if todo := self._will_compute(view, wanted):
                stops = f"; {until} itself needs {'; '.join(wanting)}" if wanting else ""
                PLAN.info("will compute: %s%s", ", ".join(todo), stops)
            if idle := planning.without_effect((one.step for one in view.plan), view.settings):
                PLAN.info("without effect for these inputs: %s", ", ".join(idle))
            computed = self._workshop(view).compute(results, part(progress, 0.0, 0.96))
            version = self._record_version(view.plan)
            view = self.view()  # the report speaks of the version that has just come to be
            folders = [one for one in view.plan if one.step.name in wanted and one.step.into]
            computed += self._workshop(view).compute(folders, part(progress, 0.96, 1.0))
            if until is None:
                self.store.sweep(wanted={one.folder_key for one in view.plan})
        progress(1.0, "done")
        if wanting:
            own = until == "plan" and any(one.step.name == stages.OWN_PLANS for one in view.plan)
            instead = f". Your own plans: `cardiotwin plan {self.folder} --own`" if own else ""
            raise QualityGate(f"{until} of {self.folder.name} needs {'; '.join(wanting)}{instead}")
        return self._run_of(computed, version, before, (one for one in view.plan if one.step.name in wanted))

    def write_report(self, progress: Progress = silent) -> Run:
        """Write the report of what is up to date, and compute nothing else.

        Raises
        ------
        QualityGate
            There is no up-to-date heart, the least that there is to report; says which command makes one.
        """
        with self._locked(), _interruptible():
            before = self.ledger.current()
            version = self._record_version(self.planned())  # what a run that was stopped has finished counts
            view = self.view()
            workshop = self._workshop(view)
            self._check_heart(view, workshop)
            computed = workshop.compute([one for one in view.plan if one.step.into], progress)
        progress(1.0, "done")
        return self._run_of(computed, version, before, view.plan)

    def write_earlier_report(self, version: int, progress: Progress = silent) -> Path:
        """The report of an earlier version, below `exports/`; that of today stays. Returns the path of the HTML file.

        Raises
        ------
        SettingsError, QualityGate
            There is no such version, or it has no heart; see `Twin.study`.
        """
        view = self.view(version)
        workshop = self._workshop(view)
        self._check_heart(view, workshop, version)
        report = next(one for one in view.plan if one.step.into)
        folder = self.folder / "exports" / f"report_version_{version}"
        with _interruptible(), store.filled(folder, stage="report", version=version) as inside:
            workshop.call(report, inside, progress)
        progress(1.0, "done")
        return folder / self.report.name

    def _run_of(self, computed: Iterable[str], version: Version, before: Version, plan: Iterable[Planned]) -> Run:
        """`plan`: the steps whose missing inputs are told."""
        missing = tuple(dict.fromkeys(one.missing for one in plan if one.missing))
        now = self.view()
        workshop = self._workshop(now)
        behind = tuple(one.step.name for one in now.plan if one.recipe and not workshop.is_done(one))
        return Run(tuple(computed), version.number, version != before, missing, behind)

    def _check_heart(self, view: View, workshop: Workshop, version: int | None = None) -> None:
        """Refuse to report or export where there is nothing yet, or where an earlier version had nothing."""
        mesh = next(one for one in view.plan if one.step.stage == "mesh")
        if workshop.is_done(mesh):
            return
        kept = self.newest_version_with(mesh.step.name)
        if version is not None:
            raise QualityGate(f"{self.folder.name}: version {version} has no heart" + f"; {kept} has" * bool(kept))
        todo = f"it needs {mesh.missing}" if mesh.missing else f"compute one with `cardiotwin mesh {self.folder}`"
        shown = f"; `--version {kept}` shows the last one as it was" if kept else ""
        raise QualityGate(f"{self.folder.name}: no up-to-date heart; {todo}{shown}")

    def _will_compute(self, view: View, wanted: Container[str]) -> list[str]:
        """Names of the steps that a run will compute; a report follows whatever is new."""
        workshop = self._workshop(view)
        names: list[str] = []
        for one in view.plan:
            if one.recipe and one.step.name in wanted and (not workshop.is_done(one) or (one.step.into and names)):
                names.append(one.step.name)
        return names

    def _record_version(self, plan: Iterable[Planned]) -> Version:
        """A new version when a result is up to date that the current one has not; one that went stale makes none."""
        current = self.ledger.current()
        keys = {one.step.name: one.key for one in plan if not one.step.into and self.store.has(one.key)}
        changed = [name for name, key in keys.items() if current.keys.get(name) != key]
        return self.ledger.new_version(keys, changed) if changed else current

    def status(self) -> Status:
        """What is current, stale, missing; how old the inputs are; who holds the twin. Changes nothing."""
        view = self.view()
        return how_it_stands(view, self._workshop(view))

    def result(self, stage: str) -> Any:
        """The up-to-date output of a stage (its last step that is not `Step.beside`), or of a step by its name.

        Raises
        ------
        QualityGate
            It has not been computed from today's inputs; says what to do.
        IntegrityError
            It was changed on disk.
        """
        view = self.view()
        if stage in stages.STAGES:
            found = [one for one in view.plan if stage == one.step.stage and not (one.step.into or one.step.beside)]
        else:
            found = [one for one in view.plan if stage == one.step.name]
        if not found:
            raise SettingsError(f"stage {stage!r}: expected one of {', '.join(stages.STAGES[:-1])}")
        one, workshop = found[-1], self._workshop(view)
        if not workshop.is_done(one):
            todo = f"needs {one.missing}" if one.missing else f"run `cardiotwin {one.step.stage} {self.folder}`"
            raise QualityGate(f"{one.step.name} of {self.folder.name} is not up to date: {todo}")
        return workshop.result(one)

    def study(self, version: int | None = None) -> Study:
        """All that is up to date, gathered for the report and for ParaView; or all that an earlier version held.

        Raises
        ------
        QualityGate
            There is no heart, or it was made from other inputs, settings or code than today's; or the version had none.
        SettingsError
            There is no such version.
        """
        view = self.view(version)
        report = next(one for one in view.plan if one.step.into)
        workshop = self._workshop(view)
        self._check_heart(view, workshop, version)
        known = workshop.inputs(report)
        read = planning.readable(view.settings, report.step.settings)
        return stage_functions.as_study(read, self._provenance(view), **known)

    def newest_version_with(self, name: str) -> int:
        """The newest version in which a step has a result that is still there; 0 where there is none."""
        return newest_with(self.ledger, self.store, name)

    def ecgs(self) -> tuple[tuple[Ecg, str], ...]:
        """Every ECG in use, oldest first, and when it was recorded, in words."""
        return tuple((ecg, one.effective or "time unknown") for one, ecg in self._known_ecgs())

    def _known_ecgs(self) -> Iterator[tuple[Observation, Ecg]]:
        kind = kind_of(OBSERVED["ecg"])
        told = (one for one in self.ledger.observations() if one.kind == "ecg")
        yield from ((one, store.load(self.folder / "observations" / one.sha256, kind)) for one in told)

    def image_sources(self) -> tuple[Path, ...]:
        """The de-identified DICOM files of the image that is in use; none where there is none."""
        images = [one for one in self.ledger.observations() if one.kind == "image"]
        folder = self.folder / "observations" / images[-1].sha256 / store.SOURCES if images else None
        return tuple(sorted(folder.glob("*.dcm"))) if folder else ()

    def provenance(self) -> Provenance:
        """Observations, stage records and gaps of the twin as it is now."""
        return self._provenance(self.view())

    def _provenance(self, view: View) -> Provenance:
        in_use, known = planning.uses(one.step for one in view.plan), view.observations
        observations = (
            ObservationRecord(
                one.sha256,
                one.kind,
                one.source,
                one.effective,
                one.recorded,
                one.arrived,
                synthetic=bool((store.read_manifest(self.folder / "observations" / one.sha256) or {}).get("synthetic")),
                notes=told_of(self.folder, one, known) if one.sha256 in in_use else (),
            )
            for one in known
        )
        return Provenance(
            twin=self.folder.resolve().name,
            version=view.version,
            cardiotwin=__version__,
            observations=tuple(observations),
            stages=tuple(record for one in view.plan for record in self._records(one)),
            missing=tuple(f"{one.step.name} needs {one.missing}" for one in view.plan if one.missing),
            outdated=view.outdated,
            ranked_in=0 if view.outdated else self.newest_version_with("compare"),
        )

    def _records(self, one: Planned) -> Iterator[StageRecord]:
        manifest = None if one.step.into else self.store.manifest(one.key)
        if one.recipe and manifest:
            yield StageRecord(
                stage=one.step.name,
                key=one.key,
                inputs=manifest["inputs"],
                settings={name: str(value) for name, value in manifest["settings"].items()},
                code=manifest["code"],
                finished=manifest["created"],
                seconds=manifest["seconds"],
            )

    def check(self) -> int:
        """Check the audit chain and the hash of every observation and stage output; returns how many were checked.

        Raises
        ------
        IntegrityError
            The first that is not what it was.
        """
        self.ledger.check_audit()
        folders = [self.folder / "observations" / each.sha256 for each in self.ledger.observations()]
        folders += [self.store.path(one.key) for one in self.planned() if self.store.has(one.key)]
        for folder in folders:
            manifest = store.read_manifest(folder)
            if manifest is None:
                raise IntegrityError(f"artefact {folder.name}: manifest missing or damaged; restore it from a copy")
            store.check(folder, manifest)
        return len(folders)

    def _workshop(self, view: View) -> Workshop:
        return Workshop(self.folder, self.ledger, view, partial(self._provenance, view))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self.folder / "lock") as dead:
            durable.sweep(self.folder)
            durable.sweep(self.folder / "observations")
            if dead is not None:
                self.ledger.note("stale lock taken over", {"held by": str(dead)})
            yield


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise stopped("", kept="finished stages and partial results", lost="nothing") from error
