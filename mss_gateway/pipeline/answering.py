"""Which messages of a shared mailbox a member answers in its name, read from the header of what is sent (BAL-3)."""

from __future__ import annotations

import re

from mss_gateway.mail.facts import read_message_id
from mss_gateway.mail.message import Header
from mss_gateway.ports.records import Answers
from mss_gateway.rules.exchange import SHARED_TYPES
from mss_gateway.rules.facts import CallerKind

from .reading import Reading
from .transaction import Transaction

_MAX_FIELD = 64 * 1024  # octets of a field that are read
_ID = re.compile(rb"<[^<>]++>")


def answers_of(transaction: Transaction, reading: Reading, header: bytes) -> Answers | None:
    """What In-Reply-To names, else the last of References (RFC 5322 section 3.6.4); None for what answers nothing.

    Reports and automatic mail are nobody's answer, though they name the message that they are about.
    """
    sender, caller, facts = transaction.sender, transaction.caller, reading.facts
    box = sender.box if sender is not None else None
    if box is None or box.type not in SHARED_TYPES or caller.kind is not CallerKind.PERSON:
        return None
    if facts.report is not None or facts.auto_submitted:
        return None
    answered = _answered(Header(header))
    return Answers(box.id, int(caller.identity), (answered,)) if answered else None


def _answered(header: Header) -> str | None:
    parent = header.first(b"in-reply-to")
    if parent:
        return read_message_id(parent)
    chain = header.first(b"references")
    found = _ID.findall(chain[-_MAX_FIELD:]) if chain else []
    return read_message_id(found[-1]) if found else None
