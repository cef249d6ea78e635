"""The base of the stateful IMAP test: a shared box, the people in it, and what is checked after every step."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.support.doors import Served, gateway_in_thread
from tests.support.imappicture import Client, Line, code
from tests.support.imaptruth import Mailbox
from tests.support.letters import letter
from tests.support.members import CHIEF, Practice, practice
from tests.support.wires import Imap

FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "Work")
KINDS: tuple[tuple[str, ...], ...] = (
    (),
    ("QRESYNC",),
    ("CONDSTORE",),
    ("IMAP4REV2",),
    ("UIDONLY",),
    ("UIDONLY", "QRESYNC"),
    ("QRESYNC", "IMAP4REV2"),
    ("NOTIFY",),
    ("NOTIFY", "QRESYNC"),
)
PEOPLE = ("anne", "anne", "brice", "brice")
SLOTS = 2
_numbers = itertools.count(1)

sessions = st.integers(0, len(PEOPLE) - 1)
slots = st.integers(0, SLOTS - 1)
picks = st.lists(st.integers(0, 11), min_size=1, max_size=3)
flag_sets = st.sets(st.sampled_from(FLAGS), min_size=0, max_size=3)


class Ground:
    """A gateway with a practice: anne reads it beside her own box, brice has no other, the chief may delete folders."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.practice: Practice = practice(served, "anne", "brice", own=("anne",))

    def connect(self, person: str) -> Imap:
        """A new connection, logged in."""
        return self.served.imap(self.practice.accounts[person])

    def prefix(self, person: str) -> str:
        """What stands before the names of the practice's folders for this person."""
        return f"Shared/{self.practice.box.address}/" if person == "anne" else ""

    def restart(self) -> None:
        """Stop the gateway and start it again over the same store."""
        self.served.stop()
        self.served = Served(self.served.settings, self.served.handout, uvloop.new_event_loop)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """A ground of its own, whose gateway may be restarted; no fault of ours may have been counted in the end."""
    with gateway_in_thread(folder, loop=uvloop.new_event_loop) as served:
        made = Ground(served)
        yield made
        if made.served is not served:
            made.served.stop()


