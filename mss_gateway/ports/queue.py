"""What ops see of the outbox and do to it (QUE-3): selections, figures by domain, changes by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .outbox import Claimed, Lease
from .records import Queued, TraceLine


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of the outbox that fit every criterion given; none given: every row.

    `ids` are row ids; `message_id` comes as its header has it, brackets included; `sender` ("" is the null sender) and
    `recipient` are addresses compared without regard to case; `state` is one of `Queued.state`.
    """

    ids: tuple[int, ...] = ()
    message_id: str | None = None
    sender: str | None = None
    recipient: str | None = None
    domain: str | None = None
    state: str | None = None


EVERYTHING = Selection()
"""Every row."""


@dataclass(frozen=True, slots=True)
class DomainQueue:
    """What waits for one domain. Counts are rows (recipients), `octets` those of the messages of these rows.

    A message of several rows is counted once for a domain. `attempts` is the most of any one row. `oldest_at` and
    `next_attempt` are epoch seconds, the latter None when all rows are held; `last_error` is that of
    the row tried last, "" when none was tried.
    """

    domain: str
    waiting: int
    leased: int
    uncertain: int
    held: int
    octets: int
    oldest_at: float
    next_attempt: float | None
    attempts: int
    last_error: str

    @property
    def rows(self) -> int:
        """All rows of the domain, whatever their state."""
        return self.waiting + self.leased + self.uncertain + self.held


class Queue(Protocol):
    """The outbox as ops change it. Every change is traced, with one line for each message concerned.

    A change concerns at most `limit` rows, so that no commit keeps the mail waiting: call again until it gives 0. The
    line given is written for each message with its Message-ID, in the same commit.
    """

    async def queued(self, selection: Selection, limit: int = 1000, after: int = 0) -> list[Queued]:
        """Rows with an id above `after`, by id, which is their age."""

    async def queue_by_domain(self) -> list[DomainQueue]:
        """What waits for each domain, by domain."""

    async def retry_rows(self, selection: Selection, now: float, trace: TraceLine, limit: int = 1000) -> int:
        """Make rows due now that are neither held nor under way nor due; a row behind an earlier one as well."""

    async def hold_rows(self, selection: Selection, trace: TraceLine, limit: int = 1000) -> int:
        """Keep rows back until they are released; one that is under way is held when its attempt is over."""

    async def release_rows(
        self, selection: Selection, now: float, trace: TraceLine, limit: int = 1000
    ) -> int:
        """Let held rows go, due now."""

    async def claim_rows(self, lease: Lease, selection: Selection, limit: int = 100) -> list[Claimed]:
        """Lease rows that nobody carries, due or not, held or not, for ending them by hand; attempts do not count."""
