"""FETCH answers by batches of messages, with the numbers that the client knows (RFC 9051 section 7.5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mss_gateway.ports.mailboxes import MessageRow
from mss_gateway.protocol.imap import fetching
from mss_gateway.protocol.imap.fetchitems import Attribute, FetchItem

from .session import Selected, Session


def note_modseqs(selected: Selected, rows: Sequence[MessageRow], items: tuple[FetchItem, ...]) -> None:
    """Whoever is about to see a mod-sequence must hear of everything below it, though no listener may have yet."""
    if Attribute.MODSEQ in items and any(row.modseq > selected.modseq for row in rows):
        selected.dirty = True


def send_lines(session: Session, selected: Selected, lines: Sequence[tuple[int, list[bytes]]]) -> None:
    """Queue FETCH or UIDFETCH lines of UIDs with their items; UIDs that the client does not know are left out."""
    numbers = selected.view.numbers([uid for uid, _ in lines])
    if session.uidonly:
        written = [
            fetching.uidfetch(uid, items)
            for (uid, items), number in zip(lines, numbers, strict=True)
            if number
        ]
    else:
        written = [
            fetching.fetch(number, items) for (_, items), number in zip(lines, numbers, strict=True) if number
        ]
    session.send(b"".join(written))


def batches(uids: Sequence[int], size: int, *, newest_first: bool) -> Iterator[Sequence[int]]:
    """Pieces of at most `size` UIDs, each ascending."""
    if newest_first:
        for end in range(len(uids), 0, -size):
            yield uids[max(end - size, 0) : end]
    else:
        for at in range(0, len(uids), size):
            yield uids[at : at + size]
