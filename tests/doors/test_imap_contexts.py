"""CONTEXT=SEARCH and MULTISEARCH over real sockets (RFC 5267, RFC 7377)."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from mss_gateway.imapd.contexts import CONTEXTS
from mss_gateway.rules.facts import BoxType
from tests.support.doors import Served
from tests.support.members import practice
from tests.support.wires import Imap

_names = itertools.count(1)


def message(subject: str = "Bilan") -> bytes:
    """A small message."""
    return f"From: a@example.org\r\nSubject: {subject}\r\n\r\nBonjour.\r\n".encode()


def made(imap: Imap, *subjects: str, name: str = "") -> str:
    """A new mailbox with messages of these subjects."""
    name = name or f"context-{next(_names)}"
    imap.ok(f"CREATE {name}")
    for subject in subjects:
        assert imap.append(name, message(subject)).startswith(b"OK")
    return name


@pytest.fixture
def imap(door: Served) -> Imap:
    """A session of the sample professional."""
    return door.imap(door.account("PER"))


def esearches(lines: list[bytes]) -> list[bytes]:
    """The ESEARCH lines among others."""
    return [line for line in lines if line.startswith(b"* ESEARCH")]


def live(imap: Imap, command: str) -> tuple[bytes, list[bytes]]:
    """The tag of a search and its answers."""
    tag = imap.begin(command)
    lines, ending = imap.until(tag)
    assert ending.startswith(b"OK")
    return tag, lines


@pytest.mark.req("IMP-1")
def test_updates_by_uid(door: Served, imap: Imap) -> None:
    """Additions, flags by us and by others, expunges; then CANCELUPDATE ends it."""
    name = made(imap, "a", "b", "c")
    imap.ok(f"SELECT {name}")
    tag, lines = live(imap, "UID SEARCH RETURN (UPDATE COUNT) UNSEEN")
    assert lines == [b'* ESEARCH (TAG "%b") UID COUNT 3' % tag]
    head = b'* ESEARCH (TAG "%b") UID ' % tag
    assert esearches(imap.ok("STORE 1 +FLAGS (\\Seen)")) == [head + b"REMOVEFROM (0 1)"]
    assert esearches(imap.ok("STORE 1 -FLAGS.SILENT (\\Seen)")) == [head + b"ADDTO (0 1)"]
    other = door.imap(door.account("PER"), select=name)
    other.ok("STORE 2:3 +FLAGS (\\Seen)")
    assert esearches(imap.ok("NOOP")) == [head + b"REMOVEFROM (0 2:3)"]
    assert other.append(name, message("d")).startswith(b"OK")
    lines = imap.ok("NOOP")
    assert lines.index(b"* 4 EXISTS") < lines.index(head + b"ADDTO (0 4)")
    other.ok("STORE 1,3 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    lines = imap.ok("NOOP")
    assert lines.index(head + b"REMOVEFROM (0 1)") < lines.index(b"* 1 EXPUNGE")
    assert len(esearches(lines)) == 1
    assert imap.ending('CANCELUPDATE "nothing"').startswith(b"BAD")
    imap.ok(f'CANCELUPDATE "{tag.decode()}"')
    other.ok("STORE 1:* -FLAGS (\\Seen)")
    assert esearches(imap.ok("NOOP")) == []
    assert imap.ending("CANCELUPDATE").startswith(b"BAD")


@pytest.mark.req("IMP-1")
def test_updates_by_number_hold_before_the_expunge(door: Served, imap: Imap) -> None:
    """REMOVEFROM has the numbers from before EXPUNGE, ADDTO those after EXISTS (RFC 5267 sections 4.3.3, 4.3.4)."""
    name = made(imap, "a", "b", "c", "d")
    imap.ok(f"SELECT {name}")
    tag, _ = live(imap, "SEARCH RETURN (UPDATE CONTEXT) NOT SUBJECT c")
    head = b'* ESEARCH (TAG "%b") ' % tag
    other = door.imap(door.account("PER"), select=name)
    other.ok("STORE 1:2,3 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    assert other.append(name, message("e")).startswith(b"OK")
    lines = imap.ok("NOOP")
    assert lines.index(head + b"REMOVEFROM (0 1:2)") < min(
        at for at, line in enumerate(lines) if line.endswith(b"EXPUNGE")
    )
    assert lines.index(b"* 2 EXISTS") < lines.index(head + b"ADDTO (0 2)")


def test_updates_while_idle(door: Served, imap: Imap) -> None:
    """A result that changes is told at once."""
    name = made(imap, "a")
    imap.ok(f"SELECT {name}")
    tag, _ = live(imap, "UID SEARCH RETURN (UPDATE) SUBJECT a")
    idle = imap.begin("IDLE")
    assert imap.response().startswith(b"+")
    assert door.imap(door.account("PER")).append(name, message("another")).startswith(b"OK")
    assert imap.response() == b"* 2 EXISTS"
    assert imap.response() == b'* ESEARCH (TAG "%b") UID ADDTO (0 2)' % tag
    imap.send(b"DONE\r\n")
    imap.until(idle)


@pytest.mark.req("IMP-1")
def test_contexts_are_bounded_and_end_with_the_mailbox(imap: Imap) -> None:
    """NO [NOUPDATE] beyond the limit, BAD for a tag in use, nothing after another SELECT."""
    name = made(imap, "a", "b")
    imap.ok(f"SELECT {name}")
    for _ in range(CONTEXTS):
        live(imap, "UID SEARCH RETURN (UPDATE) UNSEEN")
    tag, lines = live(imap, "UID SEARCH RETURN (UPDATE COUNT) UNSEEN")
    assert lines[0].startswith(b'* NO [NOUPDATE "%b"]' % tag)
    assert lines[1] == b'* ESEARCH (TAG "%b") UID COUNT 2' % tag
    imap.send(b"same UID SEARCH RETURN (UPDATE) ALL\r\n")
    assert imap.until(b"same")[1].startswith(b"OK")
    imap.ok(f"SELECT {name}")
    imap.send(b"same UID SEARCH RETURN (UPDATE) ALL\r\nsame UID SEARCH RETURN (UPDATE) ALL\r\n")
    assert imap.until(b"same")[1].startswith(b"OK")
    assert imap.until(b"same")[1].startswith(b"BAD")
    assert len(esearches(imap.ok("STORE 1 +FLAGS (\\Seen)"))) == 0
    imap.ok("UNSELECT")
    assert imap.ending('CANCELUPDATE "same"').startswith(b"BAD")


@pytest.mark.req("IMP-1")
def test_search_in_several_mailboxes(imap: Imap) -> None:
    """One answer for each mailbox with a match, with its name, UIDVALIDITY and UIDs; the selected one is untouched."""
    root = made(imap, "plan", "other")
    child = made(imap, "plan", "plan", name=f"{root}/child")
    made(imap, "plan", name=f"{root}/child/deep")
    empty = made(imap, "nothing")
    here = made(imap, "plan")
    imap.ok(f"SELECT {here}")
    (status,) = imap.ok(f"STATUS {child} (UIDVALIDITY)")
    validity = int(re.findall(rb"UIDVALIDITY (\d+)", status)[0])
    tag, lines = live(
        imap, f"ESEARCH IN (mailboxes ({root} {child} {empty} nowhere)) RETURN (COUNT ALL) SUBJECT plan"
    )
    assert len(lines) == 2
    assert lines[0].startswith(b'* ESEARCH (TAG "%b" MAILBOX %b UIDVALIDITY ' % (tag, root.encode()))
    assert lines[0].endswith(b" UID ALL 1 COUNT 1")
    shown = (tag, child.encode(), validity)
    assert lines[1] == b'* ESEARCH (TAG "%b" MAILBOX %b UIDVALIDITY %d) UID ALL 1:2 COUNT 2' % shown
    assert len(imap.ok(f"ESEARCH IN (subtree {root}) SUBJECT plan")) == 3
    assert len(imap.ok(f"ESEARCH IN (subtree-one {root}) SUBJECT plan")) == 2
    assert len(imap.ok(f"ESEARCH IN (subtree-one {root} mailboxes {child} selected) SUBJECT plan")) == 3
    assert len(imap.ok(f'ESEARCH IN (subtree "{root}") RETURN (PARTIAL -1:-1) SUBJECT plan')) == 3
    for keyword in ("personal", "subscribed", "PERSONAL"):
        assert len(imap.ok(f"ESEARCH IN ({keyword}) SUBJECT plan")) >= 4
    (line,) = imap.ok("ESEARCH RETURN (MIN) SUBJECT plan")
    assert b" MAILBOX " + here.encode() + b" " in line
    assert line.endswith(b" UID MIN 1")
    assert imap.ok("SEARCH ALL") == [b"* SEARCH 1"]


@pytest.mark.req("IMP-1")
def test_what_a_search_in_several_mailboxes_refuses(imap: Imap) -> None:
    """Numbers, `$`, SAVE and UPDATE belong to the selected mailbox; `selected-delayed` to NOTIFY."""
    name = made(imap, "plan")
    for wrong in (
        "",
        "IN (selected) ALL",
        "RETURN (UPDATE) ALL",
        "IN (selected-delayed) ALL",
        "IN (rubbish) ALL",
        "IN () ALL",
    ):
        assert imap.ending(f"ESEARCH {wrong}").startswith(b"BAD"), wrong
    assert imap.ok(f"ESEARCH IN (mailboxes {name}) ALL")
    for wrong in ("1", "$", "UID $", "RETURN (SAVE) ALL"):
        assert imap.ending(f"ESEARCH IN (mailboxes {name}) {wrong}").startswith(b"BAD"), wrong
    imap.ok(f"SELECT {name}")
    assert imap.ok("ESEARCH IN (selected) RETURN (SAVE) 1") == []
    assert imap.ok("SEARCH $") == [b"* SEARCH 1"]
    assert imap.ending("ESEARCH RETURN (SAVE) CHARSET KOI8-R ALL").startswith(b"NO [BADCHARSET")
    assert imap.ok("SEARCH $") == [b"* SEARCH"]
    tag, lines = live(imap, f"ESEARCH IN (selected mailboxes {name}) RETURN (UPDATE COUNT) UNSEEN")
    assert len(lines) == 1
    assert esearches(imap.ok("STORE 1 +FLAGS (\\Seen)")) == [
        b'* ESEARCH (TAG "%b") UID REMOVEFROM (0 1)' % tag
    ]


@pytest.mark.req("BAL-3")
def test_search_in_shared_mailboxes(door: Served) -> None:
    """Each member's own \\Seen decides; `inboxes` takes every box of hers; others stay unseen."""
    team = practice(door, "anne", "brice", kind=BoxType.CAB, own=("anne",))
    anne, brice = door.imap(team.accounts["anne"]), door.imap(team.accounts["brice"])
    shared = f"Shared/{team.box.address}/INBOX"
    for subject in ("everywhere", "everywhere", "other"):
        assert brice.append("INBOX", message(subject)).startswith(b"OK")
    assert anne.append("INBOX", message("everywhere")).startswith(b"OK")
    brice.ok("SELECT INBOX")
    brice.ok("STORE 1 +FLAGS (\\Seen)")
    assert brice.ok("SEARCH UNSEEN") == [b"* SEARCH 2 3"]
    assert brice.ok("SEARCH NOT UNSEEN SUBJECT everywhere") == [b"* SEARCH 1"]
    highest = int(re.findall(rb"MODSEQ \((\d+)", brice.ok("FETCH 1 (MODSEQ)")[-1])[0])
    assert brice.ok(f"SEARCH MODSEQ {highest}")[0] == b"* SEARCH 1 (MODSEQ %d)" % highest
    anne.ok(f"SELECT {shared}")
    assert anne.ok("SEARCH UNSEEN") == [b"* SEARCH 1 2 3"]
    lines = anne.ok("ESEARCH IN (inboxes) SUBJECT everywhere")
    assert [line.rpartition(b" ALL ")[2] for line in lines] == [b"1", b"1:2"]
    assert b"MAILBOX " + shared.encode() in lines[1]
    assert anne.ok(f"ESEARCH IN (mailboxes {shared}) RETURN (COUNT) SEEN") == []
    (line,) = brice.ok("ESEARCH IN (mailboxes INBOX) RETURN (COUNT) SEEN")
    assert line.endswith(b"COUNT 1")
    assert anne.ok('ESEARCH IN (mailboxes "Shared/nobody@example.org/INBOX") ALL') == []
    assert anne.ok("ESEARCH IN (personal) SUBJECT other") == []


