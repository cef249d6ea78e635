"""SELECT, EXAMINE, CLOSE, UNSELECT, CHECK, EXPUNGE (RFC 9051 sections 6.3.2, 6.4)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from mss_gateway.ports.mailboxes import NoSuchFolder, Snapshot
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Close, Expunge, Select
from mss_gateway.protocol.imap.objectids import mailbox_id
from mss_gateway.protocol.imap.tracker import SequenceView

from .limits import capped, finish
from .names import find, normal, shown
from .progress import Progress
from .resyncing import check_qresync, resync
from .rights import require, require_here, rights_here, rights_of, tell_flags, writes
from .session import CommandFailed, Selected, Session
from .sync import sync, told_to


async def select(session: Session, request: Request) -> None:
    """SELECT and EXAMINE. The folder is watched before it is read, so that no change falls in between."""
    command = request.command
    assert isinstance(command, Select)
    check_qresync(session, command.qresync)
    if session.selected is not None:
        session.leave()
        session.send(responses.ok("the mailbox before is closed", b"CLOSED"))
    box, folder = await find(session, command.mailbox)
    await require(session, box, folder, "r")
    viewer = session.viewer(box)
    selected = Selected(folder, viewer, SequenceView(), command.read_only, 0, set())
    selected.rights = await rights_of(session, box, folder)
    if command.condstore:
        session.use_modseq()
    session.open(selected)
    try:
        snapshot = await session.mailboxes.snapshot(folder.id, viewer)
        given = command.mailbox if normal(command.mailbox) != command.mailbox else None
        _announce(session, selected, snapshot, shown(session, box, folder.name), given)
        if command.qresync is not None and command.qresync.uid_validity == snapshot.uid_validity:
            await resync(session, selected, command.qresync)
    except BaseException:
        session.leave()
        raise
    session.did("mailbox-opened", "EXAMINE" if command.read_only else "SELECT", count=len(selected.view))
    code = b"READ-WRITE" if writes(selected) else b"READ-ONLY"
    session.core.tagged(Ending.OK, "selected", code=code)


def _announce(session: Session, selected: Selected, snapshot: Snapshot, name: str, given: str | None) -> None:
    """Take over what was read, and say what every SELECT says (RFC 9051 section 6.3.2)."""
    selected.view = SequenceView(snapshot.uids)
    selected.modseq = snapshot.highest_modseq
    selected.keywords = set(snapshot.keywords)
    tell_flags(session, selected)
    session.send(responses.exists(len(selected.view)))
    if not session.rev2:
        session.send(b"* 0 RECENT\r\n")
        if snapshot.first_unseen and not session.uidonly:
            number = selected.view.number(snapshot.first_unseen)
            session.send(responses.ok("first unseen", b"UNSEEN %d" % (number or 0)))
    else:
        session.send(responses.listing(name, [], utf8=session.core.utf8, old_name=given))
    session.send(responses.ok("UIDs valid", b"UIDVALIDITY %d" % snapshot.uid_validity))
    session.send(responses.ok("next UID", b"UIDNEXT %d" % snapshot.uid_next))
    session.send(responses.ok("highest", b"HIGHESTMODSEQ %d" % snapshot.highest_modseq))
    object_id = mailbox_id(selected.folder.id, snapshot.uid_validity)
    session.send(responses.ok("object", b"MAILBOXID (%b)" % object_id))


async def close(session: Session, request: Request) -> None:
    """CLOSE expunges silently; UNSELECT does not, nor does CLOSE of somebody without the right (RFC 4314)."""
    selected = session.folder
    expunges = isinstance(request.command, Close) and not selected.read_only
    if expunges and "e" in await rights_here(session):
        with contextlib.suppress(NoSuchFolder):  # deleted by another session: nothing is left to expunge
            if gone := await session.mailboxes.expunge(selected.folder.id, selected.viewer, None):
                session.did("mailbox-removed", "CLOSE", gone)
    session.leave()
    session.core.tagged(Ending.OK, "closed")


async def check(session: Session, request: Request) -> None:
    """CHECK and NOOP: a moment to tell the news."""
    await sync(session)
    session.core.tagged(Ending.OK, "done")


async def expunge(session: Session, request: Request) -> None:
    """EXPUNGE and UID EXPUNGE (RFC 4315); only the latter has a limit (RFC 9738 section 3.1)."""
    command = request.command
    assert isinstance(command, Expunge)
    selected = writable(session)
    await require_here(session, "e")
    uids: Sequence[int] | None = None
    limit = b""
    if command.uids is not None:
        uids = selected.view.select(command.uids, uid=True)
        if capped(session, uids)[1]:
            marked = frozenset(await session.mailboxes.marked_deleted(selected.folder.id))
            uids, limit = capped(session, [uid for uid in uids if uid in marked])
    removed = await Progress(session, request.tag).while_waiting(
        session.mailboxes.expunge(selected.folder.id, selected.viewer, uids), len(selected.view)
    )
    if removed:
        session.did("mailbox-removed", "EXPUNGE", removed)
    selected.dirty = True
    await sync(session)
    finish(session, "expunged", told_to(session) if removed else b"", limit)


def writable(session: Session) -> Selected:
    """The folder in hand, unless it was opened with EXAMINE."""
    selected = session.folder
    if selected.read_only:
        raise CommandFailed("The mailbox is open for reading only", b"READ-ONLY")
    return selected
