"""The outbox against a model of a few lines, over random histories of claims, outcomes, time and restarts (QUE-1)."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mss_gateway.ports.outbox import Claimed, Lease, Share
from mss_gateway.ports.records import Delivery, Settled
from mss_gateway.ports.store import StaleLease
from tests.support.store import BACK_ENDS, NOW, BackEnd, body, delivery

T = TypeVar("T")
DOMAINS = ("nord.example", "sud.example", "est.example")
ROOMS = st.dictionaries(st.sampled_from(DOMAINS), st.integers(-1, 3), max_size=3)


@dataclass
class Row:
    """What a row ought to be."""

    message: str
    domain: str
    due: float
    lease: str = ""
    attempts: int = 0
    uncertain: int = 0


class OutboxMachine(RuleBasedStateMachine):
    """Does the same to the store and to the model, and compares everything that can be seen."""

    back_end: BackEnd = BACK_ENDS[0]

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory()
        self._store = self.back_end.build(Path(self._folder.name) / "store")
        self._rows: dict[str, Row] = {}  # by recipient, which is unique here
        self._claimed: list[Claimed] = []
        self._now = NOW
        self._numbers = itertools.count(1)

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    @initialize()
    def begin(self) -> None:
        self._run(self._store.open())

    @rule(domains=st.lists(st.sampled_from(DOMAINS), min_size=1, max_size=4))
    def queue(self, domains: list[str]) -> None:
        new = body()
        recipients = [f"r{next(self._numbers)}@{domain}" for domain in domains]
        self._run(self._store.accept(delivery(new, outbox=recipients)))
        for recipient, domain in zip(recipients, domains, strict=True):
            assert new.message_id is not None
            self._rows[recipient] = Row(new.message_id, domain, NOW)

    @rule(seconds=st.sampled_from([1.0, 30.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self._now += seconds

    @rule(total=st.integers(1, 6), each=st.integers(1, 3), rooms=ROOMS, seconds=st.sampled_from([10.0, 60.0]))
    def claim(self, total: int, each: int, rooms: dict[str, int], seconds: float) -> None:
        lease = Lease(f"t{next(self._numbers)}", self._now, self._now + seconds)
        letters = self._run(self._store.claim(lease, Share(total, each, rooms)))
        due = {
            domain: {
                row.message for row in self._rows.values() if row.domain == domain and row.due <= self._now
            }
            for domain in DOMAINS
        }
        room = {domain: max(0, rooms.get(domain, each)) for domain in DOMAINS}
        assert len(letters) == min(total, sum(min(room[domain], len(due[domain])) for domain in DOMAINS))
        for letter in letters:
            assert sum(one.domain == letter.domain for one in letters) <= room[letter.domain]
            for claimed in letter.rows:
                row = self._rows[str(claimed.recipient.address)]
                assert row.due <= self._now
                assert (row.message, row.domain) == (letter.message_id, letter.domain)
                row.lease, row.due, row.attempts = lease.token, lease.until, row.attempts + 1
                assert (claimed.attempts, claimed.uncertain) == (row.attempts, row.uncertain)
        self._claimed += letters

    @rule(data=st.data(), state=st.sampled_from(["sent", "failed", "waiting"]), uncertain=st.booleans())
    def settle(self, data: st.DataObject, state: str, uncertain: bool) -> None:
        if not self._claimed:
            return
        letter = self._claimed.pop(data.draw(st.integers(0, len(self._claimed) - 1)))
        at = self._now + 50
        rows = tuple(
            Settled(row.id, letter.lease, state, "x", at, uncertain=uncertain) for row in letter.rows
        )
        names = [str(row.recipient.address) for row in letter.rows]
        held = all(name in self._rows and self._rows[name].lease == letter.lease for name in names)
        if not held:
            with pytest.raises(StaleLease):
                self._run(self._store.accept(Delivery((), settled=rows)))
            return
        self._run(self._store.accept(Delivery((), settled=rows)))
        for name in names:
            if state == "waiting":
                row = self._rows[name]
                row.lease, row.due, row.uncertain = "", at, row.uncertain + uncertain
            else:
                del self._rows[name]

    @rule(data=st.data())
    def extend(self, data: st.DataObject) -> None:
        if not self._claimed:
            return
        letter = data.draw(st.sampled_from(self._claimed))
        names = [str(row.recipient.address) for row in letter.rows]
        held = all(name in self._rows and self._rows[name].lease == letter.lease for name in names)
        until = self._now + 200
        assert self._run(self._store.extend(letter.lease, [row.id for row in letter.rows], until)) is held
        for name in names if held else ():
            self._rows[name].due = until

    @rule()
    def restart(self) -> None:
        self._run(self._store.close())
        self._store = self.back_end.build(Path(self._folder.name) / "store")
        self._run(self._store.open())
        left = self._run(self._store.void_leases(self._now))
        leased = {name: row for name, row in self._rows.items() if row.lease}
        assert {one.recipient: (one.message_id, one.domain) for one in left} == {
            name: (row.message, row.domain) for name, row in leased.items()
        }
        for row in leased.values():
            row.lease, row.due, row.uncertain = "", self._now, row.uncertain + 1

    @invariant()
    def the_same_rows(self) -> None:
        found = {
            row.recipient: (row.domain, row.next_attempt, row.attempts, row.uncertain, row.state)
            for row in self._run(self._store.outbox())
        }
        assert found == {
            name: (
                row.domain,
                row.due,
                row.attempts,
                row.uncertain,
                "leased" if row.lease else "uncertain" if row.uncertain else "waiting",
            )
            for name, row in self._rows.items()
        }

    @invariant()
    def the_same_next_time(self) -> None:
        for busy in ((), DOMAINS[:1], DOMAINS[1:]):
            due = [row.due for row in self._rows.values() if row.domain not in busy]
            assert self._run(self._store.next_due(busy)) == min(due, default=None)

    def teardown(self) -> None:
        self._run(self._store.close())
        self._loop.close()
        self._folder.cleanup()


@pytest.mark.req("QUE-1", "QUE-4")
def test_an_outbox_does_what_the_model_does(back_end: BackEnd) -> None:
    """No row is lost, leased twice, or settled by somebody who does not hold it."""
    machine = type("Machine", (OutboxMachine,), {"back_end": back_end})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )
