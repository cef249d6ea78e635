"""XML of strangers: no document type, no entity, no network, bounded size, depth and number of elements."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lxml import etree

from .limits import ArchiveLimits
from .problems import ArchiveProblem

Element = etree._Element

MAX_TEXT = 1000
"""Characters of one text that is kept; names, titles and codes are far shorter."""

_DECLARATION = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_ENCODINGS = frozenset(
    {b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252"}
)
_PLAIN_LIMIT = 9_000_000  # libxml2 refuses texts over 10,000,000 octets unless every limit is lifted
_LONG = 100_000
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n"


def looks_like_xml(octets: bytes) -> bool:
    """True when the first mark is `<`."""
    return octets[:500].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def check_markup(texts: Iterable[bytes], limits: ArchiveLimits) -> None:
    """Bound elements and attributes of all XML of an archive before any tree is made; raises `ArchiveProblem`."""
    markup = quotes = 0
    for octets in texts:
        markup += octets.count(b"<")
        if len(octets) > limits.quotes - quotes:  # else there is no room for too many
            quotes += octets.count(b'"') + octets.count(b"'")
        if markup > limits.markup or quotes > limits.quotes:
            raise ArchiveProblem("xdm-too-large")


def parse_xml(octets: bytes, slug: str, where: str) -> Element:
    """The root element; raises `ArchiveProblem` with `slug`, or with the reason that this reader itself has.

    Encodings are a short list in which markup is ASCII, so that what is searched in octets here is what the
    parser sees.
    """
    if b"<!DOCTYPE" in octets:  # entities are declared nowhere else
        raise ArchiveProblem("xdm-entity", where)
    declared = _DECLARATION.match(octets.removeprefix(b"\xef\xbb\xbf")[:200])
    if b"\0" in octets or (declared and declared[1].lower() not in _ENCODINGS):
        raise ArchiveProblem(slug, where)
    if len(octets) > _PLAIN_LIMIT:
        octets = _without_long_base64(octets)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ArchiveProblem(slug, where) from None
    return root


def _without_long_base64(octets: bytes) -> bytes:
    """Cut the inside of long runs that hold only base64 between `>` and `<`: no markup can be lost with them."""
    pieces = octets.split(b"<")
    for index, piece in enumerate(pieces):
        if len(piece) > _LONG:
            markup, sign, text = piece.partition(b">")
            if sign and not text.translate(None, _BASE64):
                pieces[index] = markup + b">" + text[:64]
    return b"<".join(pieces)


def local_name(element: Element) -> str:
    """The tag without its namespace, in lower case: published examples differ in case (domain 16.2)."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def text_of(element: Element | None) -> str:
    """All text inside an element with runs of white space as one blank, cut to `MAX_TEXT` characters."""
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())[:MAX_TEXT]
