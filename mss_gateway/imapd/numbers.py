"""From the sets of a command to UIDs."""

from __future__ import annotations

from mss_gateway.protocol.imap import Ending
from mss_gateway.protocol.imap.sequence import SequenceSet

from .session import CommandFailed, Selected


def uids_of(selected: Selected, numbers: SequenceSet, *, uid: bool) -> list[int]:
    """The UIDs that a set names; raises `CommandFailed` BAD for numbers that no message has."""
    try:
        return selected.view.select(numbers, uid=uid)
    except ValueError:
        raise CommandFailed("There is no message of that number", ending=Ending.BAD) from None
