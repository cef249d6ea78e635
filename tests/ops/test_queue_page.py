"""One page of `queue.list`: masked, in order, `next` before the rows (QUE-3, INS-7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ops.queue import QueueOperations, _masked_id
from mss_gateway.ports.queue import Selection
from mss_gateway.ports.records import Queued
from mss_gateway.rules.ins import mask_text

INS = "285037728417373"


class Rows:
    """A store of rows."""

    def __init__(self, count: int) -> None:
        self.rows = [
            Queued(
                number, 1, "a@b.example", f"{INS}@patient.mssante.fr", "d.example", "waiting", 0, 1.0, 2.0, ""
            )
            for number in range(1, count + 1)
        ]

    async def queued(self, _: Selection, limit: int = 1000, after: int = 0) -> list[Queued]:
        """Rows above an id."""
        return [row for row in self.rows if row.id > after][:limit]


async def page(store: Any, **arguments: object) -> dict[str, Any]:
    """An answer of `queue.list`."""
    return await QueueOperations(store).table()["queue.list"](arguments)


@pytest.mark.req("QUE-3", "INS-7")
@pytest.mark.parametrize("limit", [2, 300])
async def test_a_page_ends_where_it_should(limit: int) -> None:
    """`next` is the last id of a page that is followed by another; no INS is whole."""
    store = Rows(limit + 1)
    first = await page(store, limit=limit)
    assert list(first) == ["next", "rows"]
    assert [one["id"] for one in first["rows"]] == list(range(1, limit + 1))
    assert first["next"] == limit
    last = await page(store, limit=limit, after=limit)
    assert ([one["id"] for one in last["rows"]], last["next"]) == ([limit + 1], None)
    assert INS not in str((first, last))
    assert await page(store, after=limit + 1) == {"next": None, "rows": []}


@pytest.mark.req("INS-7")
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [INS, INS[:13], "2 85 03 77 284 173 73", "2-85-03-77-284-173", "1850A", "12", "-", "é\udce9"]
            ),
            st.text("0123456789AB .-<>@", max_size=20),
        ),
        max_size=5,
    )
)
@settings(max_examples=300)
def test_the_short_cut_masks_what_the_search_masks(parts: list[str]) -> None:
    """An id with few digits is not searched; nothing is missed thereby."""
    text = "".join(parts)
    assert _masked_id(text) == mask_text(text)
