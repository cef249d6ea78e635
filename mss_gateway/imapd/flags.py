"""STORE and UID STORE (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3)."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.protocol.imap import Request, fetching, responses
from mss_gateway.protocol.imap.commands import Store, StoreMode

from .limits import capped, finish
from .numbers import check_uids, issued, uids_of
from .progress import Progress
from .rights import require_some
from .selecting import writable
from .session import Selected, Session
from .sync import flag_items, learn_keywords, send_fetch, sync

_CHANGES = {
    StoreMode.REPLACE: FlagChange.REPLACE,
    StoreMode.ADD: FlagChange.ADD,
    StoreMode.REMOVE: FlagChange.REMOVE,
}
_REQUESTS = {
    StoreMode.REPLACE: "STORE FLAGS",
    StoreMode.ADD: "STORE +FLAGS",
    StoreMode.REMOVE: "STORE -FLAGS",
}


async def store(session: Session, request: Request) -> None:
    """Change flags; what UNCHANGEDSINCE held back is named in MODIFIED."""
    command = request.command
    assert isinstance(command, Store)
    check_uids(session, uid=command.uid)
    selected = writable(session)
    await require_some(session, command.flags)
    named = uids_of(selected, command.numbers, uid=command.uid)
    uids, limit = capped(session, named)
    if command.unchanged_since is not None:
        session.use_modseq()
    # What others did comes first: a silent answer says nothing, and must not hide a change of theirs.
    heard = await sync(session, expunges=False)
    known = selected.modseq + 1
    outcome = await Progress(session, request.tag).while_waiting(
        session.mailboxes.store_flags(
            selected.folder.id,
            selected.viewer,
            uids,
            _CHANGES[command.mode],
            command.flags,
            command.unchanged_since,
        ),
        len(uids),
    )
    if outcome.rows:
        session.did("mailbox-flagged", _REQUESTS[command.mode], [row.uid for row in outcome.rows])
    for row in reversed(outcome.rows) if limit else outcome.rows:
        number = selected.view.number(row.uid)
        if number is None:
            continue
        # A client that has just heard of somebody else's change would believe that to be all: it hears the outcome.
        silent = command.silent and row.uid not in heard
        # Said by itself is only what nobody else has touched: between two hops, others may have come first.
        if not silent or row.modseq == outcome.modseq == known:
            selected.told[row.uid] = row.modseq
        if not silent:
            learn_keywords(session, selected, row.flags)
            items = flag_items(session, row, uid=command.uid or session.condstore)
            send_fetch(session, row.uid, number, items)
        elif session.condstore:
            items = [fetching.uid_item(row.uid), fetching.modseq_item(row.modseq)]
            send_fetch(session, row.uid, number, items)
    await sync(session, expunges=command.uid)
    code = issued(selected, named, uid=command.uid)
    if outcome.held_back:
        code = b"MODIFIED " + responses.number_set(_shown(selected, outcome.held_back, uid=command.uid))
    finish(session, "stored", code, limit)


def _shown(selected: Selected, uids: Sequence[int], *, uid: bool) -> Sequence[int]:
    """UIDs as the command names messages."""
    if uid:
        return uids
    return [number for one in uids if (number := selected.view.number(one)) is not None]
