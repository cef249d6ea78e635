"""Everything that somebody does in a mailbox stands in the functional trace, in few lines (AUD-1)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.imapd.deeds import Deeds
from mss_gateway.pipeline.auditing import AuditOptions, Reads
from mss_gateway.pipeline.notes import Notes
from mss_gateway.ports.identity import Principal
from mss_gateway.rules.facts import CallerKind
from mss_gateway.settings import Settings
from tests.support.doors import Served, gateway_in_thread
from tests.support.letters import letter

pytestmark = pytest.mark.req("AUD-1")


def lines(door: Served, since: float, last: str = "mailbox-removed") -> list[Any]:
    """The lines of mailboxes since then, once everything that waits is written."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        door.call(door.parts.notes.flush())
        found = [
            line
            for line in door.call(door.parts.store.trace(limit=500))
            if line.event.startswith("mailbox-") and line.at >= since
        ]
        if any(line.event == last for line in found):
            return found
        time.sleep(0.05)
    return found


def test_a_session_leaves_one_line_for_each_kind_of_deed(
    door: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened, read, searched, flagged, copied, moved, removed, added, refused: how many and which, never what."""
    for name in ("MINUTE", "AT_ONCE"):  # however long this session takes, its end is what writes its lines
        monkeypatch.setattr(f"mss_gateway.imapd.deeds.{name}", 3600.0)
    account, since = door.account("PER"), time.time()
    wire = door.imap(account)
    wire.ok("CREATE deeds")
    for _ in range(5):
        wire.append("deeds", letter(account.address, account.address))
    wire.ok("CREATE other")
    wire.ok("SELECT deeds")
    for number in range(1, 6):
        wire.ok(f"FETCH {number} BODY.PEEK[]")
        wire.ok(f"FETCH {number} BODY.PEEK[HEADER]")
        wire.ok(f"STORE {number} +FLAGS (\\Flagged)")
    wire.ok("SEARCH TEXT bonjour")
    wire.ok("COPY 1:2 other")
    wire.ok("MOVE 3 other")
    wire.ok("STORE 1:2 +FLAGS (\\Deleted)")
    wire.ok("EXPUNGE")
    assert wire.ending("COPY 1 absent").startswith(b"NO")
    wire.close()
    found = lines(door, since, "mailbox-refused")
    assert {(line.event, line.detail["request"], line.detail["messages"]) for line in found} >= {
        ("mailbox-added", "APPEND", 5),
        ("mailbox-opened", "SELECT", 5),
        ("mailbox-read", "FETCH BODY", 5),
        ("mailbox-read", "FETCH HEADER", 5),
        ("mailbox-copied", "COPY", 2),
        ("mailbox-moved", "MOVE", 1),
        ("mailbox-removed", "EXPUNGE", 2),
        ("mailbox-refused", "COPY", 1),
    }
    assert max(Counter(line.event for line in found).values()) <= 3
    assert {line.actor for line in found} == {account.login}
    (refused,) = [line for line in found if line.event == "mailbox-refused"]
    assert refused.detail["reason"] == "trycreate"
    (read,) = [line for line in found if line.detail["request"] == "FETCH BODY"]
    assert read.detail["uids"] == "1:5"


@pytest.mark.parametrize("reads", ["shared", "off"])
def test_readings_are_traced_where_the_setting_says(tmp_path: Path, reads: Reads) -> None:
    """What changes a mailbox is traced whatever it says."""

    def change(settings: Settings) -> Settings:
        return replace(settings, audit=AuditOptions(reads=reads))

    for served in gateway_in_thread_once(tmp_path, change):
        since = time.time()
        for kind in ("PER", "ORG"):
            account = served.account(kind)
            wire = served.imap(account, select="INBOX")
            wire.append("INBOX", letter(account.address, account.address))
            wire.ok("NOOP")
            wire.ok("FETCH 1 BODY[]")
            wire.ok("STORE 1 +FLAGS (\\Deleted)")
            wire.ok("EXPUNGE")
            wire.close()
        deadline = time.monotonic() + 60
        events: Counter[str] = Counter()
        while events["mailbox-removed"] < 2 and time.monotonic() < deadline:
            events = Counter(line.event for line in lines(served, since))
        assert events["mailbox-removed"] == 2
        assert events["mailbox-read"] == (1 if reads == "shared" else 0)


def gateway_in_thread_once(folder: Path, change: Any) -> Any:
    """A gateway of our own."""
    with gateway_in_thread(folder, change) as served:
        yield served


async def test_ten_thousand_messages_make_one_line() -> None:
    """However many commands they were fetched with; the range and the number tell how many."""
    kept: list[Any] = []

    class Sink:
        async def write_trace(self, lines: Any) -> None:
            kept.extend(lines)

    notes = Notes(Sink())  # type: ignore[arg-type]
    deeds = Deeds(notes, "all", "192.0.2.1")
    who = Principal(1, "alix", "Alix", CallerKind.PERSON, "plain", ())
    for uid in range(1, 10_001):
        deeds.did(who, (7, 3, False), "mailbox-read", "FETCH BODY", [uid])
    other = Principal(2, "bo", "Bo", CallerKind.PERSON, "plain", ())
    deeds.did(other, (7, 3, False), "mailbox-read", "FETCH BODY", [4])
    deeds.flush()
    deeds.flush()
    await notes.flush()
    assert [(line.actor, line.detail["messages"], line.detail["uids"]) for line in kept] == [
        ("alix", 10_000, "1:10000"),
        ("bo", 1, "4:4"),
    ]


async def test_a_change_does_not_wait_for_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings are gathered for a minute, changes for a second; the end of the session waits for neither."""
    kept: list[Any] = []

    class Sink:
        async def write_trace(self, lines: Any) -> None:
            kept.extend(lines)

    monkeypatch.setattr("mss_gateway.imapd.deeds.AT_ONCE", 0.01)
    notes = Notes(Sink())  # type: ignore[arg-type]
    deeds = Deeds(notes, "all", "192.0.2.1")
    who = Principal(1, "alix", "Alix", CallerKind.PERSON, "plain", ())
    deeds.did(who, (7, 3, False), "mailbox-read", "FETCH BODY", [4])
    await asyncio.sleep(0.05)
    await notes.flush()
    assert kept == []
    deeds.did(who, (7, 3, False), "mailbox-flagged", "STORE +FLAGS", [4])
    for _ in range(200):
        await asyncio.sleep(0.01)
        await notes.flush()
        if kept:
            break
    assert [line.event for line in kept] == ["mailbox-flagged"]
    deeds.flush()
    await notes.flush()
    assert [line.event for line in kept] == ["mailbox-flagged", "mailbox-read"]


@pytest.mark.req("AUD-3")
def test_a_login_says_through_which_door_and_how(door: Served) -> None:
    """Of it are made the connections by protocol and mechanism, and which mailboxes are active."""
    account, since = door.account("PER"), time.time()
    door.imap(account).close()
    door.submission(account).close()
    door.call(door.parts.notes.flush())
    found = {
        (line.detail["door"], line.detail["mechanism"])
        for line in door.call(door.parts.store.trace(limit=100))
        if line.event == "login" and line.at >= since and line.box_id is not None
    }
    assert found == {("imaps", "password"), ("submission", "plain")}
