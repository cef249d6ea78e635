"""`undelete …`: what was taken out of a mailbox is listed, brought back, or ended before its time (OPS-5, BAL-5)."""

from __future__ import annotations

import time
from typing import Protocol

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.ports.access import OverQuota
from mss_gateway.ports.records import INBOX, BoxRow
from mss_gateway.ports.removed import Removed, RemovedRows, Returned, Wanted
from mss_gateway.ports.store import DirectoryRows, Trace
from mss_gateway.rules.facts import BoxState
from mss_gateway.rules.ins import mask_text

from .activity import message_id_of
from .boxes import change_state, record
from .operation import (
    CONFLICT,
    NOT_ALLOWED,
    NOT_FOUND,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    limit_of,
    moment,
    text,
)
from .tracing import traced

MOST = 10_000
"""Messages that one call lists or brings back."""

_BATCH = 500
_WILDCARDS = frozenset("*%")


def _target(name: str) -> str:
    """The folder to bring back to, empty for those of before; raises `OperationRefused` for what IMAP cannot name."""
    if name and (not all(name.split("/")) or not name.isprintable() or not _WILDCARDS.isdisjoint(name)):
        raise OperationRefused(f"A folder cannot have the name {name!r}", "folder-name", USAGE)
    return INBOX if name.upper() == INBOX else name


class UndeleteRows(RemovedRows, DirectoryRows, Trace, Protocol):
    """What undelete works with."""


class UndeleteOperations:
    """`undelete …`; `keep` is how many seconds a removed message stays, 0: none does."""

    def __init__(self, rows: UndeleteRows, keep: float) -> None:
        self._rows = rows
        self._keep = keep

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "undelete.list": self.listed,
            "undelete.message": self.message,
            "undelete.folder": self.folder,
            "undelete.bal": self.bal,
            "undelete.empty": self.empty,
        }

    async def listed(self, arguments: Arguments) -> Result:
        """What can be brought back into a mailbox, the latest first; no subject, no correspondent (AUD-1)."""
        row = await self._found(arguments)
        wanted = Wanted(
            folder=text(arguments, "folder", ""),
            message_id=message_id_of(text(arguments, "message_id", "")) or "",
            since=moment(arguments, "since"),
        )
        found = await self._rows.removed(row.id, wanted, limit_of(arguments, 100, MOST))
        people = {one.id: one for one in await self._rows.persons(sorted({one.removed_by for one in found}))}
        return {
            "address": mask_text(row.address),
            "kept_days": self._keep / 86400,
            "removed": [self._record(one, people.get(one.removed_by)) for one in found],
        }

    def _record(self, one: Removed, person: object) -> Result:
        return {
            "id": one.id,
            "folder": one.folder,
            "size": one.size,
            "date": one.internal_date,
            "removed_at": one.removed_at,
            "until": one.removed_at + self._keep,
            "by": mask_text(getattr(person, "login", "")),
            "how": one.how,
            "message_id": mask_text(one.message_id or ""),
        }

    async def message(self, arguments: Arguments) -> Result:
        """Bring messages back by their numbers in the list, into their folders or into `to`."""
        row = await self._open(arguments)
        numbers = arguments.get("ids")
        if not isinstance(numbers, list) or not numbers or not all(type(one) is int for one in numbers):
            raise OperationRefused(
                "Name the messages by their numbers in `undelete list`", "bad-argument", USAGE
            )
        back = await self._bring(arguments, row, numbers)
        missing = len(set(numbers)) - back.messages
        return {"address": mask_text(row.address), "folders": back.folders, "missing": missing}

    async def folder(self, arguments: Arguments) -> Result:
        """Bring back what was removed from a folder, with the folder; `more` tells that some is kept still."""
        row = await self._open(arguments)
        name, since = text(arguments, "folder"), moment(arguments, "since")
        wanted = Wanted(folder=name, since=since)
        found = await self._rows.removed(row.id, wanted, MOST)
        if not found:
            raise OperationRefused(
                f"Nothing of the folder {mask_text(name)} is kept: see `undelete list`",
                "nothing-kept",
                NOT_FOUND,
            )
        back = await self._bring(arguments, row, [one.id for one in found])
        return {
            "address": mask_text(row.address),
            "folders": back.folders,
            "missing": len(found) - back.messages,
            "more": bool(await self._rows.removed(row.id, wanted, 1)),
        }

    async def _bring(self, arguments: Arguments, row: BoxRow, numbers: list[int]) -> Returned:
        to = _target(text(arguments, "to", ""))
        reason, count = text(arguments, "reason", ""), str(len(set(numbers)))
        trace = traced("undeleted", arguments, row.id, reason=reason, folder=to, messages=count)
        try:
            back = await self._rows.bring_back(row.id, numbers, to, trace)
        except OverQuota:
            raise OperationRefused(
                "The mailbox has no room for so much: raise its quota (`bal quota`), or bring back less",
                "over-quota",
                CONFLICT,
            ) from None
        if not back.messages:
            raise OperationRefused(
                "None of these is kept any more: see `undelete list`", "nothing-kept", NOT_FOUND
            )
        return back

    async def bal(self, arguments: Arguments) -> Result:
        """Take up a closed mailbox again, with all its mail; one that was purged is gone for good (BAL-5)."""
        row = await self._found(arguments)
        if row.state is BoxState.PURGED:
            raise OperationRefused(
                "This mailbox was purged, its mail is gone: restore a backup to another place (`restore`)",
                "purged",
                CONFLICT,
            )
        return {"bal": record(await change_state(self._rows, arguments, row, BoxState.ACTIVE))}

    async def empty(self, arguments: Arguments) -> Result:
        """End for good what was removed before a moment, in one mailbox or in all: for a disk that is full."""
        row = await self._found(arguments) if text(arguments, "address", "") else None
        given = text(arguments, "before", "")
        before = moment(arguments, "before") if given else time.time()
        if row is None and not flag(arguments, "all"):
            raise OperationRefused("Name a mailbox, or say --all", "bad-argument", USAGE)
        total = 0
        while done := await self._rows.forget_removed(
            before, box_id=row.id if row is not None else None, limit=_BATCH
        ):
            total += done
        box_id = row.id if row is not None else None
        await self._rows.write_trace(
            [traced("removed-ended", arguments, box_id, before=given, messages=str(total))]
        )
        return {"messages": total}

    async def _open(self, arguments: Arguments) -> BoxRow:
        row = await self._found(arguments)
        if row.state is BoxState.PURGED:
            raise OperationRefused("This mailbox was purged: nothing of it is kept", "purged", NOT_ALLOWED)
        return row

    async def _found(self, arguments: Arguments) -> BoxRow:
        value = text(arguments, "address")
        try:
            row = await self._rows.box(parse_address(value).key)
        except InvalidValue as invalid:
            raise OperationRefused(f"address: {invalid.public}", invalid.reason, USAGE) from None
        if row is None:
            raise OperationRefused(
                f"There is no mailbox {mask_text(value)}: see `bal list`", "unknown-box", NOT_FOUND
            )
        return row
