"""One folder and its archive against a model of a few lines, over random histories."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mss_gateway.ports.mailboxes import FlagChange, NewAppend, Viewer
from tests.support.store import ANYONE, BACK_ENDS, NOW, BackEnd, add_box, body, folder_named, inbox

T = TypeVar("T")
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "Suivi", "$MDNSent"]), max_size=3)
UIDS = st.lists(st.integers(1, 12), max_size=5)
PLACES = st.sampled_from([0, 1])


class _Model:
    """What a folder ought to hold."""

    def __init__(self) -> None:
        self.flags: dict[int, frozenset[str]] = {}
        self.texts: dict[int, bytes] = {}
        self.uid_next = 1

    def add(self, flags: frozenset[str], text: bytes) -> int:
        uid, self.uid_next = self.uid_next, self.uid_next + 1
        self.flags[uid], self.texts[uid] = flags, text
        return uid

    def remove(self, uid: int) -> None:
        del self.flags[uid], self.texts[uid]


class FolderMachine(RuleBasedStateMachine):
    """Does the same to the store and to the model, and compares everything that can be seen."""

    back_end: BackEnd = BACK_ENDS[0]

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory()
        self._store = self.back_end.build(Path(self._folder.name) / "store")

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    @initialize()
    def provision(self) -> None:
        self._run(self._store.open())
        box = self._run(add_box(self._store))
        self._ids = (
            self._run(inbox(self._store, box.id)),
            self._run(folder_named(self._store, box.id, "Archive")).id,
        )
        self._models = (_Model(), _Model())
        self._modseq = [0, 0]
        self._known: list[dict[int, frozenset[str]]] = [{}, {}]

    @rule(
        place=PLACES, many=st.lists(st.tuples(FLAGS, st.sampled_from([0, 100, 3000])), min_size=1, max_size=3)
    )
    def append(self, place: int, many: list[tuple[frozenset[str], int]]) -> None:
        news = [NewAppend(body(b"t" * size), flags, NOW) for flags, size in many]
        given = self._run(self._store.append(self._ids[place], ANYONE, news))
        expected = [self._models[place].add(new.flags, bytes(new.body.text)) for new in news]  # type: ignore[arg-type]
        assert given == expected

    @rule(place=PLACES, uids=UIDS, change=st.sampled_from(FlagChange), flags=FLAGS)
    def store_flags(self, place: int, uids: list[int], change: FlagChange, flags: frozenset[str]) -> None:
        outcome = self._run(self._store.store_flags(self._ids[place], ANYONE, uids, change, flags))
        model = self._models[place].flags
        for uid in set(uids) & set(model):
            model[uid] = {
                FlagChange.REPLACE: flags,
                FlagChange.ADD: model[uid] | flags,
                FlagChange.REMOVE: model[uid] - flags,
            }[change]
        assert {row.uid: row.flags for row in outcome.rows} == {
            uid: model[uid] for uid in set(uids) & set(model)
        }

    @rule(place=PLACES, uids=st.none() | UIDS)
    def expunge(self, place: int, uids: list[int] | None) -> None:
        model = self._models[place]
        expected = [
            uid for uid in model.flags if "\\Deleted" in model.flags[uid] and (uids is None or uid in uids)
        ]
        assert self._run(self._store.expunge(self._ids[place], ANYONE, uids)) == sorted(expected)
        for uid in expected:
            model.remove(uid)

    @rule(source=PLACES, goal=PLACES, uids=UIDS, take=st.booleans())
    def copy_or_move(self, source: int, goal: int, uids: list[int], take: bool) -> None:
        call = self._store.move if take else self._store.copy
        copied = self._run(call(self._ids[source], ANYONE, uids, self._ids[goal]))
        old, new = self._models[source], self._models[goal]
        expected = sorted(set(uids) & set(old.flags))
        assert list(copied.source_uids) == expected
        given = [new.add(old.flags[uid], old.texts[uid]) for uid in expected]
        assert list(copied.target_uids) == given
        for uid in expected if take else ():
            old.remove(uid)

    @rule()
    def reopen(self) -> None:
        self._run(self._store.close())
        self._store = self.back_end.build(Path(self._folder.name) / "store")
        self._run(self._store.open())

    @invariant()
    def what_is_seen_is_what_the_model_says(self) -> None:
        for place, model in enumerate(self._models):
            self._compare(place, model)

    def _compare(self, place: int, model: _Model) -> None:
        folder_id = self._ids[place]
        snapshot = self._run(self._store.snapshot(folder_id, Viewer(3)))
        assert list(snapshot.uids) == sorted(model.flags)
        assert snapshot.uid_next == model.uid_next
        unseen = [uid for uid, flags in sorted(model.flags.items()) if "\\Seen" not in flags]
        assert snapshot.first_unseen == (unseen[0] if unseen else 0)
        status = self._run(self._store.status(folder_id, ANYONE))
        assert (status.messages, status.unseen) == (len(model.flags), len(unseen))
        rows = self._run(self._store.rows(folder_id, ANYONE, list(snapshot.uids), frozenset()))
        assert {row.uid: row.flags for row in rows} == model.flags
        assert all(row.modseq <= snapshot.highest_modseq for row in rows)
        texts = self._run(self._store.read_texts([row.body_id for row in rows], 1_000_000))
        assert {row.uid: texts[row.body_id] for row in rows} == model.texts
        self._follow(place, model, snapshot.highest_modseq)

    def _follow(self, place: int, model: _Model, highest: int) -> None:
        """A session that applies CHANGES to what it knew arrives at the truth."""
        changes = self._run(self._store.changes(self._ids[place], ANYONE, self._modseq[place]))
        known = self._known[place]
        for uid in changes.vanished:
            known.pop(uid, None)
        known.update({row.uid: row.flags for row in changes.changed})
        assert set(changes.added) <= set(known)
        assert known == model.flags
        assert changes.highest_modseq == highest >= self._modseq[place]
        self._modseq[place] = highest

    def teardown(self) -> None:
        self._run(self._store.close())
        self._loop.close()
        self._folder.cleanup()


@pytest.mark.req("IMP-1")
def test_a_folder_behaves_like_its_model(back_end: BackEnd) -> None:
    """Append, store, expunge, copy, move and reopen, in any order."""
    machine = type("Machine", (FolderMachine,), {"back_end": back_end})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=25, stateful_step_count=20, deadline=None)
    )
