"""Whether the rows of the store agree with each other: counters, references, what is owed."""

from __future__ import annotations

import time
from typing import NamedTuple

import apsw

from .backup import Report, segment_path
from .backup_pace import Pace
from .segments import Segments
from .texts import stored_size
from .trace_index import MISSED_LINES, WRONG_ENTRIES
from .verify_bodies import Finding

COUNTED_REFERENCES = ("messages", "outbox", "removed")
"""Tables whose rows are counted in `bodies.refs`."""

SHOWN = 50
"""Rows that one check names at most."""

_LATER = 0.3  # seconds until the second look
_REPORT = "report it with this answer; the mail itself is not touched by it"
_RESTORE = "stop the gateway and restore the newest backup in which `verify --backup` finds nothing"


class Check(NamedTuple):
    """A question to the database: each row of its answer names something wrong. No row may name a patient."""

    name: str
    sql: str
    what: str
    next_step: str = _REPORT


_USED = " UNION ALL ".join(f"SELECT body_id FROM {table}" for table in COUNTED_REFERENCES)


def _dangling(table: str, row: str, column: str, target: str, where: str = "1") -> str:
    return (
        f"SELECT {row} FROM {table} AS x WHERE {where}"
        f" AND NOT EXISTS (SELECT 1 FROM {target} AS t WHERE t.id = x.{column})"
    )


_MESSAGE = "'folder ' || x.folder_id || ' UID ' || x.uid"
_BODY = "'body ' || x.body_id"

CHECKS = (
    Check(
        "folder-counters",
        "SELECT 'folder ' || f.id FROM folders AS f LEFT JOIN (SELECT m.folder_id, count(*) AS messages,"
        " sum(b.size) AS octets, max(m.uid) AS uid, max(m.modseq) AS modseq FROM messages AS m"
        " LEFT JOIN bodies AS b ON b.id = m.body_id GROUP BY m.folder_id) AS s ON s.folder_id = f.id"
        " WHERE f.messages <> coalesce(s.messages, 0) OR f.octets <> coalesce(s.octets, 0)"
        " OR f.uid_next <= coalesce(s.uid, 0) OR f.highest_modseq < coalesce(s.modseq, 0)",
        "the folder's counters are not those of its messages",
    ),
    Check(
        "uid-validity",
        "SELECT 'folder ' || id FROM folders GROUP BY box_id, uid_validity HAVING count(*) > 1",
        "two folders of a mailbox have one UIDVALIDITY",
    ),
    Check(
        "message-body",
        _dangling("messages", _MESSAGE, "body_id", "bodies"),
        "the message has no body",
        "restore a backup to another folder and bring the message over with `mailbox export`",
    ),
    Check(
        "message-folder", _dangling("messages", _MESSAGE, "folder_id", "folders"), "the folder is not there"
    ),
    Check(
        "body-octets",
        "SELECT 'body ' || x.id FROM bodies AS x WHERE NOT EXISTS (SELECT 1 FROM body_bytes AS t WHERE t.id = x.id)"
        " UNION ALL SELECT 'octets ' || x.id FROM body_bytes AS x"
        " WHERE NOT EXISTS (SELECT 1 FROM bodies AS t WHERE t.id = x.id)",
        "a body and its octets do not belong together",
    ),
    Check(
        "body-references",
        f"SELECT 'body ' || b.id FROM bodies AS b LEFT JOIN (SELECT body_id, count(*) AS count FROM ({_USED})"
        " GROUP BY body_id) AS u ON u.body_id = b.id WHERE b.refs <> coalesce(u.count, 0)",
        "the body is counted as used more or less often than it is",
    ),
    Check(
        "body-segment",
        _dangling("bodies", "'body ' || x.id", "segment", "segments", "x.segment IS NOT NULL"),
        "the segment of the body is not there",
        _RESTORE,
    ),
    Check(
        "queue-body",
        _dangling("outbox", "'queue row ' || x.id", "body_id", "bodies"),
        "the queue has a row whose message is not there",
        "end it with `queue cancel`; its sender hears of it",
    ),
    Check(
        "queue-due",
        "SELECT 'domain ' || d.domain FROM destinations AS d LEFT JOIN (SELECT domain, min(next_attempt) AS due"
        " FROM outbox WHERE state <> 'held' GROUP BY domain) AS o ON o.domain = d.domain WHERE d.due IS NOT o.due",
        "what is written down as due for the domain is not what is due",
        "`queue retry --domain` brings its rows up; report it",
    ),
    Check(
        "seen-message",
        "SELECT 'folder ' || x.folder_id || ' UID ' || x.uid FROM member_seen AS x WHERE NOT EXISTS"
        " (SELECT 1 FROM messages AS t WHERE t.folder_id = x.folder_id AND t.uid = x.uid)",
        "somebody has read a message that is not there",
    ),
    Check(
        "seen-person",
        _dangling("member_seen", _MESSAGE, "person_id", "persons", "x.person_id <> 0"),
        "somebody has read the message who is not there",
    ),
    Check(
        "receipt-body",
        _dangling(
            "receipts", "'receipt ' || x.id", "body_id", "bodies", "x.state IN ('due', 'restored-due')"
        ),
        "a receipt is due for a message that is not there",
    ),
    Check(
        "removed-body",
        _dangling("removed", "'removed ' || x.id", "body_id", "bodies"),
        "a message that can be brought back has no body",
    ),
    Check(
        "key-body",
        _dangling("body_keys", _BODY, "body_id", "bodies"),
        "a key is kept for a body that is not there",
    ),
    Check(
        "exchange-body", _dangling("exchanges", _BODY, "body_id", "bodies"), "an exchange names no message"
    ),
    Check(
        "rights-folder",
        _dangling("folder_rights", "'folder ' || x.folder_id", "folder_id", "folders"),
        "rights are set in a folder that is not there",
    ),
    Check(
        "annotation-folder",
        _dangling("annotations", "'folder ' || x.folder_id", "folder_id", "folders", "x.folder_id <> 0"),
        "an annotation belongs to a folder that is not there",
    ),
    Check(
        "trace-entry",
        WRONG_ENTRIES,
        "the trace would be searched for a line that is not there, or is another one",
    ),
    Check(
        "trace-line",
        MISSED_LINES,
        "the line of the trace is not found by its message, its transaction or its mailbox",
    ),
    Check("activity-body", _dangling("activity", _BODY, "body_id", "bodies"), "an act concerns no message"),
)
"""Everything that is asked of the database."""


