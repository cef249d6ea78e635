"""STORE and UID STORE (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3)."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.protocol.imap import Ending, Request, fetching, responses
from mss_gateway.protocol.imap.commands import Store, StoreMode

from .numbers import uids_of
from .selecting import deletable, writable
from .session import Session
from .sync import DELETED, flag_items, learn_keywords, sync

_CHANGES = {
    StoreMode.REPLACE: FlagChange.REPLACE,
    StoreMode.ADD: FlagChange.ADD,
    StoreMode.REMOVE: FlagChange.REMOVE,
}


async def store(session: Session, request: Request) -> None:
    """Change flags; what UNCHANGEDSINCE held back is named in MODIFIED."""
    command = request.command
    assert isinstance(command, Store)
    deletes = command.mode is not StoreMode.REMOVE and marks_deleted(command.flags)
    selected = deletable(session) if deletes else writable(session)
    uids = uids_of(selected, command.numbers, uid=command.uid)
    if command.unchanged_since is not None:
        session.condstore = True
    # What others did comes first: a silent answer says nothing, and must not hide a change of theirs.
    heard = await sync(session, expunges=False)
    known = selected.modseq + 1
    outcome = await session.mailboxes.store_flags(
        selected.folder.id,
        selected.viewer,
        uids,
        _CHANGES[command.mode],
        command.flags,
        command.unchanged_since,
    )
    for row in outcome.rows:
        number = selected.view.number(row.uid)
        if number is None:
            continue
        # A client that has just heard of somebody else's change would believe that to be all: it hears the outcome.
        silent = command.silent and row.uid not in heard
        if not silent or row.modseq <= known:
            selected.told[row.uid] = row.modseq
        if not silent:
            learn_keywords(session, selected, row.flags)
            session.send(
                fetching.fetch(number, flag_items(session, row, uid=command.uid or session.condstore))
            )
        elif session.condstore:
            session.send(
                fetching.fetch(number, [fetching.uid_item(row.uid), fetching.modseq_item(row.modseq)])
            )
    await sync(session, expunges=command.uid)
    code = b""
    if outcome.held_back:
        held = outcome.held_back
        if not command.uid:
            held = tuple(number for uid in held if (number := selected.view.number(uid)) is not None)
        code = b"MODIFIED " + responses.number_set(held)
    session.core.tagged(Ending.OK, "stored", code=code)


def marks_deleted(flags: frozenset[str]) -> bool:
    """Whether `\\Deleted` is among flags, in whatever case (RFC 9051 section 2.3.2)."""
    return any(flag.lower() == DELETED.lower() for flag in flags)
