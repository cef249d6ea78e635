"""CONDSTORE and QRESYNC over sockets: what a client that comes back is told (RFC 7162)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.folders import fetches, filled, number_after, remove
from tests.support.letters import letter
from tests.support.wires import Imap, literal

pytestmark = pytest.mark.req("IMP-1")


@pytest.fixture
def other(door: Served) -> Iterator[Imap]:
    """Somebody else on the same mailboxes."""
    imap = door.imap(door.account("PER"))
    yield imap
    imap.close()


@pytest.fixture
def imap(door: Served) -> Iterator[Imap]:
    """A client that knows QRESYNC."""
    imap = door.imap(door.account("PER"))
    imap.ok("ENABLE QRESYNC")
    yield imap
    imap.close()


@pytest.mark.parametrize(
    "command",
    [
        "ENABLE CONDSTORE",
        "ENABLE QRESYNC",
        "FETCH 1 (MODSEQ)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
        "STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)",
        "SEARCH MODSEQ 1",
        "STATUS INBOX (HIGHESTMODSEQ)",
    ],
)
def test_whatever_enables_condstore_says_once_how_far_the_client_is(door: Served, command: str) -> None:
    """With a mailbox open, the first such command brings one untagged HIGHESTMODSEQ (section 3.1)."""
    imap = door.imap(door.account("PER"))
    imap.ok(f"SELECT {filled(imap, 1)}")
    told = [line for line in imap.ok(command) if line.startswith(b"* OK [HIGHESTMODSEQ ")]
    assert len(told) == 1
    again = [line for line in imap.ok(command) if line.startswith(b"* OK [HIGHESTMODSEQ ")]
    assert again == []
    imap.close()


def test_select_tells_highestmodseq_and_never_nomodseq(other: Imap) -> None:
    """Every mailbox keeps mod-sequences (section 3.1.2)."""
    name = filled(other, 1)
    for command in (f"SELECT {name}", f"EXAMINE {name}", f"SELECT {name} (CONDSTORE)"):
        answers = other.ok(command)
        assert number_after(b"HIGHESTMODSEQ", answers) > 0
        assert not any(b"NOMODSEQ" in line for line in answers)


def test_a_conditional_store_names_what_it_left_alone(other: Imap, imap: Imap) -> None:
    """MODIFIED by number or by UID; the rest is done, each with its MODSEQ even when silent (section 3.1.3)."""
    name = filled(other, 4)
    since = number_after(b"HIGHESTMODSEQ", imap.ok(f"SELECT {name}"))
    other.ok(f"SELECT {name}")
    remove(other, "1")
    other.ok("UID STORE 3 +FLAGS (\\Flagged)")
    imap.ok("NOOP")
    untagged, tagged = imap.run(f"STORE 1:3 (UNCHANGEDSINCE {since}) +FLAGS.SILENT (\\Seen)")
    assert tagged.startswith(b"OK [MODIFIED 2]")
    assert [re.sub(rb"\d+\)\)", b"", line) for line in untagged] == [
        b"* 1 FETCH (UID 2 MODSEQ (",
        b"* 3 FETCH (UID 4 MODSEQ (",
    ]
    assert imap.ending(f"UID STORE 2:4 (UNCHANGEDSINCE {since}) -FLAGS (\\Seen)").startswith(
        b"OK [MODIFIED 2:4]"
    )
    # A system flag is always there: a condition of 0 never holds.
    assert imap.ending("STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)").startswith(b"OK [MODIFIED 1]")
    (line,) = fetches(imap.ok("UID FETCH 3 (FLAGS)"))
    assert b"FLAGS (\\Flagged)" in line


def test_a_message_that_has_gone_is_neither_changed_nor_another(other: Imap, imap: Imap) -> None:
    """By number it is still counted until the client hears; the answers say that something was expunged (RFC 5530)."""
    name = filled(other, 3)
    imap.ok(f"SELECT {name}")
    other.ok(f"SELECT {name}")
    remove(other, "2")
    untagged, tagged = imap.run("FETCH 1:3 (UID)")
    assert fetches(untagged) == [b"* 1 FETCH (UID 1)", b"* 3 FETCH (UID 3)"]
    assert tagged.startswith(b"OK [EXPUNGEISSUED]")
    untagged, tagged = imap.run("STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)")
    assert fetches(untagged) == []
    assert tagged.startswith(b"OK [EXPUNGEISSUED]")
    assert imap.ending("COPY 2 INBOX").startswith(b"NO [EXPUNGEISSUED]")
    assert imap.ok("NOOP") == []  # COPY has told it
    assert imap.ok("FETCH 2 (UID)") == [b"* 2 FETCH (UID 3)"]


def test_changedsince_gives_what_changed_and_nothing_else(other: Imap, imap: Imap) -> None:
    """Flags and arrivals, each with MODSEQ (section 3.1.4); a mod-sequence of the future gives nothing."""
    name = filled(other, 5)
    since = number_after(b"HIGHESTMODSEQ", imap.ok(f"SELECT {name}"))
    other.ok(f"SELECT {name}")
    other.ok("STORE 4 +FLAGS (\\Flagged)")
    other.append(name, letter())
    imap.ok("NOOP")
    lines = fetches(imap.ok(f"UID FETCH 2:* (FLAGS) (CHANGEDSINCE {since})"))
    assert [line.split(b" (")[0] for line in lines] == [b"* 4 FETCH", b"* 6 FETCH"]
    assert all(b"MODSEQ (" in line for line in lines)
    assert imap.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE 9223372036854775807)") == []


def test_vanished_takes_the_place_of_expunge(door: Served, other: Imap, imap: Imap) -> None:
    """In EXPUNGE, UID EXPUNGE, MOVE, NOOP, UID FETCH and IDLE; UIDs as a set (section 3.2.10)."""
    name = filled(other, 12)
    imap.ok(f"SELECT {name}")
    other.ok(f"SELECT {name}")
    remove(other, "1:3,5")
    assert imap.ok("NOOP") == [b"* VANISHED 1:3,5"]
    imap.ok("UID STORE 4,6 +FLAGS.SILENT (\\Deleted)")
    assert imap.ok("EXPUNGE") == [b"* VANISHED 4,6"]
    imap.ok("UID STORE 7:8 +FLAGS.SILENT (\\Deleted)")
    assert imap.ok("UID EXPUNGE 7") == [b"* VANISHED 7"]
    copied, vanished = imap.ok("MOVE 1:2 Trash")
    assert copied.startswith(b"* OK [COPYUID ")
    assert vanished == b"* VANISHED 8:9"
    remove(other, "10")
    assert imap.ok("UID FETCH 11 (FLAGS)") == [b"* 2 FETCH (UID 11 FLAGS ())", b"* VANISHED 10"]
    tag = imap.begin("IDLE")
    assert imap.response() == b"+ idling"
    remove(other, "11")
    while not (line := imap.response()).startswith(b"* VANISHED"):
        assert b"FETCH" in line
    assert line == b"* VANISHED 11"
    imap.send(b"DONE\r\n")
    imap.until(tag)
    assert imap.ok("FETCH 1 (UID)") == [b"* 1 FETCH (UID 12)"]


def test_commands_that_expunge_say_the_new_highestmodseq(other: Imap, imap: Imap) -> None:
    """In the tagged OK, when something was expunged (section 3.2.7); never in that of CLOSE (section 3.2.8)."""
    name = filled(other, 4)
    imap.ok(f"SELECT {name}")
    assert imap.ending("EXPUNGE") == b"OK expunged"
    imap.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    for command in ("UID EXPUNGE 1", "EXPUNGE", "MOVE 1 Trash"):
        tagged = imap.ending(command)
        (told,) = other.ok(f"STATUS {name} (HIGHESTMODSEQ)")[-1:]
        highest = number_after(b"HIGHESTMODSEQ", [told])
        assert tagged.startswith(b"OK [HIGHESTMODSEQ %d]" % highest)
    imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert imap.run("CLOSE") == ([], b"OK closed")


def test_qresync_must_be_enabled_first(other: Imap) -> None:
    """BAD, and the mailbox before stays open (section 3.2.5)."""
    name = filled(other, 1)
    other.ok(f"SELECT {name}")
    assert other.ending(f"SELECT {name} (QRESYNC (1 1))").startswith(b"BAD")
    assert other.ending("UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)").startswith(b"BAD")
    assert other.ok("FETCH 1 (UID)") == [b"* 1 FETCH (UID 1)"]


def test_a_client_that_comes_back_hears_what_it_has_missed(other: Imap, imap: Imap) -> None:
    """VANISHED (EARLIER) of expunged UIDs, then FETCH of changed and new ones, then the tagged OK (section 3.2.5)."""
    name = filled(other, 6)
    answers = imap.ok(f"SELECT {name}")
    validity, since = (number_after(word, answers) for word in (b"UIDVALIDITY", b"HIGHESTMODSEQ"))
    imap.ok("UNSELECT")
    other.ok(f"SELECT {name}")
    remove(other, "2:3,5")
    other.ok("UID STORE 4 +FLAGS.SILENT (\\Flagged)")
    other.append(name, letter())
    answers = imap.ok(f"SELECT {name} (QRESYNC ({validity} {since}))")
    news = answers[answers.index(b"* VANISHED (EARLIER) 2:3,5") :]
    assert [re.sub(rb"\d+\)\)", b"", line) for line in news[1:]] == [
        b"* 2 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ (",
        b"* 4 FETCH (UID 7 FLAGS () MODSEQ (",
    ]
    known = imap.ok(f"SELECT {name} (QRESYNC ({validity} {since} 1:3,6 (1,3 1,6)))")
    assert known[0].startswith(b"* OK [CLOSED]")
    assert known[-1] == b"* VANISHED (EARLIER) 2:3"
    other_validity = imap.ok(f"SELECT {name} (QRESYNC ({validity - 1} {since}))")
    assert not any(b"VANISHED" in line or b"FETCH" in line for line in other_validity)
    assert imap.ending(f"SELECT {name} (QRESYNC ({validity} {since} 1:* (1 1)))").startswith(b"BAD")
    assert imap.ending(f"SELECT {name} (QRESYNC ({validity} {since} (1:2 1)))").startswith(b"BAD")


def test_uid_fetch_vanished_tells_earlier_expunges_of_the_set(other: Imap, imap: Imap) -> None:
    """Only with UID FETCH and CHANGEDSINCE; what the client still counts is told as news behind (section 3.2.6)."""
    name = filled(other, 6)
    since = number_after(b"HIGHESTMODSEQ", imap.ok(f"SELECT {name}"))
    other.ok(f"SELECT {name}")
    remove(other, "1,3:4")
    imap.ok("NOOP")
    remove(other, "6")
    answers = imap.ok(f"UID FETCH 2:* (FLAGS) (CHANGEDSINCE {since} VANISHED)")
    assert answers == [b"* VANISHED (EARLIER) 3:4", b"* VANISHED 6"]
    assert imap.ending(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {since} VANISHED)").startswith(b"BAD")
    assert imap.ending("UID FETCH 1:* (FLAGS) (VANISHED)").startswith(b"BAD")


def test_held_expunges_lower_what_a_client_may_ask_from(other: Imap, imap: Imap) -> None:
    """While EXPUNGE must wait, MODSEQs above it are shown: HIGHESTMODSEQ says from where to ask (section 3.2)."""
    name = filled(other, 3)
    since = number_after(b"HIGHESTMODSEQ", imap.ok(f"SELECT {name}"))
    other.ok(f"SELECT {name}")
    remove(other, "1")
    other.ok("UID STORE 3 +FLAGS.SILENT (\\Flagged)")
    answers = imap.ok("FETCH 3 (FLAGS MODSEQ)")
    assert not any(b"VANISHED" in line for line in answers)
    assert number_after(b"HIGHESTMODSEQ", answers) < since + 2
    assert imap.ok("NOOP") == [b"* VANISHED 1"]


def test_copy_and_move_into_the_same_folder(other: Imap, imap: Imap) -> None:
    """New UIDs in the order of the old ones; after MOVE the old ones have vanished, and nothing is lost."""
    name = filled(other, 3)
    imap.ok(f"SELECT {name}")
    untagged, tagged = imap.run(f"COPY 3,1 {name}")
    assert re.match(rb"OK \[COPYUID \d+ 1,3 4:5\]", tagged)
    assert untagged == [b"* 5 EXISTS"]
    untagged = imap.ok(f"UID MOVE 1:2 {name}")
    assert re.match(rb"\* OK \[COPYUID \d+ 1:2 6:7\]", untagged[0])
    assert untagged[1:] == [b"* VANISHED 1:2", b"* 5 EXISTS"]
    assert imap.ok("FETCH 1:* (UID)") == [
        b"* %d FETCH (UID %d)" % pair for pair in ((1, 3), (2, 4), (3, 5), (4, 6), (5, 7))
    ]
    bodies = fetches(imap.ok("FETCH 4:5 (BODY.PEEK[TEXT])"))
    assert [literal(line) for line in bodies] == [b"Bonjour.\r\n"] * 2
