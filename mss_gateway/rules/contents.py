"""What a message to a patient may hold (PAT-5, INS-6), and where its answers may go (BAL-8, CHN-1)."""

from __future__ import annotations

from mss_gateway.base.errors import Refuse

from . import texts
from .archive_texts import ARCHIVES, UNREADABLE
from .attachments import kind_of
from .facts import ArchiveFacts, CallerKind, Facts, MessageFacts
from .ins import mask_text
from .recipients import is_service
from .senders import PATIENT_PLACES

MAX_REPLY_TO = 20
"""Addresses that a patient may be asked to answer to: each is a channel, and its end a message to the patient."""

_OF_REPORTS = frozenset(
    {
        "message/delivery-status",
        "message/disposition-notification",
        "message/global-delivery-status",
        "message/global-disposition-notification",
        "message/global-headers",
        "text/rfc822-headers",
    }
)
_RETURNED = frozenset({"message/rfc822", "message/global"})  # the whole original, with RET=FULL


def _to_patient(facts: Facts) -> MessageFacts | None:
    """The message when it goes to a patient's own address; a report too, for its shape is easily borrowed."""
    if facts.message is None or facts.caller.kind is CallerKind.GATEWAY:
        return None
    if facts.recipient is None or facts.recipient.place not in PATIENT_PLACES:
        return None
    if is_service(facts):
        return None
    return facts.message


def patient_size(facts: Facts) -> Refuse | None:
    """PAT-5: the whole message, as it is sent."""
    message = _to_patient(facts)
    if message is None or message.size <= facts.house.patient_size:
        return None
    limit = facts.house.patient_size // (1024 * 1024)
    return Refuse(552, "5.3.4", texts.PATIENT_SIZE.format(limit=limit), "patient-size")


def patient_attachments(facts: Facts) -> Refuse | None:
    """PAT-5: only kinds of files that the patient can open; the refusal names the part's type."""
    message = _to_patient(facts)
    if message is None:
        return None
    for attachment in message.attachments:
        if _of_report(facts, message, attachment.media_type):
            continue
        if kind_of(attachment) not in facts.house.patient_attachments:
            public = texts.PATIENT_ATTACHMENT.format(type=mask_text(attachment.media_type)[:80])
            return Refuse(550, "5.6.1", public, "patient-attachment")
    return None


def _of_report(facts: Facts, message: MessageFacts, media_type: str) -> bool:
    """The parts that a report is made of (RFC 3464, RFC 8098); a whole message comes back from operators alone."""
    if message.report is None:
        return False
    returned = facts.sender is None and facts.caller.kind is CallerKind.OPERATOR
    return media_type in _OF_REPORTS or (returned and media_type in _RETURNED)


def reply_to_many(facts: Facts) -> Refuse | None:
    """CHN-1, CHN-8: a patient answers a person or an office, not a crowd."""
    message = _to_patient(facts)
    if message is None or len(message.reply_to) <= MAX_REPLY_TO:
        return None
    return Refuse(550, "5.7.1", texts.REPLY_TO_MANY.format(most=MAX_REPLY_TO), "reply-to-many")


def reply_to_unfit(facts: Facts) -> Refuse | None:
    """BAL-8, CHN-1: what the patient may answer is a mailbox that somebody reads."""
    message = _to_patient(facts)
    if message is None or not message.reply_to_unfit or facts.caller.kind is CallerKind.OPERATOR:
        return None
    return Refuse(550, "5.7.1", texts.REPLY_TO_UNFIT, "reply-to-unfit")


def archive(facts: Facts) -> Refuse | None:
    """INS-6: an IHE_XDM archive speaks of the recipient, of nobody else, and can be trusted to say so."""
    if facts.house.archive_gate != "enforce":
        return None
    slug = archive_problem(facts)
    if slug is None:
        return None
    return Refuse(550, "5.7.1", ARCHIVES.get(slug, UNREADABLE), slug)


def archive_problem(facts: Facts) -> str | None:
    """The slug of what is wrong with an archive of this message for this recipient, None when all is well."""
    message = _to_patient(facts)
    if message is None or not message.archives or facts.recipient is None:
        return None
    if facts.patients > 1:
        return "xdm-several-recipients"
    wanted = facts.recipient.address.local.upper()
    for one in message.archives:
        slug = _problem(one, wanted)
        if slug is not None:
            return slug
    return None


def _problem(one: ArchiveFacts, wanted: str) -> str | None:
    if one.problem:
        return one.problem
    metadata = {_same(ins, wanted) for ins in one.metadata}
    cda = {_same(ins, wanted) for ins in one.cda}
    if not metadata or one.unnamed:
        return "xdm-no-ins"
    if len({ins[:13] for ins in one.metadata | one.cda}) > 1:
        return "xdm-two-patients"
    if False in metadata:
        return "xdm-metadata-mismatch"
    return "xdm-cda-mismatch" if False in cda else None


def _same(ins: str, wanted: str) -> bool:
    """A matricule without its key names the same patient."""
    return ins.upper() in (wanted, wanted[:13])
