"""What the rules want to know of a header, read in one pass (BAL-6, CHN-3, CHN-4, RCP-2, RCP-3, RTE-6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .address import Address
from .addresses import scan_addresses, to_address
from .message import Header, unfold
from .mime import parse_content_type
from .words import decode_words, plain_text

_MSG_ID = re.compile(rb"<[^<>]++>")
_SPACES = re.compile(rb"[ \t\r\n]++")
_LEAD = re.compile(rb"[ \t]?\r?\n[ \t]|[ \t]")
_REPORTS = frozenset({"delivery-status", "disposition-notification"})
_ONCE = (b"subject", b"sender", b"reply-to", b"x-mss-mes")
_MAX_NAME = 200  # characters of a display name that are kept
_MAX_ID = 998  # octets of one line, RFC 5322 section 2.1.1


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """The decoded header fields that rules decide on; never anything of the body.

    `from_valid` is False when From is absent, repeated, or anything but well-formed mailboxes.
    `reply_to` is empty when Reply-To is absent, and also when any of its addresses is malformed:
    present and empty must be treated as not trusted; so must a Sender that is present and None.
    `subject` is exact (see `exact_subject`).
    `repeated` names the fields among Subject, Sender, Reply-To and X-MSS-MES that occur more than once
    (RFC 5322 section 3.6): readers disagree on which of them counts.
    """

    from_: tuple[Address, ...] = ()
    from_valid: bool = True
    sender: Address | None = None
    sender_present: bool = False
    reply_to: tuple[Address, ...] = ()
    reply_to_present: bool = False
    subject: str = ""
    mss_mes: str | None = None
    message_id: str | None = None
    received_count: int = 0
    auto_submitted: bool = False
    auto_generated: bool = False
    report: str | None = None
    disposition_to: str | None = None
    from_name: str = ""
    repeated: tuple[str, ...] = ()


def exact_subject(raw: bytes) -> str:
    """Return the decoded text of a raw Subject value with its white space kept (CHN-3).

    Only the one blank after the colon is dropped, and with it a fold placed right there, which is
    the writer's line breaking and no part of the text. Blanks at the end stay.
    """
    lead = _LEAD.match(raw)
    return decode_words(unfold(raw[lead.end() :] if lead else raw))


def read_message_id(value: bytes) -> str | None:
    """Return the first `<id>` of a value without inner white space, else the whole text, else None.

    Deployed software writes ids with a blank inside or without brackets; both still name a message.
    """
    match = _MSG_ID.search(value[: _MAX_ID * 2])
    text = _SPACES.sub(b"", match[0] if match else value)[:_MAX_ID]
    return plain_text(text) if text else None


def _addresses(values: list[bytes]) -> tuple[tuple[Address, ...], bool]:
    """All mailboxes of some fields, and whether every one of them was well formed."""
    found: list[Address] = []
    valid = True
    for value in values:
        for entry in scan_addresses(value):
            address = to_address(entry)
            if address is not None:
                found.append(address)
            elif entry.domain is not None or not entry.clean:
                valid = False
    return tuple(found), valid


def _only_address(header: Header, name: bytes) -> Address | None:
    values = header.every(name)
    if len(values) != 1:
        return None
    found, valid = _addresses(values)
    return found[0] if valid and len(found) == 1 else None


def _display_name(values: list[bytes]) -> str:
    """What stands before the first address of From, decoded; empty without one."""
    entries = scan_addresses(values[0], 1) if values else []
    name = entries[0].name if entries else None
    return " ".join(decode_words(name).split())[:_MAX_NAME] if name else ""


def _report(header: Header) -> str | None:
    value = header.first(b"content-type")
    if not value or b"report" not in value.lower():
        return None
    kind = parse_content_type(value)
    if (kind.main, kind.sub) != (b"multipart", b"report"):
        return None
    named = plain_text(kind.parameter(b"report-type") or b"").lower()
    return named if named in _REPORTS else None


def header_facts(source: bytes | Header) -> HeaderFacts:
    """Return the facts of a header block or of one already split; raise `InvalidValue` beyond 512 KiB."""
    header = source if isinstance(source, Header) else Header(source)
    senders = header.every(b"from")
    from_, from_valid = _addresses(senders)
    reply_to, reply_to_valid = _addresses(header.every(b"reply-to"))
    subject = header.raw(b"subject")
    mark = header.first(b"x-mss-mes")
    identity = header.first(b"message-id")
    automatic = header.first(b"auto-submitted")
    kind = b"" if automatic is None else automatic.split(b";")[0].strip().lower()
    wanted = header.first(b"disposition-notification-to")
    disposition_to: str | None = None
    if wanted is not None:
        address = _only_address(header, b"disposition-notification-to")
        disposition_to = str(address) if address else plain_text(wanted)
    return HeaderFacts(
        from_=from_,
        from_valid=len(senders) == 1 and from_valid and bool(from_),
        sender=_only_address(header, b"sender"),
        sender_present=b"sender" in header,
        reply_to=reply_to if reply_to_valid else (),
        reply_to_present=b"reply-to" in header,
        subject="" if subject is None else exact_subject(subject),
        mss_mes=None if mark is None else plain_text(mark),
        message_id=None if identity is None else read_message_id(identity),
        received_count=header.count(b"received"),
        auto_submitted=kind not in (b"", b"no"),
        auto_generated=kind == b"auto-generated",
        report=_report(header),
        disposition_to=disposition_to,
        from_name=_display_name(senders),
        repeated=tuple(name.decode("ascii") for name in _ONCE if header.count(name) > 1),
    )


message_facts = header_facts
"""The facts of a message, which are those of its header."""
