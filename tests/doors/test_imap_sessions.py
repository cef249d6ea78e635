"""Several sessions on one mailbox: what each is told, and when (RFC 9051 sections 5.2, 7.5.1; RFC 2177)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mss_gateway.dev.wire import tls
from mss_gateway.imapd.options import ImapDeadlines
from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.letters import MEDECIN, SENDER, letter
from tests.support.wires import Imap

pytestmark = pytest.mark.req("IMP-1")
Pair = tuple[Imap, Imap]


@pytest.fixture
def pair(door: Served) -> Iterator[Pair]:
    """Two sessions on one mailbox of three messages."""
    one, two = (door.imap(door.account("PER")) for _ in range(2))
    one.run("DELETE pair")
    one.ok("CREATE pair")
    for _ in range(3):
        assert one.append("pair", letter()).startswith(b"OK")
    one.ok("SELECT pair")
    two.ok("SELECT pair")
    yield one, two
    one.close()
    two.close()


def test_flags_of_others_are_told_once(pair: Pair) -> None:
    """The writer hears its own answer, the other an untagged FETCH at its next command, both only once."""
    one, two = pair
    assert one.ok("STORE 2 +FLAGS (\\Flagged)") == [b"* 2 FETCH (FLAGS (\\Flagged))"]
    assert one.ok("NOOP") == []
    assert two.ok("NOOP") == [b"* 2 FETCH (UID 2 FLAGS (\\Flagged))"]
    assert two.ok("NOOP") == []


def test_a_silent_store_does_not_hide_what_another_did(pair: Pair) -> None:
    """Another session set \\Flagged unnoticed: after our silent \\Seen we know both."""
    one, two = pair
    one.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
    told = two.ok("STORE 1 +FLAGS.SILENT (\\Seen)") + two.ok("NOOP")
    assert any(b"\\Flagged" in line for line in told), told
    assert one.ok("NOOP") == [b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen))"]


def test_expunge_is_held_during_fetch_store_and_search(pair: Pair) -> None:
    """Numbers stay what they are while FETCH, STORE and SEARCH run; NOOP tells."""
    one, two = pair
    one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    one.ok("EXPUNGE")
    untagged = two.ok("FETCH 2 (UID)")
    assert [line for line in untagged if b"EXPUNGE" in line] == []
    assert b"* 2 FETCH (UID 2)" in untagged
    assert two.ok("SEARCH ALL") == [b"* SEARCH 2 3"]
    assert b"* 3 FETCH (FLAGS (\\Seen))" in two.ok("STORE 3 +FLAGS (\\Seen)")
    assert two.ok("STORE 1 +FLAGS (\\Seen)") == []
    assert two.ok("NOOP") == [b"* 1 EXPUNGE"]
    assert two.ok("FETCH 2 (UID)") == [b"* 2 FETCH (UID 3)"]


def test_uid_commands_may_tell_expunges(pair: Pair) -> None:
    """UID FETCH tells what has vanished before its tagged answer."""
    one, two = pair
    one.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    one.ok("EXPUNGE")
    untagged = two.ok("UID FETCH 3 (FLAGS)")
    assert untagged == [b"* 3 FETCH (UID 3 FLAGS ())", b"* 2 EXPUNGE"]


def test_new_mail_is_announced_after_expunges(pair: Pair) -> None:
    """EXPUNGE first, then EXISTS with the right count; the new message has the last number."""
    one, two = pair
    one.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    one.ok("EXPUNGE")
    assert one.append("pair", letter()).startswith(b"OK")
    assert two.ok("NOOP") == [b"* 3 EXPUNGE", b"* 1 EXPUNGE", b"* 2 EXISTS"]
    assert two.ok("FETCH 2 (UID)") == [b"* 2 FETCH (UID 4)"]


def test_moved_messages_vanish_for_the_others(pair: Pair) -> None:
    """MOVE is an EXPUNGE for every other session."""
    one, two = pair
    one.ok("MOVE 1:2 Trash")
    assert two.ok("NOOP") == [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]


def test_a_mailbox_deleted_by_another_session_becomes_empty(pair: Pair) -> None:
    """Its messages vanish; commands are answered; CLOSE works."""
    one, two = pair
    one.ok("UNSELECT")
    one.ok("DELETE pair")
    assert two.ending("UID FETCH 1:* (FLAGS BODY.PEEK[])")[:2] in (b"NO", b"OK")
    assert two.ok("NOOP") in ([b"* 3 EXPUNGE", b"* 2 EXPUNGE", b"* 1 EXPUNGE"], [])
    assert two.ok("SEARCH ALL") == [b"* SEARCH"]
    assert two.ending("UID STORE 1 +FLAGS (\\Seen)")[:2] in (b"NO", b"OK")
    two.ok("CLOSE")
    two.ok("SELECT INBOX")


def test_idle_hears_deliveries_flags_and_expunges(door: Served) -> None:
    """Everything is pushed without a command, until DONE."""
    idler, other = (door.imap(door.account("PER"), select="INBOX") for _ in range(2))
    tag = idler.begin("IDLE")
    assert idler.response() == b"+ idling"
    operator = door.operator()
    assert operator.deliver(SENDER, MEDECIN, letter()).startswith("250")
    operator.close()
    exists = idler.response()
    assert exists.endswith(b" EXISTS")
    number = exists.split()[1]
    other.ok("NOOP")
    other.ok(b"STORE %b +FLAGS.SILENT (\\Deleted)" % number)
    assert idler.response().endswith(b"FLAGS (\\Deleted))")
    other.ok("EXPUNGE")
    assert idler.response() == b"* %b EXPUNGE" % number
    idler.send(b"DONE\r\n")
    assert idler.until(tag) == ([], b"OK idle ended")
    tag = idler.begin("IDLE")
    idler.response()
    idler.send(b"NOOP\r\n")
    assert idler.until(tag)[1].startswith(b"BAD")
    idler.close()
    other.close()


def test_idle_without_a_mailbox_and_leaving_in_it(door: Served) -> None:
    """IDLE in authenticated state works; a client that leaves in IDLE leaves no task."""
    imap = door.imap(door.account("PER"))
    tag = imap.begin("IDLE")
    imap.response()
    imap.send(b"DONE\r\n")
    assert imap.until(tag)[1].startswith(b"OK")
    imap.begin("IDLE")
    imap.response()
    imap.close()


def test_appends_and_deliveries_reach_an_open_mailbox_of_another_session(door: Served) -> None:
    """EXISTS at NOOP after a delivery over SMTP, and the message is readable at once."""
    imap = door.imap(door.account("PER"), select="INBOX")
    octets = letter(text=b"just arrived\r\n")
    operator = door.operator()
    assert operator.deliver(SENDER, MEDECIN, octets).startswith("250")
    operator.close()
    (exists,) = imap.ok("NOOP")
    (line,) = imap.ok(b"FETCH %b (BODY.PEEK[TEXT])" % exists.split()[1])
    assert b"just arrived" in line
    imap.close()


@pytest.mark.req("OPS-4")
def test_drain_says_goodbye_to_idlers(special: Callable[..., Served]) -> None:
    """IDLE and plain sessions hear BYE when the gateway stops."""
    served = special()
    idler, plain = (served.imap(served.account("PER"), select="INBOX") for _ in range(2))
    idler.begin("IDLE")
    idler.response()
    served.ask_to_stop()
    assert idler.response().startswith(b"* BYE")
    assert plain.response().startswith(b"* BYE")
    assert idler.rest() == plain.rest() == b""
    served.stop()


def test_slow_and_silent_clients_end_at_their_deadlines(special: Callable[..., Served]) -> None:
    """Before login in all; later within a literal; IDLE at its own."""

    def short(settings: Settings) -> Settings:
        deadlines = ImapDeadlines(login=4.0, literal=0.3, idle=0.4, command=30.0)
        return replace(settings, imaps=replace(settings.imaps, deadlines=deadlines))

    served = special(short)
    silent = Imap(served.handout.ports.imaps, tls(served.handout))
    for _ in range(1000):
        silent.send(b"x")
        if not silent.quiet(0.05):
            break
    assert silent.response().startswith(b"* BYE")
    stuck = served.imap(served.account("PER"))
    stuck.send(b"x APPEND INBOX {100+}\r\nabc")
    assert stuck.response().startswith(b"* BYE")
    idler = served.imap(served.account("PER"), select="INBOX")
    idler.begin("IDLE")
    idler.response()
    assert idler.response().startswith(b"* BYE")
    assert served.spooled == []
