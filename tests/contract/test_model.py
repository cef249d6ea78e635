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
from tests.support.store import ANYONE, BACK_ENDS, NOW, BackEnd, add_box, body, delivery, folder_named, inbox

T = TypeVar("T")
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "Suivi", "$MDNSent"]), max_size=3)
UIDS = st.lists(st.integers(1, 12), max_size=5)
PLACES = st.sampled_from([0, 1])
SEEN = frozenset({"\\Seen"})
ALONE = (ANYONE,)
MEMBERS = (Viewer(1, shared=True), Viewer(2, shared=True))
WHO = st.sampled_from([0, 1])


_Past = tuple[int, dict[Viewer, dict[int, frozenset[str]]]]


class _Model:
    """What a folder ought to hold."""

    def __init__(self) -> None:
        self.flags: dict[int, dict[Viewer, frozenset[str]]] = {}
        self.texts: dict[int, bytes] = {}
        self.uid_next = 1

    def add(self, flags: dict[Viewer, frozenset[str]], text: bytes) -> int:
        uid, self.uid_next = self.uid_next, self.uid_next + 1
        self.flags[uid], self.texts[uid] = dict(flags), text
        return uid

    def seen_by(self, viewer: Viewer) -> dict[int, frozenset[str]]:
        return {uid: flags[viewer] for uid, flags in self.flags.items()}

    def remove(self, uid: int) -> None:
        del self.flags[uid], self.texts[uid]


def _marked(
    viewers: tuple[Viewer, ...],
    by: Viewer,
    after: frozenset[str],
    before: dict[Viewer, frozenset[str]] | None = None,
) -> dict[Viewer, frozenset[str]]:
    """What each viewer sees once one of them has set these flags: `\\Seen` is each one's own."""
    found = {}
    for viewer in viewers:
        kept = (before[viewer] if before else frozenset()) & SEEN
        found[viewer] = after if viewer == by else (after - SEEN) | kept
    return found


