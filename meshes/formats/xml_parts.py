"""Where the elements of a large XML file are, without its text in memory, and without what XML lets a sender do.

Entities and document types are refused (they expand without end, or read other files), so are tags of more than 1 MiB.
https://docs.python.org/3/library/xml.html, section on vulnerabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from mmap import mmap
from xml.parsers import expat

from cardiotwin.meshes.formats.claims import refused, shown

LARGEST_TAG = 1 << 20
AT_ONCE = 1 << 16
MOST_ELEMENTS = 100_000
DEEPEST = 64


@dataclass(eq=False)
class Element:
    """One element of the file.

    Attributes
    ----------
    tag, attributes : str, dict of str to str
    start, stop : int
        Of its text up to the first element inside, in bytes of the file; 0, 0 without text.
    children : list of Element
    """

    tag: str
    attributes: Mapping[str, str]
    start: int = 0
    stop: int = 0
    children: list[Element] = field(default_factory=list)

    def named(self, tag: str) -> list[Element]:
        """The elements right inside that have a tag."""
        return [child for child in self.children if child.tag == tag]


def elements(data: mmap, name: str, until: str = "") -> tuple[Element, int]:
    """The root of an XML file, and where in the file the first tag `until` begins; -1 where there is none.

    Parameters
    ----------
    until : str
        Tag at which reading ends, because binary data follow it.

    Raises
    ------
    MeshError
        Not XML, entities or a document type, a tag without end, too many or too deeply nested elements.
    """
    reader, stopped = _Reader(name, until), -1
    try:
        for at in range(0, len(data), AT_ONCE):
            piece = data[at : at + AT_ONCE]
            reader.parser.Parse(piece, False)
            if at + len(piece) - reader.parser.CurrentByteIndex > LARGEST_TAG:
                raise refused(name, f"a tag of more than {LARGEST_TAG} bytes", "short attributes")
        reader.parser.Parse(b"", True)
    except _Until as met:
        stopped = met.args[0]
    except expat.ExpatError as error:
        raise refused(name, f"damaged XML ({shown(error)})", "a whole file") from error
    except (UnicodeError, LookupError, ValueError) as error:
        raise refused(name, f"damaged XML ({shown(error)})", "text in UTF-8") from error
    if reader.root is None:
        raise refused(name, "no XML element", "a whole file")
    return reader.root, stopped


class _Until(Exception):
    """The tag has been met at which reading ends; where in the file it begins."""


class _Reader:
    """Builds the tree from the parser's calls."""

    def __init__(self, name: str, until: str) -> None:
        self.name, self.until, self.open, self.count = name, until, list[Element](), 0
        self.root: Element | None = None
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._entities
        self.parser.EntityDeclHandler = self._entities
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _entities(self, *_: object) -> None:
        raise refused(self.name, "a document type or entities", "plain XML, as mesh programs write it")

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MOST_ELEMENTS or len(self.open) >= DEEPEST:
            raise refused(self.name, "too many or too deeply nested XML elements", f"{MOST_ELEMENTS} at most")
        if tag == self.until:
            raise _Until(self.parser.CurrentByteIndex)
        one = Element(tag, attributes)
        if self.open:
            self.open[-1].children.append(one)
        elif self.root is None:
            self.root = one
        self._close_text()
        self.open.append(one)

    def _end(self, _: str) -> None:
        self._close_text()
        self.open.pop()

    def _text(self, _: str) -> None:
        if self.open and not self.open[-1].start and not self.open[-1].children:
            self.open[-1].start = self.parser.CurrentByteIndex

    def _close_text(self) -> None:
        if self.open and self.open[-1].start and not self.open[-1].stop:
            self.open[-1].stop = self.parser.CurrentByteIndex
