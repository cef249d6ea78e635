"""Annotations of folders and of the server (RFC 5464), by owner and name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

from mss_gateway.ports.annotations import PRIVATE, SERVER, TooManyAnnotations

from .engine import Writer, one
from .folders import folder_of

EVERYBODY = 0


def _owner(name: str, person_id: int) -> int:
    return person_id if name.startswith(PRIVATE) else EVERYBODY


def _is_within(name: str, top: str, depth: int | None) -> bool:
    return depth is None or name.count("/", len(top)) <= depth


def annotated(
    db: apsw.Connection, folder_id: int, person_id: int, names: Sequence[str], depth: int | None
) -> dict[str, bytes]:
    """Values by name, of what was named and of what lies below it."""
    found: dict[str, bytes] = {}
    for top in names:
        # A name of one level, `/private`, has its owner too.
        owner = _owner(f"{top}/", person_id)
        key = (folder_id, owner, top)
        row = db.execute(
            "SELECT value FROM annotations WHERE folder_id = ? AND owner = ? AND name = ?", key
        ).fetchone()
        if row is not None:
            found[top] = bytes(row[0])
        if depth == 0:
            continue
        below = db.execute(
            "SELECT name, value FROM annotations WHERE folder_id = ?1 AND owner = ?2"
            " AND name > ?3 || '/' AND name < ?3 || '0' ORDER BY name",  # the octet after `/`
            key,
        )
        for name, value in below:
            if _is_within(name, top, depth):
                found[name] = bytes(value)
    return found


def annotate(
    writer: Writer, folder_id: int, person_id: int, changes: Mapping[str, bytes | None], most: int
) -> frozenset[str]:
    """Set and remove; what exceeds `most` for one owner undoes everything."""
    db = writer.db
    if folder_id != SERVER:
        folder_of(db, folder_id)
    before = annotated(db, folder_id, person_id, list(changes), 0)
    changed = {name: value for name, value in changes.items() if before.get(name) != value}
    for name, value in changed.items():
        key = (folder_id, _owner(name, person_id), name)
        if value is None:
            db.execute("DELETE FROM annotations WHERE folder_id = ? AND owner = ? AND name = ?", key)
        else:
            db.execute("INSERT OR REPLACE INTO annotations VALUES (?, ?, ?, ?)", (*key, value))
    grown = {
        _owner(name, person_id) for name, value in changed.items() if value is not None and name not in before
    }
    for owner in grown:
        count = one(
            db.execute(
                "SELECT count(*) FROM annotations WHERE folder_id = ? AND owner = ?", (folder_id, owner)
            )
        )
        if count > most:
            raise TooManyAnnotations
    return frozenset(changed)


def copy_annotations(writer: Writer, folder_id: int, target_id: int) -> None:
    """INBOX keeps its annotations when it is renamed, and its new folder has them too (RFC 5464 section 4.1)."""
    writer.db.execute(
        "INSERT INTO annotations SELECT ?, owner, name, value FROM annotations WHERE folder_id = ?",
        (target_id, folder_id),
    )
