"""Which flags somebody may set in a folder, and whose `\\Seen` a copy carries (RFC 4314 section 4, BAL-3)."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.ports.mailboxes import Folder, Viewer
from mss_gateway.rules.access import permitted

from .activity import is_shared
from .engine import Writer
from .marks import DELETED, SEEN

_OTHERS = ~(SEEN | DELETED)
_FLAG_RIGHTS = frozenset("swt")


def settable(rights: frozenset[str]) -> tuple[int, bool]:
    """The mask of system flags that may be set, and whether keywords may."""
    mask = (SEEN if "s" in rights else 0) | (DELETED if "t" in rights else 0)
    return (mask | _OTHERS, True) if "w" in rights else (mask, False)


def limited(before: frozenset[str], after: frozenset[str], rights: frozenset[str]) -> frozenset[str]:
    """The flags after a change of which only what may be changed happens."""
    if rights >= _FLAG_RIGHTS:
        return after
    return permitted(rights, after) | (before - permitted(rights, before))


def carry_seen(
    writer: Writer,
    viewer: Viewer | None,
    source: Folder,
    target: Folder,
    pairs: Sequence[tuple[int, int]],
    modseq: int,
    rights: frozenset[str],
) -> None:
    """After a copy of (old UID, new UID): `\\Seen` as the one who copies sees it, and everybody's within a box.

    A shared box keeps it by person and an own one with the message: a copy from one to the other must change its place.
    """
    db = writer.db
    from_shared, to_shared = is_shared(db, source.box_id), is_shared(db, target.box_id)
    person_id = 0 if viewer is None else viewer.person_id
    may_see = "s" in rights
    keys = [(target.id, new, modseq, source.id, old) for old, new in pairs]
    if source.box_id == target.box_id:
        if to_shared:
            db.executemany(
                "INSERT INTO member_seen SELECT ?1, ?2, person_id, seen, ?3 FROM member_seen"
                " WHERE folder_id = ?4 AND uid = ?5 AND (?6 OR person_id <> ?7)",
                [(*key, may_see, person_id) for key in keys],
            )
        return
    if not to_shared:
        if from_shared and may_see:
            db.executemany(
                f"UPDATE messages SET flags = (flags & ~{SEEN}) | coalesce((SELECT seen FROM member_seen"
                " WHERE folder_id = ?4 AND uid = ?5 AND person_id = ?6), 0) WHERE folder_id = ?1 AND uid = ?2",
                [(*key, person_id) for key in keys],
            )
        return
    if not may_see:
        return
    which = "member_seen", "person_id = ?6 AND seen"
    if not from_shared:
        which = "messages", f"flags & {SEEN}"
    db.executemany(
        f"INSERT INTO member_seen SELECT ?1, ?2, ?6, {SEEN}, ?3 FROM {which[0]}"
        f" WHERE folder_id = ?4 AND uid = ?5 AND {which[1]}",
        [(*key, person_id) for key in keys],
    )
