"""When a read receipt is owed (RCP-2, RCP-3)."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address

from .actions import OweReceipt
from .bounces import may_report
from .facts import BoxType, Facts


def owed(facts: Facts) -> OweReceipt | None:
    """RCP-2: the patient's opening is told when the sender asks for it at its own return path; RCP-3: else not.

    RCP-4: for a professional's mailbox when it is set to; else the mail client does it.
    """
    message, recipient, sender = facts.message, facts.recipient, facts.sender
    if message is None or recipient is None or recipient.box is None or sender is None:
        return None
    if not message.disposition_to or not may_report(facts):
        return None
    if recipient.box.type is not BoxType.PAT and not recipient.box.server_mdn:
        return None
    try:
        wanted = parse_address(message.disposition_to)
    except InvalidValue:
        return None
    return OweReceipt(recipient.box.id, str(wanted)) if wanted.key == sender.address.key else None
