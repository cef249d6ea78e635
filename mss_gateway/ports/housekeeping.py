"""What a store need not keep for ever, ended step by step beside the mail (OPS-5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tidied:
    """What one step did: rows that went, octets that moved."""

    rows: int = 0
    octets: int = 0


class HousekeepingRows(Protocol):
    """Each method is one round in steps of a few milliseconds; the caller rests between two of them.

    A round that is left off loses nothing. All raise `StoreError`.
    """

    def forget_expunges(self, now: float, keep: float, least: int) -> AsyncIterator[Tidied]:
        """Forget which change took messages away more than `keep` seconds ago, but for the latest `least` of a folder.

        That they are gone is never forgotten: a client that comes back from before is told all of them (RFC 7162
        section 5). `now` is epoch seconds.
        """

    def forget_threads(self) -> AsyncIterator[Tidied]:
        """Forget the Message-IDs of conversations of which a box has no message left, nor can get one back."""

    def forget_receipts(self) -> AsyncIterator[Tidied]:
        """Forget read receipts that were answered and whose message is gone: nobody can open it again."""

    def compact(self, below: float) -> AsyncIterator[Tidied]:
        """Move the texts out of segment files of which less than this share is needed; the files go soon after."""

    async def sweep_segments(self) -> bool:
        """Remove segment files that have been empty for a while; True while others wait for theirs."""
