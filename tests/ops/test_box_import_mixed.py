"""Rows of one file that contradict each other, and two imports at once: no mailbox gets into wrong hands (BAL-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mss_gateway.ops.box_import import BoxImportOperations
from mss_gateway.rules.facts import BoxType
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import add_box, sqlite_options, trace_line

pytestmark = pytest.mark.req("BAL-2")

ANNE, PAUL = "810000000009", "810000000017"
DOMAIN = "hopital.example"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open, empty store."""
    made = SqliteStore(sqlite_options(tmp_path / "store"))
    await made.open()
    yield made
    await made.close()


def rows(*cells: dict[str, str]) -> dict[str, Any]:
    """The argument of an import."""
    known = {"type": "PER"}
    return {
        "rows": [{**known, **one, "line": number} for number, one in enumerate(cells, 2)],
        "source": "boites.csv",
        "actor": "ops",
    }


def holder(name: str, login: str, national_id: str) -> dict[str, str]:
    """A row of a nominative mailbox."""
    return {"address": f"{name}@{DOMAIN}", "login": login, "national_id": national_id}


async def taken(store: SqliteStore, *cells: dict[str, str]) -> dict[str, Any]:
    """What an import answers."""
    return await BoxImportOperations(store, frozenset({DOMAIN})).import_(rows(*cells))


async def logins(store: SqliteStore) -> dict[str, set[tuple[str, str]]]:
    """Who opens which mailbox, with their national ids."""
    found: dict[str, set[tuple[str, str]]] = {}
    for box in await store.boxes():
        ties = await store.memberships(box_id=box.id)
        people = await store.persons([one.person_id for one in ties])
        found[box.address.partition("@")[0]] = {(one.login, one.national_id) for one in people}
    return found


async def test_a_login_is_one_persons_in_one_file_too(store: SqliteStore) -> None:
    """The second row names the first one's login for somebody else: it is refused, as it would be tomorrow."""
    done = await taken(store, holder("anne", "commun", ANNE), holder("paul", "commun", PAUL))
    assert [(one["line"], one["reason"]) for one in done["refused"]] == [(3, "national-id-mismatch")]
    assert await logins(store) == {"anne": {("commun", ANNE)}}


async def test_an_address_that_a_file_names_twice(store: SqliteStore) -> None:
    """The other rows are kept; the mailbox has the holder of the first row that named it."""
    done = await taken(
        store,
        holder("anne", "anne", ANNE),
        holder("paul", "paul", PAUL),
        holder("anne", "autre", PAUL),
    )
    assert done["created"] == 2
    assert [one["line"] for one in done["refused"]] == [4]
    assert await logins(store) == {"anne": {("anne", ANNE)}, "paul": {("paul", PAUL)}}


async def test_two_imports_at_once_make_each_mailbox_once(store: SqliteStore) -> None:
    """The scheduled one and one by hand: both end, each with its counts."""
    cells = [holder("anne", "anne", ANNE), holder("paul", "paul", PAUL)]
    done = await asyncio.gather(taken(store, *cells), taken(store, *cells))
    assert sum(one["created"] for one in done) == 2
    assert await logins(store) == {"anne": {("anne", ANNE)}, "paul": {("paul", PAUL)}}


async def test_a_patients_login_gets_no_mailbox_of_a_professional_meanwhile(store: SqliteStore) -> None:
    """The person became a patient's between plan and commit: refused, not tied."""
    box = await add_box(store, "patient", BoxType.PAT)
    person = await store.add_person("commun", "Patient", "", "", trace_line("person-add"))
    census = store.census

    async def late(*asked: Any) -> Any:
        found = await census(*asked)
        await store.add_member(box.id, person.id, "holder", trace_line("bal-member"))
        return found

    store.census = late  # type: ignore[method-assign, assignment]
    done = await taken(store, holder("paul", "commun", PAUL))
    assert [one["reason"] for one in done["refused"]] == ["patient-login"]
    assert (await logins(store)).get("paul", set()) == set()
