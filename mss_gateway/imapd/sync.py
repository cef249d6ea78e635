"""Brings the client up to date: EXPUNGE, EXISTS and FETCH FLAGS for what others did (RFC 9051 section 5.2)."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import FlagRow, NoSuchFolder
from mss_gateway.protocol.imap import fetching, responses

from .session import Selected, Session


async def sync(session: Session, *, expunges: bool = True) -> set[int]:
    """Queue what has changed since the client was last told; costs nothing when nothing has.

    Returns the UIDs whose flags were told. Without `expunges`, vanished messages keep their numbers until a command
    allows EXPUNGE.
    """
    selected = session.selected
    if selected is None or not (selected.dirty or (expunges and selected.held)):
        return set()
    vanished: list[int] = []
    added: tuple[int, ...] = ()
    changed: tuple[FlagRow, ...] = ()
    if selected.dirty:
        selected.dirty = False
        try:
            changes = await session.mailboxes.changes(selected.folder.id, selected.viewer, selected.modseq)
        except NoSuchFolder:
            # The folder was deleted by another session: everything in it is gone.
            vanished = list(selected.view.uids)
        else:
            selected.modseq = changes.highest_modseq
            vanished, added, changed = list(changes.vanished), changes.added, changes.changed
    selected.held.extend(vanished)
    gone: list[int] = []
    if expunges:
        gone, selected.held = selected.held, []
    update = selected.view.apply(added, gone)
    if update.expunged:
        session.send(responses.expunge(update.expunged))
    if update.exists is not None:
        session.send(responses.exists(update.exists))
    fresh = set(added)
    return _tell_flags(session, selected, [row for row in changed if row.uid not in fresh])


def _tell_flags(session: Session, selected: Selected, rows: list[FlagRow]) -> set[int]:
    told: set[int] = set()
    for row in rows:
        number = selected.view.number(row.uid)
        if number is None or selected.told.pop(row.uid, 0) == row.modseq:
            continue
        learn_keywords(session, selected, row.flags)
        session.send(fetching.fetch(number, flag_items(session, row)))
        told.add(row.uid)
    selected.told.clear()
    return told


def flag_items(session: Session, row: FlagRow, *, uid: bool = True) -> list[bytes]:
    """The items of an unsolicited FETCH; MODSEQ once the client has shown that it knows it (RFC 7162 section 3.1)."""
    items = [fetching.uid_item(row.uid)] if uid else []
    items.append(fetching.flags_item(row.flags))
    if session.condstore:
        items.append(fetching.modseq_item(row.modseq))
    return items


def learn_keywords(session: Session, selected: Selected, flags: frozenset[str]) -> None:
    """Announce FLAGS again when a keyword appears that the client has not seen in this folder."""
    new = {flag for flag in flags if not flag.startswith("\\")} - selected.keywords
    if new:
        selected.keywords |= new
        session.send(responses.flags((*SYSTEM_FLAGS, *sorted(selected.keywords))))


DELETED = "\\Deleted"
SYSTEM_FLAGS = ("\\Answered", "\\Flagged", DELETED, "\\Seen", "\\Draft")
"""The flags every folder keeps."""
