"""PARTIAL, MESSAGELIMIT, INPROGRESS, UNAUTHENTICATE over sockets (RFC 9394, RFC 9738, RFC 9585, RFC 8437)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mss_gateway.settings import Settings
from tests.support.doors import Served, gateway_in_thread
from tests.support.folders import fetches, filled, number_after
from tests.support.wires import Imap

pytestmark = pytest.mark.req("IMP-1")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that works on three messages at a time and says at once how far it is."""

    def few(settings: Settings) -> Settings:
        return replace(settings, imaps=replace(settings.imaps, message_limit=3, progress=0.0))

    with gateway_in_thread(tmp_path_factory.mktemp("strict"), few) as served:
        yield served
        assert served.faults() == 0


@pytest.fixture
def box(strict: Served) -> Iterator[Imap]:
    """A client in a folder of five messages."""
    imap = strict.imap(strict.account("PER"))
    imap.ok(f"SELECT {filled(imap, 5)}")
    yield imap
    imap.close()


def shown(answers: list[bytes]) -> list[int]:
    """The numbers in front of FETCH answers."""
    return [int(line.split()[1]) for line in fetches(answers)]


def test_partial_takes_a_window_of_the_set(door: Served) -> None:
    """From the front or from the end, in mailbox order; beyond the end is nothing (RFC 9394 section 3.3)."""
    imap = door.imap(door.account("PER"))
    name = filled(imap, 6)
    since = number_after(b"HIGHESTMODSEQ", imap.ok(f"SELECT {name}"))
    for command, numbers in (
        ("UID FETCH 1:* (FLAGS) (PARTIAL 1:2)", [1, 2]),
        ("UID FETCH 2:* (FLAGS) (PARTIAL 2:3)", [3, 4]),
        ("UID FETCH 1:* (FLAGS) (PARTIAL -1:-2)", [5, 6]),
        ("UID FETCH 1:4 (FLAGS) (PARTIAL -3:-2)", [2, 3]),
        ("FETCH 1:* (FLAGS) (PARTIAL 5:100)", [5, 6]),
        ("UID FETCH 1:* (FLAGS) (PARTIAL -6:-100)", [1]),
        ("UID FETCH 1:* (FLAGS) (PARTIAL 7:9)", []),
    ):
        assert shown(imap.ok(command)) == numbers, command
    imap.ok("STORE 2,5 +FLAGS.SILENT (\\Seen)")
    # The window first, then what changed in it, in whatever order they were asked (section 3.4).
    for modifiers in (f"PARTIAL -1:-3 CHANGEDSINCE {since}", f"CHANGEDSINCE {since} PARTIAL -1:-3"):
        assert shown(imap.ok(f"UID FETCH 1:* (UID FLAGS) ({modifiers})")) == [5]
    for bad in ("1:-2", "0:1", "1", "1:*", "1:4294967296", "1:2 PARTIAL 3:4"):
        assert imap.ending(f"UID FETCH 1:* (FLAGS) (PARTIAL {bad})").startswith(b"BAD")
    imap.close()


def test_the_limit_is_announced_and_leaves_ordinary_mailboxes_whole(door: Served, box: Imap) -> None:
    """MESSAGELIMIT=n, by default above any ordinary mailbox; all of it is real (RFC 9738 section 3)."""
    assert b" MESSAGELIMIT=3" in box.ok("CAPABILITY")[0]
    imap = door.imap(door.account("PER"))
    assert b" MESSAGELIMIT=1000000" in imap.ok("CAPABILITY")[0]
    imap.close()


def test_too_many_messages_are_worked_on_from_the_newest(box: Imap) -> None:
    """FETCH and STORE do the highest UIDs, highest first, and name the lowest they did (RFC 9738 section 3.1)."""
    for command in ("FETCH 1:* (UID)", "UID FETCH 1:* (FLAGS)", "FETCH 1:5 (BODY.PEEK[TEXT])"):
        untagged, tagged = box.run(command)
        assert shown(untagged) == [5, 4, 3]
        assert tagged.startswith(b"OK [MESSAGELIMIT 3 3]")
    untagged, tagged = box.run("STORE 1:4 +FLAGS (\\Flagged)")
    assert shown(untagged) == [4, 3, 2]
    assert tagged.startswith(b"OK [MESSAGELIMIT 3 2]")
    assert box.ending("FETCH 1:3 (UID)") == b"OK fetched"
    assert box.ending("UID FETCH 1:* (FLAGS) (PARTIAL 1:4)").startswith(b"NO [MESSAGELIMIT 3]")
    assert shown(box.ok("UID FETCH 1:* (FLAGS) (PARTIAL 1:3)")) == [1, 2, 3]


def test_search_looks_at_the_newest_and_names_the_lowest_it_saw(box: Imap) -> None:
    """The messages searched count, not the matches; sets in the search come first (RFC 9738 section 3.1)."""
    assert box.run("SEARCH ALL")[0] == [b"* SEARCH 3 4 5"]
    assert box.ending("UID SEARCH SEEN").startswith(b"OK [MESSAGELIMIT 3 3]")
    assert box.run("UID SEARCH UID 1:3") == ([b"* SEARCH 1 2 3"], b"OK searched")


