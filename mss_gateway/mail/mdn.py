"""Read receipts: message disposition notifications (RFC 8098; RCP-2, RCP-6)."""

from __future__ import annotations

from dataclasses import dataclass

from .compose import Entity, Letterhead, ascii_line, header_block, report, text_entity
from .dsn import OriginalMessage, original_entity


@dataclass(frozen=True, slots=True)
class Disposition:
    """What happened to the message: `action`/`sending`; `type` (RFC 8098 section 3.2.6). Defaults are RCP-2's."""

    action: str = "manual-action"
    sending: str = "MDN-sent-automatically"
    type: str = "displayed"


def build_mdn(
    head: Letterhead,
    human: str,
    reporting_ua: str,
    final_recipient: str,
    original_recipient: str,
    original: OriginalMessage,
    disposition: Disposition | None = None,
) -> bytes:
    """Return a whole MDN as bytes, CRLF throughout, with the fields that RCP-2 makes mandatory.

    `original_recipient` is the address written to, `head.original_id` the Message-ID reported on. The
    third part is the original's header only: what a patient reads does not travel back.
    """
    done = disposition or Disposition()
    fields = [
        ("Reporting-UA", ascii_line(reporting_ua)),
        ("Original-Recipient", f"rfc822; {ascii_line(original_recipient)}"),
        ("Final-Recipient", f"rfc822; {ascii_line(final_recipient)}"),
    ]
    if head.original_id:
        fields.append(("Original-Message-ID", ascii_line(head.original_id)))
    fields.append(("Disposition", f"{done.action}/{done.sending}; {done.type}"))
    notice = Entity((("Content-Type", "message/disposition-notification"),), header_block(fields))
    headers_only = original_entity(OriginalMessage(original.header))
    return report(head, "disposition-notification", (text_entity(human), notice, headers_only))
