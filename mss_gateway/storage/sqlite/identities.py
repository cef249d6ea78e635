"""The registry of patient identities (INS-5)."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from mss_gateway.ports.records import Identity
from mss_gateway.rules.facts import IdentityStatus

_COLUMNS = "ins, oid, family, given, sex, born, place, status, source, updated_at"
_PUT = (
    f"INSERT INTO identities ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    " ON CONFLICT (ins) DO UPDATE SET oid = ?2, family = ?3, given = ?4, sex = ?5, born = ?6, place = ?7,"
    " status = ?8, source = ?9, updated_at = ?10"
    " WHERE (oid, family, given, sex, born, place, status) <> (?2, ?3, ?4, ?5, ?6, ?7, ?8)"
)


def identity(db: apsw.Connection, ins: str) -> Identity | None:
    """The identity of an INS of 15 characters in upper case."""
    row = db.execute(f"SELECT {_COLUMNS} FROM identities WHERE ins = ?", (ins,)).fetchone()
    return _identity(row) if row else None


def put_identities(db: apsw.Connection, rows: Sequence[Identity], at: float) -> int:
    """Write the rows, `at` in epoch seconds; return how many were new or other than what was known."""
    before = db.total_changes()
    db.executemany(
        _PUT,
        [
            (
                row.ins,
                row.oid,
                row.family,
                row.given,
                row.sex,
                row.born,
                row.place,
                row.status.value,
                row.source,
                at,
            )
            for row in rows
        ],
    )
    return db.total_changes() - before


def identities(db: apsw.Connection, limit: int, status: IdentityStatus | None) -> list[Identity]:
    """Identities by INS, of one status when given."""
    where, values = ("", ()) if status is None else (" WHERE status = ?", (status.value,))
    rows = db.execute(f"SELECT {_COLUMNS} FROM identities{where} ORDER BY ins LIMIT ?", (*values, limit))
    return [_identity(row) for row in rows]


def count_identities(db: apsw.Connection) -> dict[IdentityStatus, int]:
    """How many there are of each status; read from the index alone."""
    rows = db.execute("SELECT status, count(*) FROM identities GROUP BY status ORDER BY status")
    return {IdentityStatus(status): count for status, count in rows}


def _identity(row: tuple[str, str, str, str, str, str, str, str, str, float]) -> Identity:
    ins, oid, family, given, sex, born, place, status, source, updated_at = row
    return Identity(ins, oid, family, given, sex, born, place, IdentityStatus(status), source, updated_at)
