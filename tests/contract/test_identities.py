"""The registry of identities in the store (INS-5)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ops.identities import IdentityOperations
from mss_gateway.ops.operation import OperationRefused
from mss_gateway.ports.store import Store
from mss_gateway.rules.facts import House, IdentityStatus
from tests.support.identities import CORSE, ZOE, made_up, rows, stored
from tests.support.properties import FOR_EACH_EXAMPLE
from tests.support.store import NOW, BackEnd, trace_line


@pytest.mark.req("INS-5")
async def test_what_is_put_is_found_and_traced(store: Store) -> None:
    """The time of the trace line is that of the rows; nobody else is found."""
    assert await store.put_identities([stored(ZOE), stored(CORSE)], trace_line("ins-import")) == 2
    assert await store.identity(ZOE["ins"]) == replace(stored(ZOE), updated_at=NOW)
    assert await store.identity(CORSE["ins"]) == replace(stored(CORSE), updated_at=NOW)
    assert await store.identity("285037728417346") is None
    assert [line.event for line in await store.trace()] == ["ins-import"]


@pytest.mark.req("INS-5")
async def test_only_changes_count_and_touch(store: Store) -> None:
    """The same again changes nothing, not even its source; another status does."""
    await store.put_identities([stored(ZOE), stored(CORSE)], trace_line())
    later = replace(trace_line(), at=NOW + 60)
    again = [stored(ZOE, "autre.csv"), stored(CORSE | {"status": "QUAL"}, "autre.csv")]
    assert await store.put_identities(again, later) == 1
    zoe, corse = await store.identity(ZOE["ins"]), await store.identity(CORSE["ins"])
    assert zoe is not None
    assert corse is not None
    assert (zoe.source, zoe.updated_at) == ("essai.csv", NOW)
    assert (corse.source, corse.updated_at, corse.status) == ("autre.csv", NOW + 60, IdentityStatus.QUAL)


@pytest.mark.req("INS-5")
async def test_each_trait_is_a_change(store: Store) -> None:
    await store.put_identities([stored(ZOE)], trace_line())
    for name in ("oid", "family", "given", "sex", "born", "place"):
        changed = replace(stored(ZOE), **{name: "X"})  # type: ignore[arg-type]
        assert await store.put_identities([changed], trace_line()) == 1, name
        assert await store.put_identities([stored(ZOE)], trace_line()) == 1, name


@pytest.mark.req("INS-5")
async def test_counts_and_lists_by_status(store: Store) -> None:
    """In the order of the numbers, within the limit."""
    assert await store.count_identities() == {}
    many = [stored(row) for row in made_up(40)]
    assert await store.put_identities(many, trace_line()) == 40
    assert await store.count_identities() == dict.fromkeys(IdentityStatus, 10)
    ordered = sorted(row.ins for row in many)
    assert [row.ins for row in await store.identities(limit=7)] == ordered[:7]
    qualified = await store.identities(status=IdentityStatus.QUAL)
    assert [row.ins for row in qualified] == sorted(
        row.ins for row in many if row.status is IdentityStatus.QUAL
    )


@pytest.mark.req("INS-5")
async def test_the_registry_is_kept(
    back_end: BackEnd, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Closed and opened again, it is all there."""
    folder = tmp_path_factory.mktemp("again")
    first = back_end.build(folder)
    await first.open()
    await first.put_identities([stored(row) for row in made_up(500)], trace_line())
    await first.close()
    second = back_end.build(folder)
    await second.open()
    assert sum((await second.count_identities()).values()) == 500
    await second.close()


@pytest.mark.req("INS-5")
@settings(max_examples=30, suppress_health_check=FOR_EACH_EXAMPLE)
@given(row=rows())
async def test_any_valid_identity_comes_back(store: Store, row: dict[str, str]) -> None:
    await store.put_identities([stored(row)], trace_line())
    assert await store.identity(row["ins"]) == replace(stored(row), updated_at=NOW)


@pytest.mark.req("INS-7")
def test_a_stored_identity_shows_nobody_in_a_repr() -> None:
    shown = repr(stored(ZOE))
    assert not [
        value for name, value in ZOE.items() if name not in ("oid", "status") and f"'{value}'" in shown
    ]
    assert ZOE["ins"] not in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"line": JSON},
        optional=dict.fromkeys(("ins", "oid", "family", "sex", "born", "place", "status"), JSON),
    ),
    max_size=3,
)


@pytest.mark.req("INS-5")
@settings(max_examples=80, suppress_health_check=FOR_EACH_EXAMPLE)
@given(
    rows=JSON | ROWS,
    operation=st.sampled_from(["ins.import", "ins.show", "ins.check", "ins.list"]),
    other=JSON,
)
async def test_whatever_comes_through_the_control_socket_is_answered_or_refused(
    store: Store, rows: object, operation: str, other: object
) -> None:
    """A wrong shape is refused with a sentence; no other exception leaves an operation."""
    table = IdentityOperations(store, House(), lambda: NOW).table()
    arguments = {
        "rows": rows,
        "ins": ZOE["ins"],
        "sex": other,
        "born": other,
        "department": "63",
        "status": other,
    }
    with suppress(OperationRefused):
        assert ZOE["ins"] not in str(await table[operation](arguments))


@pytest.mark.req("INS-5")
async def test_an_import_is_traced_with_who_and_how_many(store: Store) -> None:
    """One line for each batch, without an INS."""
    table = IdentityOperations(store, House(), lambda: NOW).table()
    rows = [{**ZOE, "line": 2}, {**CORSE, "line": 3}, {**CORSE, "line": 4, "sex": "X"}]
    answer = await table["ins.import"]({"rows": rows, "source": f"{ZOE['ins']}.csv", "actor": "cli:essai"})
    assert [line["line"] for line in answer["refused"]] == [4]
    (line,) = await store.trace()
    assert (line.event, line.actor) == ("ins-import", "cli:essai")
    assert line.detail == {"source": "2 75 12 ** *** *** **.csv", "rows": "2"}
    await table["ins.import"]({"rows": rows, "dry_run": True})
    await table["ins.import"]({"rows": rows[2:]})
    assert len(await store.trace()) == 1
