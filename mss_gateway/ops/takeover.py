"""Taking a mailbox over from another IMAP server: the gateway's side of `mailbox import` (IMP-4)."""

from __future__ import annotations

import time
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol

from mss_gateway.base.errors import Refuse
from mss_gateway.pipeline.bodies import prepare_body
from mss_gateway.pipeline.spool import Spool
from mss_gateway.ports.access import OverQuota
from mss_gateway.ports.mailboxes import Folder, FolderExists, Mailboxes, NewAppend, Viewer, Want
from mss_gateway.ports.records import INBOX, BoxRow
from mss_gateway.ports.store import Trace
from mss_gateway.ports.takeover import Origin, TakenOver, Takeovers
from mss_gateway.rules.exchange import SHARED_TYPES

from .boxes import BoxOperations, Provisioning
from .operation import CONFLICT, USAGE, Arguments, Operation, OperationRefused, Result, number, text
from .tracing import traced

PIECE = 1_500_000
"""Octets of a message in one request; a line of the control socket holds them in base64."""

UPLOADS = 4  # messages that come in pieces, at the same time
READ = 1 << 20  # octets read back at once


class Store(Takeovers, Mailboxes, Trace, Protocol):
    """What the operations need of the store."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """Where messages lie before they are stored, and the threads that touch the disk."""

    spool: Path
    executor: Executor
    sealed: bool = False  # what lies in the spool is encrypted


class TakeoverOperations:
    """`mailbox import`: folders, what is known, messages with their flags and dates."""

    def __init__(self, provisioning: Provisioning, store: Store, workbench: Workbench) -> None:
        self._boxes = BoxOperations(provisioning)
        self._rows = provisioning.rows
        self._store = store
        self._workbench = workbench
        self._uploads: dict[str, Spool] = {}

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "mailbox.taken": self.taken,
            "mailbox.piece": self.piece,
            "mailbox.put": self.put,
            "mailbox.imported": self.imported,
        }

    async def taken(self, arguments: Arguments) -> Result:
        """UIDs of an origin that are here already, and whether the address has a mailbox at all."""
        box = await self._boxes.found(arguments)
        return {"uids": await self._store.taken(_origin(arguments, box))}

    async def piece(self, arguments: Arguments) -> Result:
        """Keep some octets of a large message; the first piece names no upload and is given one."""
        name = text(arguments, "upload", "")
        if not name:
            if len(self._uploads) >= UPLOADS:
                oldest = next(iter(self._uploads))
                await self._uploads.pop(oldest).discard()  # whoever brought it has gone
            name = token_hex(8)
            self._uploads[name] = self._new_spool()
        spool = self._uploads.get(name)
        if spool is None:
            raise _no_upload()
        await spool.add(_octets(arguments))
        return {"upload": name}

    async def put(self, arguments: Arguments) -> Result:
        """Store messages of one folder in one commit, then read them again and give their digests."""
        box = await self._boxes.found(arguments)
        folder = await self._folder(box, text(arguments, "folder"), text(arguments, "special_use", ""))
        ready: list[TakenOver] = []
        answers: dict[int, dict[str, object]] = {}
        spools: list[Spool] = []
        try:
            for one in _messages(arguments):
                spool = await self._spooled(one)
                spools.append(spool)
                made = await self._made(spool, one)
                uid = number(one, "uid")
                if isinstance(made, Refuse):
                    answers[uid] = {"uid": uid, "reason": made.reason, "sentence": made.public}
                else:
                    ready.append(TakenOver(uid, made))
            own = await self._stored(box, folder, _origin(arguments, box), ready)
        finally:
            for spool in spools:
                await spool.discard()
        for one_ready, own_uid in zip(ready, own, strict=True):
            digest = await self._digest(folder.id, own_uid)
            answers[one_ready.uid] = {"uid": one_ready.uid, "own_uid": own_uid, "sha256": digest}
        return {"messages": list(answers.values())}

    async def imported(self, arguments: Arguments) -> Result:
        """Note in the trace that mail was brought from elsewhere."""
        box = await self._boxes.found(arguments)
        count, source = str(number(arguments, "count")), text(arguments, "from")
        await self._store.write_trace(
            [traced("mailbox-imported", arguments, box.id, messages=count, source=source)]
        )
        return {"address": box.address}

    async def _folder(self, box: BoxRow, name: str, special_use: str) -> Folder:
        """The folder of that use, else of that name, made when there is none."""
        known = await self._store.folders(box.id)
        for folder in known:
            if special_use and folder.special_use == special_use:
                return folder
        wanted = INBOX if name.upper() == INBOX else name
        for folder in known:
            if folder.name == wanted:
                return folder
        if not wanted or not all(wanted.split("/")) or not wanted.isprintable():
            raise OperationRefused(f"A folder cannot have the name {wanted!r}", "folder-name", USAGE)
        try:
            return await self._store.create_folder(box.id, wanted, special_use)
        except FolderExists:
            return next(one for one in await self._store.folders(box.id) if one.name == wanted)

    async def _stored(self, box: BoxRow, folder: Folder, origin: Origin, ready: list[TakenOver]) -> list[int]:
        try:
            return await self._store.take_over(folder.id, origin, ready, await self._members(box))
        except OverQuota:
            raise OperationRefused(
                f"{box.address} is full: give it more room with `bal quota`, then go on",
                "over-quota",
                CONFLICT,
            ) from None

    async def _members(self, box: BoxRow) -> list[int]:
        if box.type not in SHARED_TYPES:
            return []
        return [tie.person_id for tie in await self._rows.memberships(box_id=box.id)]

    def _new_spool(self) -> Spool:
        path = self._workbench.spool / f"takeover-{token_hex(8)}"
        return Spool(path, self._workbench.executor, sealed=self._workbench.sealed)

    async def _spooled(self, one: Mapping[str, Any]) -> Spool:
        upload = one.get("upload")
        if upload is not None:
            found = self._uploads.pop(str(upload), None)
            if found is None:
                raise _no_upload()
            return found
        spool = self._new_spool()
        await spool.add(_octets(one))
        return spool

    async def _made(self, spool: Spool, one: Mapping[str, Any]) -> NewAppend | Refuse:
        spooled = await spool.finish()
        if isinstance(spooled, Refuse):
            return spooled
        body = await prepare_body(spooled.header, spooled.text, self._workbench.executor)
        flags = one.get("flags") or []
        date = one.get("date")
        when = float(date) if isinstance(date, int | float) else time.time()
        return NewAppend(body, frozenset(map(str, flags)), when)

    async def _digest(self, folder_id: int, uid: int) -> str:
        """SHA-256 of a stored message, read again from the store; empty when it has gone already."""
        rows = await self._store.rows(folder_id, Viewer(0), [uid], frozenset({Want.HEADER}))
        if not rows:
            return ""
        row = rows[0]
        digest = sha256(row.header or b"")
        at = 0
        while data := await self._store.read_text(row.body_id, at, READ):
            digest.update(data)
            at += len(data)
        return digest.hexdigest()


def _no_upload() -> OperationRefused:
    return OperationRefused("The message was begun too long ago: start again", "no-upload", CONFLICT)


def _origin(arguments: Arguments, box: BoxRow) -> Origin:
    source = sha256(text(arguments, "source").lower().encode()).hexdigest()[:32]
    return Origin(box.id, source, text(arguments, "source_folder"), number(arguments, "uid_validity"))


def _messages(arguments: Arguments) -> list[Mapping[str, Any]]:
    messages = arguments.get("messages") or []
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise OperationRefused("The argument messages is not a list of records", "bad-argument", USAGE)
    return messages


def _octets(arguments: Mapping[str, Any]) -> bytes:
    try:
        return b64decode(arguments["data"], validate=True)
    except (KeyError, TypeError, ValueError, Error):
        raise OperationRefused("The argument data is not base64", "bad-argument", USAGE) from None
