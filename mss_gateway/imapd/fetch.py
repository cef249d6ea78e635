"""FETCH and UID FETCH (RFC 9051 section 6.4.5, RFC 7162 section 3.1.4)."""

from __future__ import annotations

from dataclasses import replace

from mss_gateway.net.stream import StreamClosed
from mss_gateway.observe.events import Event
from mss_gateway.ports.mailboxes import FlagChange, MessageRow
from mss_gateway.ports.store import StoreError
from mss_gateway.protocol.imap import Ending, Request, fetching
from mss_gateway.protocol.imap.commands import Fetch
from mss_gateway.protocol.imap.fetchitems import (
    Attribute,
    BinarySection,
    BinarySize,
    BodySection,
    FetchItem,
    SectionText,
)

from . import sections
from .fetchpieces import PIECES, wants_of
from .numbers import uids_of
from .session import Selected, Session
from .sync import learn_keywords, sync

BATCH = 500  # messages of one hop to the store when only stored columns are asked
BODY_BATCH = 32  # messages of one hop when texts come along
SMALL = 64 * 1024  # octets; texts up to this size are read together, larger ones are streamed alone


async def fetch(session: Session, request: Request) -> None:
    """Answer with what is asked, in batches, so that memory stays flat and other sessions run in between."""
    command = request.command
    assert isinstance(command, Fetch)
    selected = session.folder
    uids = uids_of(selected, command.numbers, uid=command.uid)
    if command.changed_since is not None or Attribute.MODSEQ in command.items:
        session.condstore = True
    items = _items(session, command)
    wants = wants_of(items)
    bodies = [item for item in items if not isinstance(item, Attribute)]
    size = BODY_BATCH if bodies else BATCH
    for at in range(0, len(uids), size):
        batch = uids[at : at + size]
        rows = await session.mailboxes.rows(selected.folder.id, selected.viewer, batch, wants)
        if command.changed_since is not None:
            rows = [row for row in rows if row.modseq > command.changed_since]
        if bodies:
            await _send_bodies(session, selected, rows, items)
        else:
            _send_columns(session, selected, rows, items)
        await session.flush()
    await sync(session, expunges=command.uid)
    session.core.tagged(Ending.OK, "fetched")


def _items(session: Session, command: Fetch) -> tuple[FetchItem, ...]:
    """The items asked, with UID for the UID form and MODSEQ for CHANGEDSINCE, each once."""
    items = list(command.items)
    if command.uid and Attribute.UID not in items:
        items.insert(0, Attribute.UID)
    if command.changed_since is not None and Attribute.MODSEQ not in items:
        items.append(Attribute.MODSEQ)
    return tuple(items)


def _send_columns(
    session: Session, selected: Selected, rows: list[MessageRow], items: tuple[FetchItem, ...]
) -> None:
    pieces = [PIECES[item] for item in items if isinstance(item, Attribute)]
    number_of = selected.view.number
    for row in rows:
        number = number_of(row.uid)
        if number is not None:
            session.send(fetching.fetch(number, [piece(row) for piece in pieces]))


async def _send_bodies(
    session: Session, selected: Selected, rows: list[MessageRow], items: tuple[FetchItem, ...]
) -> None:
    """Answer messages whose bodies are asked; texts that are small come in one hop."""
    rows, seen = await _mark_seen(session, selected, rows, items)
    texts: dict[int, bytes] = {}
    if any(sections.needs_text(item) for item in items):
        small = [row.body_id for row in rows if row.size - row.header_size <= SMALL]
        texts = await session.mailboxes.read_texts(small, SMALL)
    for row in rows:
        number = selected.view.number(row.uid)
        if number is None:
            continue
        learn_keywords(session, selected, row.flags)
        reader = sections.Reader(session, row, texts.get(row.body_id))
        for item in items:
            if isinstance(item, BinarySection | BinarySize):
                reader.check(item)  # before the line begins: a NO in the middle of it would break it
        try:
            await _send_message(session, number, row, _shown(session, items, row.uid in seen), reader)
        except StoreError as error:
            # The line cannot be ended as announced, so the connection ends instead.
            session.parts.log.fault(Event.STORE_FAULT, error, peer=session.stream.host)
            raise StreamClosed from error


def _shown(session: Session, items: tuple[FetchItem, ...], marked: bool) -> tuple[FetchItem, ...]:
    """The items asked, with the new flags of a message that this FETCH has marked `\\Seen`."""
    if not marked:
        return items
    added = [Attribute.FLAGS, Attribute.MODSEQ] if session.condstore else [Attribute.FLAGS]
    return (*items, *(item for item in added if item not in items))


async def _send_message(
    session: Session, number: int, row: MessageRow, items: tuple[FetchItem, ...], reader: sections.Reader
) -> None:
    session.send(fetching.fetch_head(number))
    for index, item in enumerate(items):
        if index:
            session.send(b" ")
        if isinstance(item, Attribute):
            session.send(PIECES[item](row))
        else:
            await reader.send(item)
    session.send(fetching.FETCH_TAIL)
    await session.flush()


async def _mark_seen(
    session: Session, selected: Selected, rows: list[MessageRow], items: tuple[FetchItem, ...]
) -> tuple[list[MessageRow], set[int]]:
    """Set `\\Seen` on what is read without PEEK, and give the rows as they are then."""
    peeking = all(not isinstance(item, BodySection | BinarySection) or item.peek for item in items)
    header_only = all(
        not isinstance(item, BodySection | BinarySection) or item.peek or _is_rfc822_header(item)
        for item in items
    )
    unseen = [row.uid for row in rows if "\\Seen" not in row.flags]
    if selected.read_only or peeking or header_only or not unseen:
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
