"""Persons in the hands of ops, structures, delegations, last logins (BAL-2, BAL-3, BAL-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import apsw
import orjson

from mss_gateway.ports.people import Delegation, LastSeen, PersonChoices, StateChange, Structure
from mss_gateway.ports.records import BoxRow, Person, TraceLine
from mss_gateway.ports.store import AlreadyExists, StoreError

from .audit_chain import COLUMNS
from .directory import PERSON_COLUMNS, box_by_id, person_by_login, persons, read_person, set_box_state
from .engine import Writer
from .messages import uid_list
from .store_login import put_keys
from .trace import insert_trace, trace_lines
from .trace_index import of_box

_HOUR = 3600.0


def persons_by_national_id(db: apsw.Connection, national_id: str) -> list[Person]:
    """Persons of a national id, by id."""
    if not national_id:
        return []
    rows = db.execute(
        f"SELECT {PERSON_COLUMNS} FROM persons WHERE national_id = ? AND national_id <> '' ORDER BY id",
        (national_id,),
    )
    return [read_person(row) for row in rows]


def all_persons(db: apsw.Connection, after: str, limit: int) -> list[Person]:
    """Professionals by login; patients and their carers are no business of this list."""
    rows = db.execute(
        f"SELECT {PERSON_COLUMNS} FROM persons AS p WHERE login_key > ? AND NOT EXISTS (SELECT 1 FROM members AS m"
        " JOIN boxes AS b ON b.id = m.box_id WHERE m.person_id = p.id AND b.type = 'PAT')"
        " ORDER BY login_key LIMIT ?",
        (after.lower(), limit),
    )
    return [read_person(row) for row in rows]


def set_person(
    writer: Writer, person_id: int, choices: PersonChoices, states: Sequence[StateChange], at: float
) -> Person:
    """Change a person, and boxes with them; raises `AlreadyExists`."""
    chosen = {name: value for name, value in asdict(choices).items() if value is not None}
    if choices.login is not None:
        other = person_by_login(writer.db, choices.login)
        if other is not None and other.id != person_id:
            raise AlreadyExists("there is a person of that login already")
        chosen["login_key"] = choices.login.lower()
        # Their salt is the old login's: the next login with the password makes new ones.
        put_keys(writer.db, person_id, "")
    if chosen:
        columns = ", ".join(f"{name} = ?" for name in chosen)
        writer.db.execute(f"UPDATE persons SET {columns} WHERE id = ?", (*chosen.values(), person_id))
    for change in states:
        set_box_state(writer, change.box_id, change.state, change.reason, at)
        insert_trace(writer.db, [change.trace])
    writer.directory_changed = True
    found = persons(writer.db, [person_id])
    if not found:
        raise StoreError("there is nobody of that number")
    return found[0]


def note_login(db: apsw.Connection, person_id: int, box_id: int, at: float) -> None:
    """Write down a login unless one of the same hour is there."""
    db.execute(
        "INSERT INTO logins VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = ?3 WHERE at < ?4",
        (person_id, box_id, at, at - _HOUR),
    )


def last_logins(db: apsw.Connection, person_ids: Sequence[int]) -> dict[int, float]:
    """The last login by person."""
    rows = db.execute(
        "SELECT person_id, max(at) FROM logins WHERE person_id IN (SELECT value FROM json_each(?)) GROUP BY 1",
        (uid_list(person_ids),),
    )
    return {int(row[0]): float(row[1]) for row in rows}


def last_seen(db: apsw.Connection, box_ids: Sequence[int]) -> list[LastSeen]:
    """When boxes were last used: a seek for each folder's newest message, none through all of them."""
    rows = db.execute(
        "SELECT b.id,"
        " coalesce((SELECT max(l.at) FROM members AS m JOIN logins AS l ON l.person_id = m.person_id"
        " WHERE m.box_id = b.id), 0),"
        " coalesce((SELECT l.at FROM logins AS l WHERE l.person_id = 0 AND l.box_id = b.id), 0),"
        " coalesce((SELECT max((SELECT coalesce(i.save_date, i.internal_date) FROM messages AS i"
        " WHERE i.folder_id = f.id ORDER BY i.uid DESC LIMIT 1)) FROM folders AS f WHERE f.box_id = b.id), 0)"
        " FROM boxes AS b WHERE b.id IN (SELECT value FROM json_each(?)) ORDER BY b.id",
        (uid_list(box_ids),),
    )
    return [LastSeen(box, max(people, software), mail) for box, people, software, mail in rows]


