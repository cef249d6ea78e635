"""Boxes that fill up, as the store knows them (BAL-9)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from mss_gateway.rules.facts import BoxType

from .records import Delivery


@dataclass(frozen=True, slots=True)
class Usage:
    """A box with a limit, and the percentage of it that it has been told of already. A limit of 0 is none."""

    box_id: int
    address: str
    type: BoxType
    octets: int
    octets_limit: int
    messages: int
    messages_limit: int
    told: int

    @property
    def percent(self) -> float:
        """The fuller of the two."""
        octets = 100 * self.octets / self.octets_limit if self.octets_limit else 0.0
        return max(octets, 100 * self.messages / self.messages_limit if self.messages_limit else 0.0)


class QuotaRows(Protocol):
    """What the warnings need of the store."""

    async def any_quota(self) -> bool:
        """Whether any box has a limit, its own or the setting's."""

    async def usage(self, folders: Collection[int]) -> list[Usage]:
        """The boxes of these folders that have a limit and are not closed."""

    async def usage_of_all(self, after: int, limit: int) -> list[Usage]:
        """Boxes with a limit that are not closed, by id, those after one."""

    async def note_told(self, box_id: int, told: int) -> None:
        """Arm thresholds again: what counts as told from now on."""

    async def tell_usage(self, box_id: int, before: int, told: int, delivery: Delivery) -> bool:
        """Commit a warning together with what counts as told; False when it was told meanwhile."""
