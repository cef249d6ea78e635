"""IMAP URLs of messages on this server, as CATENATE takes them (RFC 4469 section 3, RFC 5092)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .cursor import Cursor, Malformed, inbox_folded
from .fetchitems import BodySection
from .grammar_fetch import fetch

_URL = re.compile(
    rb"(?:/(?P<box>[^;]*?))?(?:;UIDVALIDITY=(?P<validity>[0-9]{1,10}))?/?;UID=(?P<uid>[0-9]{1,10})"
    rb"(?:/;SECTION=(?P<section>[^;]+?))?(?:/;PARTIAL=(?P<offset>[0-9]{1,19})(?:\.(?P<length>[0-9]{1,19}))?)?",
    re.IGNORECASE,
)
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """A message, or the section of one. `mailbox` is None for the one in hand; `length` None means up to the end."""

    mailbox: str | None
    uid_validity: int | None
    uid: int
    section: BodySection
    offset: int = 0
    length: int | None = None


def parse_url(url: bytes) -> MessageUrl:
    """Read a URL relative to this server; raises ValueError for every other one."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("not the URL of a message here")
    box = _decoded(found["box"] or b"").decode("utf-8")
    length = found["length"]
    if length is not None and not int(length):
        raise ValueError("a part of no length")
    return MessageUrl(
        inbox_folded(box) if box else None,
        None if found["validity"] is None else int(found["validity"]),
        int(found["uid"]),
        _section(_decoded(found["section"] or b"")),
        int(found["offset"] or 0),
        None if length is None else int(length),
    )


def _decoded(text: bytes) -> bytes:
    if text.count(b"%") != len(_ESCAPED.findall(text)):
        raise ValueError("a stray percent sign")
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text)


def _section(text: bytes) -> BodySection:
    if b"]" in text or b"<" in text:
        raise ValueError("not a section")
    cursor = Cursor([b" 1 BODY.PEEK[%b]" % text])
    try:
        item = fetch(cursor).items[0]
    except Malformed:
        raise ValueError("not a section") from None
    if not isinstance(item, BodySection) or not cursor.at_end():
        raise ValueError("not a section")
    return item
