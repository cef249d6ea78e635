"""Mailbox names: the main box at the root, every other box under `Shared/<address>/` (BAL-3, RFC 2342)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from mss_gateway.ports.mailboxes import Folder
from mss_gateway.ports.records import INBOX, BoxRow

from .session import CommandFailed, Session

SHARED = "Shared"
NONEXISTENT = b"NONEXISTENT"


@dataclass(frozen=True, slots=True)
class Place:
    """A box and a folder name inside it."""

    box: BoxRow
    name: str


def resolve(session: Session, name: str) -> Place:
    """The box and folder name behind a mailbox name; raises `CommandFailed` for a box that is not ours.

    Names are kept in one normal form, NFC: `é` typed on two kinds of machine is one folder (RFC 9051 section 5.1).
    """
    name = normal(name)
    main = session.who.primary
    if name != SHARED and not name.startswith(f"{SHARED}/"):
        return Place(main, name)
    _, _, rest = name.partition("/")
    address, _, inner = rest.partition("/")
    for box in session.who.boxes:
        if box.id != main.id and box.address.lower() == address.lower():
            return Place(box, INBOX if inner.upper() in ("", INBOX) else inner)
    raise CommandFailed("No such mailbox", NONEXISTENT)


def normal(name: str) -> str:
    """A mailbox name in its normal form."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def shown(session: Session, box: BoxRow, name: str) -> str:
    """The name that the client sees."""
    return name if box.id == session.who.primary.id else f"{SHARED}/{box.address}/{name}"


def has_shared(session: Session) -> bool:
    """True when there is a shared namespace to show."""
    return len(session.who.boxes) > 1


async def find(session: Session, name: str, code: bytes = NONEXISTENT) -> tuple[BoxRow, Folder]:
    """The folder of a mailbox name; raises `CommandFailed` with `code` when it is not there.

    What may be done in it is for `rights.require` to say.
    """
    place = resolve(session, name)
    folders = await session.mailboxes.folders(place.box.id)
    for folder in folders:
        if folder.name == place.name:
            return place.box, folder
    for folder in folders:  # one that was made before names had a normal form
        if normal(folder.name) == place.name:
            return place.box, folder
    raise CommandFailed("No such mailbox", code)
