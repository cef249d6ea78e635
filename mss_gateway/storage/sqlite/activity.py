"""Who did what with the messages of a shared mailbox: kept in the commit of the act itself (BAL-3, AUD-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import apsw
import orjson

from mss_gateway.ports.annotations import Done
from mss_gateway.ports.mailboxes import FlagRow, Viewer
from mss_gateway.ports.records import Answers
from mss_gateway.rules.activity import ACTS_OF_FLAGS, Act, event_of
from mss_gateway.rules.exchange import EXCHANGES, SHARED_TYPES
from mss_gateway.rules.ins import mask_text

from .engine import Writer
from .folders import folder_of
from .messages import uid_list
from .trace_index import OF_MESSAGE, of_box

ANSWERED_AMONG = 500
"""Messages of INBOX, and of the folder of exchanges, among which that one is looked for which a member answers."""

LOOKED_THROUGH = 5000
"""The latest acts of a box among which those on one message, or in one folder, are looked for."""

_LINES = 4 * LOOKED_THROUGH
_SHARED = tuple(kind.value for kind in SHARED_TYPES)
_EVENTS = {event_of(act): act for act in Act}
_UPSERT = " ON CONFLICT DO UPDATE SET last_at = excluded.last_at RETURNING body_id, first_at"


def note(
    writer: Writer, folder_id: int, person_id: int, acts: Mapping[Act, Sequence[int]], at: float
) -> None:
    """A member did this with messages of a folder, by UID."""
    box_id = folder_of(writer.db, folder_id).box_id
    for act, uids in acts.items():
        rows = writer.db.execute(
            "INSERT INTO activity SELECT m.body_id, ?1, ?2, ?3, ?4, ?4 FROM json_each(?5) AS j CROSS JOIN messages AS m"
            f" ON m.folder_id = ?6 AND m.uid = j.value WHERE true{_UPSERT}",
            (box_id, person_id, act.value, at, uid_list(uids), folder_id),
        )
        _trace(writer, box_id, person_id, act, [body for body, first in rows if first == at], at)


def note_flags(
    writer: Writer,
    folder_id: int,
    viewer: Viewer,
    before: Mapping[int, frozenset[str]],
    after: Iterable[FlagRow],
    at: float,
) -> None:
    """Flags were set in a folder that may be shared: only those that were not there before are somebody's act."""
    if not viewer.shared:
        return
    acts: dict[Act, list[int]] = {}
    for row in after:
        for flag in row.flags - before[row.uid]:
            act = ACTS_OF_FLAGS.get(flag)
            if act is not None:
                acts.setdefault(act, []).append(row.uid)
    if acts:
        note(writer, folder_id, viewer.person_id, acts, at)


def note_append(writer: Writer, folder_id: int, viewer: Viewer, uids: Sequence[int], at: float) -> None:
    """A member put messages into a folder: what goes into the folder of sent ones was sent."""
    if not (viewer.shared and uids):
        return
    folder = folder_of(writer.db, folder_id)
    act = Act.SENT if folder.special_use == "\\Sent" or folder.name == EXCHANGES else Act.FILED
    note(writer, folder_id, viewer.person_id, {act: uids}, at)


def note_replaced(writer: Writer, folder_id: int, person_id: int, uid: int, at: float) -> None:
    """A message is about to make room for another one (RFC 8508), in a folder that may be shared."""
    if is_shared(writer.db, folder_of(writer.db, folder_id).box_id):
        note(writer, folder_id, person_id, {Act.REMOVED: [uid]}, at)


def note_answers(writer: Writer, answers: Answers, at: float) -> None:
    """A member's message answers others of the same box, whether or not the client sets `\\Answered` there."""
    rows = writer.db.execute(
        "INSERT INTO activity SELECT DISTINCT b.id, ?1, ?2, ?3, ?4, ?4 FROM folders AS f JOIN messages AS m"
        " ON m.folder_id = f.id AND m.uid > f.uid_next - ?5 JOIN bodies AS b ON b.id = m.body_id"
        " WHERE f.box_id = ?1 AND f.name IN ('INBOX', ?6) AND b.message_id IN (SELECT value FROM json_each(?7))"
        + _UPSERT,
        (
            answers.box_id,
            answers.person_id,
            Act.ANSWERED.value,
            at,
            ANSWERED_AMONG,
            EXCHANGES,
            orjson.dumps(answers.message_ids).decode(),
        ),
    )
    fresh = [body for body, first in rows if first == at]
    _trace(writer, answers.box_id, answers.person_id, Act.ANSWERED, fresh, at)


def _trace(writer: Writer, box_id: int, person_id: int, act: Act, body_ids: Sequence[int], at: float) -> None:
    """AUD-1: what is done for the first time stands on the timeline of the message and of the box."""
    if not body_ids:
        return
    login, name = _person(writer.db, person_id)
    found = writer.db.execute(
        "SELECT b.message_id FROM json_each(?) AS j CROSS JOIN bodies AS b ON b.id = j.value",
        (uid_list(body_ids),),
    )
    # One text for the whole command: thousands may be marked at once, and everybody's commits wait for this one.
    detail = orjson.dumps({"member": mask_text(name)} if name else {}).decode()
    event, actor = event_of(act), mask_text(login)
    writer.chain.append(
        [
            (float(at), event, "", mask_text(message_id) if message_id else None, box_id, actor, detail)
            for (message_id,) in found
        ]
    )


