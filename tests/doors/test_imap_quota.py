"""Quotas at the doors (BAL-9): what IMAP tells (RFC 9208), what it refuses, and what another operator hears."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mss_gateway.ports.records import BoxChoices
from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.letters import SENDER, letter
from tests.support.members import CHIEF, LINE, Practice, practice
from tests.support.wires import Imap

pytestmark = pytest.mark.req("BAL-9")


@pytest.fixture(scope="module")
def team(door: Served) -> Practice:
    """A practice whose member anne has a mailbox of her own too."""
    return practice(door, "anne", own=("anne",))


@pytest.fixture(scope="module")
def chief(door: Served, team: Practice) -> Iterator[Imap]:
    """A connection whose main mailbox is the shared one."""
    wire = door.imap(team.accounts[CHIEF])
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def anne(door: Served, team: Practice) -> Iterator[Imap]:
    """A connection to whom the practice's box is `Shared/…`."""
    wire = door.imap(team.accounts["anne"])
    yield wire
    wire.close()


@pytest.fixture
def empty(door: Served, team: Practice, chief: Imap) -> Imap:
    """The shared box without mail and without limits."""
    limit(door, team, 0, 0)
    chief.ok("SELECT INBOX")
    chief.ok("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
    chief.ok("CLOSE")
    return chief


def limit(door: Served, team: Practice, octets: int, messages: int) -> None:
    """What `bal quota` does in the store."""
    choices = BoxChoices(quota_bytes=octets, quota_messages=messages)
    door.call(door.parts.store.set_box_choices(team.box.id, choices, LINE))


def used(wire: Imap, root: str) -> bytes:
    """The resources of a QUOTA response."""
    (line,) = wire.ok(f"GETQUOTA {root}")
    assert line.startswith(b"* QUOTA %b (" % root.encode())
    return line.partition(b" (")[2].rstrip(b")")


def test_what_a_client_hears(door: Served, team: Practice, empty: Imap, anne: Imap) -> None:
    """GETQUOTAROOT and GETQUOTA: one root for each box, only what is limited, STORAGE in 1024 octets."""
    root = team.box.address
    assert empty.ok("GETQUOTAROOT INBOX") == [
        f"* QUOTAROOT INBOX {root}".encode(),
        f"* QUOTA {root} ()".encode(),
    ]
    assert empty.append("INBOX", letter()).startswith(b"OK")
    (size,) = empty.ok("STATUS INBOX (SIZE)")
    octets = int(size.split()[-1].rstrip(b")"))
    limit(door, team, 10 * 1024**2, 500)
    assert used(empty, root) == b"STORAGE %d 10240 MESSAGE 1 500" % -(-octets // 1024)
    limit(door, team, 0, 500)
    assert anne.ok(f"GETQUOTAROOT Shared/{root}/Sent") == [
        f"* QUOTAROOT Shared/{root}/Sent {root}".encode(),
        f"* QUOTA {root} (MESSAGE 1 500)".encode(),
    ]
    assert anne.ok("GETQUOTAROOT INBOX")[0].split()[-1].decode().startswith("anne.")
    for command in (
        "GETQUOTA quelqu-un@ailleurs.example",
        'GETQUOTA ""',
        "GETQUOTAROOT Shared/quelqu-un@ailleurs.example",
    ):
        assert empty.ending(command).startswith(b"NO [NONEXISTENT]")
    assert empty.ok("GETQUOTAROOT a/venir")[0] == f"* QUOTAROOT a/venir {root}".encode()
    for command in ("GETQUOTA", "GETQUOTAROOT", f"SETQUOTA {root} (STORAGE 1)"):
        assert empty.ending(command).startswith(b"BAD")


def test_append_copy_and_move_into_a_full_box(door: Served, team: Practice, empty: Imap, anne: Imap) -> None:
    """NO [OVERQUOTA], nothing stored; MOVE inside of the box goes on, and so does reading and deleting."""
    shared = f"Shared/{team.box.address}"
    for _ in range(2):
        assert empty.append("INBOX", letter()).startswith(b"OK")
        assert anne.append("INBOX", letter()).startswith(b"OK")
    limit(door, team, 0, 3)
    anne.ok("SELECT INBOX")
    assert anne.ending(f"COPY 1:2 {shared}").startswith(b"NO [OVERQUOTA]")
    assert anne.ending(f"MOVE 1:2 {shared}").startswith(b"NO [OVERQUOTA]")
    assert anne.ok("SEARCH ALL") == [b"* SEARCH 1 2"]
    assert anne.ending(f"COPY 1 {shared}").startswith(b"OK")
    assert empty.append("INBOX", letter()).startswith(b"NO [OVERQUOTA]")
    assert used(empty, team.box.address) == b"MESSAGE 3 3"
    empty.ok("SELECT INBOX")
    assert empty.ending("COPY 1 Archive").startswith(b"NO [OVERQUOTA]")
    assert empty.ending("MOVE 1 Archive").startswith(b"OK")
    empty.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    empty.ok("EXPUNGE")
    assert empty.append("INBOX", letter()).startswith(b"OK")
    empty.ok("SELECT Archive")
    empty.ok("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
    empty.ok("CLOSE")


def test_octets_are_limited_too(door: Served, team: Practice, empty: Imap) -> None:
    """A message that would pass the limit is refused, a smaller one still taken; all of a command or nothing."""
    limit(door, team, 4096, 0)
    big = b"Subject: gros\r\n\r\n" + b"x" * 3000 + b"\r\n"
    assert empty.append("INBOX", big).startswith(b"OK")
    assert empty.append("INBOX", big).startswith(b"NO [OVERQUOTA]")
    assert empty.append("INBOX", b"Subject: petit\r\n\r\nx\r\n").startswith(b"OK")
    assert used(empty, team.box.address) == b"STORAGE 3 4"
    assert empty.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 2)"]


def test_a_full_mailbox_takes_no_mail_and_loses_none(door: Served) -> None:
    """452 4.2.2 at RCPT for the full one alone; with room again the same message comes in."""
    account = door.account("ORG")
    other = door.account("PER")
    store = door.parts.store
    box = door.call(store.box(account.address.lower()))
    reader = door.imap(account)
    assert reader.append("INBOX", letter()).startswith(b"OK")
    door.call(store.set_box_choices(box.id, BoxChoices(quota_messages=1), LINE))
    wire = door.operator()
    assert wire.command(f"MAIL FROM:<{SENDER}>").startswith("250")
    assert wire.command(f"RCPT TO:<{account.address}>").startswith("452 4.2.2")
    assert wire.command(f"RCPT TO:<{other.address}>").startswith("250")
    door.call(store.set_box_choices(box.id, BoxChoices(quota_messages=2), LINE))
    assert wire.command(f"RCPT TO:<{account.address}>").startswith("250")
    # The box fills up between RCPT and the end of data: what was accepted is kept.
    assert reader.append("INBOX", letter()).startswith(b"OK")
    reply = wire.data(letter(SENDER, account.address))
    assert reply.startswith("250"), reply
    assert reader.ok("STATUS INBOX (MESSAGES)")[0].endswith(b"(MESSAGES 3)")
    door.call(store.set_box_choices(box.id, BoxChoices(quota_messages=0), LINE))
    wire.close()
    reader.close()


def test_the_setting_is_the_default(special: Callable[..., Served]) -> None:
    """A limit of the settings holds for every box, unless the box has its own; each is told."""

    def small(settings: Settings) -> Settings:
        return replace(settings, store=replace(settings.store, quota_messages=1))

    served = special(small)
    wire = served.imap(served.account("PER"))
    count = int(wire.ok("STATUS INBOX (MESSAGES)")[0].split()[-1].rstrip(b")"))
    if not count:
        assert wire.append("INBOX", letter()).startswith(b"OK")
    assert wire.append("INBOX", letter()).startswith(b"NO [OVERQUOTA]")
    box = served.call(served.parts.store.box(served.account("PER").address.lower()))
    served.call(served.parts.store.set_box_choices(box.id, BoxChoices(quota_messages=100), LINE))
    assert wire.append("INBOX", letter()).startswith(b"OK")
    assert wire.ok("GETQUOTAROOT INBOX")[1].endswith(b" 100)")
    wire.close()
