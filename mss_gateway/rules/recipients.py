"""Who may be written to (RTE-1..3, INS-1..3, BAL-5, CHN-7, PAT-2)."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue, Refuse

from . import texts
from .facts import BoxState, CallerKind, Facts, IdentityStatus, Place, Realm
from .ins import parse_ins
from .senders import PATIENT_PLACES, from_patient

GONE = (BoxState.CLOSED, BoxState.PURGED)
"""States in which nothing is received any more (BAL-5)."""


def outside(facts: Facts) -> Refuse | None:
    """RTE-3: nothing ever leaves the trust space."""
    if facts.recipient is None or facts.recipient.place is not Place.OUTSIDE:
        return None
    if from_patient(facts):
        return Refuse(550, "5.7.1", texts.PATIENT_TO_OUTSIDE, "patient-to-outside")
    return Refuse(550, "5.7.1", "The recipient's domain is outside the trust space", "outside-trust-space")


def relay_denied(facts: Facts) -> Refuse | None:
    """RTE-3: another operator reaches only what is hosted here; no open relay."""
    if facts.recipient is None or facts.caller.kind is not CallerKind.OPERATOR:
        return None
    if facts.recipient.place in (Place.HOSTED, Place.PATIENT_HOSTED):
        return None
    return Refuse(550, "5.7.1", "This gateway does not host the recipient's domain", "relay-denied")


def patient_to_patient(facts: Facts) -> Refuse | None:
    """CHN-7: patients do not write to each other."""
    if facts.recipient is None or not from_patient(facts) or facts.recipient.place not in PATIENT_PLACES:
        return None
    return Refuse(550, "5.7.1", texts.PATIENT_TO_PATIENT, "patient-to-patient")


def is_service(facts: Facts) -> bool:
    """INS-3: the local part of the recipient is a service address of the patient domain, no INS."""
    return (
        facts.recipient is not None
        and facts.recipient.address.local.lower() in facts.house.patient_service_locals
    )


def patient_address(facts: Facts) -> Refuse | None:
    """INS-1..3: a patient's address is a well-formed INS whose key holds, or a listed service address."""
    if facts.recipient is None or facts.recipient.place not in PATIENT_PLACES:
        return None
    local = facts.recipient.address.local
    if is_service(facts):
        return None
    try:
        ins = parse_ins(local)
    except InvalidValue as invalid:
        return Refuse(550, "5.1.3", f"Not a patient address: {invalid.public}", invalid.reason)
    if not ins.key_holds and facts.house.realm is Realm.PRODUCTION:
        return Refuse(
            550, "5.1.3", "Not a patient address: the key (last 2 digits) of the INS is wrong", "ins-key"
        )
    return None


def identity_qualified(facts: Facts) -> Refuse | None:
    """INS-5: setting `require_qualified` = enforce, only a qualified identity is written to."""
    if facts.house.require_qualified != "enforce" or not identity_doubtful(facts):
        return None
    if facts.identity is None:
        return Refuse(550, "5.7.1", texts.IDENTITY_UNKNOWN, "identity-unknown")
    return Refuse(550, "5.7.1", texts.IDENTITY_NOT_QUALIFIED, "identity-not-qualified")


def identity_doubtful(facts: Facts) -> bool:
    """INS-5: a patient written to whose identity is unknown or not QUAL; reports and service addresses aside."""
    recipient = facts.recipient
    if recipient is None or recipient.place not in PATIENT_PLACES or facts.sender is None:
        return False
    if is_service(facts):
        return False
    return facts.identity is not IdentityStatus.QUAL


def key_doubtful(facts: Facts) -> bool:
    """INS-2: outside of production a wrong key passes and is told."""
    recipient = facts.recipient
    if facts.house.realm is Realm.PRODUCTION or recipient is None or recipient.place not in PATIENT_PLACES:
        return False
    try:
        return not parse_ins(recipient.address.local).key_holds
    except InvalidValue:
        return False


def box_exists(facts: Facts) -> Refuse | None:
    """RTE-1, INS-3: an unknown mailbox of a hosted domain, or a service address that is not set up."""
    recipient = facts.recipient
    if recipient is None or recipient.box is not None:
        return None
    if recipient.place is not Place.HOSTED and not _is_service(facts):
        return None  # an absent patient is PAT-2's affair
    return Refuse(550, "5.1.1", "There is no such mailbox here", "unknown-box")


def box_open(facts: Facts) -> Refuse | None:
    """RTE-1, BAL-5: a closed mailbox; a suspended one still receives."""
    if facts.recipient is None or facts.recipient.place is not Place.HOSTED or facts.recipient.box is None:
        return None
    if facts.recipient.box.state in GONE:
        return Refuse(550, "5.2.1", "This mailbox is closed", "closed-box")
    return None


def patient_box_open(facts: Facts) -> Refuse | None:
    """PAT-2, setting `reject`: a closed or absent patient mailbox is refused at RCPT instead of bounced."""
    if facts.house.patient_closed != "reject" or not patient_is_closed(facts) or facts.recipient is None:
        return None
    return Refuse(550, "5.2.1", texts.PATIENT_CLOSED_REPLY, "patient-closed")


def box_has_room(facts: Facts) -> Refuse | None:
    """BAL-9: a full mailbox, at RCPT TO alone: what was accepted is kept, whatever comes in between."""
    if not facts.full:
        return None
    return Refuse(452, "4.2.2", "This mailbox is full, try again later", "box-full")


def patient_is_closed(facts: Facts) -> bool:
    """PAT-1, PAT-2: a patient hosted here whose mailbox is closed or does not exist."""
    recipient = facts.recipient
    if recipient is None or recipient.place is not Place.PATIENT_HOSTED:
        return False
    return recipient.box is None or recipient.box.state in GONE


def _is_service(facts: Facts) -> bool:
    recipient = facts.recipient
    if recipient is None or recipient.place is not Place.PATIENT_HOSTED:
        return False
    return is_service(facts)
