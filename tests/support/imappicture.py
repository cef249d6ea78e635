"""What one mail client believes of its mailbox, only by what the gateway has told it, read strictly.

Whatever is not allowed at its moment fails: an EXPUNGE while numbers are in use (RFC 9051 section 7.5.1), a number
that no message has, an EXISTS that falls, a line of an extension that this client has not enabled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.support.imaptruth import Mailbox
from tests.support.imapvalues import read_value
from tests.support.wires import Imap

_NUMBERED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH|UIDFETCH)(?: (\(.*\)))?", re.DOTALL)
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([\d:,]+)")
_CODE = re.compile(rb"(?:OK|NO|BAD|\* OK|\* NO) \[([A-Z-]+)(?: ([^\]]*))?\]")
_OTHER = re.compile(rb"\* (?:OK|NO|FLAGS|SEARCH|ESEARCH|STATUS|LIST|ENABLED)\b")


NOTIFY = "NOTIFY"
"""The one of a client's extensions that is not enabled, but asked for."""


def numbers_in(text: bytes) -> list[int]:
    """The numbers of a set, in its order."""
    found: list[int] = []
    for part in filter(None, text.split(b",")):
        low, colon, high = part.partition(b":")
        found += range(int(low), int(high if colon else low) + 1)
    return found


def code(response: bytes, word: bytes) -> bytes | None:
    """What stands behind a response code, empty when it stands alone, None when it is not there."""
    found = _CODE.match(response)
    return None if found is None or found[1] != word else found[2] or b""


@dataclass
class Line:
    """One message as a client believes it: None is what it has not heard yet."""

    uid: int | None = None
    flags: set[str] | None = None
    modseq: int | None = None


@dataclass
class Memory:
    """What a client has kept of a mailbox that it left (RFC 7162 section 3.2.5)."""

    slot: int
    validity: int
    highest: int
    lines: dict[int, set[str]]


