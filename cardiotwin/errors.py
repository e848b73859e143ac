"""What can go wrong on purpose: one class per exit code, one line per message."""

from __future__ import annotations


class CardioTwinError(Exception):
    """Every deliberate refusal. The message is one line: what, where, found, expected, what to do."""

    exit_code = 1


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
    """Stopped by the user or the system; running again resumes."""

    exit_code = 75
