"""FETCH of flags alone, which clients ask of whole mailboxes: nothing but the rows of the folder is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mss_gateway.ports.mailboxes import FlagRow, MessageRow
from mss_gateway.protocol.imap import fetching
from mss_gateway.protocol.imap.fetchitems import Attribute, FetchItem

from .progress import Progress
from .session import Selected, Session

BATCH = 2000  # messages of one hop

_PIECES: dict[FetchItem, Callable[[FlagRow], bytes]] = {
    Attribute.UID: lambda row: fetching.uid_item(row.uid),
    Attribute.FLAGS: lambda row: fetching.flags_item(row.flags),
    Attribute.MODSEQ: lambda row: fetching.modseq_item(row.modseq),
}
FLAGS_ALONE = frozenset(_PIECES)
"""Items that this file answers."""


async def send_flags(
    session: Session,
    selected: Selected,
    uids: Sequence[int],
    items: tuple[FetchItem, ...],
    progress: Progress,
    *,
    newest_first: bool,
) -> None:
    """Answer for these ascending UIDs."""
    pieces = [_PIECES[item] for item in items]
    done = 0
    for batch in batches(uids, BATCH, newest_first=newest_first):
        rows = await session.mailboxes.flags_of(selected.folder.id, selected.viewer, batch)
        note_modseqs(selected, rows, items)
        lines = [(row.uid, [piece(row) for piece in pieces]) for row in rows]
        if newest_first:
            lines.reverse()
        send_lines(session, selected, lines)
        await session.flush()
        done += len(batch)
        await progress.tick(done, len(uids))


def note_modseqs(
    selected: Selected, rows: Sequence[FlagRow | MessageRow], items: tuple[FetchItem, ...]
) -> None:
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
