"""FETCH and UID FETCH (RFC 9051 section 6.4.5, RFC 7162 section 3.1.4)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from mss_gateway.net.stream import StreamClosed
from mss_gateway.observe.events import Event
from mss_gateway.ports.mailboxes import FlagChange, MessageRow
from mss_gateway.ports.store import StoreError
from mss_gateway.protocol.imap import Ending, Request, fetching, responses
from mss_gateway.protocol.imap.commands import Fetch
from mss_gateway.protocol.imap.fetchitems import (
    Attribute,
    BinarySection,
    BinarySize,
    BodySection,
    FetchItem,
    SectionText,
)
from mss_gateway.protocol.imap.sequence import window
from mss_gateway.protocol.imap.uidruns import runs_among, runs_without

from . import sections
from .fetchflags import batches, note_modseqs, send_lines
from .fetchlines import send_written, written_by_store
from .fetchpieces import PIECES, in_utf8, wants_of
from .limits import capped, check_limit, finish
from .numbers import check_uids, issued, uids_of
from .previews import with_previews
from .progress import Progress
from .session import CommandFailed, Selected, Session
from .sync import fetch_head, learn_keywords, sync

BATCH = 500  # messages of one hop to the store when only stored columns are asked
BODY_BATCH = 32  # messages of one hop when texts come along
SMALL = 64 * 1024  # octets; texts up to this size are read together, larger ones are streamed alone
GATHERED = 64 * 1024  # octets of small answers that are sent together


async def fetch(session: Session, request: Request) -> None:
    """Answer with what is asked, in batches, so that memory stays flat and other sessions run in between."""
    command = request.command
    assert isinstance(command, Fetch)
    selected = session.folder
    _check(session, command)
    named = uids_of(selected, command.numbers, uid=command.uid)
    if command.changed_since is not None or Attribute.MODSEQ in command.items:
        session.use_modseq()
    uids, limit = await _wanted(session, command, named)
    items = _items(session, command)
    _note_reading(session, uids, items)
    progress = Progress(session, request.tag)
    newest_first = bool(limit)
    if not _marks_seen(selected, items) and written_by_store(session, selected, items):
        rest = partial(_send_rows, session, items=items, newest_first=newest_first)
        await send_written(session, selected, uids, items, progress, rest, newest_first=newest_first)
    else:
        await _send_rows(session, uids, items=items, newest_first=newest_first, progress=progress)
    await sync(session, expunges=command.uid)
    finish(session, "fetched", issued(selected, named, uid=command.uid), limit)


def _note_reading(session: Session, uids: Sequence[int], items: tuple[FetchItem, ...]) -> None:
    """AUD-1: before anything is sent, so that a client that hangs up has read as well. A list of messages, which shows
    no more than their envelopes, is part of having opened the folder."""
    bodies = [item for item in items if not isinstance(item, Attribute)]
    if len(uids) and (bodies or Attribute.PREVIEW in items):
        text = any(sections.needs_text(item) for item in bodies)
        request = "FETCH BODY" if text else "FETCH HEADER" if bodies else "FETCH PREVIEW"
        session.did("mailbox-read", request, uids)


async def send_unasked(session: Session, uids: Sequence[int], items: tuple[FetchItem, ...]) -> None:
    """FETCH of messages that the client has just been told of; nothing may mark them `\\Seen` (RFC 5465 section 5.2).

    A message with a part that cannot be decoded is not told of: there is no command to refuse.
    """
    if session.uidonly and len(items) > 1:
        items = tuple(item for item in items if item is not Attribute.UID)
    decoding = any(isinstance(item, BinarySection | BinarySize) for item in items)
    for batch in batches(uids, 1 if decoding else BATCH, newest_first=False):
        with contextlib.suppress(CommandFailed):
            await _send_rows(session, batch, items=items, newest_first=False)


def _check(session: Session, command: Fetch) -> None:
    """Raise `CommandFailed` BAD where the extensions' conditions are not met."""
    check_uids(session, uid=command.uid)
    if command.vanished and not (session.qresync and command.uid and command.changed_since is not None):
        raise CommandFailed(
            "VANISHED goes with UID FETCH, CHANGEDSINCE and an enabled QRESYNC", ending=Ending.BAD
        )


async def _wanted(session: Session, command: Fetch, named: Sequence[int]) -> tuple[Sequence[int], bytes]:
    """The UIDs to answer for, ascending, and the MESSAGELIMIT code: the window of PARTIAL comes before CHANGEDSINCE
    (RFC 9394 section 3.4). Also says what has VANISHED of all that was named."""
    selected = session.folder
    uids: Sequence[int] = named
    if command.window is not None:
        low, high = sorted((abs(command.window[0]), abs(command.window[1])))
        check_limit(session, high - low + 1)
        uids = window(named, *command.window)
    if command.changed_since is not None:
        touched = await session.mailboxes.touched(selected.folder.id, selected.viewer, command.changed_since)
        if command.vanished:
            # What the client still counts among its messages is told as news at the end.
            gone = runs_without(runs_among(touched.vanished, command.numbers), selected.view.uids)
            session.send(responses.vanished_earlier(gone))
        changed = frozenset(touched.changed)
        uids = [uid for uid in uids if uid in changed]
    return capped(session, uids)


def _items(session: Session, command: Fetch) -> tuple[FetchItem, ...]:
    """The items asked, with UID for the UID form and MODSEQ for CHANGEDSINCE, each once.

    Under UIDONLY the UID stands in front of the line and is not said again.
    """
    items = list(command.items)
    if command.uid and Attribute.UID not in items:
        items.insert(0, Attribute.UID)
    if command.changed_since is not None and Attribute.MODSEQ not in items:
        items.append(Attribute.MODSEQ)
    if session.uidonly and len(items) > 1:
        items.remove(Attribute.UID)
    return tuple(items)


