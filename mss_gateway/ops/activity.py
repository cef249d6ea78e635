"""`bal activity`: who read, answered, filed or deleted which message of a shared mailbox (BAL-3, AUD-1)."""

from __future__ import annotations

from mss_gateway.mail.facts import read_message_id
from mss_gateway.ports.annotations import Activity, Done
from mss_gateway.rules.exchange import SHARED_TYPES

from .boxes import BoxOperations, Provisioning
from .operation import CONFLICT, Arguments, Operation, OperationRefused, Result, limit_of, moment, text

LIMIT = 200
"""Acts that are shown when nothing else is asked for."""

MAX_LIMIT = 5000
"""Acts that one answer may hold: it still fits into one line of the control socket."""


class ActivityOperations:
    """`bal activity`."""

    def __init__(self, provisioning: Provisioning, activity: Activity) -> None:
        self._boxes = BoxOperations(provisioning)
        self._activity = activity

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"bal.activity": self.show}

    async def show(self, arguments: Arguments) -> Result:
        """The latest acts, the latest first; `more` when the limit has cut the answer. Raises `OperationRefused`."""
        row = await self._boxes.found(arguments)
        if row.type not in SHARED_TYPES:
            raise OperationRefused(
                f"{row.address} has no members: only ORG and CAB mailboxes keep who did what",
                "not-shared",
                CONFLICT,
            )
        limit = limit_of(arguments, LIMIT, MAX_LIMIT)
        done = await self._activity.box_activity(
            row.id,
            since=moment(arguments, "since"),
            message_id=message_id_of(text(arguments, "message_id", "")),
            limit=limit + 1,
        )
        return {
            "address": row.address,
            "activity": [_record(one) for one in done[:limit]],
            "more": len(done) > limit,
        }


def _record(done: Done) -> Result:
    return {
        "first_at": done.first_at,
        "last_at": done.last_at,
        "name": done.name or done.login,
        "login": done.login,
        "act": done.act.value,
        "message_id": done.message_id,
    }


def message_id_of(value: str) -> str | None:
    """A Message-ID as it is stored, however it was typed; None for nothing."""
    if not value:
        return None
    # A terminal may send octets that are no text; brackets may be left out.
    octets = value.encode("utf-8", "replace").strip()
    return read_message_id(octets if octets.startswith(b"<") else b"<%b>" % octets)