def structure(db: apsw.Connection, structure_id: str) -> Structure | None:
    """The structure of an id."""
    row = db.execute("SELECT * FROM structures WHERE id = ?", (structure_id,)).fetchone()
    return Structure(*row) if row else None


def structures(db: apsw.Connection, after: str, limit: int) -> list[Structure]:
    """Structures by id."""
    rows = db.execute("SELECT * FROM structures WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    return [Structure(*row) for row in rows]


def put_structure(writer: Writer, row: Structure, *, new: bool) -> Structure:
    """Register or change a structure; raises `AlreadyExists`."""
    if new and structure(writer.db, row.id) is not None:
        raise AlreadyExists("there is a structure of that id already")
    writer.db.execute(
        "INSERT OR REPLACE INTO structures (id, type, name, address, city) VALUES (?, ?, ?, ?, ?)",
        (row.id, row.type, row.name, row.address, row.city),
    )
    return row


def boxes_naming(db: apsw.Connection, column: str, value: str, limit: int) -> list[BoxRow]:
    """Boxes whose `structure` or `responsible` is this."""
    if not value:
        return []
    found = db.execute(
        f"SELECT id FROM boxes WHERE {column} = ? AND {column} <> '' ORDER BY address_key LIMIT ?",
        (value, limit),
    )
    rows = [box_by_id(db, int(str(row[0]))) for row in found.fetchall()]
    return [row for row in rows if row is not None]


def known_people(db: apsw.Connection, national_ids: Sequence[str]) -> dict[str, bool]:
    """Which national ids a person has; True when one of them is not disabled."""
    rows = db.execute(
        "SELECT national_id, min(disabled) FROM persons WHERE national_id <> ''"
        " AND national_id IN (SELECT value FROM json_each(?)) GROUP BY 1",
        (orjson.dumps(list(national_ids)).decode(),),
    )
    return {row[0]: not row[1] for row in rows}


def delegate(writer: Writer, row: Delegation) -> None:
    """Let a person write from a box, or change until when."""
    values = (
        row.box_id,
        row.person_id,
        row.begins,
        row.ends,
        row.reason,
        row.granted_by,
        row.granted_at,
    )
    writer.db.execute("INSERT OR REPLACE INTO delegations VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    writer.directory_changed = True


def end_delegation(writer: Writer, box_id: int, person_id: int) -> bool:
    """Take the right away; False when there was none."""
    writer.db.execute("DELETE FROM delegations WHERE box_id = ? AND person_id = ?", (box_id, person_id))
    if not writer.db.changes():
        return False
    writer.directory_changed = True
    return True


def delegations(db: apsw.Connection, person_id: int | None, box_id: int | None) -> list[Delegation]:
    """Delegations of a person or of a box."""
    column, value = ("person_id", person_id) if person_id is not None else ("box_id", box_id)
    rows = db.execute(f"SELECT * FROM delegations WHERE {column} = ? ORDER BY box_id, person_id", (value,))
    return [Delegation(*row) for row in rows]


def box_history(db: apsw.Connection, box_id: int, events: Sequence[str], limit: int) -> list[TraceLine]:
    """The latest lines of a box with one of these events, oldest first."""
    wanted = "t.event IN (SELECT value FROM json_each(?4))"
    rows = of_box(db, box_id, COLUMNS, limit, wanted, orjson.dumps(list(events)).decode())
    return trace_lines(rows[::-1])
