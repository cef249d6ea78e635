"""Answers to bytes (RFC 9051 section 7): every function returns whole response lines, CRLF included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .events import Ending
from .quoting import astring, flag, flag_list, line_text, mailbox, nstring

CRLF = b"\r\n"
"""The end of every line."""

DELIMITER = b'"/"'
"""The hierarchy delimiter as LIST and NAMESPACE show it."""

_CODE = re.compile(rb"[\x20-\x5c\x5e-\x7e]+")


def _coded(code: bytes, text: str) -> bytes:
    if not code:
        return line_text(text)
    if _CODE.fullmatch(code) is None:
        raise ValueError("a response code holds no control character and no bracket")
    return b"[%b] %b" % (code, line_text(text))


def tagged(tag: bytes, ending: Ending, text: str, code: bytes = b"") -> bytes:
    """The line that ends a command; `code` goes between brackets."""
    return b"%b %b %b\r\n" % (tag, ending.value, _coded(code, text))


def ok(text: str, code: bytes = b"") -> bytes:
    """`* OK`, often only for its code (`UIDVALIDITY 12`)."""
    return b"* OK %b\r\n" % _coded(code, text)


def no(text: str, code: bytes = b"") -> bytes:
    """`* NO`, a warning."""
    return b"* NO %b\r\n" % _coded(code, text)


def bad(text: str, code: bytes = b"") -> bytes:
    """`* BAD`, for a line that has no tag."""
    return b"* BAD %b\r\n" % _coded(code, text)


def bye(text: str, code: bytes = b"") -> bytes:
    """`* BYE`: the server closes."""
    return b"* BYE %b\r\n" % _coded(code, text)


def greeting(capabilities: bytes, text: str = "ready") -> bytes:
    """The first line of a connection, with the capabilities."""
    return b"* OK [CAPABILITY %b] %b\r\n" % (capabilities, line_text(text))


def capability(capabilities: bytes) -> bytes:
    """CAPABILITY; takes `ImapServer.capabilities()`."""
    return b"* CAPABILITY %b\r\n" % capabilities


def enabled(names: Iterable[str]) -> bytes:
    """ENABLED with the extensions now on (RFC 5161)."""
    return b"* ENABLED%b\r\n" % b"".join(b" " + flag(name) for name in names)


def identification(fields: Mapping[str, str] | None) -> bytes:
    """ID (RFC 2971)."""
    if not fields:
        return b"* ID NIL\r\n"
    pairs = (string for pair in fields.items() for string in pair)
    return b"* ID (%b)\r\n" % b" ".join(nstring(line_text(text)) for text in pairs)


def namespace(*, shared: bool = False) -> bytes:
    """NAMESPACE (RFC 2342): the personal one at the root, and `Shared/` when the user has shared boxes."""
    return b'* NAMESPACE (("" "/")) NIL %b\r\n' % (b'(("Shared/" "/"))' if shared else b"NIL")


def flags(names: Iterable[str]) -> bytes:
    """FLAGS: the flags of the mailbox."""
    return b"* FLAGS %b\r\n" % flag_list(names)


def permanent_flags(names: Iterable[str], *, new_keywords: bool) -> bytes:
    """OK with PERMANENTFLAGS; `new_keywords` adds `\\*`."""
    listed = flag_list(names)
    if new_keywords:
        listed = b"(%b)" % b" ".join(filter(None, (listed[1:-1], b"\\*")))
    return b"* OK [PERMANENTFLAGS %b] flags kept\r\n" % listed


def exists(count: int) -> bytes:
    """EXISTS."""
    return b"* %d EXISTS\r\n" % count


def expunge(numbers: Iterable[int]) -> bytes:
    """One EXPUNGE line for each sequence number, in the order given by `SequenceView.apply`."""
    return b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])


def number_set(numbers: Iterable[int]) -> bytes:
    """A sequence set of ascending numbers with runs folded (`1:3,7`); empty when there are none."""
    parts: list[bytes] = []
    first = last = 0
    for number in numbers:
        if number == last + 1 and first:
            last = number
            continue
        if first:
            parts.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
        first = last = number
    if first:
        parts.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
    return b",".join(parts)


def paired_sets(sources: Sequence[int], targets: Sequence[int]) -> tuple[bytes, bytes]:
    """Two sequence sets of equal length for COPYUID: pairs keep their order even when the UIDs do not ascend."""
    if list(sources) == sorted(sources) and list(targets) == sorted(targets):
        return number_set(sources), number_set(targets)
    return b",".join([b"%d" % uid for uid in sources]), b",".join([b"%d" % uid for uid in targets])


def copyuid(uid_validity: int, sources: Sequence[int], targets: Sequence[int]) -> bytes:
    """The COPYUID code (RFC 4315 section 3)."""
    left, right = paired_sets(sources, targets)
    return b"COPYUID %d %b %b" % (uid_validity, left, right)


def appenduid(uid_validity: int, uid: int) -> bytes:
    """The APPENDUID code (RFC 4315 section 3)."""
    return b"APPENDUID %d %d" % (uid_validity, uid)


def vanished(uids: Iterable[int], *, earlier: bool = False) -> bytes:
    """VANISHED (RFC 7162 section 3.2.10)."""
    return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if earlier else b"", number_set(uids))


def listing(
    name: str,
    attributes: Iterable[str],
    *,
    utf8: bool = False,
    child_info: Iterable[str] = (),
    old_name: str | None = None,
    verb: bytes = b"LIST",
) -> bytes:
    """LIST or LSUB, with CHILDINFO (RFC 5258 section 3.5) and OLDNAME (RFC 9051 section 6.3.9.7) when given."""
    extended = []
    if child_info:
        extended.append(b'"CHILDINFO" (%b)' % b" ".join(b'"%b"' % flag(text) for text in child_info))
    if old_name is not None:
        extended.append(b'"OLDNAME" (%b)' % mailbox(old_name, utf8))
    tail = b" (%b)" % b" ".join(extended) if extended else b""
    shown = b" ".join([flag(text) for text in attributes])
    return b'* %b (%b) "/" %b%b\r\n' % (verb, shown, mailbox(name, utf8), tail)


def delimiter() -> bytes:
    """The answer to `LIST "" ""`."""
    return b'* LIST (\\Noselect) "/" ""\r\n'


def status(name: str, counters: Mapping[str, int], utf8: bool = False) -> bytes:
    """STATUS with counters in the order given."""
    pairs = b" ".join([b"%b %d" % (flag(key), value) for key, value in counters.items()])
    return b"* STATUS %b (%b)\r\n" % (mailbox(name, utf8), pairs)


def search(numbers: Iterable[int], modseq: int | None = None) -> bytes:
    """SEARCH of rev1, with the highest mod-sequence of the matches when asked (RFC 7162 section 3.1.5)."""
    shown = b"".join([b" %d" % number for number in numbers])
    tail = b" (MODSEQ %d)" % modseq if modseq is not None and shown else b""
    return b"* SEARCH%b%b\r\n" % (shown, tail)


def esearch(
    tag: bytes, numbers: Sequence[int], returns: frozenset[str], *, uid: bool, modseq: int | None = None
) -> bytes:
    """ESEARCH for ascending matches (RFC 4731 section 3.1): MIN, MAX and ALL are left out when nothing matched."""
    parts = [b'* ESEARCH (TAG "%b")' % tag]
    if uid:
        parts.append(b"UID")
    if numbers:
        if "MIN" in returns:
            parts.append(b"MIN %d" % numbers[0])
        if "MAX" in returns:
            parts.append(b"MAX %d" % numbers[-1])
        if "ALL" in returns:
            parts.append(b"ALL " + number_set(numbers))
    if "COUNT" in returns:
        parts.append(b"COUNT %d" % len(numbers))
    if modseq is not None and numbers:
        parts.append(b"MODSEQ %d" % modseq)
    return b" ".join(parts) + CRLF


def badcharset() -> bytes:
    """The BADCHARSET code with what we take."""
    return b"BADCHARSET (US-ASCII UTF-8)"


__all__ = [
    "CRLF",
    "DELIMITER",
    "appenduid",
    "astring",
    "bad",
    "badcharset",
    "bye",
    "capability",
    "copyuid",
    "delimiter",
    "enabled",
    "esearch",
    "exists",
    "expunge",
    "flag_list",
    "flags",
    "greeting",
    "identification",
    "listing",
    "mailbox",
    "namespace",
    "no",
    "number_set",
    "ok",
    "paired_sets",
    "permanent_flags",
    "search",
    "status",
    "tagged",
    "vanished",
]
