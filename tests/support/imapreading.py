"""What clients of the stateful IMAP test ask: FETCH, SEARCH, STATUS, NOOP, IDLE, and the saved result `$`."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.support.imapchanges import Changes, uids_of
from tests.support.imapmodel import flag_sets, picks, sessions, slots
from tests.support.imappicture import Client, Line, numbers_in
from tests.support.imaptruth import Mailbox, Message

TEXT = b"BODY[TEXT]"
ITEMS = (
    "BODY.PEEK[]",
    "BODY[]",
    "BODY[TEXT]",
    "BODY.PEEK[TEXT]",
    "BODY.PEEK[HEADER]",
    "RFC822.SIZE INTERNALDATE",
    "BODY.PEEK[]<5.40> FLAGS",
    "ENVELOPE",
)
KEYS = (
    "ALL",
    "SEEN",
    "UNSEEN",
    "FLAGGED",
    "DELETED",
    "KEYWORD Work",
    "TEXT",
    "SUBJECT",
    "UID",
    "MODSEQ",
    "$",
)
RETURNS = ("", "RETURN (ALL)", "RETURN (SAVE)", "RETURN (SAVE COUNT)", "RETURN (MIN MAX COUNT)")


class Reading(Changes):
    """Rules that read."""

    @rule(
        who=sessions,
        places=picks,
        span=st.booleans(),
        uid=st.booleans(),
        items=st.sampled_from(ITEMS),
        modseq=st.booleans(),
    )
    def fetch(self, who: int, places: list[int], span: bool, uid: bool, items: str, modseq: bool) -> None:
        """What comes is of the messages that the client believes there, each that is there, and no other."""
        client = self.present(who)
        picked = self.pick(client, places, span=span)
        mailbox = client.mailbox
        if not picked or mailbox is None:
            return
        uids = uids_of(picked)
        alive = [one for one in uids if one in mailbox.messages]
        if items.startswith("BODY[") and not client.read_only:
            mailbox.store(alive, client.person, "+", {"\\Seen"})
        with_modseq = modseq and client.condstore
        named = self.named(client, picked, uid=uid)
        command = f"FETCH {named} (UID {items}{' MODSEQ' if with_modseq else ''})"
        tagged = self.prefixed(client, command, uid=uid)[1]
        assert tagged.startswith(b"OK") or mailbox.dead, tagged
        if not (uid or client.uidonly) and not mailbox.dead:
            assert tagged.startswith(b"OK [EXPUNGEISSUED]") == (alive != uids), (tagged, uids, alive)
        assert sorted(client.bodies) == alive, (command, client.bodies.keys(), alive)
        for one in alive:
            self.check_body(mailbox.messages[one], items, client.bodies[one])
        self.settle(client)

    @staticmethod
    def check_body(message: Message, items: str, told: dict[bytes, Any]) -> None:
        """The octets of this very message."""
        header, _, text = message.octets.partition(b"\r\n\r\n")
        expected: dict[str, tuple[bytes, bytes]] = {
            "BODY.PEEK[]": (b"BODY[]", message.octets),
            "BODY[]": (b"BODY[]", message.octets),
            "BODY[TEXT]": (TEXT, text),
            "BODY.PEEK[TEXT]": (TEXT, text),
            "BODY.PEEK[HEADER]": (b"BODY[HEADER]", header + b"\r\n\r\n"),
            "BODY.PEEK[]<5.40> FLAGS": (b"BODY[]<5>", message.octets[5:45]),
        }
        if items in expected:
            label, octets = expected[items]
            assert told[label] == octets, (message, told)
        elif items == "ENVELOPE":
            assert told[b"ENVELOPE"][1] == f"Objet {message.token}".encode(), (message, told)
        else:
            assert int(told[b"RFC822.SIZE"]) == len(message.octets), (message, told)
            assert told[b"INTERNALDATE"].decode().strip() == message.date.lstrip("0"), (message, told)

    @rule(
        who=sessions,
        key=st.sampled_from(KEYS),
        negated=st.booleans(),
        place=st.integers(0, 11),
        uid=st.booleans(),
        returns=st.sampled_from(RETURNS),
    )
    def search(self, who: int, key: str, negated: bool, place: int, uid: bool, returns: str) -> None:
        """SEARCH finds exactly what is there and matches, in numbers that this client understands."""
        client = self.present(who)
        mailbox = client.mailbox
        picked = self.pick(client, [place])
        if mailbox is None or (key in ("TEXT", "SUBJECT", "UID", "MODSEQ") and not picked):
            return
        line = picked[0][1] if picked else Line()
        if key == "MODSEQ" and not mailbox.tick_of(line.modseq or 0):
            return
        text, found = self._matching(client, mailbox, key, line, uid=uid or client.uidonly)
        if negated:
            text, found = f"NOT {text}", set(mailbox.messages) - found
        by_uid = uid or client.uidonly
        command = f"SEARCH {returns}{' ' if returns else ''}{text}"
        if key == "MODSEQ":
            client.condstore = True
        untagged, tagged = self.prefixed(client, command, uid=uid)
        assert tagged.startswith(b"OK") or mailbox.dead, tagged
        if "SAVE" in returns and tagged.startswith(b"OK"):
            client.saved = sorted(found)
        self.settle(client)
        if tagged.startswith(b"OK"):
            self._check_found(client, untagged, sorted(found), returns, uid=by_uid)

    @staticmethod
    def _matching(
        client: Client, mailbox: Mailbox, key: str, line: Line, *, uid: bool
    ) -> tuple[str, set[int]]:
        """A key as it is written, and the UIDs for which it holds."""
        everyone = mailbox.messages.items()
        token = mailbox.messages[line.uid].token if line.uid in mailbox.messages else "jeton0fin"
        flag = {"KEYWORD Work": "Work", "UNSEEN": "\\Seen"}.get(key, f"\\{key.title()}")
        match key:
            case "ALL":
                return key, set(mailbox.messages)
            case "TEXT" | "SUBJECT":
                return f"{key} {token}", {uid for uid, message in everyone if message.token == token}
            case "UID":
                return f"UID {line.uid}:*", Reading._from(client, mailbox, line.uid or 1, uid=uid)
            case "MODSEQ":
                tick = mailbox.tick_of(line.modseq or 0)
                found = {uid for uid, message in everyone if message.tick(client.person) >= tick}
                return f"MODSEQ {line.modseq}", found
            case "$":
                return key, {uid for uid in client.saved if uid in mailbox.messages}
        having = {uid for uid, message in everyone if flag in message.shown(client.person)}
        return key, set(mailbox.messages) - having if key == "UNSEEN" else having

    @staticmethod
    def _from(client: Client, mailbox: Mailbox, first: int, *, uid: bool) -> set[int]:
        """`first:*`, in either order; `*` is the last message, of those that count while numbers are used."""
        counted = [] if uid else [line.uid for line in client.lines if line.uid is not None]
        last = max([*counted, *mailbox.messages], default=0)
        return {one for one in mailbox.messages if min(first, last) <= one <= max(first, last)}

    def _check_found(
        self, client: Client, untagged: list[bytes], found: list[int], returns: str, *, uid: bool
    ) -> None:
        """The answer names these messages."""
        answers = [line for line in untagged if line.startswith((b"* SEARCH", b"* ESEARCH"))]
        if returns == "RETURN (SAVE)":
            assert answers == []
            return
        (answer,) = answers
        uid_of = {number: line.uid for number, line in enumerate(client.lines, 1)}
        numbers = {line.uid: number for number, line in enumerate(client.lines, 1)}
        if not returns and "IMAP4REV2" not in client.kind:
            assert answer.startswith(b"* SEARCH"), answer
            told = [int(word) for word in answer.split(b" (MODSEQ")[0].split()[2:]]
        else:
            assert answer.startswith(b"* ESEARCH (TAG "), answer
            assert (b") UID" in answer) == uid, answer
            told = self._check_extended(answer, found if uid else [numbers[one] for one in found], returns)
        assert (told if uid else [uid_of[one] for one in told]) == found, (answer, found, client.lines)

    @staticmethod
    def _check_extended(answer: bytes, expected: list[int], returns: str) -> list[int]:
        """MIN, MAX and COUNT are right; gives ALL, or what is expected where ALL was not asked."""
        for word, value in (("MIN", expected[:1]), ("MAX", expected[-1:]), ("COUNT", [len(expected)])):
            if word in returns:
                told = re.search(rf"\b{word} (\d+)".encode(), answer)
                assert [int(told[1]) if told else None] == (value or [None]), (answer, expected)
        if returns in ("", "RETURN (ALL)"):
            told = re.search(rb"\bALL ([\d:,]+)", answer)
            return numbers_in(told[1]) if told else []
        return expected

    @rule(who=sessions, uid=st.booleans(), take=st.sampled_from([None, False, True]), slot=slots)
    def use_saved(self, who: int, uid: bool, take: bool | None, slot: int) -> None:
        """FETCH, COPY and MOVE of `$`: what SEARCH kept, without those of whose end the client has heard."""
        client = self.present(who)
        mailbox = client.mailbox
        assert mailbox is not None
        picked = [(number, line) for number, line in enumerate(client.lines, 1) if line.uid in client.saved]
        if take is not None:
            if not mailbox.dead and not client.read_only and picked:
                self.carry(client, slot, picked, "$", uid=uid, take=take)
            return
        alive = [one for one in uids_of(picked) if one in mailbox.messages]
        self.prefixed(client, "FETCH $ (UID BODY.PEEK[TEXT])", uid=uid)
        assert sorted(client.bodies) == alive, (client.saved, client.bodies.keys())
        self.settle(client)

    @rule(who=sessions)
    def noop(self, who: int) -> None:
        """After NOOP a client believes the truth."""
        self.caught_up(self.present(who))

    @rule(who=sessions, slot=slots)
    def status(self, who: int, slot: int) -> None:
        """The counters are those of the truth, for this person."""
        client, mailbox = self.clients[who], self.slots[slot]
        items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE"]
        items += ["HIGHESTMODSEQ"] if client.condstore else []
        untagged, _ = client.run(f"STATUS {client.name(mailbox)} ({' '.join(items)})")
        (line,) = [line for line in untagged if line.startswith(b"* STATUS")]
        told = {
            name.decode(): int(value)
            for name, value in re.findall(rb"([A-Z]+) (\d+)", line.rpartition(b"(")[2])
        }
        shown = [flags for _, flags in mailbox.view(client.person)]
        expected = {
            "MESSAGES": len(shown),
            "UIDNEXT": mailbox.uid_next,
            "UIDVALIDITY": mailbox.validity,
            "UNSEEN": sum("\\Seen" not in flags for flags in shown),
            "DELETED": sum("\\Deleted" in flags for flags in shown),
            "SIZE": sum(len(message.octets) for message in mailbox.messages.values()),
        }
        assert expected.items() <= told.items(), (line, expected)
        if client.condstore:
            mailbox.check_highest(told["HIGHESTMODSEQ"])
        self.settle(client)

    @rule(
        who=sessions,
        other=sessions,
        places=picks,
        flags=flag_sets,
        change=st.sampled_from(["append", "store", "expunge", "take"]),
    )
    def idle(self, who: int, other: int, places: list[int], flags: set[str], change: str) -> None:
        """IDLE first says what is new; what others do meanwhile arrives without a command."""
        client = self.present(who)
        tag = client.imap.begin("IDLE")
        while (response := client.imap.response()) != b"+ idling":
            client.hear(response)
        if other != who:
            self._change(other, client.slot, places, flags, change)
            while not self._agrees(client):
                client.hear(client.imap.response())
        client.imap.send(b"DONE\r\n")
        untagged, tagged = client.imap.until(tag)
        assert tagged.startswith(b"OK"), tagged
        for response in untagged:
            client.hear(response)
        self.settle(client)
        self.agree(client)

    def _change(self, other: int, slot: int, places: list[int], flags: set[str], change: str) -> None:
        """One of the changes that somebody makes while another idles."""
        match change:
            case "append":
                self.append(other, slot, flags, 1)
            case "store":
                self.store(other, places, False, "+", flags, True, True, None)
            case "expunge":
                self.expunge(other, False, places, False)
            case _:
                self.copy(other, 1 - slot, places, False, True, True)

    @staticmethod
    def _agrees(client: Client) -> bool:
        """Everything that can be known without asking is known."""
        assert client.mailbox is not None
        truth = client.mailbox.view(client.person)
        known = [line for line in client.believed() if line[0] is not None]
        return len(client.lines) == len(truth) and known == truth[: len(known)]
