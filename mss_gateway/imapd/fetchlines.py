"""FETCH of many messages: the store writes the lines of a batch while the batch before is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing

from mss_gateway.mail.imapstring import utf8_form
from mss_gateway.ports.fetchlines import Lines
from mss_gateway.ports.store import DamagedBody
from mss_gateway.protocol.imap.fetchitems import Attribute, BodySection, FetchItem
from mss_gateway.protocol.imap.tracker import SequenceView

from .fetchflags import batches
from .progress import Progress
from .session import Selected, Session
from .sync import learn_keywords

LIGHT, COLUMNS, TEXTS = 2000, 250, 32
"""Messages of one hop: of what takes some octets, of envelopes and structures, of texts."""

_HEAVY = frozenset({Attribute.ENVELOPE, Attribute.BODYSTRUCTURE})


def written_by_store(session: Session, selected: Selected, items: tuple[FetchItem, ...]) -> bool:
    """Can the store write the lines of these items as this client takes them?"""
    if not session.mailboxes.writes(items):
        return False
    if not session.core.utf8 or _HEAVY.isdisjoint(items):
        return True
    # Header text becomes UTF-8 in whole batches: nothing else in them may look like it.
    odd = Attribute.FLAGS in items and any("=?" in word for word in selected.keywords)
    return not odd and not any(isinstance(item, BodySection) for item in items)


async def send_written(
    session: Session,
    selected: Selected,
    uids: Sequence[int],
    items: tuple[FetchItem, ...],
    progress: Progress,
    rest: Callable[[Sequence[int]], Awaitable[None]],
    *,
    newest_first: bool,
) -> None:
    """Answer for these ascending UIDs; `rest` answers for those whose texts are too large to come along."""
    utf8 = session.core.utf8 and not _HEAVY.isdisjoint(items)
    done = 0
    damaged: DamagedBody | None = None
    found = _read(session, selected, uids, items, newest_first=newest_first)
    async with aclosing(found):
        async for count, lines in found:
            if Attribute.MODSEQ in items and lines.modseq > selected.modseq:
                selected.dirty = True  # whoever sees it must hear of everything below it
            learn_keywords(session, selected, lines.keywords)
            for piece in lines.pieces:
                if isinstance(piece, int):
                    try:
                        await rest([piece])
                    except DamagedBody as one:  # the others have their lines; NO comes in the end
                        damaged = one
                else:
                    session.send(utf8_form(piece) if utf8 else piece)
            await session.flush()
            done += count
            await progress.tick(done, len(uids))
    if damaged is not None:
        raise damaged


async def _read(
    session: Session,
    selected: Selected,
    uids: Sequence[int],
    items: tuple[FetchItem, ...],
    *,
    newest_first: bool,
) -> AsyncGenerator[tuple[int, Lines], None]:
    """The number of messages and the lines of each batch; one batch is read ahead."""
    folder_id, viewer, view = selected.folder.id, selected.viewer, selected.view

    def begin(batch: Sequence[int]) -> Coroutine[None, None, Lines]:
        uids = batch[::-1] if newest_first else batch
        numbers = _numbers(view, uids)
        return session.mailboxes.lines(folder_id, viewer, uids, numbers, items, uidonly=session.uidonly)

    size = _batch_size(items)
    if len(uids) <= size:
        if uids:
            yield len(uids), await begin(uids)
        return
    ahead: tuple[int, asyncio.Task[Lines]] | None = None
    try:
        for batch in batches(uids, size, newest_first=newest_first):
            before, ahead = ahead, (len(batch), asyncio.create_task(begin(batch)))
            if before is not None:
                yield before[0], await before[1]
        if ahead is not None:
            yield ahead[0], await ahead[1]
    finally:
        if ahead is not None:
            ahead[1].cancel()


def _batch_size(items: tuple[FetchItem, ...]) -> int:
    if any(isinstance(item, BodySection) for item in items):
        return TEXTS
    return LIGHT if _HEAVY.isdisjoint(items) else COLUMNS


def _numbers(view: SequenceView, uids: Sequence[int]) -> Sequence[int]:
    """Sequence numbers of UIDs that are all in view: a range where they are neighbours in it, as in 1:*."""
    first, last = view.number(uids[0]) or 0, view.number(uids[-1]) or 0
    if abs(last - first) == len(uids) - 1:
        step = 1 if last >= first else -1
        return range(first, last + step, step)
    return view.numbers(uids)
