"""SORT and THREAD over real sockets (RFC 5256, RFC 5267, RFC 5957) and their interplay with other extensions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.wires import Imap

_names = itertools.count(1)


def letter(
    subject: str, *, sender: str = "a@example.org", date: str = "", name: str = "", refers: str = ""
) -> bytes:
    """A small letter."""
    lines = [f"From: {sender}", "To: b@example.org", f"Subject: {subject}"]
    lines += [f"Date: {date}"] if date else []
    lines += [f"Message-ID: <{name}@example.org>"] if name else []
    lines += [f"References: {' '.join(f'<{one}@example.org>' for one in refers.split())}"] if refers else []
    return "\r\n".join([*lines, "", "Bonjour.", ""]).encode()


SCENE = (
    letter("Bilan", sender="Zoé <zoe@example.org>", date="Fri, 20 Nov 2026 10:00:00 +0000", name="m1"),
    letter(
        "Re: bilan",
        sender="Bob <bob@example.org>",
        date="Fri, 20 Nov 2026 12:00:00 +0200",
        name="m2",
        refers="m1",
    ),
    letter(
        "avis",
        sender="=?utf-8?q?=C3=89mile?= <x@example.org>",
        date="Thu, 19 Nov 2026 08:00:00 +0000",
        name="m3",
    ),
    letter("Éclair", sender="Al <al@example.org>", date="no date", name="m4"),
    letter("Re: Bilan", date="Sat, 21 Nov 2026 00:00:00 +0000", name="m5", refers="m1 m2"),
)


@pytest.fixture
def imap(door: Served) -> Imap:
    """A session with the scene in a new mailbox; message 4 arrived first of all."""
    imap = door.imap(door.account("PER"))
    name = f"sort-{next(_names)}"
    imap.ok(f"CREATE {name}")
    for at, one in enumerate(SCENE, 1):
        day = "01" if at == 4 else f"1{at}"
        assert imap.append(name, one, f'"{day}-Nov-2026 00:00:00 +0000"').startswith(b"OK")
    imap.ok(f"SELECT {name}")
    return imap


def answer(imap: Imap, command: str | bytes, word: bytes = b"SORT") -> bytes:
    """The one answer of a command, without its word and correlator."""
    (line,) = [line for line in imap.ok(command) if line.startswith(b"* " + word)]
    return re.sub(rb"^\* [A-Z]+ ?(\(TAG \"[^\"]*\"\) ?)?", b"", line)


@pytest.mark.req("IMP-1")
def test_sort_by_each_key(imap: Imap) -> None:
    """Ties by number; a Date that cannot be read gives way to the day of arrival; accents come after letters."""
    assert answer(imap, "SORT (DATE) UTF-8 ALL") == b"4 3 1 2 5"
    assert answer(imap, "SORT (REVERSE DATE) UTF-8 ALL") == b"5 1 2 3 4"
    assert answer(imap, "SORT (ARRIVAL) US-ASCII ALL") == b"4 1 2 3 5"
    assert answer(imap, "SORT (SUBJECT) UTF-8 ALL") == b"3 1 2 5 4"
    assert answer(imap, "SORT (SUBJECT REVERSE DATE) UTF-8 NOT 2") == b"3 5 1 4"
    assert answer(imap, "SORT (FROM) UTF-8 ALL") == b"5 4 2 3 1"
    assert answer(imap, "SORT (DISPLAYFROM) UTF-8 ALL") == b"5 4 2 3 1"
    assert answer(imap, "SORT (DISPLAYTO TO CC SIZE) UTF-8 1:2") in (b"1 2", b"2 1")
    assert answer(imap, "UID SORT (REVERSE ARRIVAL) UTF-8 UID 1:3") == b"3 2 1"
    assert answer(imap, 'SORT (SUBJECT) UTF-8 SUBJECT "éclair"'.encode()) == b"4"
    assert answer(imap, "SORT (SUBJECT) UTF-8 SUBJECT nothing") == b""


@pytest.mark.req("IMP-1")
def test_what_sort_refuses(imap: Imap) -> None:
    """Unknown keys and no charset are BAD, an unknown charset NO [BADCHARSET]."""
    for command in (
        "SORT (COLOUR) UTF-8 ALL",
        "SORT () UTF-8 ALL",
        "SORT (REVERSE) UTF-8 ALL",
        "SORT DATE UTF-8 ALL",
        "SORT (DATE) UTF-8",
        "SORT (RELEVANCY) UTF-8 ALL",
        "THREAD REFS UTF-8 ALL",
        "THREAD REFERENCES UTF-8",
        "UID THREAD",
    ):
        assert imap.ending(command).startswith(b"BAD"), command
        imap.ok("NOOP")
    assert imap.ending("SORT (DATE) KOI8-R ALL").startswith(b"NO [BADCHARSET (US-ASCII UTF-8)]")
    assert imap.ending("THREAD REFERENCES KOI8-R ALL").startswith(b"NO [BADCHARSET")


@pytest.mark.req("IMP-1")
def test_esort(imap: Imap) -> None:
    """RFC 5267 section 3: MIN and MAX by the order, ALL in it, PARTIAL a window of it, SAVE for `$`."""
    assert answer(imap, "SORT RETURN (MIN MAX COUNT) (DATE) UTF-8 ALL", b"ESEARCH") == b"MIN 4 MAX 5 COUNT 5"
    assert answer(imap, "SORT RETURN () (DATE) UTF-8 ALL", b"ESEARCH") == b"ALL 4,3,1:2,5"
    assert (
        answer(imap, "UID SORT RETURN (PARTIAL 2:3) (DATE) UTF-8 ALL", b"ESEARCH") == b"UID PARTIAL (2:3 3,1)"
    )
    assert answer(imap, "SORT RETURN (PARTIAL -1:-2) (DATE) UTF-8 ALL", b"ESEARCH") == b"PARTIAL (-1:-2 2,5)"
    assert answer(imap, "SORT RETURN (COUNT) (DATE) UTF-8 SUBJECT none", b"ESEARCH") == b"COUNT 0"
    assert imap.ok("SORT RETURN (SAVE MIN) (DATE) UTF-8 ALL")[0].endswith(b"MIN 4")
    assert answer(imap, "SORT (SUBJECT) UTF-8 $") == b"4"
    imap.ok("SEARCH RETURN (SAVE) 2:4")
    assert answer(imap, "SORT (SUBJECT) UTF-8 $") == b"3 2 4"
    assert answer(imap, "THREAD ORDEREDSUBJECT UTF-8 $", b"THREAD") == b"(4)(3)(2)"


@pytest.mark.req("IMP-1")
def test_modseq_comes_along(imap: Imap) -> None:
    """RFC 7162 section 3.1.5 and 3.1.10: the highest of what is shown."""
    imap.ok("STORE 3 +FLAGS (\\Flagged)")
    shown = answer(imap, "SORT (DATE) UTF-8 MODSEQ 1")
    found = re.fullmatch(rb"4 3 1 2 5 \(MODSEQ (\d+)\)", shown)
    assert found is not None, shown
    highest = int(found[1])
    line = answer(imap, "SORT RETURN (MIN MAX) (SUBJECT) UTF-8 MODSEQ 1", b"ESEARCH")
    assert line == b"MIN 3 MAX 4 MODSEQ %d" % highest
    line = answer(imap, "SORT RETURN (MIN) (REVERSE DATE) UTF-8 MODSEQ 1", b"ESEARCH")
    assert int(line.rpartition(b" ")[2]) < highest


@pytest.mark.req("IMP-1")
def test_threads(imap: Imap) -> None:
    """Both algorithms, by number and by UID."""
    assert answer(imap, "THREAD REFERENCES UTF-8 ALL", b"THREAD") == b"(4)(3)(1 2 5)"
    assert answer(imap, "THREAD ORDEREDSUBJECT UTF-8 ALL", b"THREAD") == b"(4)(3)(1 (2)(5))"
    assert answer(imap, "UID THREAD REFERENCES US-ASCII NOT SUBJECT avis", b"THREAD") == b"(4)(1 2 5)"
    assert answer(imap, "THREAD REFERENCES UTF-8 SUBJECT nothing", b"THREAD") == b""
    imap.ok("STORE 1 +FLAGS (\\Deleted)")
    imap.ok("EXPUNGE")
    assert answer(imap, "THREAD REFERENCES UTF-8 ALL", b"THREAD") == b"(3)(2)(1 4)"
    assert answer(imap, "UID THREAD REFERENCES UTF-8 ALL", b"THREAD") == b"(4)(3)(2 5)"


@pytest.mark.req("IMP-1")
def test_a_sorted_context_is_kept_in_order(imap: Imap) -> None:
    """RFC 5267 section 4.3: what comes in takes its place, what goes leaves it, with positions."""
    assert (
        answer(imap, "UID SORT RETURN (ALL UPDATE) (REVERSE DATE) UTF-8 UNFLAGGED", b"ESEARCH")
        == b"UID ALL 5,1:4"
    )
    lines = imap.ok("STORE 2 +FLAGS (\\Flagged)") + imap.ok("NOOP")
    assert any(line.endswith(b"UID REMOVEFROM (3 2)") for line in lines), lines
    lines = imap.ok("STORE 2 -FLAGS (\\Flagged)") + imap.ok("NOOP")
    assert any(line.endswith(b"UID ADDTO (3 2)") for line in lines), lines


@pytest.mark.req("IMP-1")
def test_relevancy_orders_fuzzy_searches(imap: Imap) -> None:
    """RFC 6203 section 4: every match once, with REVERSE too."""
    for key in ("RELEVANCY", "REVERSE RELEVANCY"):
        found = answer(imap, f"SORT ({key}) UTF-8 FUZZY SUBJECT bilan").split()
        assert sorted(found) == [b"1", b"2", b"5"]


@pytest.mark.req("IMP-1")
def test_sort_under_uidonly(imap: Imap) -> None:
    """RFC 9586: UID forms alone, and no numbers among the keys."""
    imap.ok("ENABLE UIDONLY")
    for command in ("SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "UID SORT (DATE) UTF-8 1:2"):
        assert imap.ending(command).startswith(b"BAD [UIDREQUIRED]"), command
    assert answer(imap, "UID SORT (DATE) UTF-8 ALL") == b"4 3 1 2 5"
    assert answer(imap, "UID THREAD REFERENCES UTF-8 UID 1:2", b"THREAD") == b"(1 2)"


@pytest.mark.req("IMP-1")
def test_what_another_session_has_expunged_is_in_no_order(imap: Imap, door: Served) -> None:
    """The numbers stay until EXPUNGE may be sent, which is before UID SORT has ended and after SORT."""
    other = door.imap(door.account("PER"))
    other.ok(f"SELECT sort-{next(_names) - 1}")
    other.ok("STORE 1,5 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    assert answer(imap, "SORT (DATE) UTF-8 ALL") == b"4 3 2"
    assert answer(imap, "THREAD REFERENCES UTF-8 ALL", b"THREAD") == b"(4)(3)(2)"
    lines = imap.ok("UID SORT (DATE) UTF-8 ALL")
    assert lines[:2] == [b"* 5 EXPUNGE", b"* 1 EXPUNGE"]
    assert lines[-1] == b"* SORT 4 3 2"
    assert answer(imap, "SORT (DATE) UTF-8 ALL") == b"3 2 1"
    other.close()


@pytest.mark.req("IMP-1")
def test_more_messages_than_the_limit_are_refused(special: Callable[..., Served]) -> None:
    """RFC 9738: SORT and THREAD do all or nothing; a set of UIDs that is small enough is fine."""

    def few(settings: Settings) -> Settings:
        return replace(settings, imaps=replace(settings.imaps, message_limit=3))

    served = special(few)
    imap = served.imap(served.account("PER"))
    for one in SCENE:
        assert imap.append("INBOX", one).startswith(b"OK")
    imap.ok("SELECT INBOX")
    for command in ("SORT (SUBJECT) UTF-8 ALL", "UID THREAD ORDEREDSUBJECT UTF-8 SUBJECT bilan"):
        assert imap.ending(command).startswith(b"NO [MESSAGELIMIT 3]"), command
    assert answer(imap, "UID SORT (SUBJECT) UTF-8 UID 2:4") == b"3 2 4"
