"""The audit chain shows what was tampered with; the database refuses what it does not know."""

import sqlite3

import pytest

from cardiotwin.errors import IntegrityError
from cardiotwin.storage.ledger import Ledger, Observation


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "twin.db")
    made.create()
    for number in range(4):
        made.note("event", {"number": number})
    return made


def tamper(ledger: Ledger, statement: str) -> None:
    with sqlite3.connect(ledger.path) as database:
        database.execute(statement)


def test_an_untouched_chain_is_whole(ledger):
    assert ledger.check_audit() == 5


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("UPDATE audit SET detail = '{}' WHERE seq = 3", 3),
        ("UPDATE audit SET time = '2020' WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("UPDATE audit SET seq = CASE seq WHEN 2 THEN 103 WHEN 3 THEN 2 ELSE seq END", 2),
        ("DELETE FROM audit WHERE seq > 3", 3),
    ],
)
def test_a_changed_removed_reordered_or_cut_line_is_noticed_and_named(ledger, statement, line):
    tamper(ledger, statement)
    with pytest.raises(IntegrityError, match=rf"line {line}\b"):
        ledger.check_audit()


def test_a_missing_head_is_noticed(ledger):
    ledger.head.unlink()
    with pytest.raises(IntegrityError, match=r"audit\.head is missing"):
        ledger.check_audit()


def test_a_kill_between_line_and_head_is_not_tampering(ledger, monkeypatch):
    old = ledger.head.read_bytes()
    ledger.note("one more", {})
    ledger.head.write_bytes(old)
    assert ledger.check_audit() == 6


def test_observations_are_added_all_or_none(ledger):
    good = Observation("a", "ecg", "", "x", "", "", "", "")
    with pytest.raises(IntegrityError):
        ledger.add([good, good])
    assert ledger.observations() == ()
    assert ledger.check_audit() == 5


def test_a_newer_format_is_refused_and_left_alone(ledger):
    tamper(ledger, "PRAGMA user_version = 99")
    with pytest.raises(IntegrityError, match="format 99"):
        ledger.observations()


def test_the_salt_of_every_twin_is_its_own(ledger, tmp_path):
    other = Ledger(tmp_path / "other.db")
    other.create()
    assert len(ledger.salt()) == 32
    assert ledger.salt() != other.salt()
