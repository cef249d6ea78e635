"""GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS (RFC 4314): rights of a box's own people and of nobody else."""

from __future__ import annotations

from mss_gateway.ports.access import Grantee, LastAdministrator
from mss_gateway.ports.mailboxes import Folder
from mss_gateway.ports.records import BoxRow
from mss_gateway.protocol.imap import Ending, Request, rights_lines
from mss_gateway.protocol.imap.commands_rights import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from mss_gateway.rules import access

from .names import find, shown
from .rights import not_there, require, rights_of, trace_line
from .session import NOPERM, CommandFailed, Session

_ANY = frozenset("lrikxa")
"""One of these is enough to ask for one's own rights (RFC 4314 section 4)."""

_OUTSIDER = "Health data stays with the members of this mailbox: add the person as a member first"


async def get_acl(session: Session, request: Request) -> None:
    """GETACL: everybody who has a right, by login."""
    command = request.command
    assert isinstance(command, GetAcl)
    box, folder = await _administered(session, command.mailbox)
    listed = []
    for one in await session.mailboxes.grantees(folder.id):
        if one.rights:
            listed.append((one.login, access.shown(one.rights)))
    name = shown(session, box, folder.name)
    session.send(rights_lines.acl(name, listed, utf8=session.core.utf8))
    session.core.tagged(Ending.OK, "done")


async def set_acl(session: Session, request: Request) -> None:
    """SETACL, whole or with `+` and `-`."""
    command = request.command
    assert isinstance(command, SetAcl)
    try:
        letters = access.expanded(command.letters)
    except ValueError as error:
        raise CommandFailed(f"The right {error} is not known", ending=Ending.BAD) from None
    box, folder = await _administered(session, command.mailbox)
    person = await _person(session, folder, command.identifier)
    match command.sign:
        case "+":
            wanted = person.rights | letters
        case "-":
            wanted = person.rights - letters
        case _:
            wanted = letters
    await _grant(session, box, folder, person, wanted)
    session.core.tagged(Ending.OK, "set")


async def delete_acl(session: Session, request: Request) -> None:
    """DELETEACL: no rights any more, not even those of a member for whom nothing was said."""
    command = request.command
    assert isinstance(command, DeleteAcl)
    box, folder = await _administered(session, command.mailbox)
    person = await _person(session, folder, command.identifier)
    await _grant(session, box, folder, person, frozenset())
    session.core.tagged(Ending.OK, "deleted")


async def list_rights(session: Session, request: Request) -> None:
    """LISTRIGHTS: each right that can be granted stands by itself."""
    command = request.command
    assert isinstance(command, ListRights)
    box, folder = await _administered(session, command.mailbox)
    person = await _person(session, folder, command.identifier)
    kept = access.kept(person.standing)
    free = access.grantable(person.standing) - kept
    session.send(
        rights_lines.list_rights(
            shown(session, box, folder.name),
            command.identifier,
            access.stored(kept),
            access.shown(free),
            utf8=session.core.utf8,
        )
    )
    session.core.tagged(Ending.OK, "done")


async def my_rights(session: Session, request: Request) -> None:
    """MYRIGHTS."""
    command = request.command
    assert isinstance(command, MyRights)
    box, folder = await find(session, command.mailbox)
    rights = await rights_of(session, box, folder)
    if not rights & _ANY:
        raise not_there()
    session.send(
        rights_lines.my_rights(shown(session, box, folder.name), access.shown(rights), utf8=session.core.utf8)
    )
    session.core.tagged(Ending.OK, "done")


async def _administered(session: Session, mailbox: str) -> tuple[BoxRow, Folder]:
    box, folder = await find(session, mailbox)
    await require(session, box, folder, "a")
    return box, folder


async def _person(session: Session, folder: Folder, identifier: str) -> Grantee:
    """The one of the box's people who is called so: by login, or by the address of the box they hold."""
    wanted = identifier.casefold()
    for one in await session.mailboxes.grantees(folder.id):
        if wanted in (one.login.casefold(), one.address.casefold()):
            return one
    if wanted in ("anyone", "anonymous") or wanted.startswith("-"):
        raise CommandFailed("Rights are given to members by name, never to anyone", b"CANNOT")
    raise CommandFailed(_OUTSIDER, b"CANNOT")


async def _grant(
    session: Session, box: BoxRow, folder: Folder, person: Grantee, wanted: frozenset[str]
) -> None:
    excess = wanted - access.grantable(person.standing)
    if excess:
        raise CommandFailed(
            f"A carer reads and answers but deletes nothing: {access.stored(excess)} cannot be granted",
            NOPERM,
        )
    if not access.kept(person.standing) <= wanted:
        raise CommandFailed("Who answers for the mailbox keeps the rights l and a", NOPERM)
    before, after = access.stored(person.rights), access.stored(wanted)
    trace = trace_line(
        session, "rights-set", box, folder=folder.name, member=person.login, before=before, rights=after
    )
    try:
        await session.mailboxes.grant(folder.id, person.person_id, wanted, trace)
    except LastAdministrator:
        raise CommandFailed("Somebody must keep the right a in this mailbox", NOPERM) from None
