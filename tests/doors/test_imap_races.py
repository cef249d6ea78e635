"""What another session commits between two hops of one command (RFC 9051 section 7.5.1, RFC 7162 section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
import uvloop

from mss_gateway.ports.mailboxes import FlagChange, Viewer
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite.store import SqliteStore
from tests.support.doors import Served, gateway_in_thread
from tests.support.folders import fetches, filled, number_after, remove
from tests.support.letters import letter
from tests.support.wires import Closed, Imap, literal

pytestmark = pytest.mark.req("IMP-1")
NOBODY = Viewer(0)
LARGE = b"0123456789abcdef" * 16 + b"\r\n"


def forgetful(settings: Settings) -> Settings:
    """What is removed is gone at once."""
    return replace(settings, store=replace(settings.store, keep_deleted=0.0))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that keeps nothing of what is removed."""
    folder = tmp_path_factory.mktemp("races")
    with gateway_in_thread(folder, forgetful, loop=uvloop.new_event_loop) as served:
        yield served
        assert served.faults() == 0


@pytest.fixture
def imap(door: Served) -> Iterator[Imap]:
    """A client that knows QRESYNC."""
    imap = door.imap(door.account("PER"))
    imap.ok("ENABLE QRESYNC")
    yield imap
    imap.close()


def folder_id(answers: list[bytes]) -> int:
    """The folder behind what SELECT has answered."""
    found = re.search(rb"MAILBOXID \(F(\d+)-", b"\n".join(answers))
    assert found is not None, answers
    return int(found[1])