async def _send_rows(
    session: Session,
    uids: Sequence[int],
    *,
    items: tuple[FetchItem, ...],
    newest_first: bool,
    progress: Progress | None = None,
) -> None:
    """Answer for ascending UIDs, message by message: whatever is asked, however large the texts are."""
    selected = session.folder
    wants = wants_of(items)
    bodies = [item for item in items if not isinstance(item, Attribute)]
    done = 0
    for batch in batches(uids, BODY_BATCH if bodies else BATCH, newest_first=newest_first):
        rows = await session.mailboxes.rows(selected.folder.id, selected.viewer, batch, wants)
        rows = await with_previews(session, selected, rows, items)
        if session.core.utf8:
            rows = [in_utf8(row) for row in rows]
        if newest_first:
            rows.reverse()
        note_modseqs(selected, rows, items)
        if bodies:
            await _send_bodies(session, selected, rows, items)
        else:
            _send_columns(session, selected, rows, items)
        await session.flush()
        done += len(batch)
        if progress is not None:
            await progress.tick(done, len(uids))


def _send_columns(
    session: Session, selected: Selected, rows: list[MessageRow], items: tuple[FetchItem, ...]
) -> None:
    if Attribute.FLAGS in items:
        learn_keywords(session, selected, frozenset().union(*[row.flags for row in rows]))
    pieces = [PIECES[item] for item in items if isinstance(item, Attribute)]
    send_lines(session, selected, [(row.uid, [piece(row) for piece in pieces]) for row in rows])


async def _send_bodies(
    session: Session, selected: Selected, rows: list[MessageRow], items: tuple[FetchItem, ...]
) -> None:
    """Answer messages whose bodies are asked; texts that are small come in one hop."""
    for row in rows:  # before anything is marked or sent: a NO inside of a line would break it
        sections.check_encodings(row, items)
    rows, seen = await _mark_seen(session, selected, rows, items)
    texts: dict[int, bytes] = {}
    needed = any(sections.needs_text(item) for item in items)
    if needed:
        small = [row.body_id for row in rows if row.size - row.header_size <= SMALL]
        texts = await session.mailboxes.read_texts(small, SMALL)
    for row in rows:
        number = selected.view.number(row.uid)
        if number is None or (needed and not await _readable(session, row, texts)):
            continue
        learn_keywords(session, selected, row.flags)
        reader = sections.Reader(session, row, texts.get(row.body_id))
        try:
            await _send_message(session, number, row, _shown(session, items, row.uid in seen), reader)
        except StoreError as error:
            # The line cannot be ended as announced, so the connection ends instead.
            session.parts.log.fault(Event.STORE_FAULT, error, peer=session.stream.host)
            raise StreamClosed from error


async def _readable(session: Session, row: MessageRow, texts: Mapping[int, bytes]) -> bool:
    """Is the text still there? Another session may have expunged the message since; what is damaged raises."""
    return row.body_id in texts or bool(await session.mailboxes.read_text(row.body_id, 0, 1))


def _shown(session: Session, items: tuple[FetchItem, ...], marked: bool) -> tuple[FetchItem, ...]:
    """The items asked, with the new flags of a message that this FETCH has marked `\\Seen`."""
    if not marked:
        return items
    added = [Attribute.FLAGS, Attribute.MODSEQ] if session.condstore else [Attribute.FLAGS]
    return (*items, *(item for item in added if item not in items))


async def _send_message(
    session: Session, number: int, row: MessageRow, items: tuple[FetchItem, ...], reader: sections.Reader
) -> None:
    session.send(fetch_head(session, row.uid, number))
    for index, item in enumerate(items):
        if index:
            session.send(b" ")
        if isinstance(item, Attribute):
            session.send(PIECES[item](row))
        else:
            await reader.send(item)
    session.send(fetching.FETCH_TAIL)
    if session.core.queued >= GATHERED:
        await session.flush()


def _marks_seen(selected: Selected, items: tuple[FetchItem, ...]) -> bool:
    """Does reading these items set `\\Seen`?"""
    return not selected.read_only and any(
        isinstance(item, BodySection | BinarySection) and not item.peek and not _is_rfc822_header(item)
        for item in items
    )


async def _mark_seen(
    session: Session, selected: Selected, rows: list[MessageRow], items: tuple[FetchItem, ...]
) -> tuple[list[MessageRow], set[int]]:
    """Set `\\Seen` on what is read without PEEK, and give the rows as they are then."""
    unseen = [row.uid for row in rows if "\\Seen" not in row.flags]
    if not _marks_seen(selected, items) or not unseen:
        return rows, set()
    outcome = await session.mailboxes.store_flags(
        selected.folder.id, selected.viewer, unseen, FlagChange.ADD, frozenset({"\\Seen"})
    )
    fresh = {row.uid: row for row in outcome.rows}
    for uid, flag_row in fresh.items():
        selected.told[uid] = flag_row.modseq
    marked = [
        replace(row, flags=fresh[row.uid].flags, modseq=fresh[row.uid].modseq) if row.uid in fresh else row
        for row in rows
    ]
    return marked, set(fresh)


def _is_rfc822_header(item: BodySection | BinarySection) -> bool:
    """RFC822.HEADER does not set `\\Seen` (RFC 3501 section 6.4.5)."""
    return (
        isinstance(item, BodySection) and item.label == b"RFC822.HEADER" and item.text is SectionText.HEADER
    )
