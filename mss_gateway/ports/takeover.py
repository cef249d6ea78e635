"""What taking a mailbox over from another IMAP server needs of the store (IMP-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .mailboxes import NewAppend


@dataclass(frozen=True, slots=True)
class Origin:
    """A folder of another server. `source` names account and server; UIDs mean nothing under another UIDVALIDITY."""

    box_id: int
    source: str
    folder: str
    uid_validity: int


@dataclass(frozen=True, slots=True)
class TakenOver:
    """One message of an origin with the UID that it has there."""

    uid: int
    message: NewAppend


class Takeovers(Protocol):
    """Remembers what was taken over, in the commit that stores it."""

    async def taken(self, origin: Origin) -> list[int]:
        """UIDs of the origin that are here already, ascending."""

    async def take_over(
        self, folder_id: int, origin: Origin, messages: Sequence[TakenOver], seen_by: Sequence[int]
    ) -> list[int]:
        """Store messages, each once for ever, in one commit; return their UIDs here in order.

        `seen_by`: the persons for whom `\\Seen` counts in a shared mailbox; empty when it is not shared. Raises
        `NoSuchFolder`, `StoreFull`, `StoreError`.
        """
