"""Channels of several patients and mailboxes against a model: states, guards, marks in the mailbox (CHN-2, 9, 10)."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mss_gateway.ports.records import ChannelChange, ChannelGuard, Delivery, Exchange, NewBox
from mss_gateway.ports.store import StaleChannel, Store
from mss_gateway.rules.channel import CLOSED_KEYWORD, TRANSITIONS, Mark
from mss_gateway.rules.facts import BoxType, ChannelState
from tests.support.store import ANYONE, BackEnd, body, delivery, flags_of, folder_named, trace_line

PATIENTS = ("un@hopital.example", "deux@hopital.example")
BALS = ("dr.martin@hopital.example", "accueil@hopital.example")
FOLDERS = ("INBOX", "Trash")
PAIRS = st.tuples(st.sampled_from(PATIENTS), st.sampled_from(BALS))


class Exchanges(RuleBasedStateMachine):
    """What happens to channels in any order, with decisions that were made earlier."""

    back_end: BackEnd

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.states: dict[tuple[str, str], ChannelState] = {}
        self.versions: dict[tuple[str, str], int] = {}
        self.exchanges: dict[tuple[str, str], set[str]] = {}
        self.taken: list[ChannelGuard] = []
        self.count = 0

    def run(self, coroutine: Any) -> Any:
        """Wait for one call of the store."""
        return self.runner.run(coroutine)

    def _open(self) -> None:
        self.store: Store = self.back_end.build(Path(self.folder.name))
        self.run(self.store.open())

    @initialize()
    def start(self) -> None:
        """Two patients hosted here."""
        self._open()
        self.boxes = {
            address: self.run(self.store.add_box(NewBox(address, BoxType.PAT), trace_line())).id
            for address in PATIENTS
        }

    def _moved(self, pair: tuple[str, str], state: ChannelState) -> None:
        if self.states.get(pair, ChannelState.NEVER) is not state:
            self.versions[pair] = self.versions.get(pair, 0) + 1
        self.states[pair] = state

    @rule(pair=PAIRS, mark=st.sampled_from(Mark))
    def a_professional_writes(self, pair: tuple[str, str], mark: Mark) -> None:
        """Every message of a professional has one outcome, whatever came before (CHN-2..4)."""
        patient, bal = pair
        self.count += 1
        message_id = f"<n{self.count}@hopital.example>"
        state = TRANSITIONS[self.states.get(pair, ChannelState.NEVER), mark]
        plain = delivery(body(message_id=message_id), self.boxes[patient])
        part = replace(plain.parts[0], exchanges=(Exchange(patient, bal),))
        if mark is not Mark.NONE:
            place = replace(part.placements[0], flags=frozenset({CLOSED_KEYWORD}))
            part = replace(part, placements=(place,))
        change = ChannelChange(patient, bal, state, mark.value)
        self.run(self.store.accept(replace(plain, parts=(part,), channels=(change,))))
        self.exchanges.setdefault(pair, set()).add(message_id)
        self._moved(pair, state)

    @rule(pair=PAIRS, state=st.sampled_from([ChannelState.OPEN, ChannelState.CLOSED]))
    def ops_change_it(self, pair: tuple[str, str], state: ChannelState) -> None:
        self.run(self.store.set_channel(*pair, state, "ops", trace_line("channel")))
        self._moved(pair, state)

    @rule(pair=PAIRS)
    def a_patient_begins_to_answer(self, pair: tuple[str, str]) -> None:
        """The decision is made on what is read now; the commit comes later."""
        seen = self.run(self.store.channel(*pair))
        self.taken.append(ChannelGuard(*pair, seen.version))

    @rule()
    def the_answer_is_committed(self) -> None:
        """It passes exactly when the channel has not moved since (CHN-9)."""
        if not self.taken:
            return
        guard = self.taken.pop(0)
        answer = Delivery((), guards=(guard,), trace=(trace_line("answer"),))
        if self.versions.get((guard.patient, guard.bal), 0) == guard.version:
            self.run(self.store.accept(answer))
            return
        with pytest.raises(StaleChannel):
            self.run(self.store.accept(answer))

    @rule(patient=st.sampled_from(PATIENTS), copied=st.booleans())
    def the_patient_tidies_up(self, patient: str, copied: bool) -> None:
        """Messages are moved or copied away from INBOX."""
        inbox = self.run(folder_named(self.store, self.boxes[patient], "INBOX")).id
        trash = self.run(folder_named(self.store, self.boxes[patient], "Trash")).id
        uids = list(self.run(self.store.snapshot(inbox, ANYONE)).uids)[:2]
        if uids:
            self.run((self.store.copy if copied else self.store.move)(inbox, ANYONE, uids, trash))

    @rule()
    def the_gateway_is_restarted(self) -> None:
        self.run(self.store.close())
        self._open()

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        """States and versions, and the keyword on every copy of every message of a closed exchange."""
        if not hasattr(self, "boxes"):
            return
        for pair, state in self.states.items():
            found = self.run(self.store.channel(*pair))
            assert (found.state, found.version) == (state, self.versions[pair])
        for patient, box_id in self.boxes.items():
            for name in FOLDERS:
                self._marked(patient, self.run(folder_named(self.store, box_id, name)).id)

    def _marked(self, patient: str, folder_id: int) -> None:
        flags = self.run(flags_of(self.store, folder_id))
        rows = self.run(self.store.rows(folder_id, ANYONE, list(flags), frozenset()))
        for row in rows:
            (bal,) = (
                bal
                for bal in BALS
                for message_id in self.exchanges.get((patient, bal), ())
                if message_id == self._message_id(row.body_id)
            )
            closed = self.states[patient, bal] is ChannelState.CLOSED
            assert (CLOSED_KEYWORD in flags[row.uid]) is closed

    def _message_id(self, body_id: int) -> str:
        return f"<n{body_id}@hopital.example>"  # bodies are numbered from 1 on, as the messages are

    def teardown(self) -> None:
        """Close what was opened."""
        if hasattr(self, "store"):
            self.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()


@pytest.mark.req("CHN-2", "CHN-3", "CHN-9", "CHN-10")
def test_channels_do_what_the_model_does(back_end: BackEnd) -> None:
    """Any order of messages, marks, answers, commands, tidying and restarts."""
    machine = type("Bound", (Exchanges,), {"back_end": back_end})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