class FolderMachine(RuleBasedStateMachine):
    """Does the same to the store and to the model, and compares everything that can be seen."""

    back_end: BackEnd = BACK_ENDS[0]
    viewers: tuple[Viewer, ...] = ALONE

    def __init__(self) -> None:
        super().__init__()
        self._past: list[list[_Past]] = [[], []]
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory()
        self._store = self.back_end.build(Path(self._folder.name) / "store")

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    @initialize()
    def provision(self) -> None:
        self._run(self._store.open())
        box = self._run(add_box(self._store))
        self._box_id = box.id
        self._ids = (
            self._run(inbox(self._store, box.id)),
            self._run(folder_named(self._store, box.id, "Archive")).id,
        )
        self._models = (_Model(), _Model())

    def _who(self, number: int) -> Viewer:
        return self.viewers[number % len(self.viewers)]

    @rule(
        place=PLACES,
        who=WHO,
        many=st.lists(st.tuples(FLAGS, st.sampled_from([0, 100, 3000])), min_size=1, max_size=3),
    )
    def append(self, place: int, who: int, many: list[tuple[frozenset[str], int]]) -> None:
        viewer = self._who(who)
        news = [NewAppend(body(b"t" * size), flags, NOW) for flags, size in many]
        given = self._run(self._store.append(self._ids[place], viewer, news))
        model = self._models[place]
        assert given == [model.add(_marked(self.viewers, viewer, flags), b"t" * size) for flags, size in many]

    @rule(size=st.sampled_from([0, 2001]))
    def accept(self, size: int) -> None:
        (place,) = self._run(self._store.accept(delivery(body(b"a" * size), self._box_id)))
        nothing: dict[Viewer, frozenset[str]] = dict.fromkeys(self.viewers, frozenset())
        assert place.uid == self._models[0].add(nothing, b"a" * size)

    @rule(place=PLACES, who=WHO, uids=UIDS, change=st.sampled_from(FlagChange), flags=FLAGS)
    def store_flags(
        self, place: int, who: int, uids: list[int], change: FlagChange, flags: frozenset[str]
    ) -> None:
        viewer = self._who(who)
        outcome = self._run(self._store.store_flags(self._ids[place], viewer, uids, change, flags))
        model = self._models[place].flags
        named = set(uids) & set(model)
        for uid in named:
            after = {
                FlagChange.REPLACE: flags,
                FlagChange.ADD: model[uid][viewer] | flags,
                FlagChange.REMOVE: model[uid][viewer] - flags,
            }[change]
            model[uid] = _marked(self.viewers, viewer, after, model[uid])
        assert {row.uid: row.flags for row in outcome.rows} == {uid: model[uid][viewer] for uid in named}

    @rule(place=PLACES, uids=st.none() | UIDS)
    def expunge(self, place: int, uids: list[int] | None) -> None:
        model = self._models[place]
        expected = [
            uid
            for uid, flags in model.seen_by(self.viewers[0]).items()
            if "\\Deleted" in flags and (uids is None or uid in uids)
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
        highest = 0
        for viewer in self.viewers:
            highest = self._compare_for(viewer, place, model)
        self._past[place].append((highest, {viewer: model.seen_by(viewer) for viewer in self.viewers}))
        self._follow(place, self._past[place][-2:])

    def _compare_for(self, viewer: Viewer, place: int, model: _Model) -> int:
        folder_id, flags = self._ids[place], model.seen_by(viewer)
        snapshot = self._run(self._store.snapshot(folder_id, viewer))
        assert list(snapshot.uids) == sorted(flags)
        assert snapshot.uid_next == model.uid_next
        unseen = [uid for uid in sorted(flags) if "\\Seen" not in flags[uid]]
        assert snapshot.first_unseen == (unseen[0] if unseen else 0)
        status = self._run(self._store.status(folder_id, viewer))
        deleted = sum("\\Deleted" in marks for marks in flags.values())
        assert (status.messages, status.unseen, status.deleted) == (len(flags), len(unseen), deleted)
        rows = self._run(self._store.rows(folder_id, viewer, list(snapshot.uids), frozenset()))
        assert {row.uid: row.flags for row in rows} == flags
        assert all(row.modseq <= snapshot.highest_modseq for row in rows)
        texts = self._run(self._store.read_texts([row.body_id for row in rows], 1_000_000))
        assert {row.uid: texts[row.body_id] for row in rows} == model.texts
        return snapshot.highest_modseq

    def _follow(self, place: int, past: list[_Past]) -> None:
        """A session that applies CHANGES to what it knew at any past instant arrives at the truth."""
        for since, views in past:
            for viewer in self.viewers:
                changes = self._run(self._store.changes(self._ids[place], viewer, since))
                known = dict(views[viewer])
                added = set(changes.added)
                assert not added & set(known)
                known.update({row.uid: row.flags for row in changes.changed})
                for uid in changes.vanished:
                    known.pop(uid, None)
                assert known == self._models[place].seen_by(viewer)
                assert added == set(known) - set(views[viewer])
                assert all(row.modseq > since for row in changes.changed)
                assert changes.highest_modseq >= since

    def teardown(self) -> None:
        for place, past in enumerate(self._past):
            self._follow(place, past)
        self._run(self._store.close())
        self._loop.close()
        self._folder.cleanup()


@pytest.mark.req("IMP-1", "BAL-3")
@pytest.mark.parametrize("viewers", [ALONE, MEMBERS], ids=["alone", "members"])
def test_a_folder_behaves_like_its_model(back_end: BackEnd, viewers: tuple[Viewer, ...]) -> None:
    """Append, accept, store, expunge, copy, move and reopen, in any order, seen by one or by two members."""
    machine = type("Machine", (FolderMachine,), {"back_end": back_end, "viewers": viewers})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=20, stateful_step_count=15, deadline=None)
    )