def test_another_code_sends_messagelimit_ahead(box: Imap) -> None:
    """MODIFIED keeps the tagged OK, MESSAGELIMIT goes into an untagged NO (RFC 9738 section 3.1)."""
    untagged, tagged = box.run("STORE 1:5 (UNCHANGEDSINCE 0) +FLAGS (\\Flagged)")
    assert tagged.startswith(b"OK [MODIFIED 3:5]")
    assert any(line.startswith(b"* NO [MESSAGELIMIT 3 3]") for line in untagged)


def test_copy_is_all_or_nothing_and_move_goes_as_far_as_it_may(box: Imap) -> None:
    """COPY of too many is refused whole; MOVE takes the highest; both stay within UIDPLUS and QRESYNC."""
    box.ok("ENABLE QRESYNC")
    assert box.ending("COPY 1:4 Trash").startswith(b"NO [MESSAGELIMIT 3]")
    assert box.ending("COPY 1:3 Trash").startswith(b"OK [COPYUID ")
    untagged, tagged = box.run("UID MOVE 1:* Trash")
    assert re.match(rb"\* OK \[COPYUID \d+ 3:5 \d+:\d+\]", untagged[0])
    assert untagged[1] == b"* VANISHED 3:5"
    assert untagged[2].startswith(b"* NO [MESSAGELIMIT 3 3]")
    assert tagged.startswith(b"OK [HIGHESTMODSEQ ")


def test_uid_expunge_has_the_limit_and_expunge_has_none(box: Imap) -> None:
    """The limit counts what is marked; a mailbox can always be emptied by EXPUNGE (RFC 9738 section 3.1)."""
    for numbers in ("1:3", "4:5"):
        box.ok(f"STORE {numbers} +FLAGS.SILENT (\\Deleted)")
    box.ok("STORE 2 -FLAGS.SILENT (\\Deleted)")
    untagged, tagged = box.run("UID EXPUNGE 1:5")
    assert untagged == [b"* 5 EXPUNGE", b"* 4 EXPUNGE", b"* 3 EXPUNGE"]
    assert tagged.startswith(b"OK [MESSAGELIMIT 3 3]")
    box.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    assert box.ending("EXPUNGE") == b"OK expunged"


def test_long_commands_give_signs_of_life(special: Callable[..., Served]) -> None:
    """INPROGRESS with the tag, how far and of how many, between answers, never at the goal (RFC 9585 section 4)."""

    def eager(settings: Settings) -> Settings:
        return replace(settings, imaps=replace(settings.imaps, progress=0.001))

    served = special(eager)
    imap = served.imap(served.account("PER"))
    assert b" INPROGRESS" in imap.ok("CAPABILITY")[0]
    name = filled(imap, 10)
    imap.ok(f"SELECT {name}")
    assert not any(b"INPROGRESS" in line for line in imap.ok("FETCH 1:10 (FLAGS)"))
    for _ in range(8):
        copied = imap.begin(f"COPY 1:* {name}")
        untagged, _ = imap.until(copied)
    assert b'* OK [INPROGRESS ("%b" NIL NIL)] still at it' % copied in untagged
    tag = imap.begin("FETCH 1:* (FLAGS BODY.PEEK[HEADER])")
    untagged, tagged = imap.until(tag)
    told = [line for line in untagged if b"INPROGRESS" in line]
    found = [re.fullmatch(rb'\* OK \[INPROGRESS \("%b" (\d+) 2560\)\] .*' % tag, line) for line in told]
    steps = [int(one[1]) for one in found if one is not None]
    assert len(steps) == len(told) > 1
    assert steps == sorted(set(steps))
    assert steps[-1] < 2560
    assert tagged == b"OK fetched"
    assert len(fetches(untagged)) == 2560
    imap.close()


def test_unauthenticate_forgets_everything_but_tls(door: Served) -> None:
    """The mailbox closes without an expunge, what was enabled is off, somebody else may log in (RFC 8437 section 3)."""
    first, second = door.account("PER"), door.account("ORG")
    imap = door.imap(first)
    name = filled(imap, 2)
    imap.ok("ENABLE QRESYNC UIDONLY UTF8=ACCEPT IMAP4rev2")
    imap.ok(f"SELECT {name}")
    imap.ok("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert imap.run("UNAUTHENTICATE") == ([], b"OK nobody is logged in now")
    for command in ("NOOP", "CAPABILITY"):
        imap.ok(command)
    for command in (f"SELECT {name}", "UNAUTHENTICATE", "FETCH 1 (FLAGS)", "ENABLE CONDSTORE"):
        assert imap.ending(command).startswith(b"BAD")
    assert b"AUTH=PLAIN" in imap.ok("CAPABILITY")[0]
    imap.ok(f"LOGIN {second.login} {second.password}")
    assert imap.ending(f"SELECT {name}").startswith(b"NO")
    imap.ok("UNAUTHENTICATE")
    imap.ok(f"LOGIN {first.login} {first.password}")
    answers = imap.ok(f"SELECT {name}")
    assert b"* 2 EXISTS" in answers
    assert b"* 0 RECENT" in answers
    assert imap.ok("FETCH 2 (FLAGS)") == [b"* 2 FETCH (FLAGS ())"]
    assert imap.ok("EXPUNGE") == [b"* 1 EXPUNGE"]
    assert imap.ending(f"SELECT {name} (QRESYNC (1 1))").startswith(b"BAD")
    imap.close()
