"""Acceptance: everything that one `250` promises, in one job of one transaction (RTE-4)."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import NewAppend, NoSuchFolder, Viewer
from mss_gateway.ports.records import Delivery, Part, Placed
from mss_gateway.ports.store import StoreError
from mss_gateway.rules.access import permitted
from mss_gateway.rules.activity import Act

from .access import rights_in
from .activity import note, note_answers, note_append
from .alerts import queue_alert
from .bodies import insert_body
from .channels import apply_change, check_guard, note_exchanges
from .engine import Writer
from .folders import advance, ensure_folder, folder_of
from .marks import SEEN, from_flags
from .outbox import queue, settle
from .quotas import check_room
from .receipts import answer, owe
from .threads import join_thread
from .trace import insert_trace

INSERT_MESSAGE = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""folder, UID, body, flags, keywords, mod-sequence twice, internal date, save date, conversation."""

LATEST = 500
"""Messages of a folder among which a copy that a client saves is looked for: it comes right after the sending."""


def accept(writer: Writer, delivery: Delivery) -> tuple[Placed, ...]:
    """Store a delivery. Guards come first: a spool file may be adopted only by a job that stays."""
    at = delivery.parts[0].received_at if delivery.parts else max((t.at for t in delivery.trace), default=0.0)
    for guard in delivery.guards:
        check_guard(writer.db, guard, at)
    answer(writer, delivery.answered)
    settle(writer, delivery.settled)
    placed: list[Placed] = []
    for part in delivery.parts:
        placed += _store_part(writer, part)
    if delivery.answers is not None:
        note_answers(writer, delivery.answers, at)
    changed = [change.trace for change in delivery.channels if apply_change(writer, change, at)]
    insert_trace(writer.db, [*delivery.trace, *(line for line in changed if line is not None)])
    return tuple(placed)


def _store_part(writer: Writer, part: Part) -> list[Placed]:
    refs = len(part.placements) + len(part.outbox)
    if refs == 0:
        return []
    try:
        folders = [ensure_folder(writer, place.box_id, place.folder) for place in part.placements]
    except NoSuchFolder:
        raise StoreError("a mailbox of this delivery has gone") from None
    body_id = insert_body(writer, part.body, refs)
    placed = []
    for place, folder_id in zip(part.placements, folders, strict=True):
        uid, modseq = advance(writer, folder_id, uids=1, messages=1, octets=part.body.size)
        mask, keywords = from_flags(place.flags)
        thread = join_thread(writer, place.box_id, part.body)
        dates = (part.received_at, part.received_at)
        row = (folder_id, uid, body_id, mask, keywords, modseq, modseq, *dates, thread)
        writer.db.execute(INSERT_MESSAGE, row)
        if place.seen_by is not None:
            writer.db.execute(
                "INSERT INTO member_seen VALUES (?, ?, ?, 1, ?)", (folder_id, uid, place.seen_by, modseq)
            )
            note(writer, folder_id, place.seen_by, {Act.SENT: [uid]}, part.received_at)
        placed.append(Placed(place.box_id, folder_id, uid, modseq))
    for entry in part.outbox:
        queue(writer, body_id, entry, part.received_at)
    if part.receipts:
        owe(writer, body_id, part.receipts)
    if part.exchanges:
        note_exchanges(writer, body_id, part.exchanges)
    for box_id in part.alerts:
        queue_alert(writer, box_id, part.received_at)
    return placed


def _filed_before(writer: Writer, folder_id: int, message: NewAppend) -> int | None:
    """The UID of the same message among the latest of the folder, when it is to be there once (IMP-2).

    The same Message-ID over another text is another message: whoever saves it finds it again.
    """
    if not message.once or message.body.message_id is None:
        return None
    row = writer.db.execute(
        "SELECT m.uid FROM (SELECT uid, body_id FROM messages WHERE folder_id = ? ORDER BY uid DESC LIMIT ?) AS m"
        " JOIN bodies AS b ON b.id = m.body_id WHERE b.message_id = ? AND b.size - b.header_size = ? LIMIT 1",
        (folder_id, LATEST, message.body.message_id, message.body.size - len(message.body.header)),
    ).fetchone()
    return None if row is None else int(str(row[0]))


def append(
    writer: Writer, folder_id: int, viewer: Viewer, messages: list[NewAppend], saved_at: float
) -> list[int]:
    """APPEND at a time in epoch seconds: all messages or none."""
    uids, fresh = [], []
    folder = folder_of(writer.db, folder_id)
    rights = rights_in(writer, folder, viewer)
    for message in messages:
        known = _filed_before(writer, folder_id, message)
        if known is not None:
            uids.append(known)
            continue
        check_room(writer, folder_id, 1, message.body.size)
        uid, modseq = advance(writer, folder_id, uids=1, messages=1, octets=message.body.size)
        body_id = insert_body(writer, message.body, 1)
        thread = join_thread(writer, folder.box_id, message.body)
        mask, keywords = from_flags(permitted(rights, message.flags))
        if viewer.shared and mask & SEEN:
            mask &= ~SEEN
            writer.db.execute(
                "INSERT INTO member_seen VALUES (?, ?, ?, 1, ?)", (folder_id, uid, viewer.person_id, modseq)
            )
        dates = (message.internal_date, saved_at)
        row = (folder_id, uid, body_id, mask, keywords, modseq, modseq, *dates, thread)
        writer.db.execute(INSERT_MESSAGE, row)
        uids.append(uid)
        fresh.append(uid)
    note_append(writer, folder_id, viewer, fresh, saved_at)
    return uids
