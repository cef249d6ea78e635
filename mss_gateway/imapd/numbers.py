"""From the sets of a command to UIDs."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.protocol.imap import Ending
from mss_gateway.protocol.imap.sequence import SequenceSet

from .session import CommandFailed, Selected, Session

UIDREQUIRED = b"UIDREQUIRED"
"""The response code of RFC 9586 for whoever names messages by number after ENABLE UIDONLY."""


def uids_of(selected: Selected, numbers: SequenceSet, *, uid: bool) -> Sequence[int]:
    """The UIDs that a set names; raises `CommandFailed` BAD for numbers that no message has."""
    try:
        return selected.view.select(numbers, uid=uid)
    except ValueError:
        raise CommandFailed("There is no message of that number", ending=Ending.BAD) from None


def check_uids(session: Session, *, uid: bool) -> None:
    """Raise `CommandFailed` BAD when a command goes by message numbers though UIDONLY is on (RFC 9586 section 3)."""
    if session.uidonly and not uid:
        raise CommandFailed("Messages have no numbers here, use the UID command", UIDREQUIRED, Ending.BAD)


def issued(selected: Selected, uids: Sequence[int], *, uid: bool) -> bytes:
    """EXPUNGEISSUED (RFC 5530) when some of the messages named by number have gone and the client has yet to hear."""
    return b"EXPUNGEISSUED" if not uid and not set(selected.held).isdisjoint(uids) else b""
