"""Answers to bytes (RFC 9051 section 7): every function returns whole response lines, CRLF included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .events import Ending
from .quoting import astring, flag, flag_list, line_text, mailbox, nstring
from .sequence import ranges_of

CRLF = b"\r\n"
"""The end of every line."""

DELIMITER = b'"/"'
"""The hierarchy delimiter as LIST and NAMESPACE show it."""

VANISHED_RANGES = 1000
"""Ranges of one VANISHED line: at most some 22 KiB, which the line buffers of clients hold."""

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
    return _set_text(ranges_of(numbers))


def _set_text(ranges: Iterable[tuple[int, int]]) -> bytes:
    return b",".join([b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in ranges])


def paired_sets(sources: Sequence[int], targets: Sequence[int]) -> tuple[bytes, bytes]:
    """Two sequence sets of equal length for COPYUID: pairs keep their order even when the UIDs do not ascend."""
    if list(sources) == sorted(sources) and list(targets) == sorted(targets):
        return number_set(sources), number_set(targets)
    return b",".join([b"%d" % uid for uid in sources]), b",".join([b"%d" % uid for uid in targets])


def copyuid(uid_validity: int, sources: Sequence[int], targets: Sequence[int]) -> bytes:
    """The COPYUID code (RFC 4315 section 3)."""
    left, right = paired_sets(sources, targets)
    return b"COPYUID %d %b %b" % (uid_validity, left, right)


def appenduid(uid_validity: int, uids: Sequence[int]) -> bytes:
    """The APPENDUID code (RFC 4315 section 3), with a set for MULTIAPPEND, in the order of its messages."""
    shown = number_set(uids) if list(uids) == sorted(set(uids)) else b",".join([b"%d" % uid for uid in uids])
    return b"APPENDUID %d %b" % (uid_validity, shown)


def vanished(uids: Iterable[int]) -> bytes:
    """VANISHED (RFC 7162 section 3.2.10) of ascending UIDs; many scattered ones come in several lines."""
    return _vanished(b"", ranges_of(uids))


def vanished_earlier(runs: Iterable[range]) -> bytes:
    """VANISHED (EARLIER) of ascending runs of UIDs, in as many lines."""
    return _vanished(b"(EARLIER) ", [(run.start, run.stop - 1) for run in runs])


def _vanished(label: bytes, ranges: Sequence[tuple[int, int]]) -> bytes:
    return b"".join(
        [
            b"* VANISHED %b%b\r\n" % (label, _set_text(ranges[at : at + VANISHED_RANGES]))
            for at in range(0, len(ranges), VANISHED_RANGES)
        ]
    )


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


def status(name: str, counters: Mapping[str, int | bytes], utf8: bool = False) -> bytes:
    """STATUS with counters in the order given; octets are written as they are (`(F12-3)` of MAILBOXID)."""
    pairs = b" ".join(
        [
            b"%b %b" % (flag(key), value if isinstance(value, bytes) else b"%d" % value)
            for key, value in counters.items()
        ]
    )
    return b"* STATUS %b (%b)\r\n" % (mailbox(name, utf8), pairs)


def search(numbers: Iterable[int], modseq: int | None = None, word: bytes = b"SEARCH") -> bytes:
    """SEARCH of rev1, or SORT, with the highest mod-sequence of the matches when asked (RFC 7162 section 3.1.5)."""
    shown = " ".join(map(str, numbers)).encode("ascii")
    tail = b" (MODSEQ %d)" % modseq if modseq is not None and shown else b""
    return b"* %b%b%b%b\r\n" % (word, b" " if shown else b"", shown, tail)


__all__ = [
    "CRLF",
    "DELIMITER",
    "appenduid",
    "astring",
    "bad",
    "bye",
    "capability",
    "copyuid",
    "delimiter",
    "enabled",
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
    "vanished_earlier",
]
