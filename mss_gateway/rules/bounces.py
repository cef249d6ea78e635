"""When an automatic mail may answer a message (RCP-6, RTE-6), and the closed patient mailbox (PAT-2)."""

from __future__ import annotations

from . import texts
from .actions import Action, Bounce, Discard
from .facts import Facts
from .recipients import patient_is_closed


def may_report(facts: Facts) -> bool:
    """RCP-6: never to the null sender, never about a report or an automatic answer (RFC 3834 section 2).

    Software that writes by itself (`auto-generated`) is told like anybody else.
    """
    if facts.sender is None or facts.message is None:
        return False
    return facts.message.report is None and (not facts.message.auto_submitted or facts.message.auto_generated)


def closed_patient(facts: Facts) -> Action | None:
    """PAT-2, setting `bounce`: the sender gets the exact sentence; a report gets nothing but a trace line."""
    if facts.recipient is None or not patient_is_closed(facts):
        return None
    if not may_report(facts):
        return Discard("report-to-closed-patient")
    address = facts.recipient.address
    return Bounce("patient-closed", address, texts.PATIENT_CLOSED.format(address=address))
