"""News while a client waits: many who listen to one folder, some who do not read, storms, and silence."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.wires import Closed, Imap

pytestmark = pytest.mark.req("IMP-1")

MAIL = b"From: a@b.example\r\nSubject: Bilan\r\n\r\nBonjour.\r\n"
LARGE = b"From: a@b.example\r\nSubject: Image\r\n\r\n" + b"x" * 70 * 1000


def impatient(**seconds: float) -> Callable[[Settings], Settings]:
    """Settings with other deadlines of IMAP."""

    def change(settings: Settings) -> Settings:
        deadlines = replace(settings.imaps.deadlines, **seconds)
        return replace(settings, imaps=replace(settings.imaps, deadlines=deadlines))

    return change


def idle(box: Imap) -> Imap:
    """Begin IDLE."""
    box.begin("IDLE")
    assert box.response().startswith(b"+ ")
    return box


@pytest.fixture
def sender(door: Served) -> Iterator[Imap]:
    """A session that acts, in an account of one person."""
    box = door.imap(door.account("PER"))
    yield box
    box.close()


def watchers(served: Served) -> set[Any]:
    """The sessions that listen to any folder."""
    return set().union(*served.parts.hub._folders.values())


def test_one_read_for_all_who_listen(door: Served, sender: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty clients on one folder cost one read of what has changed, not twenty."""
    sender.ok("CREATE ensemble")
    boxes = [idle(door.imap(door.account("PER"), select="ensemble")) for _ in range(20)]
    store, reads = door.parts.store, []
    read = store.changes

    async def counting(*about: Any) -> Any:
        reads.append(about)
        return await read(*about)

    monkeypatch.setattr(store, "changes", counting)
    for count in range(1, 4):
        sender.append("ensemble", MAIL)
        assert {box.response() for box in boxes} == {b"* %d EXISTS" % count}
    assert len(reads) == 3
    for box in boxes:
        box.close()


def test_a_storm_is_told_in_sum(door: Served, sender: Imap) -> None:
    """A thousand messages that come at once are told to each of ten clients in far fewer lines."""
    sender.ok("CREATE orage")
    boxes = [idle(door.imap(door.account("PER"), select="orage")) for _ in range(10)]
    one = b" APPEND orage {%d+}\r\n" % len(MAIL) + MAIL + b"\r\n"

    def pour() -> None:
        box = door.imap(door.account("PER"))
        box.send(b"".join(b"s%d" % number + one for number in range(250)))
        for _ in range(250):
            assert b" OK " in box.response()
        box.close()

    threads = [threading.Thread(target=pour) for _ in range(4)]
    for thread in threads:
        thread.start()
    for box in boxes:
        lines = [box.response()]
        while lines[-1] != b"* 1000 EXISTS":
            lines.append(box.response())
        assert len(lines) <= 1000
        assert lines == sorted(lines, key=lambda line: int(line.split()[1]))
        box.close()
    for thread in threads:
        thread.join()


def test_who_does_not_read_delays_nobody(special: Callable[..., Served]) -> None:
    """A client whose window is full costs a bounded buffer, and its connection ends after the deadline."""
    served = special(impatient(write=2.0))
    account = served.account("PER")
    sender = served.imap(account)
    sender.ok("CREATE plein")
    other = served.imap(account, select="plein")
    other.ok("NOTIFY SET (selected (MessageNew (UID) MessageExpunge))")
    deaf = served.imap(account, select="plein")
    before = watchers(served)
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.ok("NOTIFY SET (selected (MessageNew (BODY.PEEK[]) MessageExpunge))")
    idle(deaf)
    (session,) = [
        one
        for one in before
        if one.notifier is not None
        and one.notifier.selected.items[0] is not None
        and len(one.notifier.selected.items) == 1
        and hasattr(one.notifier.selected.items[0], "peek")
    ]
    held = 0
    count = 0
    while session in watchers(served) and count < 400:
        count += 1
        assert sender.append("plein", LARGE).startswith(b"OK")
        assert other.response() == b"* %d EXISTS" % count
        assert other.response() == b"* %d FETCH (UID %d)" % (count, count)
        transport = session.stream._transport
        held = max(held, transport.get_write_buffer_size() if transport is not None else 0)
    while session in watchers(served):
        assert sender.ok("NOOP") == []
    assert 100_000 < held < 2_000_000
    assert served.faults() == 0
    for box in (sender, other, deaf):
        box.close()


def test_a_client_that_is_silent_too_long_is_sent_away(special: Callable[..., Served]) -> None:
    """The deadline of IDLE counts from the client's last word, whatever it is told meanwhile."""
    served = special(impatient(idle=2.0))
    account = served.account("PER")
    sender = served.imap(account)
    box = idle(served.imap(account, select="INBOX"))
    told = []
    with contextlib.suppress(Closed):
        while True:
            sender.append("INBOX", MAIL)
            told.append(box.response())
    assert told[0].endswith(b" EXISTS")
    assert told[-1].startswith(b"* BYE ")
    sender.close()


def test_a_client_that_has_gone_is_forgotten(door: Served, sender: Imap) -> None:
    """Half-closed or closed in IDLE: the session ends without waiting for the deadline."""
    sender.ok("CREATE parti")
    boxes = [idle(door.imap(door.account("PER"), select="parti")) for _ in range(2)]
    boxes[0].socket.shutdown(socket.SHUT_WR)
    boxes[1].socket.close()

    assert boxes[0].rest() is not None
    for _ in range(200):
        sender.ok("NOOP")
        if not any(
            one.selected is not None and one.selected.folder.name == "parti" for one in watchers(door)
        ):
            return
    pytest.fail("somebody still listens")