@contextmanager
def ahead_of(job: str, act: Callable[[SqliteStore], Awaitable[None]], nth: int = 1) -> Iterator[None]:
    """The nth call of a store's job from now on comes just after somebody else's act."""
    real = getattr(SqliteStore, job)
    calls = 0

    async def late(store: SqliteStore, *values: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            await act(store)
        return await real(store, *values, **options)

    with patch.object(SqliteStore, job, late):
        yield
    assert calls >= nth


async def vanish(store: SqliteStore, folder: int, uid: int) -> None:
    """Mark one message deleted and expunge it."""
    await store.store_flags(folder, NOBODY, [uid], FlagChange.ADD, frozenset({"\\Deleted"}))
    await store.expunge(folder, NOBODY, [uid])


def test_a_message_expunged_before_its_text_is_read_is_not_answered(imap: Imap) -> None:
    """Neither empty nor filled up: it has gone, and the others come whole."""
    folder = folder_id(imap.ok(f"SELECT {filled(imap, 3)}"))
    with ahead_of("read_texts", lambda store: vanish(store, folder, 2)):
        untagged, tagged = imap.run("FETCH 1:3 (UID BODY.PEEK[TEXT])")
    assert [literal(line) for line in fetches(untagged)] == [b"Bonjour.\r\n"] * 2
    assert tagged.startswith(b"OK [EXPUNGEISSUED]")
    assert imap.ok("NOOP") == [b"* VANISHED 2"]


@pytest.mark.parametrize("nth", [1, 3])
def test_a_large_message_expunged_while_it_is_sent(imap: Imap, nth: int) -> None:
    """Before the first octet it has gone; amid the literal the connection ends, rather than other octets follow."""
    name = filled(imap, 1)
    imap.append(name, letter(text=LARGE * 4000))
    folder = folder_id(imap.ok(f"SELECT {name}"))
    with ahead_of("read_text", lambda store: vanish(store, folder, 2), nth):
        tag = imap.begin("FETCH 1:2 (UID BODY.PEEK[TEXT])")
        assert literal(imap.response()) == b"Bonjour.\r\n"
        if nth == 1:
            assert imap.until(tag)[1].startswith(b"OK [EXPUNGEISSUED]")
            return
        assert imap.line().startswith(b"* 2 FETCH (UID 2 BODY[TEXT] {")
        with pytest.raises(Closed):
            imap.take(len(LARGE) * 4000)
        assert imap.buffer
        assert (LARGE * 4000).startswith(imap.buffer)


def test_what_can_be_brought_back_is_sent_whole(special: Callable[..., Served]) -> None:
    """Where removed messages are kept for a while, one that goes in between is answered with its own octets (OPS-5)."""
    door = special()
    imap = door.imap(door.account("PER"))
    name = filled(imap, 2)
    imap.append(name, letter(text=LARGE * 4000))
    folder = folder_id(imap.ok(f"SELECT {name}"))
    with ahead_of("read_text", lambda store: vanish(store, folder, 3), 3):
        answers = fetches(imap.ok("FETCH 3 (UID BODY.PEEK[TEXT])"))
    assert [literal(line) for line in answers] == [LARGE * 4000]
    assert imap.ok("NOOP") == [b"* 3 EXPUNGE"]
    imap.close()


def test_a_silent_store_does_not_hide_what_another_did_just_before(door: Served) -> None:
    """Ours changes nothing, theirs does, after we were brought up to date and before our turn: we hear of theirs."""
    imap = door.imap(door.account("PER"))
    folder = folder_id(imap.ok(f"SELECT {filled(imap, 2)}"))

    async def act(store: SqliteStore) -> None:
        await store.store_flags(folder, NOBODY, [1], FlagChange.ADD, frozenset({"\\Flagged"}))

    with ahead_of("store_flags", act):
        told = imap.ok("STORE 1 -FLAGS.SILENT (\\Answered)")
    assert [*told, *imap.ok("NOOP")] == [b"* 1 FETCH (UID 1 FLAGS (\\Flagged))"]
    with ahead_of("store_flags", act_on_the_second(folder)):
        told = imap.ok("STORE 1:2 +FLAGS.SILENT (\\Flagged)")
    assert b"* 2 FETCH (UID 2 FLAGS (Work \\Flagged))" in [*told, *imap.ok("NOOP")]
    imap.close()


def act_on_the_second(folder: int) -> Callable[[SqliteStore], Awaitable[None]]:
    """Somebody gives the second message a keyword."""

    async def act(store: SqliteStore) -> None:
        await store.store_flags(folder, NOBODY, [2], FlagChange.ADD, frozenset({"Work"}))

    return act


def test_where_to_ask_from_is_said_after_all_mod_sequences(door: Served, imap: Imap) -> None:
    """While expunges wait, also what NOTIFY tells of new messages comes first (RFC 7162 section 3.2, RFC 5465)."""
    name = filled(imap, 3)
    imap.ok(f"SELECT {name}")
    imap.ok("NOTIFY SET (SELECTED-DELAYED (MessageNew (UID FLAGS MODSEQ) MessageExpunge FlagChange))")
    other = door.imap(door.account("PER"), select=name)
    remove(other, "1")
    other.append(name, letter())
    while b"(UID 4 " not in imap.response():
        pass
    assert [line for line in imap.ok("CAPABILITY") if line.startswith(b"* OK [HIGHESTMODSEQ ")]
    assert imap.ok("NOOP") == [b"* VANISHED 1"]
    other.close()


def test_no_mod_sequence_above_the_snapshot_is_told_on_coming_back(door: Served, imap: Imap) -> None:
    """Else a client cut off then would ask from there, and never hear of what vanished in between."""
    name = filled(imap, 3)
    answers = imap.ok(f"SELECT {name}")
    folder = folder_id(answers)
    since, validity = (number_after(word, answers) for word in (b"HIGHESTMODSEQ", b"UIDVALIDITY"))
    imap.ok("UNSELECT")

    async def act(store: SqliteStore) -> None:
        await vanish(store, folder, 1)
        await store.store_flags(folder, NOBODY, [3], FlagChange.ADD, frozenset({"\\Flagged"}))

    with ahead_of("touched", act):
        answers = imap.ok(f"SELECT {name} (QRESYNC ({validity} {since}))")
    highest = number_after(b"HIGHESTMODSEQ", answers)
    assert [number_after(rb"MODSEQ", [line.replace(b"(", b"")]) for line in fetches(answers)] == [], answers
    imap.close()
    again = door.imap(door.account("PER"))
    again.ok("ENABLE QRESYNC")
    assert b"* VANISHED (EARLIER) 1" in again.ok(f"SELECT {name} (QRESYNC ({validity} {highest}))")
    again.close()
