"""Delivery status notifications (RFC 3464, RFC 3461 section 6; RCP-1, RCP-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .compose import (
    Entity,
    Letterhead,
    ascii_line,
    header_block,
    one_line,
    quoted_printable,
    report,
    text_entity,
)
from .dates import format_date
from .message import split_message


class Action(Enum):
    """What became of a recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """One recipient's outcome. `status` is an RFC 3463 code such as `5.2.1`.

    `orcpt` is `addr-type;address` as the sender gave it; `diagnostic` the peer's SMTP reply in one line;
    `remote_mta` its host name; times are epoch seconds.
    """

    final_recipient: str
    action: Action
    status: str
    orcpt: str | None = None
    diagnostic: str | None = None
    remote_mta: str | None = None
    last_attempt: float | None = None
    will_retry_until: float | None = None


@dataclass(frozen=True, slots=True)
class OriginalMessage:
    """The message reported on: its header block, and its text only where RET=FULL allows it (RCP-1)."""

    header: bytes
    text: bytes | None = None
    envid: str | None = None
    arrived_at: float | None = None


def _address(address: str) -> str:
    text = one_line(address)
    if text.isascii():
        return f"rfc822; {text}"
    # utf-8-addr-unitext would need message/global-delivery-status: use its ASCII form (RFC 6533 section 3).
    escaped = "".join(c if " " < c <= "~" and c not in "\\+=" else f"\\x{{{ord(c):X}}}" for c in text)
    return f"utf-8; {escaped}"


def _recipient_fields(one: RecipientStatus, offset: int) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    if one.orcpt:
        kind, separator, address = one.orcpt.partition(";")
        fields.append(
            ("Original-Recipient", ascii_line(f"{kind}; {address}" if separator else f"rfc822; {kind}"))
        )
    fields.append(("Final-Recipient", _address(one.final_recipient)))
    fields.append(("Action", one.action.value))
    fields.append(("Status", ascii_line(one.status)))
    if one.remote_mta:
        fields.append(("Remote-MTA", f"dns; {ascii_line(one.remote_mta)}"))
    if one.diagnostic:
        fields.append(("Diagnostic-Code", f"smtp; {ascii_line(one.diagnostic)}"))
    if one.last_attempt is not None:
        fields.append(("Last-Attempt-Date", format_date(one.last_attempt, offset)))
    if one.will_retry_until is not None:
        fields.append(("Will-Retry-Until", format_date(one.will_retry_until, offset)))
    return fields


def first_fields(header: bytes, limit: int) -> bytes:
    """Return the first whole fields of a header block that fit into `limit` octets, with the empty line at its end."""
    if len(header) <= limit:
        return header
    end = header.rfind(b"\r\n", 0, limit)
    while end > 0 and header[end + 2 : end + 3] in (b" ", b"\t"):  # a field is kept with all of its lines
        end = header.rfind(b"\r\n", 0, end)
    return (header[: end + 2] if end > 0 else b"") + b"\r\n"


def original_entity(original: OriginalMessage) -> Entity:
    """Return the third part: header only (text/rfc822-headers), or the whole message when its text is given."""
    header = original.header
    block = header[: split_message(header)]
    if original.text is None:
        encoding = "7bit"
        if not block.isascii():
            block, encoding = quoted_printable([*block.splitlines(), b""]), "quoted-printable"
        return Entity(
            (("Content-Type", "text/rfc822-headers"), ("Content-Transfer-Encoding", encoding)), block
        )
    whole = block + original.text
    encoding = "7bit" if whole.isascii() else "8bit"
    return Entity((("Content-Type", "message/rfc822"), ("Content-Transfer-Encoding", encoding)), whole)


def build_dsn(
    head: Letterhead,
    human: str,
    reporting_mta: str,
    recipients: Sequence[RecipientStatus],
    original: OriginalMessage,
) -> bytes:
    """Return a whole DSN as bytes, CRLF throughout; `human` is its readable first part, kept word for word.

    The original's body is never in it unless `original.text` is given (RCP-1).
    """
    message_fields = [("Reporting-MTA", f"dns; {ascii_line(reporting_mta)}")]
    if original.envid:
        message_fields.insert(0, ("Original-Envelope-Id", ascii_line(original.envid)))
    if original.arrived_at is not None:
        message_fields.append(("Arrival-Date", format_date(original.arrived_at, head.offset)))
    blocks = [header_block(message_fields)]
    blocks += [header_block(_recipient_fields(one, head.offset)) for one in recipients]
    status = Entity((("Content-Type", "message/delivery-status"),), b"\r\n".join(blocks))
    return report(head, "delivery-status", (text_entity(human), status, original_entity(original)))
