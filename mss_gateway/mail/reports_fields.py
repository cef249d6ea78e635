"""The machine fields of reports, read as deployed software writes them (RFC 3464, RFC 8098, domain 11.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .facts import read_message_id
from .message import unfold
from .reports_codes import ErrorText, error_of_disposition, read_error
from .reports_values import ReportedDisposition, ReportedRecipient
from .words import decode_words, plain_text

MAX_RECIPIENTS = 200
"""Recipients read of one report."""

MAX_DIAGNOSTIC = 400
"""Characters of a diagnostic that are kept."""

_MAX_FIELDS = 5000
_MAX_NOTICE = 256 * 1024  # octets of machine fields that are read
_LINE = re.compile(
    rb"^(?:([A-Za-z][A-Za-z0-9-]{0,60})[ \t]*+:([^\n]*+(?:\n[ \t]++[^\s][^\n]*+)*+)|([ \t]*+\r?$))",
    re.MULTILINE,
)
_TYPED = re.compile(r"\s*+([A-Za-z0-9-]{1,40})\s*+;\s*+(.*+)", re.DOTALL)
_UTF8 = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ADDRESS = re.compile(r"[^\s<>(),;]{1,320}")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_WORD = re.compile(r"[A-Za-z-]{1,40}")
_TYPES = re.compile(r"\b(displayed|deleted|dispatched|processed|denied|failed)\b", re.IGNORECASE)
_IDS = re.compile(rb"<[^<>]{1,998}>")
_SPACES = re.compile(r"\s++")
_OF_RECIPIENT = frozenset({b"original-recipient", b"final-recipient", b"action", b"status"})
_ABOUT_MESSAGE = frozenset({b"final-recipient", b"original-recipient", b"original-message-id"})
_OPENING = frozenset({b"original-recipient", b"final-recipient"})
_OUTCOME = frozenset({b"action", b"status"})


@dataclass(slots=True)
class Notice:
    """The fields of one report: by name, first value each, and by recipient. Names are in lower case."""

    fields: dict[bytes, bytes] = field(default_factory=dict)
    recipients: list[dict[bytes, bytes]] = field(default_factory=list)

    @property
    def is_disposition(self) -> bool:
        """True when they are those of an MDN; a letter may well hold a line "Disposition: retour à domicile"."""
        value = self.fields.get(b"disposition", b"")[:2000].lower()
        return b"-action" in value or (
            _ABOUT_MESSAGE & self.fields.keys() != set() and _TYPES.search(plain_text(value)) is not None
        )

    @property
    def is_status(self) -> bool:
        """True when they are those of a DSN: at least one recipient and what became of it."""
        return any(
            _OPENING & one.keys() and (b"action" in one or b"status" in one) for one in self.recipients
        )

    def text(self, name: bytes) -> str:
        """A field decoded, or nothing."""
        return decode_words(self.fields.get(name, b""))


def read_notice(block: bytes) -> Notice:
    """Read fields; an empty line opens the next recipient, and so does a field that is repeated without one."""
    notice = Notice()
    current: dict[bytes, bytes] = {}
    for count, match in enumerate(_LINE.finditer(block[:_MAX_NOTICE])):
        if count >= _MAX_FIELDS:
            break
        if match[1] is None:
            current = _close(notice, current)
            continue
        name = match[1].lower()
        if name in current and name in _OF_RECIPIENT:
            current = _close(notice, current)
        value = unfold(match[2]).strip(b" \t\r")
        current.setdefault(name, value)
        notice.fields.setdefault(name, value)
    _close(notice, current)
    return notice


def _close(notice: Notice, block: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Put a block aside: as a recipient, or with the last one where empty lines stand between its fields."""
    last = notice.recipients[-1] if notice.recipients else None
    named = _OF_RECIPIENT & block.keys()
    if last is not None and not (_OPENING & named and _OUTCOME & last.keys()) and not named & last.keys():
        for name, value in block.items():
            last.setdefault(name, value)
    elif named and len(notice.recipients) < MAX_RECIPIENTS:
        notice.recipients.append(block)
    return {}


