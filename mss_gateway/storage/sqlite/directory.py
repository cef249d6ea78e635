"""Boxes, persons, memberships, certificates."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict

import apsw

from mss_gateway.mail.address import parse_address
from mss_gateway.ports.records import BoxChoices, BoxRow, Membership, NewBox, Person
from mss_gateway.ports.store import AlreadyExists, StoreError
from mss_gateway.ports.tree import TreeAct, TreeEvent
from mss_gateway.rules.facts import BoxState, BoxType

from .engine import Writer
from .folders import delete_folder, list_folders, provision
from .messages import uid_list
from .removed import forget_removed, set_aside
from .store_login import put_keys, split_record

_BOX = (
    "id, address, type, state, display, structure, responsible, patient_initiated, fin, password_login,"
    " created_at, state_reason, state_at, auto_close, exchange_folder, server_mdn, alert_address,"
    " quota_bytes, quota_messages"
)
PERSON_COLUMNS = "id, login, name, national_id, password_hash, disabled"
"""What `read_person` reads."""


def _box(row: tuple[object, ...]) -> BoxRow:
    box = BoxRow(*row)  # type: ignore[arg-type]
    return BoxRow(
        id=box.id,
        address=box.address,
        type=BoxType(box.type),
        state=BoxState(box.state),
        display=box.display,
        structure=box.structure,
        responsible=box.responsible,
        patient_initiated=bool(box.patient_initiated),
        fin=box.fin,
        password_login=bool(box.password_login),
        created_at=box.created_at,
        state_reason=box.state_reason,
        state_at=box.state_at,
        auto_close=box.auto_close,
        exchange_folder=bool(box.exchange_folder),
        server_mdn=bool(box.server_mdn),
        alert_address=box.alert_address,
        quota_bytes=box.quota_bytes,
        quota_messages=box.quota_messages,
    )


def box_by_key(db: apsw.Connection, key: str) -> BoxRow | None:
    """The box of an address key."""
    row = db.execute(f"SELECT {_BOX} FROM boxes WHERE address_key = ?", (key,)).fetchone()
    return _box(row) if row else None


def box_by_id(db: apsw.Connection, box_id: int) -> BoxRow | None:
    """The box of an id."""
    row = db.execute(f"SELECT {_BOX} FROM boxes WHERE id = ?", (box_id,)).fetchone()
    return _box(row) if row else None


def boxes(db: apsw.Connection, types: Sequence[str] | None, limit: int) -> list[BoxRow]:
    """Boxes by address."""
    if types is None:
        rows = db.execute(f"SELECT {_BOX} FROM boxes ORDER BY address_key LIMIT ?", (limit,))
    else:
        marks = ", ".join("?" * len(types))
        rows = db.execute(
            f"SELECT {_BOX} FROM boxes WHERE type IN ({marks}) ORDER BY address_key LIMIT ?", (*types, limit)
        )
    return [_box(row) for row in rows]


def boxes_above(db: apsw.Connection, key: str, limit: int) -> list[BoxRow]:
    """Professionals' boxes by address key, those after one."""
    rows = db.execute(
        f"SELECT {_BOX} FROM boxes WHERE address_key > ? AND type <> 'PAT' ORDER BY address_key LIMIT ?",
        (key, limit),
    )
    return [_box(row) for row in rows]


def boxes_of_certificate(db: apsw.Connection, dn_key: str) -> list[BoxRow]:
    """The boxes that a certificate may use."""
    rows = db.execute(
        f"SELECT {_BOX} FROM boxes WHERE id IN (SELECT box_id FROM certificates WHERE dn_key = ?) ORDER BY id",
        (dn_key,),
    )
    return [_box(row) for row in rows]


def add_box(writer: Writer, box: NewBox) -> BoxRow:
    """Provision a box with its folders; raises `AlreadyExists`."""
    key = parse_address(box.address).key
    if box_by_key(writer.db, key) is not None:
        raise AlreadyExists("there is a mailbox of that address already")
    writer.db.execute(
        "INSERT INTO boxes (address, address_key, type, state, display, structure, responsible, patient_initiated,"
        " fin, password_login, created_at, state_at, state_reason, auto_close, exchange_folder, server_mdn,"
        " alert_address) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, '', ?12, ?13, ?14, ?15)",
        (
            box.address,
            key,
            box.type.value,
            box.state.value,
            box.display,
            box.structure,
            box.responsible,
            box.patient_initiated,
            box.fin,
            box.password_login,
            time.time(),
            box.auto_close,
            box.exchange_folder,
            box.server_mdn,
            box.alert_address,
        ),
    )
    box_id = writer.db.last_insert_rowid()
    provision(writer, box_id)
    writer.directory_changed = True
    return _there(box_by_id(writer.db, box_id))