def verify_rows(db: apsw.Connection, pace: Pace, report: Report) -> list[Finding]:
    """Ask every check; what is found is asked for once more, in another snapshot."""
    findings: list[Finding] = []
    for number, check in enumerate(CHECKS):
        rows = _answer(db, check.sql)
        if rows:
            time.sleep(_LATER)
            rows &= _answer(db, check.sql)
        findings += shown(check, sorted(rows))
        report("rows", number + 1, len(CHECKS))
        pace.rest(0)
    for row in db.execute("PRAGMA foreign_key_check"):
        findings.append(
            Finding("foreign-key", f"{row[0]} row {row[1]}", f"leads to no row of {row[2]}", _REPORT)
        )
    return findings


def _answer(db: apsw.Connection, sql: str) -> set[str]:
    return {row[0] for row in db.execute(sql)}


def shown(check: Check, rows: list[str]) -> list[Finding]:
    """The first rows, and one line for the others."""
    found = [Finding(check.name, row, check.what, check.next_step) for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        found.append(Finding(check.name, f"and {len(rows) - SHOWN} more", check.what, check.next_step))
    return found


def verify_pages(db: apsw.Connection, pace: Pace, report: Report, *, quick: bool) -> list[Finding]:
    """SQLite's own check, table by table, so that no snapshot lasts long."""
    tables = [
        row[0]
        for row in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    findings: list[Finding] = []
    pragma = "quick_check" if quick else "integrity_check"
    for number, table in enumerate(sorted(tables)):
        try:
            said = [row[0] for row in db.execute(f"PRAGMA {pragma}('{table}')")]
        except apsw.Error as error:
            said = [type(error).__name__]
        if said != ["ok"]:
            what = f"the database file is damaged ({len(said)} places)"
            findings.append(Finding("database", f"table {table}", what, _RESTORE))
        report("database", number + 1, len(tables))
        pace.rest(0)
    return findings


def verify_segments(db: apsw.Connection, segments: Segments) -> list[Finding]:
    """Files against rows: lengths, live octets, files that nobody names."""
    findings = _segment_faults(db, segments)
    if findings:
        time.sleep(_LATER)
        again = set(_segment_faults(db, segments))
        findings = [one for one in findings if one in again]
    return findings


def _segment_faults(db: apsw.Connection, segments: Segments) -> list[Finding]:
    db.execute("BEGIN")
    try:
        rows = list(db.execute("SELECT id, octets, live FROM segments"))
        live = dict.fromkeys((number for number, _, _ in rows), 0)
        ends = dict(live)
        for segment, start, size, sealed in db.execute(
            "SELECT b.segment, b.segment_offset, b.size - b.header_size, k.body_id IS NOT NULL FROM bodies AS b"
            " LEFT JOIN body_keys AS k ON k.body_id = b.id WHERE b.segment IS NOT NULL"
        ):
            stored = stored_size(size, sealed=bool(sealed))
            live[segment] = live.get(segment, 0) + stored
            ends[segment] = max(ends.get(segment, 0), start + stored)
    finally:
        db.execute("ROLLBACK")
    found: list[Finding] = []
    folder = segments.path(0).parent
    for number, octets, counted in rows:
        name = f"segment {number}"
        path = segment_path(folder, number)
        if not path.exists():
            found.append(Finding("segment-file", name, "its file is missing", _RESTORE))
        elif path.stat().st_size < octets:
            found.append(Finding("segment-file", name, "its file is shorter than what was written", _RESTORE))
        if counted != live[number]:
            found.append(
                Finding("segment-live", name, "its live octets are not those of its bodies", _REPORT)
            )
        if ends[number] > octets:
            found.append(Finding("segment-end", name, "a body lies behind its end", _RESTORE))
    named = {segment_path(folder, number).name for number, _, _ in rows}
    for path in sorted(folder.glob("*.seg")):
        if path.name not in named:
            step = "nothing: the next start removes it"
            found.append(Finding("orphan-file", path.name, "a file that no row names", step))
    return found
