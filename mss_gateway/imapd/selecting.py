"""SELECT, EXAMINE, CLOSE, UNSELECT, CHECK, EXPUNGE (RFC 9051 sections 6.3.2, 6.4)."""

from __future__ import annotations

import contextlib

from mss_gateway.ports.mailboxes import NoSuchFolder
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Close, Expunge, Select
from mss_gateway.protocol.imap.tracker import SequenceView

from .names import find, shown
from .session import NO_DELETING, NOPERM, CommandFailed, Selected, Session
from .sync import DELETED, SYSTEM_FLAGS, sync


async def select(session: Session, request: Request) -> None:
    """SELECT and EXAMINE. The folder is watched before it is read, so that no change falls in between."""
    command = request.command
    assert isinstance(command, Select)
    if session.selected is not None:
        session.leave()
        session.send(responses.ok("the mailbox before is closed", b"CLOSED"))
    box, folder = await find(session, command.mailbox)
    viewer = session.viewer(box)
    selected = Selected(folder, viewer, SequenceView(), command.read_only, 0, set())
    selected.keeps = box.id in session.who.carer_of
    session.open(selected)
    try:
        snapshot = await session.mailboxes.snapshot(folder.id, viewer)
    except BaseException:
        session.leave()
        raise
    selected.view = SequenceView(snapshot.uids)
    selected.modseq = snapshot.highest_modseq
    selected.keywords = set(snapshot.keywords)
    if command.condstore:
        session.condstore = True
    flags = (*SYSTEM_FLAGS, *sorted(selected.keywords))
    session.send(responses.flags(flags))
    kept = tuple(flag for flag in flags if not (selected.keeps and flag == DELETED))
    session.send(
        responses.permanent_flags(() if command.read_only else kept, new_keywords=not command.read_only)
    )
    session.send(responses.exists(len(selected.view)))
    if not session.rev2:
        session.send(b"* 0 RECENT\r\n")
        if snapshot.first_unseen:
            number = selected.view.number(snapshot.first_unseen)
            session.send(responses.ok("first unseen", b"UNSEEN %d" % (number or 0)))
    else:
        name = shown(session, box, folder.name)
        session.send(responses.listing(name, [], utf8=session.core.utf8))
    session.send(responses.ok("UIDs valid", b"UIDVALIDITY %d" % snapshot.uid_validity))
    session.send(responses.ok("next UID", b"UIDNEXT %d" % snapshot.uid_next))
    session.send(responses.ok("highest", b"HIGHESTMODSEQ %d" % snapshot.highest_modseq))
    code = b"READ-ONLY" if command.read_only else b"READ-WRITE"
    session.core.tagged(Ending.OK, "selected", code=code)


async def close(session: Session, request: Request) -> None:
    """CLOSE expunges silently; UNSELECT does not, nor does a carer's CLOSE (PAT-6)."""
    selected = session.folder
    if isinstance(request.command, Close) and not (selected.read_only or selected.keeps):
        with contextlib.suppress(NoSuchFolder):  # deleted by another session: nothing is left to expunge
            await session.mailboxes.expunge(selected.folder.id, selected.viewer, None)
    session.leave()
    session.core.tagged(Ending.OK, "closed")


async def check(session: Session, request: Request) -> None:
    """CHECK and NOOP: a moment to tell the news."""
    await sync(session)
    session.core.tagged(Ending.OK, "done")


async def expunge(session: Session, request: Request) -> None:
    """EXPUNGE and UID EXPUNGE (RFC 4315)."""
    command = request.command
    assert isinstance(command, Expunge)
    selected = deletable(session)
    uids = None if command.uids is None else selected.view.select(command.uids, uid=True)
    await session.mailboxes.expunge(selected.folder.id, selected.viewer, uids)
    selected.dirty = True
    await sync(session)
    session.core.tagged(Ending.OK, "expunged")


def writable(session: Session) -> Selected:
    """The folder in hand, unless it was opened with EXAMINE."""
    selected = session.folder
    if selected.read_only:
        raise CommandFailed("The mailbox is open for reading only", b"READ-ONLY")
    return selected


def deletable(session: Session) -> Selected:
    """The folder in hand, unless it was opened with EXAMINE or one only cares for its patient (PAT-6)."""
    selected = writable(session)
    if selected.keeps:
        raise CommandFailed(NO_DELETING, NOPERM)
    return selected