class Client:
    """One connection of one person. `kind` are the extensions it has enabled."""

    def __init__(self, person: str, prefix: str, connect: Callable[[], Imap], kind: Iterable[str]) -> None:
        self.person = person
        self.prefix = prefix
        self._connect = connect
        self.kind: set[str] = set()
        self.memory: Memory | None = None
        self.slot = 0
        self.connect(kind)

    def connect(self, kind: Iterable[str]) -> None:
        """A new connection, with nothing in hand."""
        self.imap = self._connect()
        self.kind = set()
        self.condstore = False
        self.mailbox: Mailbox | None = None
        self.let_go()
        for word in sorted(set(kind) - {NOTIFY}):
            self.enable(word)
        if NOTIFY in kind:
            self.be_notified()

    def let_go(self) -> None:
        """No mailbox is open."""
        self.mailbox = None
        self.read_only = False
        self.lines: list[Line] = []
        self.highest = 0
        self.reached: int | None = None  # what the last tagged OK has said
        self.saved: list[int] = []
        self.told_all = False  # whether SELECT has told all, by QRESYNC
        self.learned = 0  # the UID up to which all were asked for
        self.mourning = 3  # commands more in a folder that was deleted
        self.heard: dict[int, Line] = {}
        self.bodies: dict[int, dict[bytes, Any]] = {}

    def enable(self, word: str) -> None:
        """ENABLE."""
        self.quiet()
        self.kind.add(word)
        self.condstore = self.condstore or word in ("CONDSTORE", "QRESYNC")
        untagged, tagged = self.run(f"ENABLE {word}")
        assert tagged.startswith(b"OK"), tagged
        assert f"* ENABLED {word}".encode() in untagged, untagged

    def be_notified(self) -> None:
        """NOTIFY (RFC 5465): news come without a command, expunges only where a command allows them."""
        self.kind.add(NOTIFY)
        items = "UID FLAGS MODSEQ" if self.condstore else "UID FLAGS"
        wish = f"SELECTED-DELAYED (MessageNew ({items}) MessageExpunge FlagChange)"
        assert self.run(f"NOTIFY SET ({wish})")[1].startswith(b"OK")

    def quiet(self) -> None:
        """Take in what was told without a command, before something that ends the picture."""
        if NOTIFY in self.kind and self.mailbox is not None:
            self.run("NOOP")

    @property
    def uidonly(self) -> bool:
        """Messages have no numbers for this client."""
        return "UIDONLY" in self.kind

    def name(self, mailbox: Mailbox) -> str:
        """How this person names a mailbox."""
        return self.prefix + mailbox.name

    # --- what is told

    def run(self, command: str | bytes, *, by_number: bool = False) -> tuple[list[bytes], bytes]:
        """One command; its answers change the picture. `by_number`: no message may be taken away meanwhile."""
        fetching = command[:6] in ("FETCH ", b"FETCH ") or command[:10] in ("UID FETCH ", b"UID FETCH ")
        untagged, tagged = self.imap.run(command)
        for response in untagged:
            self.hear(response, by_number=by_number, asked=fetching)
        told = code(tagged, b"HIGHESTMODSEQ")
        if told is not None:
            self.highest = self.reached = int(told)
        return untagged, tagged

    def hear(self, response: bytes, *, by_number: bool = False, asked: bool = False) -> None:
        """Take in one untagged response."""
        if (vanished := _VANISHED.fullmatch(response)) is not None:
            assert not by_number, ("while numbers are in use", response)
            assert self.kind & {"QRESYNC", "UIDONLY"}, response
            assert vanished[1] is None, response
            for uid in numbers_in(vanished[2]):
                self._forget(uid)
            return
        numbered = _NUMBERED.fullmatch(response)
        if numbered is None:
            assert _OTHER.match(response), response
            told = code(response, b"HIGHESTMODSEQ")
            if told is not None:
                self.highest = int(told)
            return
        number, word = int(numbered[1]), numbered[2]
        if word == b"EXISTS":
            assert number >= len(self.lines), (response, len(self.lines))
            self.lines += [Line() for _ in range(number - len(self.lines))]
        elif word == b"EXPUNGE":
            assert not by_number, ("while numbers are in use", response)
            assert not self.kind & {"QRESYNC", "UIDONLY"}, response
            assert 1 <= number <= len(self.lines), (response, len(self.lines))
            self._drop(number - 1)
        elif word != b"RECENT":
            self._fetched(number, word, read_value(numbered[3]), asked)

    def _drop(self, at: int) -> None:
        uid = self.lines.pop(at).uid
        self.saved = [one for one in self.saved if one != uid]

    def _forget(self, uid: int) -> None:
        """VANISHED names a message that the client counts: one it knows, or one of which it has not heard the UID."""
        at = next((at for at, line in enumerate(self.lines) if line.uid == uid), None)
        if at is None:
            below = [at for at, line in enumerate(self.lines) if line.uid is not None and line.uid < uid]
            at = below[-1] + 1 if below else 0
            if self.uidonly:  # there, nothing says where a message without a known UID stands
                at = next((at for at, line in enumerate(self.lines) if line.uid is None), len(self.lines))
            assert at < len(self.lines), ("unknown", uid, self.lines)
            assert self.lines[at].uid is None, ("unknown", uid, self.lines)
        self._drop(at)

    def _fetched(self, number: int, word: bytes, values: list[Any], asked: bool) -> None:
        items = dict(zip(values[::2], values[1::2], strict=True))
        assert self.uidonly == (word == b"UIDFETCH"), (word, items)
        if self.uidonly:
            line = self._line_of(number)
        else:
            assert 1 <= number <= len(self.lines), (number, items, len(self.lines))
            line = self.lines[number - 1]
            if b"UID" in items:
                assert line.uid in (None, int(items[b"UID"])), (number, items, line)
                line.uid = int(items[b"UID"])
        if b"FLAGS" in items:
            line.flags = {flag.decode() for flag in items[b"FLAGS"]}
            if self.condstore and not asked and NOTIFY not in self.kind:
                assert b"MODSEQ" in items, items
                assert self.uidonly or "QRESYNC" not in self.kind or b"UID" in items, items
        if b"MODSEQ" in items:
            line.modseq = int(items[b"MODSEQ"][0])
            self.highest = max(self.highest, line.modseq)
        if line.uid is not None:
            self._note(line, items)

    def _note(self, line: Line, items: dict[bytes, Any]) -> None:
        assert line.uid is not None
        told = self.heard.setdefault(line.uid, Line(line.uid))
        told.flags = line.flags if b"FLAGS" in items else told.flags
        told.modseq = line.modseq if b"MODSEQ" in items else told.modseq
        if any(item not in (b"UID", b"FLAGS", b"MODSEQ") for item in items):
            assert line.uid not in self.bodies, ("answered twice", line.uid)
            self.bodies[line.uid] = items

    def _line_of(self, uid: int) -> Line:
        """Without numbers, a UID that was not known is one of the messages that EXISTS has counted."""
        for line in self.lines:
            if line.uid == uid:
                return line
        unknown = [at for at, line in enumerate(self.lines) if line.uid is None]
        assert unknown, (uid, self.lines)
        del self.lines[unknown[-1]]
        at = sum(1 for line in self.lines if line.uid is not None and line.uid < uid)
        self.lines.insert(at, Line(uid))
        return self.lines[at]

    # --- opening

    def select(
        self, mailbox: Mailbox, slot: int, *, examine: bool = False, known: bool | None = None
    ) -> None:
        """SELECT or EXAMINE; with QRESYNC when something is remembered, and `known` is whether to name UIDs then."""
        memory = self.memory if known is not None and "QRESYNC" in self.kind else None
        memory = memory if memory is not None and memory.slot == slot and memory.highest else None
        command = f"{'EXAMINE' if examine else 'SELECT'} {self.name(mailbox)}"
        if memory is not None:
            uids = f" {','.join(map(str, sorted(memory.lines)))}" if known and memory.lines else ""
            command += f" (QRESYNC ({memory.validity} {memory.highest}{uids}))"
        self.quiet()
        was_open = self.mailbox is not None
        self.let_go()
        untagged, tagged = self.imap.run(command)
        assert tagged.startswith(b"OK"), (command, tagged)
        closed = [at for at, line in enumerate(untagged) if code(line, b"CLOSED") is not None]
        assert len(closed) == was_open, untagged
        # Whatever comes ahead of CLOSED is of the mailbox before.
        assert closed in ([], [0]) or NOTIFY in self.kind, untagged
        untagged = untagged[closed[0] :] if closed else untagged
        self.mailbox, self.read_only, self.slot = mailbox, examine, slot
        self._opened(mailbox, untagged, memory)
        self.told_all = memory is not None and not (known and memory.lines)

    def _opened(self, mailbox: Mailbox, untagged: list[bytes], memory: Memory | None) -> None:
        told = {}
        for word in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ", b"UNSEEN"):
            told[word] = next((int(text) for line in untagged if (text := code(line, word))), 0)
        self.check_opened(mailbox, told)
        kept = dict(memory.lines) if memory is not None and memory.validity == mailbox.validity else {}
        fetches = []
        for line in untagged:
            vanished, numbered = _VANISHED.fullmatch(line), _NUMBERED.fullmatch(line)
            if vanished is not None:
                assert memory is not None, line
                assert vanished[1] is not None, line
                assert memory.validity == mailbox.validity, line
                for uid in numbers_in(vanished[2]):
                    kept.pop(uid, None)
            elif numbered is not None and numbered[2] in (b"FETCH", b"UIDFETCH"):
                fetches.append((int(numbered[1]), numbered[2], read_value(numbered[3])))
            elif numbered is not None:
                assert numbered[2] != b"EXPUNGE", line
                count = int(numbered[1]) if numbered[2] == b"EXISTS" else None
                self.lines = [Line() for _ in range(count)] if count is not None else self.lines
        self._remember(kept, fetches)
        self.highest = told[b"HIGHESTMODSEQ"]

    def check_opened(self, mailbox: Mailbox, told: dict[bytes, int]) -> None:
        """What SELECT says of the whole mailbox is true."""
        assert told[b"UIDVALIDITY"] == mailbox.validity, (told, mailbox.validity)
        assert told[b"UIDNEXT"] == mailbox.uid_next, (told, mailbox.uid_next)
        mailbox.check_highest(told[b"HIGHESTMODSEQ"])
        if told[b"UNSEEN"]:
            shown = [flags for _, flags in mailbox.view(self.person)]
            assert ["\\Seen" in flags for flags in shown].index(False) == told[b"UNSEEN"] - 1

    def _remember(self, kept: dict[int, set[str]], fetches: list[tuple[int, bytes, list[Any]]]) -> None:
        """Put what was kept and what has been told of it into the new list."""
        told = {}
        for number, word, values in fetches:
            items = dict(zip(values[::2], values[1::2], strict=True))
            told[number] = number if word == b"UIDFETCH" else int(items[b"UID"])
        if self.uidonly:
            uids = sorted({*kept, *told.values()})
            told = {}
        else:
            uids = sorted(kept.keys() - told.values())
        for number, uid in told.items():
            assert 1 <= number <= len(self.lines), (number, uid, len(self.lines))
            self.lines[number - 1] = Line(uid, kept.get(uid))
        # What nothing is said of is unchanged, and comes before all that is new.
        free = [line for line in self.lines if line.uid is None]
        assert len(uids) <= len(free), (uids, self.lines)
        for line, uid in zip(free, uids, strict=False):
            line.uid, line.flags = uid, kept.get(uid)
        for number, word, values in fetches:
            self._fetched(number, word, values, False)

    def remember(self) -> None:
        """Keep what is known of the mailbox in hand, to come back to it; a list with gaps is of no use for that."""
        if self.mailbox is None:
            return
        lines = {
            line.uid: line.flags for line in self.lines if line.uid is not None and line.flags is not None
        }
        whole = len(lines) == len(self.lines)
        self.memory = Memory(self.slot, self.mailbox.validity, self.highest, lines) if whole else None

    # --- asking

    def learn(self) -> None:
        """Ask for whatever is not known yet, as clients do after EXISTS."""
        items = "(UID FLAGS MODSEQ)" if self.condstore else "(UID FLAGS)"
        unknown = [
            number for number, line in enumerate(self.lines, 1) if line.uid is None or line.flags is None
        ]
        if unknown and self.uidonly:
            # Flags of a new message may have been told before its neighbours are known: from the last one asked for.
            self.run(f"UID FETCH {self.learned + 1}:* {items}")
        elif unknown:
            self.run(f"FETCH {unknown[0]}:* {items}", by_number=True)
        if not [line for line in self.lines if line.uid is None]:
            self.learned = max([self.learned, *[line.uid for line in self.lines if line.uid is not None]])

    def believed(self) -> list[tuple[int | None, set[str] | None]]:
        """The whole picture."""
        return [(line.uid, line.flags) for line in self.lines]

    def check_heard(self) -> None:
        """What was last told of each message is true of it, for this person."""
        heard, self.heard = self.heard, {}
        mailbox = self.mailbox
        if mailbox is None:
            return
        reached, self.reached = self.reached, None
        if reached is not None:
            mailbox.check_highest(reached)
        for uid, line in heard.items():
            message = mailbox.messages.get(uid)
            if message is None:
                continue
            assert line.flags in (None, message.shown(self.person)), (uid, line, message)
            if line.modseq is not None:
                mailbox.check_modseq(uid, self.person, line.modseq)


__all__ = ["Client", "Line", "Memory", "code", "numbers_in"]
