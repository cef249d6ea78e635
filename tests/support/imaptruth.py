"""What the mailboxes of one shared box truly hold: the reference that several IMAP clients are compared with.

Mod-sequences are not foretold. Each change of a mailbox has a tick of the model's own clock; the numbers that the
gateway tells must order the changes as the ticks do, and be the same whoever is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

SEEN = "\\Seen"


@dataclass
class Message:
    """One message. `flags` are everybody's but `\\Seen`, which `seen` keeps by person (BAL-3)."""

    octets: bytes
    token: str
    date: str
    born: int
    flags: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    changed: int = 0  # the tick of the last change that everybody sees
    own: dict[str, int] = field(default_factory=dict)  # ticks of changes that one person sees

    def shown(self, person: str) -> set[str]:
        """The flags as this person has them."""
        return self.flags | ({SEEN} if person in self.seen else set())

    def tick(self, person: str) -> int:
        """When this person's picture of it last changed."""
        return max(self.changed, self.own.get(person, 0))


class Mailbox:
    """One folder from CREATE to DELETE, whatever it is called meanwhile."""

    def __init__(self, name: str, validity: int) -> None:
        self.name = name
        self.validity = validity
        self.messages: dict[int, Message] = {}
        self.uid_next = 1
        self.dead = False
        self.clock = 0
        self.modseqs: dict[int, int] = {}  # by tick, as far as anybody was told

    def tick(self) -> int:
        """A change of the mailbox begins."""
        self.clock += 1
        return self.clock

    def place(
        self, uid: int, octets: bytes, token: str, date: str, flags: Iterable[str], person: str
    ) -> None:
        """A message has got this UID."""
        given = set(flags)
        tick = self.tick()
        message = Message(
            octets, token, date, tick, given - {SEEN}, {person} & self._readers(given, person), tick
        )
        self._put(uid, message)

    @staticmethod
    def _readers(given: set[str], person: str) -> set[str]:
        return {person} if SEEN in given else set()

    def _put(self, uid: int, message: Message) -> None:
        assert uid >= self.uid_next, ("a UID was given again", uid, self.uid_next)
        self.uid_next = uid + 1
        self.messages[uid] = message

    def copy_from(self, source: Mailbox, pairs: list[tuple[int, int]]) -> None:
        """COPY of (old UID, new UID), which is one change: everybody has read the copy who had read the message."""
        tick = self.tick()
        for old, new in pairs:
            one = source.messages[old]
            copy = Message(one.octets, one.token, one.date, tick, set(one.flags), set(one.seen), tick)
            self._put(new, copy)

    def remove(self, uids: Iterable[int]) -> None:
        """Messages are expunged, in one change."""
        gone = [uid for uid in uids if uid in self.messages]
        for uid in gone:
            del self.messages[uid]
        if gone:
            self.tick()

    def store(self, uids: Iterable[int], person: str, mode: str, flags: set[str]) -> None:
        """STORE of one person; only what changes something is a change."""
        tick = 0
        for uid in uids:
            message = self.messages[uid]
            before = message.shown(person)
            after = stored(before, mode, flags)
            if after == before:
                continue
            tick = tick or self.tick()
            if SEEN in before ^ after:
                message.own[person] = tick
                (message.seen.add if SEEN in after else message.seen.discard)(person)
            if (before ^ after) - {SEEN}:
                message.changed = tick
                message.flags = after - {SEEN}

    def view(self, person: str) -> list[tuple[int, set[str]]]:
        """UIDs and flags in their order, as this person must see them."""
        return [(uid, message.shown(person)) for uid, message in self.messages.items()]

    def check_modseq(self, uid: int, person: str, modseq: int) -> None:
        """A mod-sequence was told of a message: one number for each change, in the order of the changes."""
        self._check_tick(self.messages[uid].tick(person), modseq)

    def _check_tick(self, tick: int, modseq: int) -> None:
        assert self.modseqs.setdefault(tick, modseq) == modseq, (tick, modseq, self.modseqs)
        for other, known in self.modseqs.items():
            assert (other < tick) == (known < modseq), (tick, modseq, self.modseqs)

    def check_highest(self, modseq: int) -> None:
        """HIGHESTMODSEQ was told as it is now: that of the last change, be it an expunge."""
        self._check_tick(self.clock, modseq)

    def tick_of(self, modseq: int) -> int:
        """The change behind a mod-sequence; 0 when it was told of no message that was still there."""
        return next((tick for tick, known in self.modseqs.items() if known == modseq), 0)

    def delete(self) -> None:
        """The folder is no more, and nothing is in it."""
        self.messages.clear()
        self.dead = True


def stored(before: set[str], mode: str, flags: set[str]) -> set[str]:
    """The flags after `+FLAGS`, `-FLAGS` or `FLAGS`."""
    return before | flags if mode == "+" else before - flags if mode == "-" else set(flags)


__all__ = ["SEEN", "Mailbox", "Message", "stored"]
