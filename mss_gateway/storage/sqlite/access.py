"""Rights by folder and person, and each person's subscriptions (RFC 4314, BAL-3)."""

from __future__ import annotations

import apsw

from mss_gateway.ports.access import Access, Grantee, LastAdministrator
from mss_gateway.ports.mailboxes import Folder, Viewer
from mss_gateway.ports.tree import TreeAct, TreeEvent
from mss_gateway.rules.access import ALL, Standing, effective, standing_of, stored
from mss_gateway.rules.facts import BoxType

from .engine import Writer
from .folders import folder_of

# A shared box is answered for by the person whose national id it names, when that person is a member (BAL-3).
_RESPONSIBLE = "(b.responsible <> '' AND b.responsible = p.national_id)"


def access(db: apsw.Connection, box_id: int, person_id: int, members: frozenset[str]) -> Access | None:
    """What a person may do in a box; person 0 is an APP box's software. `members` is for whom nothing was set."""
    if not person_id:
        return Access(ALL)
    row = db.execute(
        f"SELECT b.type, m.role, {_RESPONSIBLE} FROM members AS m JOIN boxes AS b ON b.id = m.box_id"
        " JOIN persons AS p ON p.id = m.person_id WHERE m.box_id = ? AND m.person_id = ?",
        (box_id, person_id),
    ).fetchone()
    if row is None:
        return None
    granted = db.execute(
        "SELECT r.folder_id, r.rights FROM folder_rights AS r JOIN folders AS f ON f.id = r.folder_id"
        " WHERE r.person_id = ? AND f.box_id = ?",
        (person_id, box_id),
    )
    standing = _standing(*row)
    return Access(
        effective(standing, None, members),
        {folder: effective(standing, letters, members) for folder, letters in granted},
    )


def rights_in(writer: Writer, folder: Folder, viewer: Viewer | None) -> frozenset[str]:
    """The rights that hold for a viewer at this commit; without one the gateway itself acts.

    Whether somebody without a tie to the box comes here at all is the door's question.
    """
    if viewer is None or not viewer.person_id:
        return ALL
    row = writer.db.execute(
        f"SELECT b.type, m.role, {_RESPONSIBLE}, r.rights FROM members AS m JOIN boxes AS b ON b.id = m.box_id"
        " JOIN persons AS p ON p.id = m.person_id LEFT JOIN folder_rights AS r ON r.folder_id = ?1"
        " AND r.person_id = m.person_id WHERE m.box_id = ?2 AND m.person_id = ?3",
        (folder.id, folder.box_id, viewer.person_id),
    ).fetchone()
    return ALL if row is None else effective(_standing(*row[:3]), row[3], writer.options.member_rights)


def _standing(box: str, role: str, responsible: int) -> Standing:
    return standing_of(BoxType(box), role, responsible=bool(responsible))


def grantees(db: apsw.Connection, folder_id: int, members: frozenset[str]) -> list[Grantee]:
    """The people of the folder's box with their rights in it, by login."""
    folder = folder_of(db, folder_id)
    rows = db.execute(
        f"SELECT p.id, p.login, p.name, b.type, m.role, {_RESPONSIBLE}, r.rights,"
        " (SELECT min(o.address) FROM boxes AS o JOIN members AS h ON h.box_id = o.id AND h.role = 'holder'"
        " WHERE h.person_id = p.id AND o.type IN ('PER', 'PAT'))"
        " FROM members AS m JOIN boxes AS b ON b.id = m.box_id JOIN persons AS p ON p.id = m.person_id"
        " LEFT JOIN folder_rights AS r ON r.folder_id = ?1 AND r.person_id = p.id"
        " WHERE m.box_id = ?2 ORDER BY p.login_key",
        (folder_id, folder.box_id),
    )
    found = []
    for person, login, name, box, role, responsible, rights, address in rows:
        standing = _standing(box, role, responsible)
        found.append(
            Grantee(person, login, name, address or "", standing, effective(standing, rights, members))
        )
    return found


def grant(writer: Writer, folder_id: int, person_id: int, rights: frozenset[str]) -> None:
    """Set somebody's rights; raises `LastAdministrator` when nobody would be left who may set any."""
    writer.db.execute(
        "INSERT INTO folder_rights VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET rights = ?3",
        (folder_id, person_id, stored(rights)),
    )
    people = grantees(writer.db, folder_id, writer.options.member_rights)
    if not any("a" in one.rights for one in people):
        raise LastAdministrator
    writer.directory_changed = True
    # Sessions that only listen hear of it as of a change in the folder.
    row = writer.db.execute("SELECT highest_modseq FROM folders WHERE id = ?", (folder_id,)).fetchone()
    writer.changed[folder_id] = row[0] if row is not None else 0
    writer.tree.append(TreeEvent(folder_of(writer.db, folder_id).box_id, TreeAct.RIGHTS, folder_id))


def subscriptions(db: apsw.Connection, box_id: int, person_id: int) -> dict[str, bool]:
    """What the person has said, by name."""
    rows = db.execute(
        "SELECT name, wanted FROM subscriptions WHERE box_id = ? AND person_id = ?", (box_id, person_id)
    )
    return {name: bool(wanted) for name, wanted in rows}


def set_subscription(writer: Writer, box_id: int, person_id: int, name: str, on: bool) -> None:
    """Keep what the person says; that a name without a folder is not wanted needs no row."""
    writer.tree.append(TreeEvent(box_id, TreeAct.SUBSCRIPTION, name=name, person_id=person_id))
    row = writer.db.execute("SELECT 1 FROM folders WHERE box_id = ? AND name = ?", (box_id, name)).fetchone()
    if on or row is not None:
        writer.db.execute(
            "INSERT INTO subscriptions VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET wanted = ?4",
            (box_id, person_id, name, on),
        )
        return
    writer.db.execute(
        "DELETE FROM subscriptions WHERE box_id = ? AND person_id = ? AND name = ?", (box_id, person_id, name)
    )
