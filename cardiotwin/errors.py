"""What can go wrong on purpose: one class per exit code, one line per message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class CardioTwinError(Exception):
    """Every deliberate refusal. The message is one line: what, where, found, expected, what to do.

    Attributes
    ----------
    told : bool
        What was found is on standard output already: for machines there is nothing to add.
    listed : tuple of str
        What there is to choose from: one a line at the command line, part of the one line elsewhere.
    """

    exit_code = 1
    told = False

    def __init__(self, message: str = "", listed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.listed = tuple(listed)

    def __str__(self) -> str:
        return " ".join((str(self.args[0]), "; ".join(self.listed))).strip()


class SettingsError(CardioTwinError):
    """Usage or settings: an unknown key, a value out of range, a command that makes no sense."""

    exit_code = 2


class InputRejected(CardioTwinError):
    """The input is malformed, unsafe or inconsistent."""

    exit_code = 3


class MeshError(InputRejected):
    """A mesh that no solver should see: flat, inverted, out of range, in pieces."""


class QualityGate(CardioTwinError):
    """The input is readable, but not enough to answer."""

    exit_code = 4


class ResourceLimit(CardioTwinError):
    """Memory, disk or time ran out, or another process holds the twin."""

    exit_code = 5


class IntegrityError(CardioTwinError):
    """A stored artefact is not what its manifest says."""

    exit_code = 6


class PolicyRefusal(CardioTwinError):
    """Identity or consent: two patients, burned-in names."""

    exit_code = 7


class Interrupted(CardioTwinError):
    """Stopped by the user or the system; running again resumes.

    Attributes
    ----------
    kept : str
        What of the computation that was stopped is kept; "" for nothing.
    """

    exit_code = 75
    kept = ""


def stopped(what: str, *, kept: str, lost: str, partly: str = "") -> Interrupted:
    """The one form of words for an interruption.

    Parameters
    ----------
    what : str
        Was going on; "" where that is clear.
    kept, lost : str
        In a few words.
    partly : str
        What of `what` itself is kept, for whoever knows more of what else is.
    """
    during = f"stopped during {what}" if what else "stopped"
    error = Interrupted(f"{during}; kept: {kept or 'nothing'}; lost: {lost}; run again to resume")
    error.kept = partly
    return error
