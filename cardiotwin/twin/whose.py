"""Whose an input is: refused where it says that it is somebody else's, told where it does not say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cardiotwin.errors import PolicyRefusal
from cardiotwin.storage.ledger import Observation, words

if TYPE_CHECKING:
    from cardiotwin.twin.observations import Found

ECGS = ("ecg", "tachycardia")
DRAWN = ("label_map", "mesh")
"""Kinds whose files hardly ever name anybody: told of beside what does."""
OF_A_PATIENT = ("image", *DRAWN, *ECGS)
"""Kinds of input that show one."""
UNCHECKED = "names no patient, so whether it is the same patient was not checked"


def refuse_other_person(people: list[tuple[str, str]], found: Found) -> None:
    """Remember whose an input is, and which input says so; refuse one that says it is somebody else's.

    Parameters
    ----------
    people : list of (str, str)
        Identity, and what said it; an input that says whose it is is appended.
    found : Found

    Raises
    ------
    PolicyRefusal
    """
    from cardiotwin.ingest import differences

    for known, whose in people:
        if differ := differences(known, found.identity):
            raise PolicyRefusal(
                f"{found.file or found.source}: belongs to another patient than {whose} "
                f"({' and '.join(differ)} differ{'s' * (len(differ) == 1)}); "
                "start a twin for each patient, or correct the export"
            )
    if found.identity:
        people.append((found.identity, found.file or found.source))


def told_of_unnamed(
    new: dict[Observation, Found], people: list[tuple[str, str]], before: Iterable[Observation]
) -> Iterator[str]:
    """A line for each input that may be another patient's for all that its file says: ECGs once something lies beside
    them, label maps and meshes once that says whose it is.
    """
    known = [one for one in before if one.kind in OF_A_PATIENT]
    arrived = [observation for observation in new if observation.kind in OF_A_PATIENT]
    if len(known) == 1 and arrived and known[0].kind in ECGS and not known[0].identity:
        yield f"{words(known[0])}: {UNCHECKED}"  # it was alone when it came
    if any(one.identity for one in arrived) and not any(one.identity for one in known):
        yield from (f"{words(one)}: {UNCHECKED}" for one in known if one.kind in DRAWN)
    for observation in arrived:
        one = new[observation]
        beside = bool(people) or (observation.kind in ECGS and len(known) + len(arrived) > 1)
        if observation.kind in (*ECGS, *DRAWN) and not one.identity and beside:
            yield f"{one.file or one.source}: {UNCHECKED}"


def unchecked(one: Observation, beside: Iterable[Observation]) -> tuple[str, ...]:
    """The same of an input of a twin, beside all of them; nothing where it is alone or says whose it is."""
    others = [other for other in beside if other.kind in OF_A_PATIENT and other != one]
    told = others if one.kind in ECGS else [other for other in others if other.identity and one.kind in DRAWN]
    return (UNCHECKED,) if told and not one.identity else ()
