"""The outbox against a model of a few lines, over random histories of claims, outcomes, time, ops and restarts.

Two nodes claim (QUE-4); rows are held, released, made due and claimed for ending by hand (QUE-3).
"""

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
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.ports.records import Delivery, Settled
from mss_gateway.ports.store import StaleLease
from tests.support.store import BACK_ENDS, NOW, BackEnd, body, delivery, trace_line

T = TypeVar("T")
DOMAINS = ("nord.example", "sud.example", "est.example")
STATES = ("waiting", "leased", "uncertain", "held")
NODES = st.sampled_from(["", "b"])
SELECTIONS = st.sampled_from([EVERYTHING, *(Selection(domain=domain) for domain in DOMAINS)])
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
    node: str = ""
    held: bool = False
    by_hand: bool = False

    @property
    def parked(self) -> bool:
        """Held, with no attempt under way."""
        return self.held and not self.lease

    @property
    def state(self) -> str:
        """What ops see."""
        if self.lease:
            return "leased"
        return "held" if self.held else "uncertain" if self.uncertain else "waiting"

    def end_lease(self) -> None:
        """The holder is gone."""
        if self.lease:
            self.uncertain += not self.by_hand
        self.lease, self.node, self.by_hand = "", "", False


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

    @rule(
        total=st.integers(1, 6),
        each=st.integers(1, 3),
        rooms=ROOMS,
        seconds=st.sampled_from([10.0, 60.0]),
        node=NODES,
    )
    def claim(self, total: int, each: int, rooms: dict[str, int], seconds: float, node: str) -> None:
        lease = Lease(f"t{next(self._numbers)}", self._now, self._now + seconds, node)
        letters = self._run(self._store.claim(lease, Share(total, each, rooms)))
        due = {
            domain: {
                row.message
                for row in self._rows.values()
                if row.domain == domain and row.due <= self._now and not row.held
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
                assert not row.held
                assert (row.message, row.domain) == (letter.message_id, letter.domain)
                row.end_lease()
                row.lease, row.due, row.attempts, row.node = lease.token, lease.until, row.attempts + 1, node
                assert (claimed.attempts, claimed.uncertain) == (row.attempts, row.uncertain)
        self._claimed += letters
        taken = {domain: sum(one.domain == domain for one in letters) for domain in DOMAINS}
        self._leases_run_out(
            {domain for domain in DOMAINS if taken[domain] < room[domain]}, len(letters) < total
        )

    def _leases_run_out(self, roomy: set[str], complete: bool) -> None:
        """Rows marked held whose lease ran out: certainly held now where the claim came to the end of the domain."""
        states = {row.recipient: row.state for row in self._run(self._store.queued(EVERYTHING))}
        for name, row in self._rows.items():
            if row.held and row.lease and row.due <= self._now:
                if complete and row.domain in roomy:
                    assert states[name] == "held"
                if states[name] == "held":
                    row.end_lease()

    @rule(selection=SELECTIONS, limit=st.integers(1, 4), node=NODES)
    def claim_by_hand(self, selection: Selection, limit: int, node: str) -> None:
        lease = Lease(f"t{next(self._numbers)}", self._now, self._now + 30, node)
        letters = self._run(self._store.claim_rows(lease, selection, limit))
        free = [name for name, row in self._selected(selection) if not row.lease or row.due <= self._now]
        assert {str(one.recipient.address) for letter in letters for one in letter.rows} == set(free[:limit])
        for letter in letters:
            for claimed in letter.rows:
                row = self._rows[str(claimed.recipient.address)]
                assert (row.message, row.domain) == (letter.message_id, letter.domain)
                row.end_lease()
                row.lease, row.due, row.node, row.by_hand = lease.token, lease.until, node, True
                assert (claimed.attempts, claimed.uncertain) == (row.attempts, row.uncertain)
        self._claimed += letters

    def _selected(self, selection: Selection) -> list[tuple[str, Row]]:
        return [(name, row) for name, row in self._rows.items() if selection.domain in (None, row.domain)]

    @rule(selection=SELECTIONS, limit=st.integers(1, 5))
    def hold(self, selection: Selection, limit: int) -> None:
        rows = [row for _, row in self._selected(selection) if not row.held][:limit]
        assert self._run(self._store.hold_rows(selection, trace_line("held"), limit)) == len(rows)
        for row in rows:
            row.held = True

    @rule(selection=SELECTIONS, limit=st.integers(1, 5))
    def release(self, selection: Selection, limit: int) -> None:
        rows = [row for _, row in self._selected(selection) if row.held][:limit]
        count = self._run(self._store.release_rows(selection, self._now, trace_line("released"), limit))
        assert count == len(rows)
        for row in rows:
            row.held, row.due = False, row.due if row.lease else self._now

    @rule(selection=SELECTIONS, limit=st.integers(1, 5))
    def retry(self, selection: Selection, limit: int) -> None:
        rows = [
            row
            for _, row in self._selected(selection)
            if not row.lease and not row.held and row.due > self._now
        ][:limit]
        count = self._run(self._store.retry_rows(selection, self._now, trace_line("retried"), limit))
        assert count == len(rows)
        for row in rows:
            row.due = self._now

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
                row.lease, row.node, row.by_hand = "", "", False
                row.due, row.uncertain = at, row.uncertain + uncertain
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

    @rule(node=NODES)
    def restart(self, node: str) -> None:
        self._run(self._store.close())
        self._store = self.back_end.build(Path(self._folder.name) / "store")
        self._run(self._store.open())
        left = self._run(self._store.void_leases(self._now, node))
        leased = {name: row for name, row in self._rows.items() if row.lease and row.node == node}
        assert {one.recipient: (one.message_id, one.domain) for one in left} == {
            name: (row.message, row.domain) for name, row in leased.items() if not row.by_hand
        }
        for row in leased.values():
            row.end_lease()
            row.due = self._now

    @invariant()
    def the_same_rows(self) -> None:
        found = {
            row.recipient: (row.domain, row.next_attempt, row.attempts, row.uncertain, row.state)
            for row in self._run(self._store.queued(EVERYTHING))
        }
        assert found == {
            name: (
                row.domain,
                row.due,
                row.attempts,
                row.uncertain,
                row.state,
            )
            for name, row in self._rows.items()
        }

    @invariant()
    def the_same_next_time(self) -> None:
        for busy in ((), DOMAINS[:1], DOMAINS[1:]):
            due = [row.due for row in self._rows.values() if row.domain not in busy and not row.parked]
            assert self._run(self._store.next_due(busy)) == min(due, default=None)

    @invariant()
    def the_same_figures(self) -> None:
        for found in self._run(self._store.queue_by_domain()):
            rows = [row for row in self._rows.values() if row.domain == found.domain]
            assert found.rows == len(rows)
            counts = [sum(row.state == state for row in rows) for state in STATES]
            assert [found.waiting, found.leased, found.uncertain, found.held] == counts
            assert found.next_attempt == min((row.due for row in rows if not row.parked), default=None)
            assert found.attempts == max(row.attempts for row in rows)

    def teardown(self) -> None:
        self._run(self._store.close())
        self._loop.close()
        self._folder.cleanup()


@pytest.mark.req("QUE-1", "QUE-3", "QUE-4")
def test_an_outbox_does_what_the_model_does(back_end: BackEnd) -> None:
    """No row is lost, leased twice, or settled by somebody who does not hold it."""
    machine = type("Machine", (OutboxMachine,), {"back_end": back_end})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=30, stateful_step_count=40, deadline=None)
    )
