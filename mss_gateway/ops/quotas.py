"""How much a mailbox may hold (BAL-9)."""

from __future__ import annotations

from mss_gateway.ports.access import Room, Rooms
from mss_gateway.ports.records import BoxChoices
from mss_gateway.rules.quota import parse_messages, parse_octets

from .boxes import BoxOperations, Provisioning, checked
from .choices import chosen
from .operation import Arguments, Operation, Result, text
from .tracing import traced


class QuotaOperations:
    """`bal quota`."""

    def __init__(self, provisioning: Provisioning, rooms: Rooms) -> None:
        self._rows = provisioning.rows
        self._rooms = rooms
        self._boxes = BoxOperations(provisioning)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"bal.quota": self.quota}

    async def quota(self, arguments: Arguments) -> Result:
        """Change what is named; without any, show it."""
        row = await self._boxes.found(arguments)
        octets, messages = _number(arguments, "bytes"), _number(arguments, "messages")
        if octets is not None or messages is not None:
            choices = BoxChoices(quota_bytes=octets, quota_messages=messages)
            trace = traced("bal-quota", arguments, row.id, **chosen(choices))
            row = await self._rows.set_box_choices(row.id, choices, trace)
        return {"address": row.address, "quota": room_record(await self._rooms.room(row.id))}


def _number(arguments: Arguments, name: str) -> int | None:
    if arguments.get(name) is None:
        return None
    given = text(arguments, name)
    found: list[int] = []
    checked(lambda: found.append(parse_octets(given) if name == "bytes" else parse_messages(given)))
    return found[0]


def room_record(room: Room) -> Result:
    """How full a box is, as JSON; limits are those in force, null where there is none."""
    return {
        "bytes": room.octets,
        "bytes_limit": room.octets_limit or None,
        "messages": room.messages,
        "messages_limit": room.messages_limit or None,
    }
