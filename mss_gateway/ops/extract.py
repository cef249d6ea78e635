"""Reading a mailbox out, message by message: the gateway's side of `mailbox export` (IMP-4)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Protocol

from mss_gateway.ports.mailboxes import Folder, Mailboxes, MessageRow, Viewer, Want
from mss_gateway.ports.records import BoxRow
from mss_gateway.ports.store import Trace
from mss_gateway.rules.exchange import SHARED_TYPES

from .boxes import BoxOperations, Provisioning
from .operation import NOT_FOUND, Arguments, Operation, OperationRefused, Result, number, text
from .takeover import PIECE
from .tracing import traced

PAGE = 500
"""Messages listed at once."""


class Store(Mailboxes, Trace, Protocol):
    """What the operations need of the store."""


class ExtractOperations:
    """`mailbox export`: folders, lists of messages, their octets."""

    def __init__(self, provisioning: Provisioning, store: Store) -> None:
        self._boxes = BoxOperations(provisioning)
        self._rows = provisioning.rows
        self._store = store

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "mailbox.folders": self.folders,
            "mailbox.list": self.list,
            "mailbox.read": self.read,
            "mailbox.exported": self.exported,
        }

    async def folders(self, arguments: Arguments) -> Result:
        """All folders with how much is in them."""
        box = await self._boxes.found(arguments)
        found: list[dict[str, Any]] = []
        for folder in await self._store.folders(box.id):
            counted = await self._store.status(folder.id, Viewer(0))
            found.append(
                {
                    "name": folder.name,
                    "special_use": folder.special_use,
                    "uid_validity": folder.uid_validity,
                    "messages": counted.messages,
                    "octets": counted.size,
                }
            )
        return {"address": box.address, "folders": found}

    async def list(self, arguments: Arguments) -> Result:
        """UID, flags, date and size of the messages after a UID, at most `PAGE`."""
        box, folder = await self._folder(arguments)
        after = number(arguments, "after", 0)
        snapshot = await self._store.snapshot(folder.id, Viewer(0))
        uids = [uid for uid in snapshot.uids if uid > after][:PAGE]
        rows = await self._store.rows(folder.id, Viewer(0), uids, frozenset())
        seen = await self._seen(box, folder, uids)
        return {
            "messages": [
                {
                    "uid": row.uid,
                    "flags": sorted(row.flags | ({"\\Seen"} if row.uid in seen else set())),
                    "date": row.internal_date,
                    "size": row.size,
                }
                for row in rows
            ]
        }

    async def read(self, arguments: Arguments) -> Result:
        """Octets of one message from an offset on, at most `PIECE`; none at its end."""
        _, folder = await self._folder(arguments)
        uid, at = number(arguments, "uid"), number(arguments, "offset", 0)
        rows = await self._store.rows(folder.id, Viewer(0), [uid], frozenset({Want.HEADER}))
        if not rows:
            raise OperationRefused("The message has been expunged meanwhile", "message-gone", NOT_FOUND)
        return {"data": b64encode(await self._octets(rows[0], at)).decode()}

    async def exported(self, arguments: Arguments) -> Result:
        """Note in the trace that a copy of the mailbox was made."""
        box = await self._boxes.found(arguments)
        count, form = str(number(arguments, "count")), text(arguments, "format")
        await self._store.write_trace(
            [traced("mailbox-exported", arguments, box.id, messages=count, format=form)]
        )
        return {"address": box.address}

    async def _octets(self, row: MessageRow, at: int) -> bytes:
        header = (row.header or b"")[at : at + PIECE]
        room = PIECE - len(header)
        return header + await self._store.read_text(row.body_id, max(0, at - row.header_size), room)

    async def _folder(self, arguments: Arguments) -> tuple[BoxRow, Folder]:
        box = await self._boxes.found(arguments)
        name = text(arguments, "folder")
        for folder in await self._store.folders(box.id):
            if folder.name == name:
                return box, folder
        raise OperationRefused(f"There is no folder {name} in {box.address}", "unknown-folder", NOT_FOUND)

    async def _seen(self, box: BoxRow, folder: Folder, uids: Sequence[int]) -> set[int]:
        """In a shared mailbox a message counts as read when a member has read it."""
        seen: set[int] = set()
        if box.type in SHARED_TYPES:
            for tie in await self._rows.memberships(box_id=box.id):
                viewer = Viewer(tie.person_id, shared=True)
                rows = await self._store.rows(folder.id, viewer, uids, frozenset())
                seen.update(row.uid for row in rows if "\\Seen" in row.flags)
        return seen
