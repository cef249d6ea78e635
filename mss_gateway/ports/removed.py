"""What was taken out of mailboxes and can be brought back for a while (OPS-5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .records import TraceLine


@dataclass(frozen=True, slots=True)
class Removed:
    """One message that was taken away; times are epoch seconds, sizes octets.

    `removed_by` is the person who did it, 0 when it was software or nobody is known; `how` is `message` or `folder`.
    """

    id: int
    folder: str
    size: int
    internal_date: float
    removed_at: float
    removed_by: int
    how: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a box's removed messages: these ids, those of a folder, those with a Message-ID, taken since then."""

    ids: tuple[int, ...] = ()
    folder: str = ""
    message_id: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Returned:
    """Where messages have come back to: how many by folder, under new UIDs."""

    folders: dict[str, int]

    @property
    def messages(self) -> int:
        """How many in all."""
        return sum(self.folders.values())


class RemovedRows(Protocol):
    """The store of what was removed."""

    async def removed(self, box_id: int, wanted: Wanted, limit: int = 1000) -> list[Removed]:
        """What can be brought back, the latest first."""

    async def bring_back(self, box_id: int, ids: Sequence[int], folder: str, trace: TraceLine) -> Returned:
        """Put messages back, under new UIDs, into the folders they lay in or into one; folders are made anew.

        Raises `OverQuota` when the box has no room, and brings none back then. Ids that have gone are passed over.
        """

    async def forget_removed(self, before: float, *, box_id: int | None = None, limit: int = 500) -> int:
        """End for good what was removed before then, in all boxes or in one, at most so many; how many it were."""
