"""Read receipts: owed with the delivery, opened with `\\Seen`, answered with the MDN, each in one commit (RCP-2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from mss_gateway.ports.records import Opened, Receipt
from mss_gateway.ports.store import DamagedBody, StaleReceipt

from .encryption import HEADER, cipher_of
from .engine import Writer
from .folders import advance
from .marks import from_flags, merge, to_flags
from .messages import uid_list

SENT_KEYWORD = "$MDNSent"


def owe(writer: Writer, body_id: int, receipts: Iterable[Receipt]) -> None:
    """Write down what the delivery of a body owes."""
    writer.db.executemany(
        "INSERT OR IGNORE INTO receipts (box_id, body_id, notify, recipient, orcpt, state)"
        " VALUES (?, ?, ?, ?, ?, 'due')",
        [(owed.box_id, body_id, owed.notify, owed.recipient, owed.orcpt) for owed in receipts],
    )


def note_opening(writer: Writer, folder_id: int, uids: Sequence[int], at: float) -> None:
    """Messages have become `\\Seen`: what is due for them in their box is opened, the header kept for the MDN.

    What a restore keeps back is opened as well, and kept back still.
    """
    db = writer.db
    db.execute(
        "UPDATE receipts SET state = iif(state = 'due', 'opened', 'restored-opened'), opened_at = ?1,"
        " header = (SELECT header FROM body_bytes WHERE id = receipts.body_id),"
        " (key_id, wrapped) = (SELECT key_id, wrapped FROM body_keys WHERE body_id = receipts.body_id)"
        " WHERE state IN ('due', 'restored-due') AND box_id = (SELECT box_id FROM folders WHERE id = ?2) AND body_id IN"
        " (SELECT body_id FROM messages WHERE folder_id = ?2 AND uid IN (SELECT value FROM json_each(?3)))",
        (at, folder_id, uid_list(uids)),
    )
    if db.changes():
        writer.opened = True


def opened(db: apsw.Connection, limit: int) -> list[Opened]:
    """What was opened and is not answered yet."""
    cipher = cipher_of(db)
    rows = db.execute(
        "SELECT id, box_id, body_id, notify, recipient, orcpt, header, opened_at, key_id, wrapped FROM receipts"
        " WHERE state = 'opened' ORDER BY id LIMIT ?",
        (limit,),
    )
    found = []
    for number, box, body, notify, recipient, orcpt, header, at, key_id, wrapped in rows:
        if cipher is not None:
            try:
                header = cipher.open_part(HEADER, body, key_id, wrapped, header)
            except DamagedBody:
                header = None  # the MDN goes out without what it would quote
        found.append(Opened(number, box, body, notify, recipient, orcpt, bytes(header or b""), at))
    return found


def answer(writer: Writer, receipt_ids: Sequence[int]) -> None:
    """The MDN is in this commit: `$MDNSent` on every copy; raise `StaleReceipt` when it was written before."""
    for receipt_id in receipt_ids:
        row = writer.db.execute(
            "UPDATE receipts SET state = 'sent', header = NULL, wrapped = NULL WHERE id = ? AND state = 'opened'"
            " RETURNING box_id, body_id",
            (receipt_id,),
        ).fetchone()
        if row is None:
            raise StaleReceipt("this receipt has been answered")
        set_keyword(writer, *copies(writer.db, *row), keyword=SENT_KEYWORD)


def forget_answered(writer: Writer, after: int, limit: int) -> tuple[int, int]:
    """Forget those of the next receipts that were answered and whose message is gone.

    Returns how many, and where to go on, -1 at the end.
    """
    db = writer.db
    rows = list(
        db.execute(
            "SELECT r.id, r.state = 'sent' AND b.id IS NULL FROM receipts AS r"
            " LEFT JOIN bodies AS b ON b.id = r.body_id WHERE r.id > ? ORDER BY r.id LIMIT ?",
            (after, limit),
        )
    )
    dead = [(number,) for number, ended in rows if ended]
    db.executemany("DELETE FROM receipts WHERE id = ?", dead)
    return len(dead), (int(rows[-1][0]) if len(rows) == limit else -1)


def copies(db: apsw.Connection, box_id: int, body_id: int) -> list[tuple[int, int]]:
    """(folder id, UID) of every copy of a body in the folders of a box."""
    return list(
        db.execute(
            "SELECT m.folder_id, m.uid FROM messages AS m JOIN folders AS f ON f.id = m.folder_id"
            " WHERE m.body_id = ? AND f.box_id = ? ORDER BY 1, 2",
            (body_id, box_id),
        )
    )


def set_keyword(writer: Writer, *places: tuple[int, int], keyword: str, on: bool = True) -> None:
    """Give or take a keyword of messages; one mod-sequence for each folder that changes."""
    db = writer.db
    modseqs: dict[int, int] = {}
    for folder_id, uid in places:
        row = db.execute(
            "SELECT flags, keywords FROM messages WHERE folder_id = ? AND uid = ?", (folder_id, uid)
        ).fetchone()
        if row is None:
            continue
        before = to_flags(*row)
        words = from_flags(merge(before, (keyword,), ()) if on else merge(before, (), (keyword,)))[1]
        if words == row[1]:
            continue
        if folder_id not in modseqs:
            modseqs[folder_id] = advance(writer, folder_id)[1]
        db.execute(
            "UPDATE messages SET keywords = ?, modseq = ? WHERE folder_id = ? AND uid = ?",
            (words, modseqs[folder_id], folder_id, uid),
        )