def set_box_state(writer: Writer, box_id: int, state: BoxState, reason: str, at: float) -> BoxRow:
    """Change the state with its reason; `at` is epoch seconds."""
    writer.db.execute(
        "UPDATE boxes SET state = ?, state_reason = ?, state_at = ? WHERE id = ?",
        (state.value, reason, at, box_id),
    )
    writer.directory_changed = True
    writer.tree.append(TreeEvent(box_id, TreeAct.RIGHTS))
    return _there(box_by_id(writer.db, box_id))


def set_box_choices(writer: Writer, box_id: int, choices: BoxChoices) -> BoxRow:
    """Change the columns of what is chosen; they are named as the fields."""
    chosen = {name: value for name, value in asdict(choices).items() if value is not None}
    if chosen:
        columns = ", ".join(f"{name} = ?" for name in chosen)
        writer.db.execute(f"UPDATE boxes SET {columns} WHERE id = ?", (*chosen.values(), box_id))
    writer.directory_changed = True
    return _there(box_by_id(writer.db, box_id))


PURGED = (
    "members",
    "certificates",
    "takeovers",
    "delegations",
    "quota_warnings",
    "threads",
    "subscriptions",
    "alerts",
)
"""Tables of which nothing of a purged box stays."""


def purge_box(writer: Writer, box_id: int, reason: str, at: float) -> BoxRow:
    """Remove a box's folders, members and certificates; the row stays, so that its address is not given again."""
    for folder in list_folders(writer.db, box_id):
        set_aside(writer, folder.id, None, 0, "folder")
        delete_folder(writer, folder.id)
    while forget_removed(writer, math.inf, box_id, 1000):
        pass
    for table in PURGED:
        writer.db.execute(f"DELETE FROM {table} WHERE box_id = ?", (box_id,))
    return set_box_state(writer, box_id, BoxState.PURGED, reason, at)


def _there(box: BoxRow | None) -> BoxRow:
    if box is None:
        raise StoreError("there is no such mailbox")
    return box


def person_by_login(db: apsw.Connection, login: str) -> Person | None:
    """The person of a login."""
    row = db.execute(f"SELECT {PERSON_COLUMNS} FROM persons WHERE login_key = ?", (login.lower(),)).fetchone()
    return read_person(row) if row else None


def read_person(row: tuple[int, str, str, str, str, int]) -> Person:
    """A row of `PERSON_COLUMNS`."""
    return Person(row[0], row[1], row[2], row[3], row[4], bool(row[5]))


def add_person(writer: Writer, login: str, name: str, national_id: str, password_hash: str) -> Person:
    """Register somebody who logs in; raises `AlreadyExists`."""
    if person_by_login(writer.db, login) is not None:
        raise AlreadyExists("there is a person of that login already")
    hashed, keys = split_record(password_hash)
    writer.db.execute(
        "INSERT INTO persons (login, login_key, name, national_id, password_hash) VALUES (?, ?, ?, ?, ?)",
        (login, login.lower(), name, national_id, hashed),
    )
    person = Person(writer.db.last_insert_rowid(), login, name, national_id, hashed)
    put_keys(writer.db, person.id, keys)
    writer.directory_changed = True
    return person


def persons(db: apsw.Connection, ids: Sequence[int]) -> list[Person]:
    """Persons of these ids."""
    rows = db.execute(
        f"SELECT {PERSON_COLUMNS} FROM persons WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (uid_list(ids),),
    )
    return [read_person(row) for row in rows]


def memberships(db: apsw.Connection, person_id: int | None, box_id: int | None) -> list[Membership]:
    """Ties of a person or of a box."""
    column, value = ("person_id", person_id) if person_id is not None else ("box_id", box_id)
    rows = db.execute(
        f"SELECT box_id, person_id, role FROM members WHERE {column} = ? ORDER BY 1, 2", (value,)
    )
    return [Membership(*row) for row in rows]
