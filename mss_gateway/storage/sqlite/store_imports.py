"""The jobs of the store about many mailboxes at once (BAL-1..5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import apsw
import orjson

from mss_gateway.ports.imports import BoxPlan, Census, ImportOutcome, StalePlan, WantedTie
from mss_gateway.ports.records import BoxRow, Person, TraceLine
from mss_gateway.ports.store import StoreError
from mss_gateway.ports.tree import TreeAct, TreeEvent

from .directory import (
    PERSON_COLUMNS,
    add_box,
    add_person,
    box_by_id,
    box_by_key,
    boxes_above,
    person_by_login,
    persons,
    read_person,
    set_box_choices,
    set_box_state,
)
from .engine import Engine, Writer
from .messages import uid_list
from .trace import insert_trace


def _texts(values: Iterable[str]) -> str:
    return orjson.dumps(list(values)).decode()


def census(db: apsw.Connection, keys: Sequence[str], logins: Sequence[str], numbers: Sequence[str]) -> Census:
    """What is known of these addresses, logins and national ids."""
    boxes = {key: row for key in keys if (row := box_by_key(db, key)) is not None}
    people = {login: found for login in logins if (found := person_by_login(db, login)) is not None}
    by_number: dict[str, list[Person]] = {}
    for row in db.execute(
        f"SELECT {PERSON_COLUMNS} FROM persons WHERE national_id <> ''"
        " AND national_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (_texts(numbers),),
    ):
        one = read_person(row)
        by_number.setdefault(one.national_id, []).append(one)
    ties: dict[int, list[tuple[Person, str]]] = {}
    rows = db.execute(
        "SELECT box_id, person_id, role FROM members WHERE box_id IN (SELECT value FROM json_each(?))",
        (uid_list([box.id for box in boxes.values()]),),
    ).fetchall()
    members = {one.id: one for one in persons(db, [int(str(row[1])) for row in rows])}
    for box_id, person_id, role in rows:
        ties.setdefault(int(str(box_id)), []).append((members[int(str(person_id))], str(role)))
    everybody = {one.id for one in people.values()} | {
        one.id for several in by_number.values() for one in several
    }
    return Census(boxes, people, by_number, ties, _patients(db, sorted(everybody)))


def _patients(db: apsw.Connection, person_ids: Sequence[int]) -> frozenset[int]:
    rows = db.execute(
        "SELECT m.person_id FROM members AS m JOIN boxes AS b ON b.id = m.box_id"
        " WHERE b.type = 'PAT' AND m.person_id IN (SELECT value FROM json_each(?))",
        (uid_list(person_ids),),
    )
    return frozenset(int(row[0]) for row in rows)


def carry_out(writer: Writer, plan: BoxPlan, trace: TraceLine) -> None:
    """Make or change one box with its people; raises `AlreadyExists`, `StalePlan`."""
    box = add_box(writer, plan.new) if plan.new is not None else plan.box
    if box is None:
        raise StoreError("a plan names no mailbox")
    if plan.new is None and box_by_id(writer.db, box.id) != box:
        raise StalePlan
    if plan.choices is not None:
        set_box_choices(writer, box.id, plan.choices)
    lines = [replace(trace, box_id=box.id, detail={**trace.detail, "changes": " ".join(plan.changes)})]
    if plan.state is not None:
        set_box_state(writer, box.id, plan.state, plan.reason, trace.at)
        event = f"bal-{plan.state.value}"
        lines.append(
            replace(trace, event=event, box_id=box.id, detail={**trace.detail, "reason": plan.reason})
        )
    for tie in plan.ties:
        _tie(writer, box, tie, trace)
    for person_id in plan.untie:
        writer.db.execute("DELETE FROM members WHERE box_id = ? AND person_id = ?", (box.id, person_id))
    if plan.ties or plan.untie:
        writer.directory_changed = True
        writer.tree.append(TreeEvent(box.id, TreeAct.RIGHTS))
    insert_trace(writer.db, lines)


def _check_tie(db: apsw.Connection, box: BoxRow, tie: WantedTie, person: Person | None) -> None:
    """Nobody gets a mailbox by a login that is somebody else's by now, or into one that has its holder."""
    mine = 0 if person is None else person.id
    if person is not None and person.national_id and tie.national_id not in ("", person.national_id):
        raise StalePlan
    holders = "SELECT 1 FROM members WHERE box_id = ? AND role = 'holder' AND person_id <> ?"
    if tie.role == "holder" and db.execute(holders, (box.id, mine)).fetchone():
        raise StalePlan
    if _patients(db, [mine]):
        raise StalePlan


def _tie(writer: Writer, box: BoxRow, tie: WantedTie, trace: TraceLine) -> None:
    person = person_by_login(writer.db, tie.login)
    _check_tie(writer.db, box, tie, person)
    if person is None:
        person = add_person(writer, tie.login, tie.name, tie.national_id, "")
        line = replace(trace, event="person-add", box_id=box.id, detail={**trace.detail, "login": tie.login})
        insert_trace(writer.db, [line])
    elif tie.national_id and not person.national_id:
        writer.db.execute("UPDATE persons SET national_id = ? WHERE id = ?", (tie.national_id, person.id))
    writer.db.execute(
        "INSERT INTO members VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET role = ?3",
        (box.id, person.id, tie.role),
    )


class ImportStore:
    """Implements `ports.imports.BoxImports`; the store gives the engine."""

    _engine: Engine

    async def census(self, keys: Sequence[str], logins: Sequence[str], numbers: Sequence[str]) -> Census:
        """What is known of these addresses, logins and national ids."""
        return await self._engine.read(lambda db: census(db, keys, logins, numbers))

    async def boxes_after(self, key: str, limit: int) -> list[BoxRow]:
        """Professionals' boxes by address key."""
        return await self._engine.read(lambda db: boxes_above(db, key, limit))

    async def carry_out(self, plans: Sequence[BoxPlan], trace: TraceLine) -> None:
        """Carry out all plans in one commit."""

        def job(writer: Writer) -> None:
            for plan in plans:
                carry_out(writer, plan, trace)

        await self._engine.write(job)

    async def note_import(self, outcome: ImportOutcome) -> None:
        """Keep what became of an import."""
        told = orjson.dumps(dict(outcome.outcome)).decode()
        values = (outcome.source, outcome.at, outcome.digest, told)
        sql = "INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?)"
        await self._engine.write(lambda w: w.db.execute(sql, values).fetchall())

    async def import_outcomes(self) -> list[ImportOutcome]:
        """What became of the last import of each source."""
        sql = "SELECT source, at, digest, outcome FROM imports ORDER BY at DESC"
        return await self._engine.read(
            lambda db: [
                ImportOutcome(source, at, digest, orjson.loads(outcome))
                for source, at, digest, outcome in db.execute(sql)
            ]
        )