def _numbers(text: bytes) -> list[int]:
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


def _follow(lines: list[bytes], tag: bytes, results: set[int], *, uid: bool) -> set[int]:
    """What a client makes of its results after these lines."""
    for line in lines:
        expunged = re.match(rb"\* (\d+) EXPUNGE", line)
        if expunged and not uid:
            gone = int(expunged[1])
            assert gone not in results, "REMOVEFROM comes before EXPUNGE"
            results = {number - (number > gone) for number in results}
        if line.startswith(b'* ESEARCH (TAG "%b")' % tag):
            for word, numbers in re.findall(rb"(REMOVEFROM|ADDTO) \(0 ([\d:,]+)\)", line):
                changed = set(_numbers(numbers))
                if word == b"ADDTO":
                    assert not changed & results
                    results |= changed
                else:
                    assert changed <= results
                    results -= changed
    return results


@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_what_a_client_is_told_is_what_it_would_find(door: Served, imap: Imap, seed: str) -> None:
    """Whatever others do, the results kept up to date equal those of the same search now, by UID and by number."""
    dice = random.Random(seed)
    name = made(imap, *"abcdef")
    imap.ok(f"SELECT {name}")
    keys = ("UNSEEN", "NOT DELETED SUBJECT a", "OR 1:3 FLAGGED", "UID 4:*")
    kept: list[tuple[bytes, str, bool, set[int]]] = []
    for key, uid in itertools.product(keys, (True, False)):
        tag, lines = live(imap, f"{'UID ' if uid else ''}SEARCH RETURN (UPDATE ALL) {key}")
        shown = re.findall(rb" ALL ([\d:,]+)", lines[0])
        kept.append((tag, key, uid, set(_numbers(shown[0])) if shown else set()))
    other = door.imap(door.account("PER"), select=name)
    for _ in range(25):
        for _ in range(dice.randint(1, 3)):
            _act(dice, other, name)
        lines = imap.ok(dice.choice(("NOOP", "STORE 1:* +FLAGS (\\Answered)", "UID SEARCH ALL")))
        lines += imap.ok("NOOP")
        kept = [(tag, key, uid, _follow(lines, tag, results, uid=uid)) for tag, key, uid, results in kept]
        for _, key, uid, results in kept:
            (line,) = imap.ok(f"{'UID ' if uid else ''}SEARCH {key}")
            assert sorted(results) == [int(number) for number in line.split()[2:]], (key, uid)


