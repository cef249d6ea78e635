"""Daily figures, counted once from the lines of the trace and kept when these are purged (AUD-3)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import apsw
import orjson

from mss_gateway.rules.audit import EVENTS, FIGURED, SEEN, figures_of, seen_in

BOXES = "boxes"
"""Prefix of the figures that are the state of the directory now."""


def count(db: apsw.Connection, limit: int) -> int:
    """Count the next lines, in the writer's transaction; returns how many there were."""
    done = counted(db)
    alike: Counter[tuple[Any, ...]] = Counter()
    whose: set[tuple[Any, ...]] = set()
    last = lines = 0
    rows = db.execute(
        "SELECT id, at, event, box_id, detail FROM trace WHERE id > ? ORDER BY id LIMIT ?", (done, limit)
    )
    for line_id, at, event, box_id, text in rows:
        last, lines = int(line_id), lines + 1
        if event not in EVENTS:
            continue
        # Many lines count for the same: what that is, is asked once.
        get, quarter = orjson.loads(text).get, int(at) // 900
        yes = (bool(get("placed")), bool(get("sender_box")))
        alike[quarter, event, get("sender"), get("recipients"), get("door"), get("mechanism"), *yes] += 1
        whose.add((quarter, event, box_id, get("sender_box"), get("marks")))
    if not lines:
        return 0
    figures: Counter[tuple[str, str]] = Counter()
    for (quarter, event, *values), number in alike.items():
        for name in figures_of(event, _detail(FIGURED, values)):
            figures[_day(quarter), name] += number
    seen = {
        (_day(quarter)[:7], kind, who)
        for quarter, event, box_id, *values in whose
        for kind, who in seen_in(event, box_id, _detail(SEEN, values))
    }
    db.executemany(
        "INSERT INTO audit_days VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = value + ?3",
        [(day, name, value) for (day, name), value in figures.items()],
    )
    db.executemany("INSERT OR IGNORE INTO audit_seen VALUES (?, ?, ?)", sorted(seen))
    db.execute(
        "INSERT INTO audit_counted VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET line_id = ?1", (last,)
    )
    return lines


def _detail(names: Iterable[str], values: Iterable[Any]) -> dict[str, str | int]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


@lru_cache(maxsize=1024)
def _day(quarter: int) -> str:
    """The local day of a quarter of an hour: no zone changes within one."""
    return time.strftime("%Y-%m-%d", time.localtime(quarter * 900))


def counted(db: apsw.Connection) -> int:
    """Up to which line figures are counted."""
    row = db.execute("SELECT line_id FROM audit_counted").fetchone()
    return int(row[0]) if row is not None else 0


def of_month(db: apsw.Connection, month: str) -> dict[str, int]:
    """The figures of a month (`2026-10`), with who was active and written to, and the mailboxes as they are now."""
    found = {
        str(name): int(value)
        for name, value in db.execute(
            "SELECT figure, sum(value) FROM audit_days WHERE day GLOB ?1 GROUP BY figure", (f"{month}-*",)
        )
    }
    kinds = {"bal": "active-boxes", "patient": "patients.written-to"}
    for kind, name in kinds.items():
        row = db.execute(
            "SELECT count(*) FROM audit_seen WHERE month = ? AND kind = ?", (month, kind)
        ).fetchone()
        found[name] = int(row[0]) if row is not None else 0
    for box_type, state, number in db.execute("SELECT type, state, count(*) FROM boxes GROUP BY type, state"):
        found[f"{BOXES}.{box_type}.{state}"] = int(number)
    return dict(sorted(found.items()))


def by_day(db: apsw.Connection, month: str) -> dict[str, dict[str, int]]:
    """The figures of each day of a month."""
    days: dict[str, dict[str, int]] = {}
    rows = db.execute(
        "SELECT day, figure, value FROM audit_days WHERE day GLOB ? ORDER BY day, figure", (f"{month}-*",)
    )
    for day, name, value in rows:
        days.setdefault(str(day), {})[str(name)] = int(value)
    return days
