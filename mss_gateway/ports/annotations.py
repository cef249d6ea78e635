"""What METADATA needs of the store (RFC 5464), and who did what in a shared mailbox (BAL-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mss_gateway.rules.activity import Act

SERVER = 0
"""The folder id under which annotations of the server are kept."""

PRIVATE = "/private/"
"""How names of annotations begin that each person has their own values of; the others are everybody's."""


class TooManyAnnotations(Exception):
    """The folder would hold more annotations than it may; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Done:
    """One act of a member on one message, epoch seconds. `uid` is 0 where no folder was asked about.

    `message_id` is as its header has it, or masked; None when the message has none. Once a message has gone only its
    timeline is left, where `last_at` is when it was done first.
    """

    act: Act
    login: str
    name: str
    first_at: float
    last_at: float
    uid: int = 0
    message_id: str | None = None


class Annotations(Protocol):
    """Annotations by folder id, or `SERVER`; names are in lower case. They go with their folder."""

    async def annotations(
        self, folder_id: int, person_id: int, names: Sequence[str], depth: int | None = 0
    ) -> dict[str, bytes]:
        """Values by name, as this person sees them: of `names`, and down to `depth` levels below (None: all)."""

    async def annotate(
        self, folder_id: int, person_id: int, changes: Mapping[str, bytes | None], most: int
    ) -> frozenset[str]:
        """Set or, with None, remove annotations, all or none; return the names that are different now.

        Raises `TooManyAnnotations` when more than `most` would be everybody's, or this person's; `NoSuchFolder`.
        """


class Activity(Protocol):
    """Who did what with the messages of a shared mailbox; empty for any other."""

    async def folder_activity(
        self, folder_id: int, limit: int = 50, uids: Sequence[int] | None = None
    ) -> list[Done]:
        """The latest acts on messages that lie in this folder now, the latest first; of `uids` when given."""

    async def box_activity(
        self, box_id: int, *, since: float = 0.0, message_id: str | None = None, limit: int = 200
    ) -> list[Done]:
        """The latest acts in a box, the latest first, those on messages that have gone included."""
