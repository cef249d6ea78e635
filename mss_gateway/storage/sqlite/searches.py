"""SEARCH keys that SQL answers: flags, dates, sizes, numbers and identifiers, without building a row for a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

import apsw
import orjson

from mss_gateway.ports.mailboxes import Viewer
from mss_gateway.protocol.imap.searchkeys import (
    And,
    Arrived,
    ArrivedFrom,
    ArrivedUntil,
    DateTest,
    HasEmailId,
    HasFlag,
    HasThreadId,
    InUids,
    Larger,
    ModSeqFrom,
    Not,
    Or,
    SavedOn,
    SearchKey,
    SentBetween,
    Smaller,
)

from .encryption import HEADER, OPENED_OR_NULL, key_join, opened
from .marks import SEEN, from_flags
from .messages import uid_list

_RANGES = 16  # of one set of UIDs: more of them are quicker counted outside
_DEPTH = 60  # of nested keys: SQLite refuses expressions above 1,000 levels
_DAY = 86400
_EMAIL_ID = re.compile(r"M([0-9a-f]{32})\Z")
_THREAD_ID = re.compile(r"T([0-9a-f]{16})\Z")
_COMPARED = {DateTest.BEFORE: "< ?", DateTest.SINCE: ">= ?"}

Condition = tuple[str, list[object]]
"""An expression over `m` (messages), `b` (bodies) and `s` (the viewer's own `\\Seen`), never NULL; its values."""


def expressible(key: SearchKey) -> bool:
    """Can `find_uids` answer this key?"""
    return _condition(key, Viewer(0), 0) is not None


def _condition(key: SearchKey, viewer: Viewer, depth: int) -> Condition | None:
    if depth > _DEPTH:
        return None
    match key:
        case And(keys):
            return _joined([_condition(inner, viewer, depth + 1) for inner in keys], " AND ", "1")
        case Or(left, right):
            return _joined([_condition(inner, viewer, depth + 1) for inner in (left, right)], " OR ", "0")
        case Not(inner):
            inverse = _condition(inner, viewer, depth + 1)
            return inverse and (f"NOT {inverse[0]}", inverse[1])
        case HasFlag(flag):
            return _flag(flag, viewer)
        case InUids(numbers):
            if len(numbers.ranges) > _RANGES or numbers.saved:
                return None
            parts: list[Condition | None] = [
                ("(m.uid BETWEEN ? AND ?)", [low, high]) for low, high in numbers.ranges
            ]
            return _joined(parts, " OR ", "0")
        case _:
            return _number(key, viewer) or _moment(key) or _identifier(key)


def _joined(parts: list[Condition | None], word: str, none: str) -> Condition | None:
    if not parts:
        return none, []
    if None in parts:
        return None
    known = [part for part in parts if part is not None]
    return f"({word.join([sql for sql, _ in known])})", [value for _, values in known for value in values]


def _flag(flag: str, viewer: Viewer) -> Condition:
    mask, word = from_flags(frozenset({flag}))
    if mask == SEEN and viewer.shared:
        return "coalesce(s.seen, 0)", []
    if mask:
        return f"(m.flags & {mask} <> 0)", []
    if not word:
        return "0", []  # \Recent, which no message has
    return "(instr(' ' || lower(m.keywords) || ' ', ?) > 0)", [f" {word.lower()} "]


def _number(key: SearchKey, viewer: Viewer) -> Condition | None:
    match key:
        case Larger(octets):
            return "(b.size > ?)", [octets]
        case Smaller(octets):
            return "(b.size < ?)", [octets]
        case ModSeqFrom(modseq):
            return f"({_modseq(viewer)} >= ?)", [modseq]
        case _:
            return None


def _modseq(viewer: Viewer) -> str:
    return "max(m.modseq, coalesce(s.modseq, 0))" if viewer.shared else "m.modseq"


def _moment(key: SearchKey) -> Condition | None:
    match key:
        case ArrivedFrom(moment):
            return "(m.internal_date >= ?)", [moment]
        case ArrivedUntil(moment):
            return "(m.internal_date <= ?)", [moment]
        case SentBetween(low, high):
            return "(b.sent_at IS NOT NULL AND b.sent_at >= ? AND b.sent_at < ?)", [low, high]
        case Arrived(test, day):
            return _day("m.internal_date", test, day)
        case SavedOn(test, day):
            return _day("coalesce(m.save_date, m.internal_date)", test, day)
        case _:
            return None


def _day(column: str, test: DateTest, day: date) -> Condition:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    if test is DateTest.ON:
        return f"({column} >= ? AND {column} < ?)", [start, start + _DAY]
    return f"({column} {_COMPARED[test]})", [start]


def _identifier(key: SearchKey) -> Condition | None:
    match key:
        case HasEmailId(identifier):
            found = _EMAIL_ID.match(identifier)
            return ("(substr(b.digest, 1, 16) = ?)", [bytes.fromhex(found[1])]) if found else ("0", [])
        case HasThreadId(identifier):
            found = _THREAD_ID.match(identifier)
            if not found:
                return "0", []
            number = int(found[1], 16)
            return "(coalesce(m.thread, m.body_id) = ?)", [number - (1 << 64) if number >> 63 else number]
        case _:
            return None


def find_uids(
    db: apsw.Connection,
    folder_id: int,
    viewer: Viewer,
    key: SearchKey,
    among: Sequence[int],
    *,
    span: bool,
) -> list[int]:
    """UIDs ascending for which an `expressible` key holds: of those `among`, with `span` of all from first to last."""
    found = _condition(key, viewer, 0)
    if found is None:
        raise ValueError("the key cannot be said in SQL")
    sql, values = found
    joins = " JOIN bodies AS b ON b.id = m.body_id" if "b." in sql else ""
    if "(s." in sql or " s." in sql:
        joins += (
            " LEFT JOIN member_seen AS s ON s.folder_id = m.folder_id AND s.uid = m.uid AND s.person_id = ?"
        )
        values = [viewer.person_id, folder_id, *values]
    else:
        values = [folder_id, *values]
    if span:
        source = "messages AS m"
        where = f"m.folder_id = ? AND {sql} AND m.uid BETWEEN ? AND ?"
        values = [*values, among[0], among[-1]]
    else:
        source = "json_each(?) AS j CROSS JOIN messages AS m"
        where = f"m.folder_id = ? AND {sql} AND m.uid = j.value"
        values = [uid_list(among), *values]
    row = db.execute(
        f"SELECT json_group_array(uid) FROM (SELECT m.uid FROM {source}{joins} WHERE {where} ORDER BY m.uid)",
        values,
    ).fetchone()
    return list(orjson.loads(row[0])) if row else []


def headers(db: apsw.Connection, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
    """UID and header block of the messages that exist, ascending."""
    keys = key_join(db, "m.body_id")
    header = opened(keys, HEADER, "x.header", OPENED_OR_NULL)
    found = db.execute(
        f"SELECT m.uid, {header}"
        " FROM json_each(?) AS j CROSS JOIN messages AS m ON m.folder_id = ? AND m.uid = j.value"
        f" JOIN body_bytes AS x ON x.id = m.body_id{keys}",
        (uid_list(uids), folder_id),
    )
    return [(uid, b"\r\n" if octets is None else octets) for uid, octets in found]
