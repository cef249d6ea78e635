"""GETQUOTA, GETQUOTAROOT (RFC 9208): one quota root for each box, named by its address (BAL-9)."""

from __future__ import annotations

from mss_gateway.ports.access import Room
from mss_gateway.ports.records import BoxRow
from mss_gateway.protocol.imap import Ending, Request, rights_lines
from mss_gateway.protocol.imap.commands_rights import GetQuota, GetQuotaRoot

from .names import resolve, shown
from .session import CommandFailed, Session

OVERQUOTA = b"OVERQUOTA"
NO_ROOM = "The mailbox is full: delete messages, or ask for more room"

_UNIT = 1024  # octets of one unit of STORAGE


async def get_quota(session: Session, request: Request) -> None:
    """GETQUOTA of a box that is one's own or shared with one."""
    command = request.command
    assert isinstance(command, GetQuota)
    for box in session.who.boxes:
        if box.address.lower() == command.root.lower():
            await _send(session, box)
            session.core.tagged(Ending.OK, "done")
            return
    raise CommandFailed("No such quota root", b"NONEXISTENT")


async def get_quota_root(session: Session, request: Request) -> None:
    """GETQUOTAROOT of a mailbox, or of a name where one may come to be (RFC 9208 section 4.1.2)."""
    command = request.command
    assert isinstance(command, GetQuotaRoot)
    place = resolve(session, command.mailbox)
    name = shown(session, place.box, place.name)
    session.send(rights_lines.quota_root(name, [place.box.address], utf8=session.core.utf8))
    await _send(session, place.box)
    session.core.tagged(Ending.OK, "done")


async def _send(session: Session, box: BoxRow) -> None:
    room = await session.mailboxes.room(box.id)
    session.send(rights_lines.quota(box.address, _resources(room)))


def _resources(room: Room) -> dict[str, tuple[int, int]]:
    """What is limited; use is rounded up and limits down, so that a client never sees room that is not there."""
    resources = {}
    if room.octets_limit:
        resources["STORAGE"] = (-(-room.octets // _UNIT), room.octets_limit // _UNIT)
    if room.messages_limit:
        resources["MESSAGE"] = (room.messages, room.messages_limit)
    return resources
