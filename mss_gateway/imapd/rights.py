"""What the one logged in may do in a folder, and the refusal when it is not enough (RFC 4314 section 4)."""

from __future__ import annotations

import time

from mss_gateway.ports.access import Access
from mss_gateway.ports.mailboxes import Folder
from mss_gateway.ports.records import BoxRow, TraceLine
from mss_gateway.protocol.imap import responses
from mss_gateway.rules.access import permitted, right_for

from .session import NOPERM, CommandFailed, Selected, Session
from .sync import SYSTEM_FLAGS

NONE: frozenset[str] = frozenset()
"""The rights of somebody who has nothing to do with the box."""


SESSION_ENDED = "the session of this login has ended, log in again"
"""What a client hears whose token has opened no more than this."""


def not_there() -> CommandFailed:
    """The refusal that tells nothing of a mailbox, not even that it exists."""
    return CommandFailed("No such mailbox", b"NONEXISTENT")


_SHARED = frozenset("wtei")
_OWN = _SHARED | {"s"}


async def rights_of(session: Session, box: BoxRow, folder: Folder) -> frozenset[str]:
    """The letters of RFC 4314 that hold now for the one logged in; never `c` or `d`."""
    return await _rights(session, folder)


async def require(session: Session, box: BoxRow, folder: Folder, letters: str) -> None:
    """Raise `CommandFailed` unless all of these rights hold.

    Who may not even know of the folder hears that it is not there (RFC 4314 section 6), everybody else NOPERM.
    """
    _check(await _rights(session, folder), letters)


async def require_creating(session: Session, box: BoxRow, above: Folder | None) -> None:
    """Raise `CommandFailed` unless a mailbox may be made below `above`, or at the top of the box."""
    _check(await _rights_in(session, box.id, None if above is None else above.id), "k")


def trace_line(session: Session, event: str, box: BoxRow, **detail: str) -> TraceLine:
    """What a member does with folders and rights, under the member's name (BAL-3, AUD-1)."""
    return TraceLine(time.time(), event, "", box_id=box.id, actor=session.who.login, detail=detail)


async def still_admitted(session: Session) -> bool:
    """Whether the one logged in may go on, here and in the folder in hand; says BYE when not (BAL-5)."""
    if session.ended:
        session.core.bye(SESSION_ENDED)
        return False
    if await session.admitted() and await still_reads(session):
        return True
    session.core.bye("your access to a mailbox has changed, log in again")
    return False


async def check_admitted(session: Session) -> None:
    """Raise `CommandFailed` in the middle of a long command when its client may not go on; BYE follows with the next
    one. Costs nothing while the directory stays as it was."""
    if session.ended or (session.outdated and not (await session.admitted() and await still_reads(session))):
        raise CommandFailed("Your access to the mailbox has ended", b"NOPERM")


async def still_reads(session: Session) -> bool:
    """Whether the folder in hand may still be read; tells the client when other rights in it have changed.

    Costs no hop while the directory stays as it was (RFC 4314 section 5.1.1).
    """
    selected = session.selected
    if selected is None:
        return True
    rights = await rights_here(session)
    if rights != selected.rights:
        selected.rights = rights
        tell_flags(session, selected)
    return "r" in rights


def tell_flags(session: Session, selected: Selected) -> None:
    """FLAGS, and PERMANENTFLAGS with those that the client may set."""
    names = frozenset((*SYSTEM_FLAGS, *selected.keywords))
    session.send(responses.flags(names))
    lasting = NONE if selected.read_only else permitted(selected.rights, names)
    new = not selected.read_only and "w" in selected.rights
    session.send(responses.permanent_flags(lasting, new_keywords=new))


def writes(selected: Selected) -> bool:
    """Whether the folder in hand is open READ-WRITE (RFC 4314 section 5.2): each member's own \\Seen does not count."""
    return not selected.read_only and bool(selected.rights & (_SHARED if selected.viewer.shared else _OWN))


async def rights_here(session: Session) -> frozenset[str]:
    """The rights in the folder in hand."""
    return await _rights(session, session.folder.folder)


async def require_here(session: Session, letters: str) -> None:
    """Raise `CommandFailed` unless all of these rights hold in the folder in hand."""
    _check(await rights_here(session), letters)


async def require_some(session: Session, flags: frozenset[str]) -> None:
    """Raise `CommandFailed` when none of the flags may be changed in the folder in hand: one that may is enough."""
    rights = await rights_here(session)
    wanted = "".join(sorted({right_for(flag) for flag in flags})) or "w"
    if not rights & frozenset(wanted):
        _check(rights, wanted)


def _check(rights: frozenset[str], letters: str) -> None:
    if rights.issuperset(letters):
        return
    if "l" not in rights:
        raise not_there()
    missing = "".join(letter for letter in letters if letter not in rights)
    raise CommandFailed(f"Your rights in this mailbox do not allow it ({missing} is missing)", NOPERM)


async def _rights(session: Session, folder: Folder) -> frozenset[str]:
    return await _rights_in(session, folder.box_id, folder.id)


async def _rights_in(session: Session, box_id: int, folder_id: int | None) -> frozenset[str]:
    access = await _access(session, box_id)
    if access is None:
        return NONE
    return access.general if folder_id is None else access.rights(folder_id)


async def _access(session: Session, box_id: int) -> Access | None:
    """What the store says, remembered until the directory changes: a right withdrawn ends at once."""
    generation = session.parts.login.generation
    if session.access_generation != generation:
        session.access.clear()
        session.access_generation = generation
    person_id = session.who.person_id
    key = (person_id, box_id)  # one connection may have several persons in turn (RFC 8437)
    if key not in session.access:
        found = await session.mailboxes.access(box_id, person_id)
        if generation == session.parts.login.generation:
            session.access[key] = found
        return found
    return session.access[key]
