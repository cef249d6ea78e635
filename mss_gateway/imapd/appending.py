"""APPEND (RFC 9051 section 6.3.12): the message is streamed to a spool, then stored with one commit."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mss_gateway.base.errors import Refuse
from mss_gateway.pipeline.spool import Spool
from mss_gateway.ports.mailboxes import Folder, NewAppend, NoSuchFolder, Viewer
from mss_gateway.ports.store import StoreError, StoreFull
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Append
from mss_gateway.rules.exchange import EXCHANGES

from .copying import TRYCREATE
from .names import find
from .session import CommandFailed, Session
from .sync import DELETED, sync


@dataclass(slots=True)
class Appending:
    """An APPEND under way."""

    command: Append
    folder: Folder
    viewer: Viewer
    spool: Spool
    failed: bool = False


async def begin(session: Session, request: Request) -> Appending | None:
    """Take or refuse the literal before the client sends it."""
    command = request.command
    assert isinstance(command, Append)
    try:
        box, folder = await find(session, command.mailbox, TRYCREATE)
    except CommandFailed as failure:
        session.core.refuse_literal(failure.ending, failure.text, code=failure.code)
        return None
    except StoreError:
        # Never `tagged` here: the literal that follows would be read as commands.
        session.core.refuse_literal(Ending.NO, "not possible now, try again later", code=b"UNAVAILABLE")
        return None
    session.core.accept_literal()
    return Appending(command, folder, session.viewer(box), session.parts.filing.new_spool())


async def chunk(appending: Appending, data: bytes) -> None:
    """Keep some octets; a full disk is answered at the end, since the literal must be swallowed anyway."""
    if appending.failed:
        return
    try:
        await appending.spool.add(data)
    except OSError:
        appending.failed = True
        await appending.spool.discard()


async def end(session: Session, appending: Appending) -> None:
    """Store the message and answer with APPENDUID."""
    try:
        if appending.failed:
            raise CommandFailed("No room to keep the message now", b"UNAVAILABLE")
        await _store(session, appending)
    except StoreFull:
        raise CommandFailed("No room to keep the message now", b"UNAVAILABLE") from None
    except NoSuchFolder:
        raise CommandFailed("No such mailbox", TRYCREATE) from None
    finally:
        await appending.spool.discard()


async def _store(session: Session, appending: Appending) -> None:
    body = await session.parts.filing.body(appending.spool)
    if isinstance(body, Refuse):
        raise CommandFailed(body.public, b"TOOBIG")
    command = appending.command
    when = command.internal_date if command.internal_date is not None else time.time()
    flags = command.flags
    if appending.folder.box_id in session.who.carer_of:
        flags = frozenset(flag for flag in flags if flag.lower() != DELETED.lower())  # RFC 4314 section 4
    new = NewAppend(body, flags, when, once=appending.folder.name == EXCHANGES)
    uids = await session.mailboxes.append(appending.folder.id, appending.viewer, [new])
    await sync(session)
    code = responses.appenduid(appending.folder.uid_validity, uids[0])
    session.core.tagged(Ending.OK, "appended", code=code)
