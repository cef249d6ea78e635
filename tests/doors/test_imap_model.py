"""Three clients on one mailbox against a model: what each must believe (RFC 9051 section 2.3.1.2)."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.doors import Served
from tests.support.letters import letter
from tests.support.wires import Imap, literal

SESSIONS = 3
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "Work")
_numbers = itertools.count(1)
_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)", re.DOTALL)
_UID = re.compile(rb"UID (\d+)")
_SHOWN = re.compile(rb"FLAGS \(([^)]*)\)")

sessions = st.integers(0, SESSIONS - 1)
places = st.integers(0, 30)
flags = st.sampled_from(FLAGS)


@dataclass
class Message:
    """One message as the model knows it."""

    token: bytes
    flags: set[str] = field(default_factory=set)


@dataclass
class Line:
    """One message as a client believes it: None is what it has not heard yet."""

    uid: int | None = None
    flags: set[str] | None = None


class Client:
    """A mail client that keeps its list only by what the gateway tells it."""

    def __init__(self, imap: Imap) -> None:
        self.imap = imap
        self.lines: list[Line] = []

    def select(self, name: str) -> None:
        """Open the mailbox and read the list."""
        self.lines = []
        self.run(f"SELECT {name}")

    def run(self, command: str, *, expunge: bool = True) -> tuple[list[bytes], bytes]:
        """One command; its untagged answers change the list. `expunge` False: none may come."""
        untagged, tagged = self.imap.run(command)
        for response in untagged:
            assert expunge or not response.endswith(b" EXPUNGE"), (command, untagged)
            self.hear(response)
        return untagged, tagged

    def hear(self, response: bytes) -> None:
        """EXISTS only grows, EXPUNGE names a message that is there, FETCH tells of the message at its number."""
        words = response.split(b" ", 3)
        if words[2:3] == [b"EXISTS"]:
            count = int(words[1])
            assert count >= len(self.lines), (response, len(self.lines))
            self.lines += [Line() for _ in range(count - len(self.lines))]
        elif words[2:3] == [b"EXPUNGE"]:
            assert 1 <= int(words[1]) <= len(self.lines), (response, len(self.lines))
            del self.lines[int(words[1]) - 1]
        elif found := _FETCH.fullmatch(response):
            line = self.lines[int(found[1]) - 1]
            uid = _UID.search(found[2])
            if uid is not None:
                assert line.uid in (None, int(uid[1])), (response, line)
                line.uid = int(uid[1])
            shown = _SHOWN.search(found[2])
            if shown is not None:
                line.flags = set(shown[1].decode().split())

    def learn(self) -> None:
        """Ask for whatever is not known yet, as clients do after EXISTS."""
        for number, line in enumerate(self.lines, 1):
            if line.uid is None or line.flags is None:
                self.run(f"FETCH {number}:* (UID FLAGS)", expunge=False)
                return


class Machine(RuleBasedStateMachine):
    """The rules choose a session and what it does."""

    door: Served

    @initialize(count=st.integers(0, 4))
    def start(self, count: int) -> None:
        """A fresh mailbox with some messages, open in every session."""
        self.name = f"model-{next(_numbers)}"
        self.truth: dict[int, Message] = {}
        account = self.door.account("PER")
        self.clients = [Client(self.door.imap(account)) for _ in range(SESSIONS)]
        self.clients[0].imap.ok(f"CREATE {self.name}")
        for _ in range(count):
            self.append(0)
        for client in self.clients:
            client.select(self.name)
            client.learn()

    def teardown(self) -> None:
        """Everybody hears the rest: then all believe the truth."""
        if not hasattr(self, "clients"):
            return
        for client in self.clients:
            client.run("NOOP")
            client.learn()
            believed = [(line.uid, line.flags) for line in client.lines]
            assert believed == [(uid, message.flags) for uid, message in self.truth.items()]
        for client in self.clients:
            client.imap.close()

    @invariant()
    def numbers_are_in_order(self) -> None:
        """What is known of a list ascends by UID."""
        for client in getattr(self, "clients", []):
            known = [line.uid for line in client.lines if line.uid is not None]
            assert known == sorted(set(known))

    @rule(who=sessions)
    def append(self, who: int) -> None:
        """A message of its own kind arrives."""
        token = b"token-%d-" % next(_numbers)
        client = self.clients[who]
        octets = letter(text=token + b"\r\n")
        head = f"APPEND {self.name} {{{len(octets)}+}}\r\n"
        tagged = client.run(head + octets.decode())[1]
        found = re.match(rb"OK \[APPENDUID \d+ (\d+)\]", tagged)
        assert found, tagged
        self.truth[int(found[1])] = Message(token)
        client.learn()

    def pick(self, who: int, place: int) -> tuple[Client, int, Line] | None:
        """A message of the client's list that it knows."""
        client = self.clients[who]
        if not client.lines:
            return None
        number = place % len(client.lines) + 1
        line = client.lines[number - 1]
        return None if line.uid is None else (client, number, line)

    @rule(who=sessions, place=places, flag=flags, plus=st.booleans(), silent=st.booleans(), uid=st.booleans())
    def store(self, who: int, place: int, flag: str, plus: bool, silent: bool, uid: bool) -> None:
        """Change one flag of one message; a silent client notes it by itself."""
        picked = self.pick(who, place)
        if picked is None:
            return
        client, number, line = picked
        assert line.uid is not None
        message = self.truth.get(line.uid)
        change = set.add if plus else set.discard
        if message is not None:
            change(message.flags, flag)
        if silent and line.flags is not None:
            change(line.flags, flag)
        item = f"{'+' if plus else '-'}FLAGS{'.SILENT' if silent else ''} ({flag})"
        if uid:
            client.run(f"UID STORE {line.uid} {item}")
        else:
            client.run(f"STORE {number} {item}", expunge=False)
        client.learn()

    @rule(who=sessions, place=places, uid=st.booleans(), seen=st.booleans())
    def fetch(self, who: int, place: int, uid: bool, seen: bool) -> None:
        """The octets at a number are those of the message that the client believes there, or nothing."""
        picked = self.pick(who, place)
        if picked is None:
            return
        client, number, line = picked
        assert line.uid is not None
        message = self.truth.get(line.uid)
        if seen and message is not None:
            message.flags.add("\\Seen")
        items = "(UID BODY[TEXT])" if seen else "(UID BODY.PEEK[TEXT])"
        if uid:
            untagged, _ = client.run(f"UID FETCH {line.uid} {items}")
        else:
            untagged, _ = client.run(f"FETCH {number} {items}", expunge=False)
        bodies = [response for response in untagged if b"BODY[TEXT]" in response]
        if message is None:
            assert bodies == []
        else:
            (body,) = bodies
            assert body.startswith(b"* %d FETCH" % number)
            assert literal(body).startswith(message.token)
        client.learn()

    @rule(who=sessions, place=places)
    def move(self, who: int, place: int) -> None:
        """A message goes to another mailbox."""
        picked = self.pick(who, place)
        if picked is None:
            return
        client, number, line = picked
        assert line.uid is not None
        self.truth.pop(line.uid, None)
        client.run(f"MOVE {number} Trash")
        client.learn()

    @rule(who=sessions, named=st.booleans(), place=places)
    def expunge(self, who: int, named: bool, place: int) -> None:
        """EXPUNGE of all that is marked, or UID EXPUNGE of one."""
        picked = self.pick(who, place)
        client = self.clients[who]
        only = picked[2].uid if named and picked is not None else None
        for uid, message in list(self.truth.items()):
            if "\\Deleted" in message.flags and only in (None, uid):
                del self.truth[uid]
        client.run("EXPUNGE" if only is None else f"UID EXPUNGE {only}")
        client.learn()

    @rule(who=sessions)
    def noop(self, who: int) -> None:
        """After NOOP a client believes the truth."""
        client = self.clients[who]
        client.run("NOOP")
        client.learn()
        believed = [(line.uid, line.flags) for line in client.lines]
        assert believed == [(uid, message.flags) for uid, message in self.truth.items()]

    @rule(who=sessions)
    def search(self, who: int) -> None:
        """SEARCH names numbers of the client's own list, exactly those of messages that are still there."""
        client = self.clients[who]
        before = [line.uid for line in client.lines]
        untagged, _ = client.run("SEARCH ALL", expunge=False)
        (found,) = [response for response in untagged if response.startswith(b"* SEARCH")]
        numbers = [int(word) for word in found.split()[2:]]
        assert all(number <= len(before) for number in numbers)
        known = {before[number - 1] for number in numbers} - {None}
        assert known == {uid for uid in before if uid in self.truth}
        client.learn()

    @rule(who=sessions)
    def select_again(self, who: int) -> None:
        """A new SELECT starts from the truth."""
        client = self.clients[who]
        client.select(self.name)
        client.learn()
        assert [line.uid for line in client.lines] == list(self.truth)

    @rule(who=sessions, other=sessions)
    def idle(self, who: int, other: int) -> None:
        """IDLE first says what is new; what others do meanwhile arrives without a command."""
        client = self.clients[who]
        tag = client.imap.begin("IDLE")
        while (response := client.imap.response()) != b"+ idling":
            client.hear(response)
        if other != who:
            self.append(other)
            count = len(self.truth)
            while len(client.lines) != count or not response.endswith(b"EXISTS"):
                response = client.imap.response()
                client.hear(response)
        client.imap.send(b"DONE\r\n")
        for response in client.imap.until(tag)[0]:
            client.hear(response)
        client.learn()


@pytest.mark.req("IMP-1")
def test_three_clients_always_believe_what_is_true(door: Served) -> None:
    """Sequence numbers never point to another message's octets, and everybody hears everything."""

    class OnDoor(Machine):
        pass

    OnDoor.door = door
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        OnDoor,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
