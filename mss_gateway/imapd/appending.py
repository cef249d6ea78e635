"""APPEND and REPLACE (RFC 9051 section 6.3.12, RFC 3502, RFC 4469, RFC 8508).

Messages are streamed to spools, then stored together: one transaction, all or nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mss_gateway.base.errors import Refuse
from mss_gateway.pipeline.spool import Spool
from mss_gateway.ports.mailboxes import Folder, NewAppend, NoSuchFolder, Viewer
from mss_gateway.ports.records import NewBody, SpoolFile
from mss_gateway.ports.store import StoreError, StoreFull
from mss_gateway.protocol.imap import AppendChunk, AppendMessage, AppendUrl, Ending, Request, responses
from mss_gateway.protocol.imap.commands import Append, Replace
from mss_gateway.protocol.imap.sequence import STAR
from mss_gateway.rules.access import permitted
from mss_gateway.rules.exchange import EXCHANGES

from .catenate import send_url
from .copying import TRYCREATE
from .limits import check_limit
from .names import find
from .numbers import check_uids
from .rights import require, require_here, rights_of
from .selecting import writable
from .session import CommandFailed, Session
from .sync import sync

MEMORY = 2 * 1024 * 1024  # octets of the messages of one command that are kept in memory
_NO_ROOM = "No room to keep the message now"


@dataclass(slots=True)
class Appending:
    """An APPEND or REPLACE under way. `replaced` is the UID in the folder in hand that is to go, 0 for APPEND."""

    folder: Folder
    viewer: Viewer
    rights: frozenset[str]
    replaced: int = 0
    head: AppendMessage | None = None  # of the message that is coming
    spools: list[Spool] = field(default_factory=list)
    messages: list[NewAppend] = field(default_factory=list)
    total: int = 0  # octets that have come
    held: int = 0  # octets of whole messages in memory

    async def discard(self) -> None:
        """Leave no file behind."""
        for spool in self.spools:
            await spool.discard()


async def begin(session: Session, request: Request) -> Appending:
    """Take or refuse the messages before the client sends the first."""
    command = request.command
    assert isinstance(command, Append | Replace)
    replaced = await _replaced(session, command) if isinstance(command, Replace) else 0
    try:
        box, folder = await find(session, command.mailbox, TRYCREATE)
        await require(session, box, folder, "i")
        rights = await rights_of(session, box, folder)
    except StoreError:
        raise CommandFailed("not possible now, try again later", b"UNAVAILABLE") from None
    session.core.accept_literal()
    return Appending(folder, session.viewer(box), rights, replaced)


async def _replaced(session: Session, command: Replace) -> int:
    """The UID of the message that is to go."""
    check_uids(session, uid=command.uid)
    view = writable(session).view
    await require_here(session, "te")
    if command.number == STAR:
        uid: int | None = view.last_uid
    elif command.uid:
        uid = command.number if view.number(command.number) else None
    else:
        uid = view.uid(command.number)
    if not uid:
        # A number that no message has is a fault of the client, a UID may just have gone (RFC 9051 section 6.4.9).
        ending = Ending.NO if command.uid else Ending.BAD
        raise CommandFailed("There is no message of that number", ending=ending)
    return uid


async def take(
    session: Session, appending: Appending, event: AppendMessage | AppendChunk | AppendUrl
) -> None:
    """Keep what has come; raises `CommandFailed`, after which nothing more of the command comes."""
    match event:
        case AppendMessage():
            await _finish(session, appending)
            appending.head = event
            appending.spools.append(session.parts.filing.new_spool())
        case AppendChunk(data):
            await _add(session, appending, data)
        case AppendUrl(url):
            room = session.core.options.max_append - appending.spools[-1].size
            await send_url(session, url, room, lambda data: _add(session, appending, data))


async def _add(session: Session, appending: Appending, data: bytes) -> None:
    options = session.core.options
    spool = appending.spools[-1]
    appending.total += len(data)
    most = max(options.append_total, options.max_append)
    if spool.size + len(data) > options.max_append or appending.total > most:
        raise CommandFailed("The message would be too large", b"TOOBIG")
    try:
        await spool.add(data)
    except OSError:
        raise CommandFailed(_NO_ROOM, b"UNAVAILABLE") from None


async def _finish(session: Session, appending: Appending) -> None:
    """The message in hand is whole: make a body of it."""
    head, appending.head = appending.head, None
    if head is None:
        return
    spool = appending.spools[-1]
    if not spool.size:
        raise CommandFailed("An empty message cannot be stored")
    try:
        body = await session.parts.filing.body(spool, max(0, MEMORY - appending.held))
    except OSError:
        raise CommandFailed(_NO_ROOM, b"UNAVAILABLE") from None
    if isinstance(body, Refuse):
        raise CommandFailed(body.public, b"TOOBIG")
    appending.held += _kept(body)
    if appending.held > MEMORY and appending.messages:
        raise CommandFailed("Too much for one APPEND, send fewer messages at once", b"LIMIT")
    when = head.internal_date if head.internal_date is not None else time.time()
    # What is replaced must not be found as the same message already there.
    once = appending.folder.name == EXCHANGES and not appending.replaced
    check_limit(session, len(appending.messages) + 1)
    flags = permitted(appending.rights, head.flags)  # the others are left out (RFC 4314 section 4)
    appending.messages.append(NewAppend(body, flags, when, once=once))


def _kept(body: NewBody) -> int:
    """Octets of a body in memory."""
    text = 0 if isinstance(body.text, SpoolFile) else len(body.text)
    return len(body.header) + text + len(body.envelope) + len(body.bodystructure) + len(body.structure)


async def end(session: Session, appending: Appending) -> None:
    """Store the messages and answer with APPENDUID."""
    try:
        await _finish(session, appending)
        if appending.replaced:
            await _replace(session, appending)
        else:
            await _append(session, appending)
    except StoreFull:
        raise CommandFailed(_NO_ROOM, b"UNAVAILABLE") from None
    except NoSuchFolder:
        raise CommandFailed("No such mailbox", TRYCREATE) from None
    finally:
        await appending.discard()


async def _append(session: Session, appending: Appending) -> None:
    folder = appending.folder
    uids = await session.mailboxes.append(folder.id, appending.viewer, appending.messages)
    session.made(folder.id, uids)
    session.added(folder, appending.viewer, "APPEND", uids)
    await sync(session)
    session.core.tagged(Ending.OK, "appended", code=responses.appenduid(folder.uid_validity, uids))


async def _replace(session: Session, appending: Appending) -> None:
    """REPLACE: APPENDUID stands in an untagged OK before the EXPUNGE (RFC 8508 section 3.3)."""
    source, folder = session.folder, appending.folder
    uid = await session.mailboxes.replace(
        source.folder.id, appending.replaced, folder.id, appending.viewer, appending.messages[0]
    )
    if uid is None:
        await sync(session)
        raise CommandFailed("The message has been expunged meanwhile", b"EXPUNGEISSUED")
    session.made(folder.id, [uid])
    session.added(folder, appending.viewer, "REPLACE", [uid])
    session.did("mailbox-removed", "REPLACE", [appending.replaced])
    session.send(responses.ok("the new message is there", responses.appenduid(folder.uid_validity, [uid])))
    source.dirty = True
    await sync(session)
    code = b"HIGHESTMODSEQ %d" % source.modseq if session.qresync else b""
    session.core.tagged(Ending.OK, "replaced", code=code)
