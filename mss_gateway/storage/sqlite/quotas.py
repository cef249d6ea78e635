"""What a box holds and may hold (BAL-9, RFC 9208): sums over the counters of its folders."""

from __future__ import annotations

import apsw

from mss_gateway.ports.access import OverQuota, Room
from mss_gateway.ports.mailboxes import NoSuchFolder

from .engine import Writer
from .options import SqliteOptions


def room(db: apsw.Connection, box_id: int, options: SqliteOptions) -> Room:
    """What the box holds and its limits, the default ones where none were set."""
    octets, messages, octets_limit, messages_limit = next(
        iter(
            db.execute(
                "SELECT coalesce(sum(f.octets), 0), coalesce(sum(f.messages), 0), max(b.quota_bytes),"
                " max(b.quota_messages) FROM boxes AS b LEFT JOIN folders AS f ON f.box_id = b.id WHERE b.id = ?",
                (box_id,),
            )
        )
    )
    if octets_limit is None:
        raise NoSuchFolder
    return Room(
        octets, messages, octets_limit or options.quota_bytes, messages_limit or options.quota_messages
    )


def check_room(writer: Writer, folder_id: int, messages: int, octets: int) -> None:
    """Raise `OverQuota` when the folder's box has no room for so much more; costs a row where nothing is limited."""
    row = writer.db.execute(
        "SELECT b.id, b.quota_bytes, b.quota_messages FROM folders AS f JOIN boxes AS b ON b.id = f.box_id"
        " WHERE f.id = ?",
        (folder_id,),
    ).fetchone()
    if row is None:
        raise NoSuchFolder
    options = writer.options
    if not (row[1] or row[2] or options.quota_bytes or options.quota_messages):
        return
    held = room(writer.db, row[0], options)
    if held.octets_limit and held.octets + octets > held.octets_limit:
        raise OverQuota
    if held.messages_limit and held.messages + messages > held.messages_limit:
        raise OverQuota


def deleted_octets(db: apsw.Connection, folder_id: int) -> int:
    """The octets of the messages marked `\\Deleted`."""
    rows = db.execute(
        "SELECT sum(b.size) FROM messages AS m INDEXED BY messages_deleted JOIN bodies AS b ON b.id = m.body_id"
        " WHERE m.folder_id = ? AND m.flags & 8",
        (folder_id,),
    )
    return next(iter(rows))[0] or 0