def _act(dice: random.Random, other: Imap, name: str) -> None:
    """Something that another session does."""
    other.ok("NOOP")
    there = [int(number) for number in other.ok("SEARCH ALL")[0].split()[2:]]
    act = dice.choice(("append", "store", "store", "store", "expunge"))
    if act == "append" or len(there) < 3:
        assert other.append(name, message(dice.choice("ab"))).startswith(b"OK")
    elif act == "store":
        flag = dice.choice(("\\Seen", "\\Flagged", "\\Deleted"))
        other.ok(f"STORE {dice.choice(there)} {dice.choice('+-')}FLAGS ({flag})")
    else:
        other.ok("EXPUNGE")


def test_updates_beside_vanished_and_without_numbers(door: Served, imap: Imap) -> None:
    """REMOVEFROM comes before VANISHED too; once UIDONLY is on, a search by number is told by UID."""
    name = made(imap, "a", "b", "c")
    imap.ok("ENABLE QRESYNC")
    imap.ok(f"SELECT {name}")
    tag, _ = live(imap, "UID SEARCH RETURN (UPDATE) ALL")
    by_number, _ = live(imap, "SEARCH RETURN (UPDATE) UNSEEN")
    other = door.imap(door.account("PER"), select=name)
    other.ok("STORE 1 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    lines = imap.ok("NOOP")
    gone = lines.index(b"* VANISHED 1")
    assert lines.index(b'* ESEARCH (TAG "%b") UID REMOVEFROM (0 1)' % tag) < gone
    assert lines.index(b'* ESEARCH (TAG "%b") REMOVEFROM (0 1)' % by_number) < gone
    imap.ok("ENABLE UIDONLY")
    other.ok("STORE 1 +FLAGS (\\Seen)")
    assert b'* ESEARCH (TAG "%b") UID REMOVEFROM (0 2)' % by_number in imap.ok("NOOP")
