"""CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS, NAMESPACE (RFC 9051 section 6.3)."""

from __future__ import annotations

import contextlib

from mss_gateway.ports.mailboxes import Folder, FolderExists, NoSuchFolder
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
from mss_gateway.protocol.imap.mailboxtree import Listed, Mailbox, list_mailboxes, parents, pattern_matcher

from .names import Place, everything, find, has_shared, resolve, shown
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
    known = {folder.name for folder in await session.mailboxes.folders(place.box.id)}
    new = {place.name, *parents(place.name)} - known
    if len(known) + len(new) > FOLDERS:
        raise CommandFailed(f"An account holds at most {FOLDERS} mailboxes", b"LIMIT")


async def create(session: Session, request: Request) -> None:
    """CREATE, with USE (RFC 6154)."""
    command = request.command
    assert isinstance(command, Create)
    place = resolve(session, command.mailbox)
    if place.name.upper() == INBOX:
        raise CommandFailed("INBOX is always there", b"ALREADYEXISTS")
    await _check_new(session, place)
    try:
        await session.mailboxes.create_folder(place.box.id, place.name, command.special_use)
    except FolderExists:
        raise CommandFailed("There is such a mailbox already", b"ALREADYEXISTS") from None
    session.core.tagged(Ending.OK, "created")


async def delete(session: Session, request: Request) -> None:
    """DELETE; INBOX stays."""
    command = request.command
    assert isinstance(command, Delete)
    box, folder = await find(session, command.mailbox)
    session.check_deleting(box.id)
    if folder.name == INBOX:
        raise CommandFailed("INBOX cannot be deleted", CANNOT)
    await session.mailboxes.delete_folder(folder.id)
    session.core.tagged(Ending.OK, "deleted")


async def rename(session: Session, request: Request) -> None:
    """RENAME within one box; renaming INBOX moves its messages (RFC 9051 section 6.3.6)."""
    command = request.command
    assert isinstance(command, Rename)
    box, folder = await find(session, command.mailbox)
    session.check_deleting(box.id)
    target = resolve(session, command.new_name)
    if target.box.id != box.id:
        raise CommandFailed("A mailbox cannot move to another account; copy its messages", CANNOT)
    await _check_new(session, target)
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


async def list_(session: Session, request: Request) -> None:
    """LIST with its extensions (RFC 5258, RFC 5819, RFC 6154)."""
    command = request.command
    assert isinstance(command, List)
    if command.patterns == ("",) and not command.extended:
        session.send(responses.delimiter())
        session.core.tagged(Ending.OK, "done")
        return
    listed = await everything(session)
    there = {name: (folder, box) for name, folder, box in listed}
    lines = list_mailboxes(
        _tree(listed),
        pattern_matcher(command.reference, command.patterns),
        selection=command.selection,
        returns=command.returns,
    )
    utf8 = session.core.utf8
    for line in lines:
        session.send(
            responses.listing(line.name, _shown_attributes(line), utf8=utf8, child_info=line.child_info)
        )
        if command.status and line.exists:
            folder, box = there[line.name]
            # A folder that another session has just deleted is listed all the same, without its counters.
            with contextlib.suppress(NoSuchFolder):
                await _send_status(session, line.name, folder, box, command.status)
    session.core.tagged(Ending.OK, "done")


def _tree(listed: list[tuple[str, Folder, BoxRow]]) -> list[Mailbox]:
    return [Mailbox(name, folder.special_use, folder.subscribed) for name, folder, _ in listed]


def _shown_attributes(line: Listed) -> tuple[str, ...]:
    """`\\Noselect` beside `\\NonExistent`, for clients that know only the former (RFC 5258 section 3)."""
    return line.attributes if line.exists else (*line.attributes, "\\Noselect")


async def lsub(session: Session, request: Request) -> None:
    """LSUB; with `%`, an unsubscribed parent stands for its children as `\\Noselect` (RFC 3501 section 6.3.9)."""
    command = request.command
    assert isinstance(command, Lsub)
    lines = list_mailboxes(
        _tree(await everything(session)),
        pattern_matcher(command.reference, (command.pattern,)),
        selection=frozenset({"SUBSCRIBED", "RECURSIVEMATCH"} if "%" in command.pattern else {"SUBSCRIBED"}),
    )
    for line in lines:
        attributes = () if "\\Subscribed" in line.attributes else ("\\Noselect",)
        session.send(responses.listing(line.name, attributes, utf8=session.core.utf8, verb=b"LSUB"))
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
