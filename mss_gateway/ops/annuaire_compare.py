"""`directory compare`: what is published of our domains against what is hosted here (BAL-1, BAL-5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from mss_gateway.ports.records import BoxRow
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.rules.facts import BoxState

from .annuaire import told
from .operation import Arguments, Operation, Result, limit_of

PUBLISHED_TYPES = ("PER", "ORG")
"""What the extraction holds; APP and CAB mailboxes are not in it."""

MAX_BOXES = 1_000_000
"""Mailboxes of ours that are looked at."""

_GONE = frozenset({BoxState.CLOSED, BoxState.PURGED})


class Published(Protocol):
    """What is asked of the directory (`directory.desk`)."""

    async def published(self, domains: Sequence[str]) -> list[tuple[str, str]]:
        """Key and type of every row of these domains; raises `GatewayError`."""


class CompareOperations:
    """`directory compare`."""

    def __init__(self, desk: Published, boxes: DirectoryRows, hosted: Iterable[str]) -> None:
        self._desk = desk
        self._boxes = boxes
        self._hosted = sorted(hosted)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"directory.compare": self.compare}

    async def compare(self, arguments: Arguments) -> Result:
        """Three lists: published and not (or no longer) here, published as another type, here and not published."""
        limit = limit_of(arguments, 100, 10_000)
        published = dict(await told(self._desk.published(self._hosted)))
        boxes = {box.address.lower(): box for box in await self._boxes.boxes(None, MAX_BOXES)}
        absent = [
            {"address": key, "type": kind, "state": _state(boxes.get(key))}
            for key, kind in published.items()
            if key not in boxes or boxes[key].state in _GONE
        ]
        differing = [
            {"address": key, "published": kind, "type": boxes[key].type.value}
            for key, kind in published.items()
            if key in boxes and boxes[key].type.value != kind
        ]
        unpublished = [
            {"address": box.address, "type": box.type.value, "state": box.state.value}
            for key, box in boxes.items()
            if key not in published and box.type.value in PUBLISHED_TYPES and box.state not in _GONE
        ]
        return {
            "published": len(published),
            "count": {"absent": len(absent), "differing": len(differing), "unpublished": len(unpublished)},
            "absent": absent[:limit],
            "differing": differing[:limit],
            "unpublished": unpublished[:limit],
        }


def _state(box: BoxRow | None) -> str:
    return box.state.value if box is not None else "unknown"