def _person(db: apsw.Connection, person_id: int) -> tuple[str, str]:
    row = db.execute("SELECT login, name FROM persons WHERE id = ?", (person_id,)).fetchone()
    return (str(row[0]), str(row[1])) if row is not None else ("", "")


def note_leaving(
    writer: Writer, box_id: int, person_id: int, target_id: int, uids: Sequence[int], at: float
) -> None:
    """Messages that were moved into another box: found there, and noted in the one they left."""
    rows = writer.db.execute(
        "INSERT INTO activity SELECT m.body_id, ?1, ?2, ?3, ?4, ?4 FROM json_each(?5) AS j CROSS JOIN messages AS m"
        f" ON m.folder_id = ?6 AND m.uid = j.value WHERE true{_UPSERT}",
        (box_id, person_id, Act.REMOVED.value, at, uid_list(uids), target_id),
    )
    fresh = [body for body, first in rows if first == at]
    _trace(writer, box_id, person_id, Act.REMOVED, fresh, at)


def is_shared(db: apsw.Connection, box_id: int) -> bool:
    """Whether the box has several members, each under their own name."""
    row = db.execute("SELECT type FROM boxes WHERE id = ?", (box_id,)).fetchone()
    return row is not None and row[0] in _SHARED


# --- reading

_DONE = "a.act, p.login, p.name, a.first_at, a.last_at"


def folder_activity(
    db: apsw.Connection, folder_id: int, limit: int, uids: Sequence[int] | None
) -> list[Done]:
    """The latest acts on what lies in a folder."""
    box_id = folder_of(db, folder_id).box_id
    if uids is None:
        # By time, and each body looked for in the folder: the folder itself may be large.
        found = db.execute(
            f"SELECT {_DONE}, m.uid FROM (SELECT * FROM activity INDEXED BY activity_by_box WHERE box_id = ?1"
            " ORDER BY last_at DESC LIMIT ?4) AS a"
            " CROSS JOIN messages AS m ON m.body_id = a.body_id AND m.folder_id = ?2"
            " JOIN persons AS p ON p.id = a.person_id ORDER BY a.last_at DESC LIMIT ?3",
            (box_id, folder_id, limit, LOOKED_THROUGH),
        )
    else:
        found = db.execute(
            f"SELECT {_DONE}, m.uid FROM json_each(?4) AS j CROSS JOIN messages AS m"
            " ON m.folder_id = ?2 AND m.uid = j.value JOIN activity AS a ON a.body_id = m.body_id AND a.box_id = ?1"
            " JOIN persons AS p ON p.id = a.person_id ORDER BY a.last_at DESC LIMIT ?3",
            (box_id, folder_id, limit, uid_list(uids)),
        )
    return [Done(Act(act), login, name, first, last, uid) for act, login, name, first, last, uid in found]


def box_activity(
    db: apsw.Connection, box_id: int, since: float, message_id: str | None, limit: int
) -> list[Done]:
    """The latest acts in a box: what the table has, and what only the timeline still knows."""
    masked = None if message_id is None else mask_text(message_id)
    gone = _traced(db, box_id, since, masked, limit)
    # Of one message, among so many latest acts: bodies have no index on their Message-ID, and readers wait meanwhile.
    found = db.execute(
        f"SELECT {_DONE}, b.message_id FROM (SELECT * FROM activity INDEXED BY activity_by_box WHERE box_id = ?1"
        " AND last_at >= ?2 ORDER BY last_at DESC LIMIT ?4) AS a"
        " JOIN persons AS p ON p.id = a.person_id JOIN bodies AS b ON b.id = a.body_id"
        " WHERE ?5 IS NULL OR b.message_id = ?5 ORDER BY a.last_at DESC LIMIT ?3",
        (box_id, since, limit, limit if message_id is None else LOOKED_THROUGH, message_id),
    )
    done = [
        Done(Act(act), login, name, first, last, 0, known) for act, login, name, first, last, known in found
    ]
    there = {(mask_text(one.message_id or ""), one.login, one.act) for one in done}
    done += [one for one in gone if (one.message_id or "", one.login, one.act) not in there]
    done.sort(key=lambda one: -one.last_at)
    return done[:limit]


def _traced(db: apsw.Connection, box_id: int, since: float, message_id: str | None, limit: int) -> list[Done]:
    """What the timeline of a message has, or the latest lines of the box: it may be long, and readers wait."""
    columns = "event, actor, detail, at, message_id"
    if message_id is None:
        rows = of_box(db, box_id, columns, _LINES)
    else:
        rows = db.execute(
            f"{OF_MESSAGE} SELECT {columns} FROM trace WHERE id IN named AND message_id = ?1 AND box_id = ?2"
            " ORDER BY id DESC",
            (message_id, box_id),
        ).fetchall()
    found = islice((row for row in rows if row[3] >= since and row[0] in _EVENTS), limit)
    return [
        Done(_EVENTS[event], login, orjson.loads(detail).get("member", ""), at, at, 0, known)
        for event, login, detail, at, known in found
    ]
