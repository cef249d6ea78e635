"""What the IMAP door asks of the store about rights, subscriptions and room (RFC 4314, RFC 9208, BAL-3, BAL-9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mss_gateway.rules.access import Standing

from .records import TraceLine


class OverQuota(Exception):
    """The box has no room for it; nothing was changed (BAL-9)."""


class LastAdministrator(Exception):
    """The change would leave a folder without anybody who may administer it."""


@dataclass(frozen=True, slots=True)
class Access:
    """The rights of one person in one box: those that hold by themselves, and by folder id those that were set."""

    general: frozenset[str]
    by_folder: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def rights(self, folder_id: int) -> frozenset[str]:
        """The letters of RFC 4314 in force in a folder."""
        return self.by_folder.get(folder_id, self.general)


@dataclass(frozen=True, slots=True)
class Grantee:
    """One person of a box and the rights in force for them in one folder.

    `address` is that of the box which the person holds, empty when there is none: people are known by it too.
    """

    person_id: int
    login: str
    name: str
    address: str
    standing: Standing
    rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class Room:
    """What a box holds and may hold. Octets and messages; a limit of 0 is none."""

    octets: int
    messages: int
    octets_limit: int = 0
    messages_limit: int = 0

    @property
    def full(self) -> bool:
        """Whether nothing more goes in."""
        octets = self.octets_limit and self.octets >= self.octets_limit
        return bool(octets or (self.messages_limit and self.messages >= self.messages_limit))


class Rooms(Protocol):
    """How full boxes are."""

    async def room(self, box_id: int) -> Room:
        """What the box holds and may hold (BAL-9); raises `NoSuchFolder` for a box that is not there."""


class Rights(Rooms, Protocol):
    """Rights, subscriptions and quotas as the store keeps them."""

    async def access(self, box_id: int, person_id: int) -> Access | None:
        """What a person may do in a box; None for somebody who has no tie to it. Person 0 is an APP box's software."""

    async def grantees(self, folder_id: int) -> list[Grantee]:
        """The people of the folder's box, by login; raises `NoSuchFolder`."""

    async def grant(self, folder_id: int, person_id: int, rights: frozenset[str], trace: TraceLine) -> None:
        """Set somebody's rights in a folder, traced; sessions hear of it as of a change of the directory.

        Raises `LastAdministrator`, `NoSuchFolder`.
        """

    async def subscriptions(self, box_id: int, person_id: int) -> dict[str, bool]:
        """What the person has said by folder name; folders not named are subscribed."""

    async def set_subscription(self, box_id: int, person_id: int, name: str, on: bool) -> None:
        """Subscribe to a name or not; the name may be that of no folder, or no longer (RFC 9051 section 6.3.7)."""

    async def deleted_octets(self, folder_id: int) -> int:
        """The octets that EXPUNGE would free in a folder (RFC 9208 section 4.1.4)."""
