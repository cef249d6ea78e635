"""Alerts in the store: one row for each box, due, settled, never lost (PAT-3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.alerts import AlertState, DueAlert, SettledAlert
from mss_gateway.ports.records import Delivery
from mss_gateway.ports.store import Store
from mss_gateway.rules.facts import BoxType
from tests.support.store import NOW, BackEnd, add_box, body, delivery, trace_line

pytestmark = pytest.mark.req("PAT-3")


def arrival(box_id: int, at: float = NOW) -> Delivery:
    """A message for a patient who is to be told."""
    made = delivery(body(), box_id)
    return replace(made, parts=(replace(made.parts[0], received_at=at, alerts=(box_id,)),))


async def test_an_arrival_is_due_once_for_each_box(store: Store) -> None:
    """Many messages make one row; the listener hears of the first only."""
    box, other = await add_box(store, "un", BoxType.PAT), await add_box(store, "deux", BoxType.PAT)
    heard: list[int] = []
    store.on_alert(lambda: heard.append(1))
    assert await store.next_alert() is None
    for at in (NOW, NOW + 1, NOW + 2):
        await store.accept(arrival(box.id, at))
    await store.accept(delivery(body(), other.id))
    assert await store.due_alerts(NOW + 10) == [DueAlert(box.id, NOW, 0.0, 0, 3)]
    assert await store.due_alerts(NOW - 1) == []
    assert await store.next_alert() == NOW
    assert heard == [1]


async def test_told_rows_are_quiet_until_the_next_arrival(store: Store) -> None:
    """What was told is due again only by a new message, and remembers when it was told."""
    box = await add_box(store, "un", BoxType.PAT)
    await store.accept(arrival(box.id))
    line = replace(trace_line("alert-sent"), box_id=box.id)
    await store.settle_alerts([SettledAlert(box.id, 1, AlertState.TOLD, NOW + 5)], [line])
    assert await store.next_alert() is None
    assert [one.event for one in await store.trace(box_id=box.id)] == ["box-added", "alert-sent"]
    await store.accept(arrival(box.id, NOW + 20))
    assert await store.due_alerts(NOW + 20) == [DueAlert(box.id, NOW + 20, NOW + 5, 0, 2)]


@pytest.mark.parametrize("state", [AlertState.TOLD, AlertState.DROPPED])
async def test_what_arrives_during_the_mail_is_not_lost(store: Store, state: AlertState) -> None:
    """A settlement of one arrival leaves the second one waiting."""
    box = await add_box(store, "un", BoxType.PAT)
    await store.accept(arrival(box.id))
    await store.accept(arrival(box.id, NOW + 3))
    await store.settle_alerts([SettledAlert(box.id, 1, state, NOW + 4)])
    (due,) = await store.due_alerts(NOW + 5)
    assert (due.first_at, due.attempts, due.arrivals) == (NOW + 3, 0, 2)


async def test_failures_wait_and_survive_a_restart(back_end: BackEnd, tmp_path: Path) -> None:
    """Attempts and the next moment are durable."""
    store = back_end.build(tmp_path / "again")
    await store.open()
    box = await add_box(store, "un", BoxType.PAT)
    await store.accept(arrival(box.id))
    await store.settle_alerts([SettledAlert(box.id, 1, AlertState.WAITING, NOW + 60, 1)])
    await store.close()
    store = back_end.build(tmp_path / "again")
    await store.open()
    assert await store.due_alerts(NOW + 59) == []
    assert await store.next_alert() == NOW + 60
    assert await store.due_alerts(NOW + 60) == [DueAlert(box.id, NOW, 0.0, 1, 1)]
    await store.close()
