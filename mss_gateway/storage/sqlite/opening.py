"""What SELECT reads: it does not grow with the folder, unless the folder is full of holes."""

from __future__ import annotations

from array import array

import apsw

from mss_gateway.ports.mailboxes import Snapshot, Viewer
from mss_gateway.protocol.imap.uidruns import Uids, fitting, runs_between

from .expunges import holes
from .messages import MARKED_UNSEEN, counters

FIRST_UNSEEN_AMONG = 20_000
"""Messages of a shared folder, the oldest ones, among which the first unseen one is looked for."""

# Each step of the recursion is one look into the index, however many messages have the same keywords.
_KEYWORDS = (
    "WITH RECURSIVE found(words) AS ("
    "SELECT min(keywords) FROM messages WHERE folder_id = ?1 AND keywords <> ''"
    " UNION ALL SELECT (SELECT min(m.keywords) FROM messages AS m"
    " WHERE m.folder_id = ?1 AND m.keywords <> '' AND m.keywords > found.words)"
    " FROM found WHERE found.words IS NOT NULL) SELECT words FROM found WHERE words IS NOT NULL"
)


def snapshot(db: apsw.Connection, folder_id: int, viewer: Viewer) -> Snapshot:
    """What SELECT needs, in one snapshot; raises `NoSuchFolder`."""
    uid_next, uid_validity, modseq, messages, _, _ = counters(db, folder_id)
    uids = _uids(db, folder_id, uid_next, messages)
    words: set[str] = set()
    for (keywords,) in db.execute(_KEYWORDS, (folder_id,)):
        words.update(keywords.split())
    first = _first_unseen(db, folder_id, viewer)
    return Snapshot(uids, uid_next, uid_validity, modseq, first, tuple(sorted(words)))


def _uids(db: apsw.Connection, folder_id: int, uid_next: int, messages: int) -> Uids:
    """The UIDs of a folder: all that were ever given, without those that are written down as expunged."""
    missing = uid_next - 1 - messages
    if not missing:
        return range(1, uid_next)
    if 0 < missing < messages:
        gone = holes(db, folder_id)
        if sum(map(len, gone)) == missing:
            return fitting(runs_between(gone, uid_next))
    rows = db.execute("SELECT uid FROM messages WHERE folder_id = ? ORDER BY uid", (folder_id,))
    return array("L", [row[0] for row in rows])


def _first_unseen(db: apsw.Connection, folder_id: int, viewer: Viewer) -> int:
    """The first message without `\\Seen`, 0 when none is found: SELECT need not name it (RFC 3501 section 7.1)."""
    if viewer.shared:
        rows = db.execute(
            "SELECT m.uid FROM (SELECT uid FROM messages WHERE folder_id = ?1 ORDER BY uid LIMIT ?3) AS m"
            " WHERE NOT EXISTS (SELECT 1 FROM member_seen AS s WHERE s.folder_id = ?1 AND s.uid = m.uid"
            " AND s.person_id = ?2 AND s.seen) ORDER BY m.uid LIMIT 1",
            (folder_id, viewer.person_id, FIRST_UNSEEN_AMONG),
        )
    else:
        rows = db.execute(f"SELECT uid {MARKED_UNSEEN} ORDER BY uid LIMIT 1", (folder_id,))
    row = rows.fetchone()
    return int(row[0]) if row is not None else 0
