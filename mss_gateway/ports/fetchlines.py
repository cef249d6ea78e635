"""FETCH answers that the store writes itself: what a mailbox of many messages is read with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mss_gateway.protocol.imap.fetchitems import FetchItem

if TYPE_CHECKING:
    from .mailboxes import Viewer


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole FETCH or UIDFETCH lines of a batch in order, and the highest mod-sequence of the messages in them;
    where FLAGS are among the items, also every keyword that the lines show.

    A UID among the lines stands for a message whose text is too large to come along: it is to be read in pieces.
    """

    pieces: tuple[bytes | int, ...]
    modseq: int
    keywords: frozenset[str] = frozenset()


class FetchLines(Protocol):
    """The part of the store that writes answers. Raises `NoSuchFolder` when the folder has gone."""

    def writes(self, items: tuple[FetchItem, ...]) -> bool:
        """Can `lines` answer all of these items?"""

    async def lines(
        self,
        folder_id: int,
        viewer: Viewer,
        uids: Sequence[int],
        numbers: Sequence[int],
        items: tuple[FetchItem, ...],
        *,
        uidonly: bool = False,
    ) -> Lines:
        """Lines of the UIDs that still exist, in the order given, with the sequence number of each beside it.

        With `uidonly` they are UIDFETCH lines (RFC 9586), and the numbers are not used.
        """
