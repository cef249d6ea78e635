"""Who may write as whom (BAL-5..7, CHN-7, TRU-7)."""

from __future__ import annotations

from datetime import UTC, datetime

from mss_gateway.base.errors import Refuse

from . import texts
from .actions import AddHeader
from .boxes import DELEGABLE
from .facts import BoxState, CallerKind, Delegated, Facts, Place

PATIENT_PLACES = (Place.PATIENT_HOSTED, Place.PATIENT_REMOTE)
"""Both sides of the patient domain."""


def _refuse(public: str, reason: str) -> Refuse:
    return Refuse(550, "5.7.1", public, reason)


def from_patient(facts: Facts) -> bool:
    """Whether a patient writes: by login, or by an address of the patient domain (CHN-6, CHN-7)."""
    if facts.caller.kind is CallerKind.PATIENT:
        return True
    return facts.sender is not None and facts.sender.place in PATIENT_PLACES


def null_sender(facts: Facts) -> Refuse | None:
    """TRU-7, RCP-4: the null sender is for reports; a patient writes none."""
    if facts.sender is not None or facts.caller.kind is not CallerKind.PATIENT:
        return None
    return _refuse("Write from one of your own addresses: the null sender is for reports", "null-sender")


def operator_sender(facts: Facts) -> Refuse | None:
    """BAL-7, TRU-4: an operator writes only for domains that list its certificate, never for ours."""
    if facts.caller.kind is not CallerKind.OPERATOR or facts.sender is None:
        return None
    if facts.sender.place in (Place.HOSTED, Place.PATIENT_HOSTED):
        return _refuse(
            "This sender's domain is hosted here; it cannot come from another operator", "local-sender"
        )
    if facts.sender.place is Place.OUTSIDE:
        return _refuse("The sender's domain is not on the trusted list", "sender-outside")
    if facts.sender.address.domain not in facts.caller.domains:
        return _refuse("The sender's domain does not list the DN of your certificate", "sender-dn-mismatch")
    return None


def submission_sender(facts: Facts) -> Refuse | None:
    """BAL-6, CHN-7: a login writes only from the boxes it holds or is a member of, or that were delegated to it."""
    if facts.caller.kind in (CallerKind.OPERATOR, CallerKind.GATEWAY) or facts.sender is None:
        return None
    if facts.sender.address.key in facts.caller.boxes:
        return None
    if delegation(facts) is not None:
        return None
    if facts.caller.kind is CallerKind.PATIENT:
        return _refuse(texts.PATIENT_FORGED, "patient-forged")
    return _refuse("You may write only from a mailbox that you hold or are a member of", "sender-not-yours")


def delegation(facts: Facts) -> Delegated | None:
    """The right by which somebody writes from a mailbox that they do not open; its time may be over (BAL-6)."""
    if facts.sender is None or not facts.caller.delegated or facts.caller.kind is not CallerKind.PERSON:
        return None
    key, box = facts.sender.address.key, facts.sender.box
    if key in facts.caller.boxes or box is None or box.type not in DELEGABLE:
        return None
    return next((one for one in facts.caller.delegated if one.key == key), None)


def delegation_time(facts: Facts) -> Refuse | None:
    """BAL-6: the right to write for somebody else has a first and a last moment, asked anew at each step."""
    delegated = delegation(facts)
    if delegated is None:
        return None
    if facts.now < delegated.begins:
        day = datetime.fromtimestamp(delegated.begins, UTC).date()
        return _refuse(f"Your right to write from this mailbox begins on {day}", "delegation-early")
    if facts.now >= delegated.ends:
        day = datetime.fromtimestamp(delegated.ends, UTC).date()
        return _refuse(
            f"Your right to write from this mailbox ended on {day}; ask its responsible", "delegation-ended"
        )
    return None


def delegate_named(facts: Facts) -> Refuse | None:
    """BAL-6: whoever writes from a mailbox of somebody else is named by Sender, and by nobody else's address."""
    message = facts.message
    if message is None or not (message.sender_present or message.sender) or delegation(facts) is None:
        return None
    if message.sender is None or message.sender.key not in facts.caller.boxes:
        return _refuse("Sender must be your own address when you write for another mailbox", "sender-forged")
    return None


def added_sender(facts: Facts) -> tuple[AddHeader, ...]:
    """BAL-6, RFC 5322 section 3.6.2: mail clients write no Sender, so that the gateway names the delegate."""
    if facts.message is None or facts.message.sender is not None or delegation(facts) is None:
        return ()
    return (AddHeader("Sender", f"<{facts.caller.own}>"),)


def sender_state(facts: Facts) -> Refuse | None:
    """BAL-5, PAT-1: nothing leaves from a box that is not active."""
    if facts.caller.kind is CallerKind.OPERATOR or facts.sender is None or facts.sender.box is None:
        return None
    if facts.sender.box.state is not BoxState.ACTIVE:
        state = facts.sender.box.state.value.replace("_", " ")
        return _refuse(f"Your mailbox is {state}; ask its responsible", "sender-inactive")
    return None


