"""CREATE, DELETE, RENAME, SUBSCRIBE, NAMESPACE (RFC 9051 section 6.3)."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import Folder, FolderExists
from mss_gateway.ports.records import INBOX, BoxRow, TraceLine
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Create, Delete, Rename, Subscribe, Unsubscribe
from mss_gateway.protocol.imap.mailboxtree import parents
from mss_gateway.protocol.imap.objectids import mailbox_id
from mss_gateway.rules.exchange import SHARED_TYPES

from .names import Place, find, has_shared, normal, resolve, shown
from .rights import require, require_creating, trace_line
from .session import CommandFailed, Session

CANNOT = b"CANNOT"
FOLDERS = 1000  # mailboxes of one box: each costs a row in every LIST
DEPTH = 20  # levels of one name
NAME_OCTETS = 1000  # of one name in UTF-8


async def _check_new(session: Session, place: Place) -> None:
    """Raise `CommandFailed` for a name that cannot be made, or one mailbox too many."""
    levels = place.name.split("/")
    if not all(levels) or not place.name.isprintable():
        raise CommandFailed("A level of the name is empty, or holds a control character", CANNOT)
    if len(levels) > DEPTH or len(place.name.encode("utf-8")) > NAME_OCTETS:
        raise CommandFailed("The name is too long or too deep", b"LIMIT")
    folders = await session.mailboxes.folders(place.box.id)
    await require_creating(session, place.box, _nearest(folders, place.name))
    known = {folder.name for folder in folders}
    new = {place.name, *parents(place.name)} - known
    if len(known) + len(new) > FOLDERS:
        raise CommandFailed(f"An account holds at most {FOLDERS} mailboxes", b"LIMIT")


def _nearest(folders: list[Folder], name: str) -> Folder | None:
    """The nearest mailbox above a name."""
    there = {folder.name: folder for folder in folders}
    return next((there[parent] for parent in reversed(parents(name)) if parent in there), None)


def _trace(session: Session, event: str, box: BoxRow, **detail: str) -> TraceLine | None:
    """In a shared box everybody's acts are kept under their names (BAL-3)."""
    return trace_line(session, event, box, **detail) if box.type in SHARED_TYPES else None


def _tell_normal(session: Session, box: BoxRow, given: str, name: str) -> None:
    """Tell a client of IMAP4rev2 under which name its own is kept (RFC 9051 section 6.3.9.7)."""
    if session.rev2 and normal(given) != given:
        session.send(responses.listing(shown(session, box, name), (), utf8=session.core.utf8, old_name=given))


def _overlook(session: Session, box: BoxRow, *names: str) -> None:
    """What a client has done itself NOTIFY does not tell it."""
    if session.notifier is not None:
        session.notifier.overlook(box.id, names)


async def create(session: Session, request: Request) -> None:
    """CREATE, with USE (RFC 6154); the answer names the mailbox by its id (RFC 8474)."""
    command = request.command
    assert isinstance(command, Create)
    place = resolve(session, command.mailbox)
    if place.name.upper() == INBOX:
        raise CommandFailed("INBOX is always there", b"ALREADYEXISTS")
    await _check_new(session, place)
    try:
        made = await session.mailboxes.create_folder(
            place.box.id,
            place.name,
            command.special_use,
            _trace(session, "folder-created", place.box, folder=place.name),
        )
    except FolderExists:
        raise CommandFailed("There is such a mailbox already", b"ALREADYEXISTS") from None
    _overlook(session, place.box, place.name, *parents(place.name))
    _tell_normal(session, place.box, command.mailbox, made.name)
    code = b"MAILBOXID (%b)" % mailbox_id(made.id, made.uid_validity)
    session.core.tagged(Ending.OK, "created", code=code)


async def delete(session: Session, request: Request) -> None:
    """DELETE; INBOX stays, and so do the mailboxes below the one deleted."""
    command = request.command
    assert isinstance(command, Delete)
    box, folder = await find(session, command.mailbox)
    await require(session, box, folder, "x")
    if folder.name == INBOX:
        raise CommandFailed("INBOX cannot be deleted", CANNOT)
    trace = _trace(session, "folder-deleted", box, folder=folder.name)
    await session.mailboxes.delete_folder(folder.id, session.viewer(box), trace)
    _overlook(session, box, folder.name)
    session.core.tagged(Ending.OK, "deleted")


async def rename(session: Session, request: Request) -> None:
    """RENAME within one box; renaming INBOX moves its messages (RFC 9051 section 6.3.6)."""
    command = request.command
    assert isinstance(command, Rename)
    box, folder = await find(session, command.mailbox)
    await require(session, box, folder, "x")
    target = resolve(session, command.new_name)
    if target.box.id != box.id:
        raise CommandFailed("A mailbox cannot move to another account; copy its messages", CANNOT)
    await _check_new(session, target)
    try:
        trace = _trace(session, "folder-renamed", box, folder=folder.name, name=target.name)
        await session.mailboxes.rename_folder(folder.id, target.name, trace)
    except FolderExists:
        raise CommandFailed("There is such a mailbox already", b"ALREADYEXISTS") from None
    _overlook(session, box, target.name, *parents(target.name))
    _tell_normal(session, box, command.new_name, target.name)
    session.core.tagged(Ending.OK, "renamed")


async def subscribe(session: Session, request: Request) -> None:
    """SUBSCRIBE, to what is there; UNSUBSCRIBE, from any name. Each member has their own subscriptions."""
    command = request.command
    assert isinstance(command, Subscribe | Unsubscribe)
    on = isinstance(command, Subscribe)
    place = resolve(session, command.mailbox)
    name = place.name
    try:
        box, folder = await find(session, command.mailbox)
    except CommandFailed:
        if on:
            raise
    else:
        name = folder.name
        if on:
            await require(session, box, folder, "l")
    await session.mailboxes.set_subscription(place.box.id, session.who.person_id, name, on)
    _overlook(session, place.box, name)
    session.core.tagged(Ending.OK, "done")


async def namespace(session: Session, request: Request) -> None:
    """NAMESPACE (RFC 2342)."""
    session.send(responses.namespace(shared=has_shared(session)))
    session.core.tagged(Ending.OK, "done")
