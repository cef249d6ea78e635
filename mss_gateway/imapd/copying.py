"""COPY and MOVE (RFC 9051 sections 6.4.7, 6.4.8; RFC 6851; COPYUID of RFC 4315)."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import NoSuchFolder
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Copy, Move

from .names import find
from .numbers import uids_of
from .selecting import deletable
from .session import CommandFailed, Session
from .sync import sync

TRYCREATE = b"TRYCREATE"


async def copy(session: Session, request: Request) -> None:
    """COPY: all or nothing."""
    command = request.command
    assert isinstance(command, Copy)
    selected = session.folder
    uids = uids_of(selected, command.numbers, uid=command.uid)
    _, target = await find(session, command.mailbox, TRYCREATE)
    try:
        copied = await session.mailboxes.copy(selected.folder.id, selected.viewer, uids, target.id)
    except NoSuchFolder:
        raise CommandFailed("No such mailbox", TRYCREATE) from None
    code = b""
    if copied.source_uids:
        code = responses.copyuid(copied.uid_validity, copied.source_uids, copied.target_uids)
    await sync(session)
    session.core.tagged(Ending.OK, "copied", code=code)


async def move(session: Session, request: Request) -> None:
    """MOVE: COPYUID comes in an untagged OK, before the EXPUNGEs (RFC 6851 section 4.3)."""
    command = request.command
    assert isinstance(command, Move)
    selected = deletable(session)
    uids = uids_of(selected, command.numbers, uid=command.uid)
    _, target = await find(session, command.mailbox, TRYCREATE)
    try:
        moved = await session.mailboxes.move(selected.folder.id, selected.viewer, uids, target.id)
    except NoSuchFolder:
        raise CommandFailed("No such mailbox", TRYCREATE) from None
    if moved.source_uids:
        code = responses.copyuid(moved.uid_validity, moved.source_uids, moved.target_uids)
        session.send(responses.ok("moved", code))
    selected.dirty = True
    await sync(session)
    session.core.tagged(Ending.OK, "moved")
