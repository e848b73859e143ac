"""twin.db: what was observed, what was computed when, which versions there are, and a chain that shows tampering."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardiotwin.errors import IntegrityError, ResourceLimit
from cardiotwin.storage import durable
from cardiotwin.storage.store import now

FORMAT = 1
"""Of the tables, kept in the database's `user_version`."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE observations (
    sha256 TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, identity TEXT NOT NULL,
    effective TEXT NOT NULL, recorded TEXT NOT NULL, arrived TEXT NOT NULL
);
CREATE TABLE stage_runs (
    id INTEGER PRIMARY KEY, step TEXT NOT NULL, key TEXT NOT NULL, content TEXT NOT NULL,
    finished TEXT NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE versions (version INTEGER PRIMARY KEY, created TEXT NOT NULL, keys TEXT NOT NULL, computed TEXT NOT NULL);
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY, time TEXT NOT NULL, event TEXT NOT NULL, detail TEXT NOT NULL, chain TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Observation:
    """One input as the twin keeps it. Times are ISO 8601 UTC, or "" where the input does not say.

    Attributes
    ----------
    sha256 : str
        Of what is kept in `observations/`.
    kind : str
        ``"image"``, ``"label_map"``, ``"mesh"``, ``"ecg"``, ``"tachycardia"``, ``"electrodes"``, ``"torso"`` or
        ``"plan"``.
    name : str
        Of a plan; "" for the rest.
    source : str
        Format and size in a few words; never a path or a name.
    identity : str
        Salted hashes of whose it is, see `cardiotwin.twin.observations.Found`; "" where the input does not say.
    effective, recorded, arrived : str
        When it was true of the patient, when it was written down, when the twin received it.
    """

    sha256: str
    kind: str
    name: str
    source: str
    identity: str
    effective: str
    recorded: str
    arrived: str


def words(observation: Observation) -> str:
    """Such as ``electrodes of 2026-03-01T09:30:00 (0a1b2c3d4e5f)``, or ``electrodes that arrived ...`` when undated.

    A plan with its name: ``plan 'septal line' that arrived ...``.
    """
    when = f"of {observation.effective}" if observation.effective else f"that arrived {observation.arrived}"
    named = f" '{observation.name}'" if observation.name else ""
    return f"{observation.kind.replace('_', ' ')}{named} {when} ({observation.sha256[:12]})"


@dataclass(frozen=True)
class Version:
    """Keys of all steps that were up to date together."""

    number: int
    created: str
    keys: dict[str, str]
    computed: tuple[str, ...]


class Ledger:
    """The database of one twin. Every change is one transaction and adds one line to the audit chain."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = path.with_name("audit.head")

    def create(self) -> None:
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with self._open() as database:
            database.executescript(f"PRAGMA journal_mode=WAL; {_TABLES} PRAGMA user_version={FORMAT};")
            database.execute("INSERT INTO meta VALUES ('salt', ?)", (secrets.token_hex(16),))
            database.commit()
        self.note("created", {})

    def salt(self) -> str:
        """A secret of this twin, so that hashes of patient numbers cannot be looked up."""
        return self._rows("SELECT value FROM meta WHERE name = 'salt'")[0][0]

    def add(self, observations: list[Observation]) -> None:
        """Record new observations, all or none."""
        with self._change("added", {"sha256": [each.sha256 for each in observations]}) as database:
            database.executemany(
                "INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [tuple(vars(each).values()) for each in observations],
            )

    def remove(self, observation: Observation) -> None:
        """Take an observation out of use; its row stays in the audit chain, word for word."""
        with self._change("removed", vars(observation)) as database:
            database.execute("DELETE FROM observations WHERE sha256 = ?", (observation.sha256,))

    def identities(self) -> list[str]:
        """Whose inputs this twin has held, also those taken out of use: its earlier versions were made from them."""
        removed = self._rows("SELECT detail FROM audit WHERE event = 'removed'")
        known = [one.identity for one in self.observations()] + [json.loads(row[0])["identity"] for row in removed]
        return [identity for identity in known if identity]

    def finished(self, step: str, key: str, content: str, seconds: float) -> None:
        """Record that a stage's output was computed."""
        with self._change("computed", {"step": step, "key": key, "content": content}) as database:
            database.execute(
                "INSERT INTO stage_runs (step, key, content, finished, seconds) VALUES (?, ?, ?, ?, ?)",
                (step, key, content, now(), seconds),
            )

    def new_version(self, keys: dict[str, str], computed: list[str]) -> Version:
        number = self.current().number + 1
        version = Version(number, now(), keys, tuple(computed))
        with self._change("version", {"version": number, "keys": keys}) as database:
            row = (number, version.created, json.dumps(keys), json.dumps(computed))
            database.execute("INSERT INTO versions VALUES (?, ?, ?, ?)", row)
        return version

    def note(self, event: str, detail: dict[str, Any]) -> None:
        """One line in the audit chain."""
        with self._change(event, detail):
            pass

    def observations(self) -> tuple[Observation, ...]:
        """All of them by the time they are about; those of one time, or of no known time, in order of arrival."""
        # Not by `arrived`, which has whole seconds: rows are numbered as they come in.
        rows = self._rows("SELECT * FROM observations ORDER BY effective, rowid")
        return tuple(Observation(*row) for row in rows)

    def observations_at(self, version: int) -> tuple[Observation, ...]:
        """Those in use when a version was made, in the same order, as the audit chain tells it."""
        rows = {one.sha256: one for one in self.observations()}
        added: dict[str, None] = {}
        for event, text in self._rows("SELECT event, detail FROM audit ORDER BY seq"):
            detail = json.loads(text)
            if event == "version" and detail["version"] == version:
                break
            if event == "added":
                added |= dict.fromkeys(detail["sha256"])
            elif event == "removed":
                added.pop(detail["sha256"], None)
        for (text,) in self._rows("SELECT detail FROM audit WHERE event = 'removed' ORDER BY seq"):
            one = Observation(**json.loads(text))
            rows.setdefault(one.sha256, one)
        return tuple(sorted((rows[sha256] for sha256 in added), key=lambda one: one.effective))

    def versions(self) -> tuple[Version, ...]:
        """Oldest first."""
        rows = self._rows("SELECT version, created, keys, computed FROM versions ORDER BY version")
        return tuple(
            Version(number, created, json.loads(keys), tuple(json.loads(computed)))
            for number, created, keys, computed in rows
        )

    def current(self) -> Version:
        """The newest version; number 0 before the first."""
        versions = self.versions()
        return versions[-1] if versions else Version(0, "", {}, ())

    def content_of(self, key: str) -> str | None:
        """Hash of the output last recorded under a key."""
        rows = self._rows("SELECT content FROM stage_runs WHERE key = ? ORDER BY id DESC LIMIT 1", key)
        return rows[0][0] if rows else None

    def check_audit(self) -> int:
        """Follow the chain; returns its length.

        Raises
        ------
        IntegrityError
            A line was changed, removed or reordered, or the end was cut off; names the line.
        """
        chain, expected = "", 1
        head = _read_head(self.head)
        for seq, time, event, detail, stated in self._rows("SELECT * FROM audit ORDER BY seq"):
            chain = _link(chain, seq, time, event, detail)
            if seq != expected or chain != stated or head.get(seq, stated) != stated:
                raise IntegrityError(f"{self.path.name}: audit line {expected} is missing or was changed after writing")
            expected += 1
        if head and max(head) >= expected:
            raise IntegrityError(f"{self.path.name}: the audit ends at line {expected - 1}, there were {max(head)}")
        return expected - 1

    @contextmanager
    def _change(self, event: str, detail: dict[str, Any]) -> Iterator[sqlite3.Connection]:
        with self._open() as database, database:
            yield database
            last = database.execute("SELECT seq, chain FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
            seq, chain = (last[0] + 1, last[1]) if last else (1, "")
            line = (seq, now(), event, durable.canonical(detail).decode())
            chain = _link(chain, *line)
            database.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?)", (*line, chain))
        # Written after the line it names: killed in between, the head lags behind, which is no sign of tampering.
        durable.write_file(self.head, durable.canonical({"seq": seq, "chain": chain}))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=rw", uri=True, timeout=10)) as database:
                database.execute("PRAGMA synchronous=FULL")
                yield database
        except sqlite3.OperationalError as error:
            raise ResourceLimit(f"{self.path.name}: {error}; nothing was changed. Check disk space and mode") from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{self.path.name}: {error}; restore it from a copy of the twin") from error

    def _rows(self, query: str, *parameters: Any) -> list[Any]:
        with self._open() as database:
            self._check_format(database)
            return database.execute(query, parameters).fetchall()

    def _check_format(self, database: sqlite3.Connection) -> None:
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found != FORMAT:
            raise IntegrityError(f"{self.path.name}: format {found}, this CardioTwin reads {FORMAT}; update CardioTwin")


def _link(chain: str, seq: int, time: str, event: str, detail: str) -> str:
    return hashlib.sha256(durable.canonical([chain, seq, time, event, detail])).hexdigest()


def _read_head(path: Path) -> dict[int, str]:
    try:
        head = json.loads(path.read_bytes())
        return {head["seq"]: head["chain"]}
    except FileNotFoundError as error:
        raise IntegrityError(f"{path.name} is missing: whether the audit is whole cannot be told") from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path.name} is damaged: whether the audit is whole cannot be told") from error
