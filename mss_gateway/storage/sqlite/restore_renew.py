"""What a restored store must not pretend: that it went on from where it was.

After the instant of the backup, UIDs and mod-sequences were given that are to be given again, to other messages: every
folder gets a new UIDVALIDITY, and bodies go on at a number that none has reached (EMAILID, RFC 8474). Mail was sent and
receipts were written that the backup still holds as due: they wait until somebody says that they are to go (QUE-3).
"""

from __future__ import annotations

import os

import apsw

from mss_gateway.ports.keeping import Restored

from .engine import Writer

HELD = "the store was restored from a backup: it may have been sent since"
"""Reason at the rows of the queue that a restore keeps back."""

HELD_STATES = {"due": "restored-due", "opened": "restored-opened"}
"""States of receipts that a restore keeps back, by what they were."""

_SHIFT = 20  # a million bodies in each second until the next restore


def renew(db: apsw.Connection, now: float, backup_at: float) -> dict[str, int]:
    """Change what must not be as it was, in one transaction; tell how many folders, rows and receipts it concerned."""
    with db:
        folders = _new_validities(db, int(max(now, backup_at)) + 1)
        first = int(now) << _SHIFT
        db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'bodies'", (first,))
        if not db.changes():
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('bodies', ?)", (first,))
        # What was under way may have arrived (QUE-1), and nobody carries it any more.
        db.execute(
            "UPDATE outbox SET held = 1, hold_reason = iif(held, hold_reason, ?), state = 'held', by_hand = 0,"
            " uncertain = iif(lease <> '' AND NOT by_hand, 1, uncertain), lease = '', node = ''",
            (HELD,),
        )
        queue = db.changes()
        receipts = 0
        for before, after in HELD_STATES.items():
            db.execute("UPDATE receipts SET state = ? WHERE state = ?", (after, before))
            receipts += db.changes()
        for name, value in (
            ("lineage", new_lineage()),
            ("restored_at", int(now)),
            ("restored_from", int(backup_at)),
        ):
            db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (name, value))
    return {"folders": folders, "queue_held": queue, "receipts_held": receipts}


def _new_validities(db: apsw.Connection, least: int) -> int:
    """A UIDVALIDITY of its own for each folder, above all that were given before the backup or, by the clock, since."""
    row = db.execute("SELECT value FROM counters WHERE name = 'uid_validity'").fetchone()
    base = max(least, (row[0] if row is not None else 0) + 1)
    db.execute(
        "UPDATE folders SET uid_validity = ? + r.place FROM"
        " (SELECT id, row_number() OVER (ORDER BY id) AS place FROM folders) AS r WHERE r.id = folders.id",
        (base,),
    )
    count = db.changes()
    db.execute("INSERT OR REPLACE INTO counters VALUES ('uid_validity', ?)", (base + count,))
    return count


def new_lineage() -> int:
    """A number that no other store has."""
    return int.from_bytes(os.urandom(7), "big")


def lineage_of(writer: Writer) -> int:
    """The store's own number, given when it is asked for first."""
    writer.db.execute("INSERT OR IGNORE INTO counters VALUES ('lineage', ?)", (new_lineage(),))
    return int(writer.db.execute("SELECT value FROM counters WHERE name = 'lineage'").get)


def restored(db: apsw.Connection) -> Restored | None:
    """What a restore left behind, None in a store that was never restored."""
    known = dict(db.execute("SELECT name, value FROM counters WHERE name LIKE 'restored_%'"))
    if "restored_at" not in known:
        return None
    queue = db.execute("SELECT count(*) FROM outbox WHERE held = 1 AND hold_reason = ?", (HELD,)).get
    receipts = db.execute(
        "SELECT count(*) FROM receipts WHERE state IN (?, ?)", tuple(HELD_STATES.values())
    ).get
    return Restored(known["restored_at"], known.get("restored_from", 0), int(queue), int(receipts))


def release_receipts(writer: Writer) -> int:
    """Receipts that are kept back are owed again; those of messages that have gone unread meanwhile are not."""
    db = writer.db
    db.execute(
        "DELETE FROM receipts WHERE state = ? AND body_id NOT IN (SELECT id FROM bodies)",
        (HELD_STATES["due"],),
    )
    count = 0
    for before, after in HELD_STATES.items():
        db.execute("UPDATE receipts SET state = ? WHERE state = ?", (before, after))
        count += db.changes()
    writer.opened = writer.opened or count > 0
    return count