class Base(RuleBasedStateMachine):
    """Two folders, four clients of two people, and the chief, who makes, renames and deletes folders."""

    ground: Ground

    @initialize(
        kinds=st.lists(st.sampled_from(KINDS), min_size=len(PEOPLE), max_size=len(PEOPLE)),
        counts=st.tuples(st.integers(1, 6), st.integers(0, 3)),
    )
    def start(self, kinds: list[tuple[str, ...]], counts: tuple[int, int]) -> None:
        """Two fresh folders with some messages; everybody has the first one open."""
        self.restarts = 1
        self.enabling = 2
        self.validities: set[int] = set()
        self.slots: list[Mailbox] = []
        self.chief = self.ground.connect(CHIEF)
        self.slots = [self.make(f"model-{next(_numbers)}") for _ in range(SLOTS)]
        self.clients = [
            Client(person, self.ground.prefix(person), self._connecting(person), kind)
            for person, kind in zip(PEOPLE, kinds, strict=True)
        ]
        for slot, count in enumerate(counts):
            for _ in range(count):
                self.arrive(self.clients[0], slot, set())
        for client in self.clients:
            self.open(client, 0)

    def _connecting(self, person: str) -> Callable[[], Imap]:
        return lambda: self.ground.connect(person)

    def teardown(self) -> None:
        """Everybody hears the rest: then all believe the truth."""
        if not hasattr(self, "clients"):
            return
        try:
            for client in self.clients:
                if client.mailbox is not None:
                    self.caught_up(client)
            assert self.ground.served.faults() == 0
        finally:
            self.close()

    def close(self) -> None:
        """Nobody is connected, and the folders are no more: a box holds only so many."""
        for client in getattr(self, "clients", []):
            client.imap.close()
        for mailbox in self.slots:
            self.chief.run(f"DELETE {mailbox.name}")
        self.chief.close()

    @invariant()
    def pictures_are_in_order(self) -> None:
        """What is known of a list ascends by UID, and no UID is known that was never given."""
        for client in getattr(self, "clients", []):
            known = [line.uid for line in client.lines if line.uid is not None]
            assert known == sorted(set(known)), known
            assert not known or known[-1] < client.mailbox.uid_next, (known, client.mailbox.uid_next)

    # --- what rules are made of

    def make(self, name: str) -> Mailbox:
        """CREATE by the chief; the UIDVALIDITY is a new one, whatever the name was before."""
        self.chief.ok(f"CREATE {name}")
        (line,) = self.chief.ok(f"STATUS {name} (UIDVALIDITY)")
        found = re.search(rb"UIDVALIDITY (\d+)", line)
        assert found is not None
        validity = int(found[1])
        assert validity > max(self.validities, default=0), (validity, self.validities)
        self.validities.add(validity)
        return Mailbox(name, validity)

    def open(self, client: Client, slot: int, *, examine: bool = False, known: bool | None = None) -> None:
        """Open a folder; afterwards the picture is the truth."""
        client.select(self.slots[slot], slot, examine=examine, known=known)
        if (
            client.told_all
            and client.memory is not None
            and client.memory.validity == self.slots[slot].validity
        ):
            self.agree(client)
        self.settle(client)
        self.agree(client)

    def present(self, who: int) -> Client:
        """A client with a folder open; one that was away comes back by what it remembers."""
        client = self.clients[who]
        if client.mailbox is not None and client.mailbox.dead:
            client.mourning -= 1
            if not client.mourning:
                client.remember()
                self.open(client, client.slot, known=False)
        if client.mailbox is None:
            self.open(client, client.memory.slot if client.memory else 0, known=False)
        return client

    def settle(self, client: Client) -> None:
        """The end of a command: what was heard is true, and what is unknown is asked for."""
        client.check_heard()
        client.learn()
        client.check_heard()
        client.bodies = {}

    def agree(self, client: Client) -> None:
        """The picture is the truth."""
        assert client.mailbox is not None
        assert client.believed() == client.mailbox.view(client.person), (client.person, client.kind)

    def caught_up(self, client: Client) -> None:
        """NOOP tells all that there is to tell, and a second one nothing."""
        client.run("NOOP")
        self.settle(client)
        self.agree(client)
        assert client.imap.run("NOOP")[0] == []

    def arrive(self, client: Client, slot: int, flags: set[str], count: int = 1) -> list[int]:
        """APPEND, of several messages when told so (RFC 3502); the UIDs given."""
        mailbox = self.slots[slot]
        command = f"APPEND {client.name(mailbox)}".encode()
        made = []
        for _ in range(count):
            octets, token, date = self.message()
            shown = f'({" ".join(sorted(flags))}) "{date}"'
            command += f" {shown} {{{len(octets)}+}}\r\n".encode() + octets
            made.append((octets, token, date))
        tagged = client.run(command)[1]
        found = re.match(rb"OK \[APPENDUID (\d+) ([\d:,]+)\]", tagged)
        assert found is not None, tagged
        assert int(found[1]) == mailbox.validity
        uids = list(range(mailbox.uid_next, mailbox.uid_next + count))
        assert found[2] == (b"%d" % uids[0] if count == 1 else b"%d:%d" % (uids[0], uids[-1]))
        for uid, (octets, token, date) in zip(uids, made, strict=True):
            mailbox.place(uid, octets, token, date, flags, client.person)
        self.settle(client)
        return uids

    @staticmethod
    def message() -> tuple[bytes, str, str]:
        """Octets that no other message has, a word that only this one holds, and a date."""
        number = next(_numbers)
        token = f"jeton{number}fin"
        octets = letter(subject=f"Objet {token}", text=f"{token}\r\n".encode() * (number % 7 + 1))
        return octets, token, f"{number % 28 + 1:02}-Nov-2026 10:{number % 60:02}:00 +0000"

    def pick(self, client: Client, places: list[int], *, span: bool = False) -> list[tuple[int, Line]]:
        """Messages of the client's list that it knows, by number; `span`: all between two of them too."""
        known = [(number, line) for number, line in enumerate(client.lines, 1) if line.uid is not None]
        if not known:
            return []
        chosen = sorted({place % len(known) for place in places})
        if span:
            chosen = list(range(chosen[0], chosen[-1] + 1))
        return [known[at] for at in chosen]

    @staticmethod
    def named(client: Client, picked: list[tuple[int, Line]], *, uid: bool) -> str:
        """A set of these messages, as the command goes: descending singles, as clients may write them."""
        values = [line.uid if uid or client.uidonly else number for number, line in picked]
        return ",".join(str(value) for value in reversed(values))

    def prefixed(self, client: Client, command: str, *, uid: bool) -> tuple[list[bytes], bytes]:
        """The command, or its UID form; FETCH, STORE and SEARCH by number may take no message away."""
        by_uid = uid or client.uidonly
        strict = not by_uid and command.split()[0] in ("FETCH", "STORE", "SEARCH")
        return client.run(f"UID {command}" if by_uid else command, by_number=strict)


__all__ = ["Base", "Ground", "code", "flag_sets", "ground", "picks", "sessions", "slots"]
