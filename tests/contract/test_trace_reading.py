"""The timeline as it is read back: by message, by transaction, by box (AUD-2, INS-7)."""

from __future__ import annotations

import pytest

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import Store
from tests.support.store import NOW, add_box

INS = "285037728417346"
MASKED = "2 85 03 ** *** *** **"


def line(
    event: str,
    transaction: str,
    message_id: str | None = None,
    box_id: int | None = None,
    **detail: str | int,
) -> TraceLine:
    """A line of the timeline."""
    return TraceLine(NOW, event, transaction, message_id, box_id, "ops", detail)


async def events(store: Store, message_id: str) -> list[str]:
    """The events of one message, in order."""
    return [found.event for found in await store.trace(message_id)]


@pytest.mark.req("AUD-2")
async def test_a_message_brings_the_lines_of_its_transactions_along(store: Store) -> None:
    """The refusal of a recipient names no Message-ID; a report of another transaction names the original's."""
    await store.write_trace(
        [
            line("refused", "t1", reason="unknown-box"),
            line("accepted", "t1", "<a@x>"),
            line("accepted", "t2", "<b@x>"),
            line("accepted", "t3", "<report@y>"),
            line("mdn-received", "t3", "<a@x>", report="<report@y>"),
            line("relayed", "", "<a@x>"),
        ]
    )
    assert await events(store, "<a@x>") == ["refused", "accepted", "accepted", "mdn-received", "relayed"]
    assert await events(store, "<b@x>") == ["accepted"]
    assert await events(store, "<c@x>") == []


@pytest.mark.req("AUD-2")
async def test_a_transaction_is_read_alone(store: Store) -> None:
    await store.write_trace(
        [
            line("refused", "t1"),
            line("accepted", "t1", "<a@x>"),
            line("relayed", "t2", "<a@x>"),
            line("login", ""),
        ]
    )
    assert [found.event for found in await store.trace(transaction="t1")] == ["refused", "accepted"]
    assert await store.trace(transaction="t9") == []
    assert await store.trace(transaction="") == []


@pytest.mark.req("AUD-2")
async def test_a_box_shows_its_latest_lines_oldest_first(store: Store) -> None:
    box, other = await add_box(store, "accueil"), await add_box(store, "urgences")
    await store.write_trace(
        [line(f"e{number}", f"t{number}", f"<{number}@x>", box.id) for number in range(5)]
        + [line("elsewhere", "t9", "<9@x>", other.id), line("nowhere", "t8")]
    )
    found = await store.trace(box_id=box.id, limit=3)
    assert [one.event for one in found] == ["e2", "e3", "e4"]
    assert {one.box_id for one in found} == {box.id}
    assert await store.trace(box_id=other.id + 1) == []


@pytest.mark.req("AUD-2", "INS-7")
@pytest.mark.parametrize(
    "asked", [f"<{INS}.1@logiciel.example>", f"<{MASKED}.1@logiciel.example>"], ids=["whole", "masked"]
)
async def test_a_message_id_with_an_ins_is_found_and_comes_back_masked(store: Store, asked: str) -> None:
    await store.write_trace(
        [line("accepted", "t1", f"<{INS}.1@logiciel.example>", patient=f"{INS}@patient.fr")]
    )
    (found,) = await store.trace(asked)
    assert found.message_id == f"<{MASKED}.1@logiciel.example>"
    assert INS not in repr(found)


async def test_the_limit_keeps_the_first_lines_of_a_message(store: Store) -> None:
    await store.write_trace([line(f"e{number}", "t1", "<a@x>") for number in range(5)])
    assert [found.event for found in await store.trace("<a@x>", 2)] == ["e0", "e1"]
    assert [found.event for found in await store.trace(transaction="t1", limit=2)] == ["e0", "e1"]


async def test_details_of_any_shape_come_back(store: Store) -> None:
    """Texts with quotes, line ends and letters of any script, and numbers."""
    detail: dict[str, str | int] = {"text": "\"é\n'\\ 漢", "size": 2**40, "empty": ""}
    await store.write_trace([line("x", "t1", "<a@x>", **detail)])
    (found,) = await store.trace("<a@x>")
    assert dict(found.detail) == detail
