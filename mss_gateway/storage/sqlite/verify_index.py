"""Full-text indexes against the store: whether they hold what the folders hold."""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from .backup import Report
from .index_file import SHAPE, Known
from .verify_bodies import Finding

_LATER = 0.3  # seconds until the second look
_STEP = "stop the gateway, remove the file, start: it is made anew in the background with the next search"


def verify_indexes(db: apsw.Connection, folder: Path, report: Report) -> list[Finding]:
    """Each index there is; one that is just being made is passed over, and one that lags behind is no finding."""
    findings: list[Finding] = []
    paths = sorted(path for path in folder.glob("*.db") if path.stem.isdecimal())
    for number, path in enumerate(paths):
        what = _fault(db, path)
        if what:
            time.sleep(_LATER)
            what = _fault(db, path)
        if what:
            findings.append(Finding("index", f"index of BAL number {path.stem}", what, _STEP))
        report("indexes", number + 1, len(paths))
    return findings


def _fault(db: apsw.Connection, path: Path) -> str:
    try:
        index = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error:
        return "" if not path.exists() else "it cannot be opened"
    try:
        index.set_busy_timeout(10_000)
        if index.pragma("user_version") != SHAPE:
            return ""
        if [row[0] for row in index.execute("PRAGMA quick_check(1)")] != ["ok"]:
            return "the file is damaged"
        for folder_id, decided, modseq in list(index.execute("SELECT id, decided, modseq FROM folders")):
            if _differs(db, index, folder_id, Known(decided, modseq)):
                return "it does not hold the messages that the store holds"
    except apsw.Error as error:
        return f"it cannot be read ({type(error).__name__})"
    finally:
        index.close()
    return ""


def _differs(db: apsw.Connection, index: apsw.Connection, folder_id: int, known: Known) -> bool:
    row = db.execute(
        "SELECT f.highest_modseq, (SELECT count(*) FROM messages AS m WHERE m.folder_id = f.id AND m.uid <= ?2)"
        " FROM folders AS f WHERE f.id = ?1",
        (folder_id, known.decided),
    ).fetchone()
    if row is None or row[0] != known.modseq:
        return False
    there = index.execute(
        "SELECT count(*) FROM places WHERE folder_id = ? AND uid <= ?", (folder_id, known.decided)
    ).get
    return bool(there != row[1])
