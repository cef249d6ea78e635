"""LIST, LSUB, STATUS (RFC 9051 section 6.3.9 to 6.3.11) over the boxes of the one logged in."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from mss_gateway.ports.mailboxes import Folder, NoSuchFolder
from mss_gateway.ports.records import BoxRow
from mss_gateway.protocol.imap import Ending, Request, responses, rights_lines
from mss_gateway.protocol.imap.commands import List, Lsub, Status
from mss_gateway.protocol.imap.mailboxtree import Listed, Mailbox, list_mailboxes, pattern_matcher
from mss_gateway.protocol.imap.objectids import mailbox_id
from mss_gateway.rules import access

from . import metadata
from .names import find, normal, shown
from .rights import require, rights_of
from .session import Session


@dataclass(frozen=True, slots=True)
class Visible:
    """One mailbox that may be listed: the name that the client sees, where it is, and what one may do there."""

    name: str
    folder: Folder
    box: BoxRow
    rights: frozenset[str]
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All mailboxes that may be listed, the main box first; `orphans` are names subscribed to that are not there."""

    mailboxes: list[Visible]
    orphans: list[str]


async def everything(session: Session) -> Catalogue:
    """All that LIST may show; subscriptions outlive their mailbox (RFC 9051 section 6.3.7)."""
    listed, orphans = [], []
    main = session.who.primary
    for box in sorted(session.who.boxes, key=lambda box: (box.id != main.id, box.address)):
        said = await session.mailboxes.subscriptions(box.id, session.who.person_id)
        folders = await session.mailboxes.folders(box.id)
        for folder in folders:
            rights = await rights_of(session, box, folder)
            if "l" in rights:
                name, subscribed = shown(session, box, folder.name), said.get(folder.name, True)
                listed.append(Visible(name, folder, box, rights, subscribed))
        there = {folder.name for folder in folders}
        orphans += [shown(session, box, name) for name, on in said.items() if on and name not in there]
    return Catalogue(listed, orphans)


def tree_of(catalogue: Catalogue) -> list[Mailbox]:
    """The mailboxes as LIST computes their attributes."""
    tree = [Mailbox(one.name, one.folder.special_use, one.subscribed) for one in catalogue.mailboxes]
    return tree + [Mailbox(name, "", True, exists=False) for name in catalogue.orphans]


async def list_(session: Session, request: Request) -> None:
    """LIST with its extensions (RFC 5258, RFC 5819, RFC 6154, RFC 8440)."""
    command = request.command
    assert isinstance(command, List)
    if command.patterns == ("",) and not command.extended:
        session.send(responses.delimiter())
        session.core.tagged(Ending.OK, "done")
        return
    catalogue = await everything(session)
    there = {one.name: one for one in catalogue.mailboxes}
    lines = list_mailboxes(
        tree_of(catalogue),
        pattern_matcher(normal(command.reference), tuple(map(normal, command.patterns))),
        selection=command.selection,
        returns=command.returns,
    )
    utf8 = session.core.utf8
    for line in lines:
        session.send(
            responses.listing(line.name, _shown_attributes(line), utf8=utf8, child_info=line.child_info)
        )
        if line.exists:
            await _tell_more(session, command, there[line.name])
    session.core.tagged(Ending.OK, "done")


async def _tell_more(session: Session, command: List, one: Visible) -> None:
    """What RETURN asks beside the line of a mailbox; what may not be told is left out (RFC 5819 section 2)."""
    if "MYRIGHTS" in command.returns:
        session.send(rights_lines.my_rights(one.name, access.shown(one.rights), utf8=session.core.utf8))
    if command.metadata:
        await metadata.send_listed(session, one.name, one.box, one.folder, command.metadata)
    if command.status and "r" in one.rights:
        # A folder that another session has just deleted is listed all the same, without its counters.
        with contextlib.suppress(NoSuchFolder):
            await _send_status(session, one.name, one.folder, one.box, command.status)


def _shown_attributes(line: Listed) -> tuple[str, ...]:
    """`\\Noselect` beside `\\NonExistent`, for clients that know only the former (RFC 5258 section 3)."""
    return line.attributes if line.exists else (*line.attributes, "\\Noselect")


async def lsub(session: Session, request: Request) -> None:
    """LSUB; with `%`, an unsubscribed parent stands for its children as `\\Noselect` (RFC 3501 section 6.3.9)."""
    command = request.command
    assert isinstance(command, Lsub)
    lines = list_mailboxes(
        tree_of(await everything(session)),
        pattern_matcher(normal(command.reference), (normal(command.pattern),)),
        selection=frozenset({"SUBSCRIBED", "RECURSIVEMATCH"} if "%" in command.pattern else {"SUBSCRIBED"}),
    )
    for line in lines:
        chosen = "\\Subscribed" in line.attributes
        attributes = () if chosen and line.exists else ("\\Noselect",)
        session.send(responses.listing(line.name, attributes, utf8=session.core.utf8, verb=b"LSUB"))
    session.core.tagged(Ending.OK, "done")


async def status(session: Session, request: Request) -> None:
    """STATUS (RFC 9051 section 6.3.11, RFC 8438, RFC 7162, RFC 7889, RFC 8474, RFC 9208)."""
    command = request.command
    assert isinstance(command, Status)
    box, folder = await find(session, command.mailbox)
    await require(session, box, folder, "r")
    await _send_status(session, shown(session, box, folder.name), folder, box, command.items)
    session.core.tagged(Ending.OK, "done")


async def _send_status(
    session: Session, name: str, folder: Folder, box: BoxRow, items: tuple[str, ...]
) -> None:
    counters = await session.parts.hub.statuses.of(session.mailboxes, folder.id, session.viewer(box))
    if "HIGHESTMODSEQ" in items:
        session.use_modseq()
    values: dict[str, int | bytes] = {
        "MESSAGES": counters.messages,
        "UIDNEXT": counters.uid_next,
        "UIDVALIDITY": counters.uid_validity,
        "UNSEEN": counters.unseen,
        "DELETED": counters.deleted,
        "SIZE": counters.size,
        "HIGHESTMODSEQ": counters.highest_modseq,
        "RECENT": 0,
        "APPENDLIMIT": session.parts.options.max_append,
        "MAILBOXID": b"(%b)" % mailbox_id(folder.id, counters.uid_validity),
    }
    if "DELETED-STORAGE" in items:
        values["DELETED-STORAGE"] = (
            await session.mailboxes.deleted_octets(folder.id) if counters.deleted else 0
        )
    session.send(responses.status(name, {item: values[item] for item in items}, session.core.utf8))
