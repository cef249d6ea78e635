"""CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS, NAMESPACE (RFC 9051 section 6.3)."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import Folder, FolderExists
from mss_gateway.ports.records import INBOX, BoxRow
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import (
    Create,
    Delete,
    List,
    Lsub,
    Rename,
    Status,
    Subscribe,
    Unsubscribe,
)
from mss_gateway.protocol.imap.matching import match_pattern

from .names import everything, find, has_shared, resolve, shown
from .session import CommandFailed, Session

CANNOT = b"CANNOT"


async def create(session: Session, request: Request) -> None:
    """CREATE, with USE (RFC 6154)."""
    command = request.command
    assert isinstance(command, Create)
    place = resolve(session, command.mailbox)
    if place.name.upper() == INBOX:
        raise CommandFailed("INBOX is always there", b"ALREADYEXISTS")
    try:
        await session.mailboxes.create_folder(place.box.id, place.name, command.special_use)
    except FolderExists:
        raise CommandFailed("There is such a mailbox already", b"ALREADYEXISTS") from None
    session.core.tagged(Ending.OK, "created")


async def delete(session: Session, request: Request) -> None:
    """DELETE; INBOX stays."""
    command = request.command
    assert isinstance(command, Delete)
    _, folder = await find(session, command.mailbox)
    if folder.name == INBOX:
        raise CommandFailed("INBOX cannot be deleted", CANNOT)
    if session.selected is not None and session.selected.folder.id == folder.id:
        session.leave()
    await session.mailboxes.delete_folder(folder.id)
    session.core.tagged(Ending.OK, "deleted")


async def rename(session: Session, request: Request) -> None:
    """RENAME within one box; renaming INBOX moves its messages (RFC 9051 section 6.3.6)."""
    command = request.command
    assert isinstance(command, Rename)
    box, folder = await find(session, command.mailbox)
    target = resolve(session, command.new_name)
    if target.box.id != box.id:
        raise CommandFailed("A mailbox cannot move to another account; copy its messages", CANNOT)
    try:
        await session.mailboxes.rename_folder(folder.id, target.name)
    except FolderExists:
        raise CommandFailed("There is such a mailbox already", b"ALREADYEXISTS") from None
    session.core.tagged(Ending.OK, "renamed")


async def subscribe(session: Session, request: Request) -> None:
    """SUBSCRIBE and UNSUBSCRIBE."""
    command = request.command
    assert isinstance(command, Subscribe | Unsubscribe)
    _, folder = await find(session, command.mailbox)
    await session.mailboxes.subscribe(folder.id, isinstance(command, Subscribe))
    session.core.tagged(Ending.OK, "done")


async def namespace(session: Session, request: Request) -> None:
    """NAMESPACE (RFC 2342)."""
    session.send(responses.namespace(shared=has_shared(session)))
    session.core.tagged(Ending.OK, "done")


def _attributes(folder: Folder, name: str, names: list[str], command: List) -> list[str]:
    """What LIST shows of a folder: children always, special use and subscription as asked (RFC 5258)."""
    has_children = any(other.startswith(f"{name}/") for other in names)
    attributes = ["\\HasChildren" if has_children else "\\HasNoChildren"]
    if folder.special_use:
        attributes.append(folder.special_use)
    if folder.subscribed and ("SUBSCRIBED" in command.returns or "SUBSCRIBED" in command.selection):
        attributes.append("\\Subscribed")
    return attributes


async def list_(session: Session, request: Request) -> None:
    """LIST with its extensions."""
    command = request.command
    assert isinstance(command, List)
    if command.patterns == ("",) and not command.extended:
        session.send(responses.delimiter())
        session.core.tagged(Ending.OK, "done")
        return
    patterns = [command.reference + pattern for pattern in command.patterns]
    listed = await everything(session)
    names = [name for name, _, _ in listed]
    utf8 = session.core.utf8
    for name, folder, box in listed:
        if "SUBSCRIBED" in command.selection and not folder.subscribed:
            continue
        if "SPECIAL-USE" in command.selection and not folder.special_use:
            continue
        if not any(match_pattern(pattern, name) for pattern in patterns):
            continue
        session.send(responses.listing(name, _attributes(folder, name, names, command), utf8=utf8))
        if command.status:
            await _send_status(session, name, folder, box, command.status)
    for parent in _unnamed_parents(names):
        if not command.selection and any(match_pattern(pattern, parent) for pattern in patterns):
            session.send(responses.listing(parent, ["\\Noselect", "\\HasChildren"], utf8=utf8))
    session.core.tagged(Ending.OK, "done")


def _unnamed_parents(names: list[str]) -> list[str]:
    """Parents that are no folders themselves: `Shared` and each shared box."""
    known = set(names)
    parents = {name[:at] for name in names for at, char in enumerate(name) if char == "/"}
    return sorted(parents - known)


async def lsub(session: Session, request: Request) -> None:
    """LSUB (RFC 3501 section 6.3.9)."""
    command = request.command
    assert isinstance(command, Lsub)
    pattern = command.reference + command.pattern
    for name, folder, _ in await everything(session):
        if folder.subscribed and match_pattern(pattern, name):
            session.send(responses.listing(name, [], utf8=session.core.utf8, verb=b"LSUB"))
    session.core.tagged(Ending.OK, "done")


async def status(session: Session, request: Request) -> None:
    """STATUS (RFC 9051 section 6.3.11, RFC 8438, RFC 7162, RFC 7889)."""
    command = request.command
    assert isinstance(command, Status)
    box, folder = await find(session, command.mailbox)
    await _send_status(session, shown(session, box, folder.name), folder, box, command.items)
    session.core.tagged(Ending.OK, "done")


async def _send_status(
    session: Session, name: str, folder: Folder, box: BoxRow, items: tuple[str, ...]
) -> None:
    counters = await session.mailboxes.status(folder.id, session.viewer(box))
    if "HIGHESTMODSEQ" in items:
        session.condstore = True
    values = {
        "MESSAGES": counters.messages,
        "UIDNEXT": counters.uid_next,
        "UIDVALIDITY": counters.uid_validity,
        "UNSEEN": counters.unseen,
        "DELETED": counters.deleted,
        "SIZE": counters.size,
        "HIGHESTMODSEQ": counters.highest_modseq,
        "RECENT": 0,
        "APPENDLIMIT": session.parts.options.max_append,
    }
    session.send(responses.status(name, {item: values[item] for item in items}, session.core.utf8))
