"""When a read receipt is owed (RCP-2, RCP-3)."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import Address, parse_address

from .actions import OweReceipt
from .bounces import may_report
from .facts import BoxType, Facts
from .senders import PATIENT_PLACES


def owed(facts: Facts) -> OweReceipt | None:
    """RCP-2: the patient's opening is told when the sender asks for it at its own return path; RCP-3: else not.

    RCP-4: for a professional's mailbox when it is set to; else the mail client does it.
    """
    recipient = facts.recipient
    wanted = _asked(facts)
    if wanted is None or recipient is None or recipient.box is None or not _own(facts, wanted):
        return None
    return OweReceipt(recipient.box.id, str(wanted))


def asked_in_vain(facts: Facts) -> bool:
    """RCP-3: a receipt is asked for, and for somebody else than the sender."""
    if facts.message is None or facts.recipient is None or not facts.message.disposition_to:
        return False
    if facts.recipient.place not in PATIENT_PLACES or facts.sender is None or not may_report(facts):
        return False
    wanted = _address(facts.message.disposition_to)
    return wanted is None or not _own(facts, wanted)


def _asked(facts: Facts) -> Address | None:
    """Where a receipt is to go, of a mailbox that the gateway answers for."""
    message, recipient = facts.message, facts.recipient
    if message is None or recipient is None or recipient.box is None or facts.sender is None:
        return None
    if not message.disposition_to or not may_report(facts):
        return None
    if recipient.box.type is not BoxType.PAT and not recipient.box.server_mdn:
        return None
    return _address(message.disposition_to)


def _address(text: str) -> Address | None:
    try:
        return parse_address(text)
    except InvalidValue:
        return None


def _own(facts: Facts, wanted: Address) -> bool:
    return facts.sender is not None and wanted.key == facts.sender.address.key
