"""The whole store examined while it serves: bodies, rows, database, segment files, indexes (OPS-5)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .backup import Report
from .backup_options import Task
from .backup_pace import Pace
from .encryption import open_cipher
from .engine import connect
from .glance import note_verified
from .segments import Segments
from .verify_bodies import verify_bodies
from .verify_index import verify_indexes
from .verify_rows import verify_pages, verify_rows, verify_segments


def verify_store(task: Task, report: Report) -> dict[str, Any]:
    """Every finding with its row and its next step; with the argument `quick` no body is read.

    Raises apsw.Error when the database cannot be read at all, `StoreError` without the right key.
    """
    options, arguments = task.options, dict(task.arguments)
    quick = bool(arguments.get("quick"))
    pace = Pace(int(arguments.get("rate") or options.rate))
    started = time.monotonic()
    store = task.place.store
    path = store.path
    db = connect(path / "store.db", store)
    segments = Segments(path / "segments", store.segment_limit, store.adopt_from)
    try:
        db.execute("PRAGMA query_only = ON")
        # Reading only: a key that is new in the ring is written down by the gateway, at its next start.
        keys = None if store.encryption is None else replace(store.encryption, seals=False)
        db.use(open_cipher(db, keys, path))
        findings = verify_pages(db, pace, report, quick=quick)
        findings += verify_rows(db, pace, report)
        findings += verify_segments(db, segments)
        findings += verify_indexes(db, path / "index", report)
        bodies = octets = 0
        if not quick:
            bodies, octets, damaged = verify_bodies(db, segments, pace, report)
            findings += damaged
    finally:
        segments.close()
        db.close()
    note_verified(path, len(findings), quick=quick)
    return {
        "whole": not findings,
        "findings": [one._asdict() for one in findings],
        "bodies": bodies,
        "octets": octets,
        "seconds": round(time.monotonic() - started, 3),
    }
