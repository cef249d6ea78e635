"""A client that keeps a copy of its mailbox and comes back with QRESYNC: the copy is always true (RFC 7162)."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.doors import Served
from tests.support.letters import letter
from tests.support.wires import Imap

_numbers = itertools.count(1)
_FETCH = re.compile(rb"\* \d+ (?:UID)?FETCH \((.*)\)")
_CODE = re.compile(rb"(?:\* )?OK \[HIGHESTMODSEQ (\d+)\]")


def expanded(text: bytes) -> set[int]:
    """The UIDs of a set."""
    uids: set[int] = set()
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        uids |= set(range(int(low), int(high or low) + 1))
    return uids


class Copy:
    """What such a client remembers between two connections, changed only by what it is told.

    Like a real one it believes in the highest mod-sequence seen, unless told to ask from a lower one.
    """

    def __init__(self, door: Served, name: str, *, uidonly: bool) -> None:
        self.door = door
        self.name = name
        self.enabled = "ENABLE QRESYNC UIDONLY" if uidonly else "ENABLE QRESYNC"
        self.prefix = "UID " if uidonly else ""
        self.validity = 0
        self.modseq = 0
        self.flags: dict[int, frozenset[bytes]] = {}
        self.count = 0
        self.asked = 0  # up to this UID every message has been asked for
        self.connect()

    def connect(self) -> None:
        """Come back with what is known."""
        self.imap = self.door.imap(self.door.account("PER"))
        self.imap.ok(self.enabled)
        known = f" (QRESYNC ({self.validity} {self.modseq}))" if self.validity else ""
        answers = self.run(f"SELECT {self.name}{known}")
        found = re.search(rb"UIDVALIDITY (\d+)", b"\n".join(answers))
        assert found is not None
        self.validity = int(found[1])
        self.complete()

    def cut(self) -> None:
        """The connection is lost without a word."""
        self.imap.close()
        self.connect()

    def run(self, command: str) -> list[bytes]:
        """One command; what is told changes the copy."""
        untagged, tagged = self.imap.run(command)
        for line in (*untagged, tagged):
            self.hear(line)
        return untagged

    def hear(self, line: bytes) -> None:
        """VANISHED, FETCH, EXISTS and HIGHESTMODSEQ count."""
        assert not line.endswith(b" EXPUNGE")
        if line.startswith(b"* VANISHED "):
            for gone in expanded(line.rsplit(b" ", 1)[1]):
                self.flags.pop(gone, None)
        elif line.endswith(b" EXISTS"):
            self.count = int(line.split()[1])
        elif code := _CODE.match(line):
            self.modseq = int(code[1])
        elif found := _FETCH.fullmatch(line):
            uid = re.search(rb"UID (\d+)", found[1]) or re.match(rb"\* (\d+) UIDFETCH", line)
            assert uid is not None
            shown = re.search(rb"FLAGS \(([^)]*)\)", found[1])
            if shown is not None:
                self.flags[int(uid[1])] = frozenset(shown[1].split())
            seen = re.search(rb"MODSEQ \((\d+)\)", found[1])
            assert seen is not None
            self.modseq = max(self.modseq, int(seen[1]))

    def complete(self) -> None:
        """Ask for what has arrived since the last time, as clients do after EXISTS: flag news may have run ahead."""
        self.run(f"UID FETCH {self.asked + 1}:* (UID FLAGS MODSEQ)")
        self.asked = max(self.flags, default=self.asked)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("append", "flag", "remove", "fetch", "store", "expunge", "noop", "cut")),
        st.integers(0, 5),
    ),
    min_size=3,
    max_size=12,
)


@pytest.mark.req("IMP-1")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@example([("remove", 1), ("flag", 3), ("fetch", 0)], False)
@example([("remove", 1), ("store", 0), ("append", 0)], False)
@example([("append", 0), ("remove", 1), ("expunge", 2), ("flag", 4)], True)
@given(STEPS, st.booleans())
def test_a_copy_is_true_after_coming_back(door: Served, steps: list[tuple[str, int]], uidonly: bool) -> None:
    """Whatever others did, and wherever the connection was lost."""
    name = f"offline-{next(_numbers)}"
    other = door.imap(door.account("PER"))
    other.ok(f"CREATE {name}")
    for _ in range(4):
        other.append(name, letter())
    other.ok(f"SELECT {name}")
    copy = Copy(door, name, uidonly=uidonly)
    for step, place in steps:
        act(step, place, other, copy)
    copy.cut()
    truth = {}
    other.ok("NOOP")
    for line in other.ok("UID FETCH 1:* (FLAGS)"):
        found = re.fullmatch(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)", line)
        if found is not None:
            truth[int(found[1])] = frozenset(found[2].split())
    assert copy.flags == truth
    assert copy.count == len(truth)
    for imap in (other, copy.imap):
        imap.close()


def act(step: str, place: int, other: Imap, copy: Copy) -> None:
    """One step: the first three by somebody else, the rest by the client."""
    known = sorted(copy.flags)
    uid = known[place % len(known)] if known else 1
    number = place % (len(known) or 1) + 1
    match step:
        case "append":
            other.append(copy.name, letter())
        case "flag":
            other.ok(f"UID STORE {place + 1} +FLAGS.SILENT (\\Flagged)")
        case "remove":
            other.ok(f"UID STORE {place + 1} +FLAGS.SILENT (\\Deleted)")
            other.ok("EXPUNGE")
        case "fetch":
            named = f"UID FETCH {uid}" if copy.prefix else f"FETCH {number}"
            copy.run(f"{named} (UID FLAGS MODSEQ)")
        case "store":
            named = f"UID STORE {uid}" if copy.prefix else f"STORE {number}"
            copy.run(f"{named} {'+' if place % 2 else '-'}FLAGS (\\Seen)")
        case "expunge":
            copy.run(f"UID STORE {uid} +FLAGS (\\Deleted)")
            copy.run("EXPUNGE")
        case "noop":
            copy.run("NOOP")
            copy.complete()
        case _:
            copy.cut()
