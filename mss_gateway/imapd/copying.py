"""COPY and MOVE (RFC 9051 sections 6.4.7, 6.4.8; RFC 6851; COPYUID of RFC 4315)."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.ports.mailboxes import Copied, NoSuchFolder
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Copy, Move

from .limits import capped, check_limit, finish
from .names import find
from .numbers import check_uids, uids_of
from .progress import Progress
from .rights import require, require_here
from .selecting import writable
from .session import CommandFailed, Session
from .sync import sync, told_to

TRYCREATE = b"TRYCREATE"


async def copy(session: Session, request: Request) -> None:
    """COPY: all or nothing, also when there are too many (RFC 9738 section 3.1)."""
    command = request.command
    assert isinstance(command, Copy)
    check_uids(session, uid=command.uid)
    selected = session.folder
    uids = uids_of(selected, command.numbers, uid=command.uid)
    check_limit(session, len(uids))
    box, target = await find(session, command.mailbox, TRYCREATE)
    await require(session, box, target, "i")
    try:
        copied = await Progress(session, request.tag).while_waiting(
            session.mailboxes.copy(selected.folder.id, selected.viewer, uids, target.id), len(uids)
        )
    except NoSuchFolder:
        raise CommandFailed("No such mailbox", TRYCREATE) from None
    session.made(target.id, copied.target_uids)
    if copied.source_uids:
        session.did("mailbox-copied", "COPY", copied.source_uids)
        if target.box_id != selected.folder.box_id:
            session.added(target, session.viewer(box), "COPY", copied.target_uids)
    await sync(session)
    _check_any(copied, uids, uid=command.uid)
    session.core.tagged(Ending.OK, "copied", code=_copyuid(copied))


async def move(session: Session, request: Request) -> None:
    """MOVE: COPYUID comes in an untagged OK, before the EXPUNGEs (RFC 6851 section 4.3)."""
    command = request.command
    assert isinstance(command, Move)
    check_uids(session, uid=command.uid)
    selected = writable(session)
    await require_here(session, "te")
    uids, limit = capped(session, uids_of(selected, command.numbers, uid=command.uid))
    box, target = await find(session, command.mailbox, TRYCREATE)
    await require(session, box, target, "i")
    try:
        moved = await Progress(session, request.tag).while_waiting(
            session.mailboxes.move(selected.folder.id, selected.viewer, uids, target.id), len(uids)
        )
    except NoSuchFolder:
        raise CommandFailed("No such mailbox", TRYCREATE) from None
    if moved.source_uids:
        session.did("mailbox-moved", "MOVE", moved.source_uids)
        if target.box_id != selected.folder.box_id:
            session.added(target, session.viewer(box), "MOVE", moved.target_uids)
        session.send(responses.ok("moved", _copyuid(moved)))
    selected.dirty = True
    await sync(session)
    _check_any(moved, uids, uid=command.uid)
    finish(session, "moved", told_to(session) if moved.source_uids else b"", limit)


def _copyuid(copied: Copied) -> bytes:
    if not copied.source_uids:
        return b""
    return responses.copyuid(copied.uid_validity, copied.source_uids, copied.target_uids)


def _check_any(copied: Copied, uids: Sequence[int], *, uid: bool) -> None:
    """Raise `CommandFailed` when all messages named by number have gone meanwhile (RFC 5530)."""
    if uids and not uid and not copied.source_uids:
        raise CommandFailed("These messages have gone", b"EXPUNGEISSUED")