def read_recipient(value: bytes) -> str:
    """Return the address of `rfc822; addr`, `rfc822;addr`, `<addr>` or `addr`; empty when there is none."""
    text = decode_words(value[:2000])
    typed = _TYPED.match(text)
    kind, text = (typed[1].lower(), typed[2]) if typed else ("", text)
    if kind == "utf-8":  # utf-8-addr-xtext, RFC 6533 section 3
        text = _UTF8.sub(lambda match: _character(int(match[1], 16)), text)
    angle = text.find("<")
    found = _ADDRESS.search(text, angle + 1 if angle >= 0 else 0)
    address = found[0] if found else ""
    return address[1:-1] if address[:1] == address[-1:] and address[:1] in ("'", '"') else address


def _character(point: int) -> str:
    # A surrogate or a control character is nothing that an address holds.
    return chr(point) if 0xA0 <= point < 0xD800 or 0xDFFF < point <= 0x10FFFF or 0x20 < point < 0x7F else "?"


def one_line(text: str) -> str:
    """Return a diagnostic in one line of at most `MAX_DIAGNOSTIC` printable characters."""
    flat = _SPACES.sub(" ", text[: 4 * MAX_DIAGNOSTIC])
    return "".join(c if c.isprintable() else "?" for c in flat).strip()[:MAX_DIAGNOSTIC].rstrip()


def find_status(text: str) -> str:
    """Return the first RFC 3463 code of a text, or nothing."""
    match = _STATUS.search(text[:2000])
    return match[1] if match else ""


def _recipient(fields: dict[bytes, bytes], whole: Notice) -> ReportedRecipient | None:
    original = read_recipient(fields.get(b"original-recipient", b""))
    address = read_recipient(fields.get(b"final-recipient", b"")) or original
    if not address:
        return None
    coded = decode_words(fields.get(b"diagnostic-code", b"")[:4000])
    typed = _TYPED.match(coded)
    diagnostic = typed[2] if typed else coded
    if not diagnostic and whole.is_disposition:
        diagnostic = next(filter(None, map(whole.text, (b"error", b"failure", b"warning"))), "")
    action = _WORD.search(plain_text(fields.get(b"action", b"")[:200]))
    status = find_status(plain_text(fields.get(b"status", b"")[:200])) or find_status(diagnostic)
    return ReportedRecipient(
        address, action[0].lower() if action else "", status, one_line(diagnostic), original
    )


def recipients_of(notice: Notice) -> tuple[ReportedRecipient, ...]:
    """Return the recipients that a notice names, in order, each address once."""
    # The fields of an MDN are about one recipient, however they are parted.
    blocks = [notice.fields] if notice.is_disposition else notice.recipients
    found = {one.address: one for one in (_recipient(block, notice) for block in reversed(blocks)) if one}
    return tuple(reversed(found.values()))


def read_disposition(notice: Notice) -> tuple[ReportedDisposition | None, ErrorText | None]:
    """Return the disposition of an MDN and its error, if it tells one; `;` may be missing."""
    value = notice.text(b"disposition")[:2000]
    mode, semicolon, rest = value.partition(";")
    if not semicolon:
        known = _TYPES.search(value)
        mode, rest = (value[: known.start()], value[known.start() :]) if known else (value, "")
    kind, _, modifier = rest.partition("/")
    named = _WORD.search(kind)
    if not named:
        return None, None
    error = error_of_disposition(modifier)
    told = notice.text(b"error")[:2000]
    if told and (error is None or not error.code):
        error = read_error(told)
    first = _WORD.search(modifier)
    mode = "".join(mode.split()).strip("/,").lower()[:80]
    return ReportedDisposition(mode, named[0].lower(), first[0].lower() if first else ""), error


def message_ids(value: bytes | None) -> tuple[str, ...]:
    """Return the ids of a field, inner white space away; a single bare `left@right` counts as well."""
    if not value:
        return ()
    found = [read_message_id(one) for one in _IDS.findall(value[:20_000])[:50]]
    if not found and b"@" in value and len(value.split()) == 1:
        found = [read_message_id(value)]
    return tuple(dict.fromkeys(one for one in found if one and len(one) > 2))