def header_from(facts: Facts) -> Refuse | None:
    """BAL-6: From is exactly one address and equals MAIL FROM, whoever Sender names."""
    if facts.message is None or facts.caller.kind is CallerKind.OPERATOR or facts.sender is None:
        return None
    if not facts.message.from_valid or len(facts.message.from_) != 1:
        return _refuse("The header From must hold exactly one address", "from-not-single")
    if facts.message.from_[0].key != facts.sender.address.key:
        return _refuse("The header From must be the address of MAIL FROM", "from-mismatch")
    return None


def header_from_operator(facts: Facts) -> Refuse | None:
    """BAL-7: what is asked of MAIL FROM is asked of header From too (setting `check_header_from`).

    Whatever the setting, and under the null sender too, nobody from outside writes in the name of a box of ours.
    """
    if facts.message is None or facts.caller.kind is not CallerKind.OPERATOR:
        return None
    if facts.message.from_local:
        return _refuse("The header From names a mailbox that is hosted here", "local-sender")
    if not facts.house.check_header_from:
        return None
    if facts.sender is None:
        # Reports come from host names that no list knows; a name that the list gives to somebody else is forged.
        if facts.message.from_listed - facts.caller.domains:
            return _refuse(
                "The domain of header From does not list the DN of your certificate", "from-dn-mismatch"
            )
        return None
    if not facts.message.from_valid or len(facts.message.from_) != 1:
        return _refuse("The header From must hold exactly one address", "from-not-single")
    if facts.message.from_[0].domain not in facts.caller.domains:
        return _refuse(
            "The domain of header From does not list the DN of your certificate", "from-dn-mismatch"
        )
    return None


def header_from_patient(facts: Facts) -> Refuse | None:
    """CHN-7: nobody writes in a patient's name but that patient, and the operator of the patient domain."""
    if facts.message is None or facts.caller.kind is CallerKind.GATEWAY:
        return None
    sender, domain = facts.sender, facts.house.patient_domain
    own = sender.address.key if sender is not None else None
    from_patient = sender is not None and sender.place in PATIENT_PLACES
    if not from_patient and domain in facts.caller.domains:
        return None
    named = facts.message.from_
    if facts.message.sender is not None:
        named = (*named, facts.message.sender)
    if any(author.key != own and (from_patient or author.domain == domain) for author in named):
        return _refuse(texts.PATIENT_FORGED, "patient-forged")
    return None


def reply_to_patient(facts: Facts) -> Refuse | None:
    """CHN-7: an answer about one patient never goes to another: only a patient's own address may be in Reply-To."""
    if facts.message is None or facts.caller.kind is CallerKind.GATEWAY or facts.sender is None:
        return None
    own, domain = facts.sender.address.key, facts.house.patient_domain
    writes_as_patient = facts.sender.place in PATIENT_PLACES
    if any(to.key != own and (writes_as_patient or to.domain == domain) for to in facts.message.reply_to):
        return _refuse(
            "Reply-To cannot be another patient's address, nor a patient's answers go elsewhere",
            "reply-to-patient",
        )
    return None


def repeated_fields(facts: Facts) -> Refuse | None:
    """CHN-1, CHN-3, CHN-4: what a channel hangs on is there once, or client and gateway would read it differently."""
    if facts.message is None or not facts.message.repeated or facts.caller.kind is CallerKind.GATEWAY:
        return None
    patients = any(
        party is not None and party.place in PATIENT_PLACES for party in (facts.sender, facts.recipient)
    )
    if not patients and facts.caller.kind is CallerKind.OPERATOR:
        return None
    return Refuse(
        550, "5.6.0", f"The header holds {facts.message.repeated[0]} more than once", "field-repeated"
    )


def reply_to(facts: Facts) -> Refuse | None:
    """BAL-6: answers stay inside MSSanté."""
    if facts.message is None or facts.caller.kind is CallerKind.OPERATOR:
        return None
    if facts.message.reply_to_present and not (facts.message.reply_to and facts.message.reply_to_trusted):
        return _refuse("Reply-To must be an MSSanté address", "reply-to-outside")
    return None


def null_sender_shape(facts: Facts) -> Refuse | None:
    """TRU-7, RCP-4: without a sender only a DSN or an MDN is accepted; from a login, the MDN of its own mailbox."""
    if facts.message is None or facts.sender is not None or facts.caller.kind is CallerKind.GATEWAY:
        return None
    if facts.caller.kind is not CallerKind.OPERATOR:
        authors = facts.message.from_
        own = len(authors) == 1 and authors[0].key in facts.caller.boxes
        # Without a sender no channel is asked: a patient's receipts are written by the gateway alone (RCP-2).
        own = own and authors[0].domain != facts.house.patient_domain
        if facts.message.report == "disposition-notification" and facts.message.from_valid and own:
            return None
        return _refuse(
            "Write from one of your own addresses: the null sender is for read receipts", "null-sender-shape"
        )
    if facts.message.report is None and not facts.message.auto_submitted:
        return _refuse("The null sender is for delivery and disposition reports only", "null-sender-shape")
    return None
