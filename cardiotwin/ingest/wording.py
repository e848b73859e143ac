"""How a refusal speaks of hostile input: short, printable, never identifying."""

from __future__ import annotations

from pathlib import Path

from cardiotwin.errors import CardioTwinError, InputRejected

MOST_CHARACTERS = 80


def shown(value: object, most: int = MOST_CHARACTERS) -> str:
    """`value` for one line of a message: control characters escaped, cut to `most` characters."""
    text = value if isinstance(value, str) else str(value)
    text = text[: 4 * most].encode("unicode_escape").decode("ascii")
    return text if len(text) <= most else text[: most - 3] + "..."


def name_of(path: Path, root: Path | None = None) -> str:
    """The file as the user knows it: relative to the folder that was given, else its last part."""
    if root is not None and path != root and path.is_relative_to(root):
        return shown(path.relative_to(root), 120)
    return shown(path.name, 120)


def tagged(keyword: str) -> str:
    """``PixelSpacing (0028,0030)``."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def refusal(
    where: str,
    found: str,
    expected: str,
    advice: str,
    error: type[CardioTwinError] = InputRejected,
) -> CardioTwinError:
    """One line: where, what was found, what was expected, what to do."""
    return error(f"{where}: found {found}; expected {expected}. {advice}")


def with_option(refused: CardioTwinError, n_files: int) -> CardioTwinError:
    """The refusal of one file, with what passes over it; of a file that was given alone, as it is."""
    if n_files < 2:
        return refused
    return type(refused)(f"{str(refused).rstrip('.')}. Or leave damaged files out with skip_bad=")
