"""Clients that work on one shared folder at the same time, each in a thread: nobody knows the truth, all must agree."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

from tests.support.imappicture import Client, Line, code, numbers_in
from tests.support.imaptruth import Mailbox, stored
from tests.support.letters import letter
from tests.support.wires import Imap

FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "Work")
_numbers = itertools.count(1)


class Shared:
    """What all sessions have been told together: the text of each UID, and its flags at each mod-sequence by person."""

    def __init__(self) -> None:
        self.texts: dict[int, bytes] = {}
        self.flags: dict[tuple[str, int, int], frozenset[str]] = {}

    def text(self, uid: int, octets: bytes) -> None:
        """A UID has one text for ever."""
        assert self.texts.setdefault(uid, octets) == octets, (uid, octets, self.texts[uid])

    def state(self, person: str, line: Line) -> None:
        """A mod-sequence stands for one state of a message, whoever of a person's sessions is told of it."""
        if line.uid is None or line.flags is None or line.modseq is None:
            return
        told = frozenset(line.flags)
        known = self.flags.setdefault((person, line.uid, line.modseq), told)
        assert known == told, (person, line, known)


class Stormy(Client):
    """A client whose picture is not compared with anything before the storm is over."""

    def __init__(
        self, person: str, prefix: str, connect: Callable[[], Imap], kind: tuple[str, ...], shared: Shared
    ) -> None:
        self.shared = shared
        super().__init__(person, prefix, connect, kind)

    def check_opened(self, mailbox: Mailbox, told: dict[bytes, int]) -> None:
        """The folder stays what it is; UIDs only grow."""
        assert told[b"UIDVALIDITY"] == mailbox.validity, told
        assert told[b"UIDNEXT"] > max(self.shared.texts, default=0) - 50, told

    def _fetched(self, number: int, word: bytes, values: list[Any], asked: bool) -> None:
        """Mod-sequences of a message never fall, and mean one state."""
        before = {line.uid: line.modseq for line in self.lines if line.modseq is not None}
        super()._fetched(number, word, values, asked)
        items = values[::2]
        if b"MODSEQ" not in items:
            return
        line = self._line_of(number) if self.uidonly else self.lines[number - 1]
        assert line.modseq is not None
        assert line.modseq >= before.get(line.uid, 0), (line, before)
        if b"FLAGS" in items:
            self.shared.state(self.person, line)

    # --- one step

    def step(self, dice: random.Random) -> None:
        """Do something."""
        if self.mailbox is None:
            raise AssertionError("nothing is open")
        known = [(number, line) for number, line in enumerate(self.lines, 1) if line.uid is not None]
        picked = dice.sample(known, min(len(known), dice.randint(1, 3)))
        acts = (
            [self.append]
            if len(known) < 4
            else [self.append, self.store, self.store, self.discard, self.move]
        )
        acts += [self.read, self.read, self.look] if known else []
        acts += [self.come_back, self.pause]
        act = dice.choice(acts)
        act(dice, sorted(picked, key=lambda pair: pair[0]))
        self.bodies, self.heard = {}, {}
        self.learn()
        self.bodies, self.heard = {}, {}

    def _named(self, dice: random.Random, picked: list[tuple[int, Line]], verb: str) -> tuple[str, bool]:
        by_uid = self.uidonly or dice.random() < 0.5
        values = ",".join(str(line.uid if by_uid else number) for number, line in picked)
        return f"{'UID ' if by_uid else ''}{verb} {values}", by_uid

    def append(self, dice: random.Random, _picked: list[tuple[int, Line]]) -> None:
        """One or two messages."""
        assert self.mailbox is not None
        command = f"APPEND {self.name(self.mailbox)}".encode()
        texts = [b"jeton%dfin\r\n" % next(_numbers) for _ in range(dice.randint(1, 2))]
        for text in texts:
            octets = letter(text=text)
            command += b" {%d+}\r\n%b" % (len(octets), octets)
        tagged = self.run(command)[1]
        found = re.match(rb"OK \[APPENDUID \d+ ([\d:,]+)\]", tagged)
        assert found is not None, tagged
        for uid, text in zip(numbers_in(found[1]), texts, strict=True):
            self.shared.text(uid, text)

    def store(self, dice: random.Random, picked: list[tuple[int, Line]]) -> None:
        """Flags, silently too: then the client believes what it has set."""
        mode, flags = dice.choice("+-"), set(dice.sample(FLAGS, dice.randint(1, 2)))
        silent = dice.random() < 0.5
        head, by_uid = self._named(dice, picked, "STORE")
        if silent:
            for _, line in picked:
                line.flags = None if line.flags is None else stored(line.flags, mode, flags)
        item = f"{mode}FLAGS{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})"
        assert self.run(f"{head} {item}", by_number=not by_uid)[1].startswith(b"OK")

    def discard(self, _dice: random.Random, picked: list[tuple[int, Line]]) -> None:
        """Mark and expunge."""
        uids = ",".join(str(line.uid) for _, line in picked)
        self.run(f"UID STORE {uids} +FLAGS (\\Deleted)")
        assert self.run(f"UID EXPUNGE {uids}")[1].startswith(b"OK")

    def move(self, dice: random.Random, picked: list[tuple[int, Line]]) -> None:
        """COPY or MOVE to this same folder: the copies have the same texts."""
        assert self.mailbox is not None
        head, _ = self._named(dice, picked, dice.choice(("MOVE", "COPY")))
        untagged, tagged = self.run(f"{head} {self.name(self.mailbox)}")
        for response in (*untagged, tagged):
            told = code(response, b"COPYUID")
            if told is not None:
                _, old, new = told.split()
                for one, other in zip(numbers_in(old), numbers_in(new), strict=True):
                    if one in self.shared.texts:
                        self.shared.text(other, self.shared.texts[one])

    def read(self, dice: random.Random, picked: list[tuple[int, Line]]) -> None:
        """Texts by number or by UID: always those of the UID that the client believes there."""
        head, by_uid = self._named(dice, picked, "FETCH")
        section = dice.choice(("BODY[TEXT]", "BODY.PEEK[TEXT]"))
        self.run(f"{head} (UID {section})", by_number=not by_uid)
        assert self.bodies.keys() <= {line.uid for _, line in picked}
        for uid, items in self.bodies.items():
            self.shared.text(uid, items[b"BODY[TEXT]"])

    def look(self, _dice: random.Random, _picked: list[tuple[int, Line]]) -> None:
        """SEARCH, in numbers that this client counts."""
        verb = "UID SEARCH" if self.uidonly else "SEARCH"
        untagged, _ = self.run(f"{verb} UNSEEN", by_number=not self.uidonly)
        for response in untagged:
            if response.startswith(b"* SEARCH") and not self.uidonly:
                assert all(int(number) <= len(self.lines) for number in response.split()[2:])

    def come_back(self, dice: random.Random, _picked: list[tuple[int, Line]]) -> None:
        """The connection is lost, or the folder closed, and opened again by what is remembered."""
        mailbox = self.mailbox
        assert mailbox is not None
        self.remember()
        if dice.random() < 0.5:
            self.imap.close()
            self.connect(sorted(self.kind))
        elif dice.random() < 0.5:
            self.run("UNSELECT")
            self.remember()
            self.let_go()
        self.select(mailbox, 0, known=dice.choice((None, False, True)))

    def pause(self, dice: random.Random, _picked: list[tuple[int, Line]]) -> None:
        """NOOP, or a moment of IDLE."""
        if dice.random() < 0.5:
            self.run("NOOP")
            return
        tag = self.imap.begin("IDLE")
        while (response := self.imap.response()) != b"+ idling":
            self.hear(response)
        self.imap.send(b"DONE\r\n")
        for response in self.imap.until(tag)[0]:
            self.hear(response)


__all__ = ["Shared", "Stormy"]
