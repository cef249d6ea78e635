"""SELECT (QRESYNC (...)): what has happened since the client was here last (RFC 7162 section 3.2.5)."""

from __future__ import annotations

from mss_gateway.protocol.imap import Ending, responses
from mss_gateway.protocol.imap.commands import QResync
from mss_gateway.protocol.imap.uidruns import runs_among, runs_of, runs_without

from .numbers import UIDREQUIRED
from .session import CommandFailed, Selected, Session
from .sync import flag_items, send_fetch

BATCH = 500  # messages of one hop to the store


def check_qresync(session: Session, asked: QResync | None) -> None:
    """Raise `CommandFailed` BAD for a parameter that may not be used now; the mailbox before stays open."""
    if asked is None:
        return
    if not session.qresync:
        raise CommandFailed("ENABLE QRESYNC comes first", ending=Ending.BAD)
    if asked.matched and session.uidonly:
        raise CommandFailed("Match data hold message numbers", UIDREQUIRED, Ending.BAD)


async def resync(session: Session, selected: Selected, asked: QResync) -> None:
    """Tell what vanished and what changed among the UIDs that the client knows; it knows any when it names none.

    The folder has been read before: what goes in between is still in the view, and told as news later.
    """
    touched = await session.mailboxes.touched(selected.folder.id, selected.viewer, asked.modseq)
    known = asked.known
    vanished = runs_of(touched.vanished) if known is None else runs_among(touched.vanished, known)
    number_of = selected.view.number
    session.send(responses.vanished_earlier(runs_without(vanished, selected.view.uids)))
    changed = touched.changed if known is None else known.overlap(touched.changed)
    for at in range(0, len(changed), BATCH):
        batch = changed[at : at + BATCH]
        for row in await session.mailboxes.flags_of(selected.folder.id, selected.viewer, batch):
            number = number_of(row.uid)
            # A mod-sequence above that of the snapshot would hide what vanished in between from a client cut off now.
            if number is not None and row.modseq <= selected.modseq:
                send_fetch(session, row.uid, number, flag_items(session, row))
        await session.flush()
