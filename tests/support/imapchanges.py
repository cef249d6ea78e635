"""What clients of the stateful IMAP test do to messages: APPEND, REPLACE, STORE, COPY, MOVE, EXPUNGE."""

from __future__ import annotations

import re

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.support.imapmodel import Base, code, flag_sets, picks, sessions, slots
from tests.support.imappicture import Client, Line, numbers_in
from tests.support.imaptruth import Mailbox, stored

Picked = list[tuple[int, Line]]


def uids_of(picked: Picked) -> list[int]:
    """The UIDs of what was picked."""
    return [line.uid for _, line in picked if line.uid is not None]


class Changes(Base):
    """Rules that change messages."""

    @rule(who=sessions, slot=slots, flags=flag_sets, count=st.integers(1, 3))
    def append(self, who: int, slot: int, flags: set[str], count: int) -> None:
        """Messages of their own kind arrive."""
        self.arrive(self.clients[who], slot, flags, count)

    @rule(who=sessions, slot=slots, places=picks, uid=st.booleans(), flags=flag_sets)
    def replace(self, who: int, slot: int, places: list[int], uid: bool, flags: set[str]) -> None:
        """REPLACE (RFC 8508): one comes and one goes, or nothing is done when that one has gone already."""
        client = self.present(who)
        picked = self.pick(client, places[:1])
        if not picked or client.read_only:
            return
        source, target, (gone,) = client.mailbox, self.slots[slot], uids_of(picked)
        assert source is not None
        octets, token, date = self.message()
        named = self.named(client, picked, uid=uid)
        head = f'REPLACE {named} {client.name(target)} ({" ".join(sorted(flags))}) "{date}" {{{len(octets)}+}}\r\n'
        command = head.encode() + octets
        untagged, tagged = client.run(b"UID " + command if uid or client.uidonly else command)
        if gone not in source.messages:
            assert tagged.startswith((b"NO [EXPUNGEISSUED]", b"NO ")), tagged
        else:
            assert tagged.startswith(b"OK"), tagged
            (told,) = [text for line in untagged if (text := code(line, b"APPENDUID"))]
            assert told == b"%d %d" % (target.validity, target.uid_next)
            target.place(target.uid_next, octets, token, date, flags, client.person)
            source.remove([gone])
        self.settle(client)

    @rule(
        who=sessions,
        places=picks,
        span=st.booleans(),
        mode=st.sampled_from(["+", "-", ""]),
        flags=flag_sets,
        silent=st.booleans(),
        uid=st.booleans(),
        unchanged=st.sampled_from([None, None, "own", "oldest", "zero"]),
    )
    def store(
        self,
        who: int,
        places: list[int],
        span: bool,
        mode: str,
        flags: set[str],
        silent: bool,
        uid: bool,
        unchanged: str | None,
    ) -> None:
        """STORE in all its forms; a silent client notes by itself what it has set."""
        client = self.present(who)
        if silent:  # news on their way must not undo what the client is going to believe by itself
            client.quiet()
            self.settle(client)
        picked = self.pick(client, places, span=span)
        mailbox = client.mailbox
        if not picked or mailbox is None:
            return
        since = self._since(client, picked, unchanged)
        item = f"{mode}FLAGS{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})"
        condition = "" if since is None else f" (UNCHANGEDSINCE {since})"
        client.condstore = client.condstore or (since is not None and not client.read_only)
        uids = uids_of(picked)
        alive = [one for one in uids if one in mailbox.messages]
        held = self._held(client, mailbox, alive, since)
        numbers = {line.uid: number for number, line in picked}
        writable = not client.read_only and not mailbox.dead
        if writable:
            mailbox.store([one for one in alive if one not in held], client.person, mode, flags)
            if silent:
                for _, line in picked:
                    if line.uid not in held and line.flags is not None:
                        line.flags = stored(line.flags, mode, flags)
        command = f"STORE {self.named(client, picked, uid=uid)}{condition} {item}"
        tagged = self.prefixed(client, command, uid=uid)[1]
        if not writable:
            assert tagged.startswith(b"NO"), tagged
        else:
            assert tagged.startswith(b"OK"), tagged
            by_uid = uid or client.uidonly
            modified = numbers_in(code(tagged, b"MODIFIED") or b"")
            assert modified == [one if by_uid else numbers[one] for one in held], (tagged, held)
            if not by_uid and not held:
                assert (code(tagged, b"EXPUNGEISSUED") is not None) == (alive != uids), (tagged, uids, alive)
        self.settle(client)

    @staticmethod
    def _since(client: Client, picked: Picked, unchanged: str | None) -> int | None:
        """A mod-sequence for UNCHANGEDSINCE: one that the client was told of a message, or zero."""
        asked = client.lines if unchanged == "oldest" else [line for _, line in picked]
        mailbox = client.mailbox
        assert mailbox is not None
        known = [line.modseq for line in asked if line.modseq is not None and mailbox.tick_of(line.modseq)]
        if unchanged == "zero":
            return 0
        return min(known) if unchanged and known else None

    @staticmethod
    def _held(client: Client, mailbox: Mailbox, alive: list[int], since: int | None) -> list[int]:
        """The UIDs that changed, for this person, after the mod-sequence."""
        if since is None:
            return []
        tick = mailbox.tick_of(since)
        return [one for one in alive if mailbox.messages[one].tick(client.person) > tick]

    @rule(who=sessions, slot=slots, places=picks, span=st.booleans(), uid=st.booleans(), take=st.booleans())
    def copy(self, who: int, slot: int, places: list[int], span: bool, uid: bool, take: bool) -> None:
        """COPY and MOVE, to the same folder too; COPYUID says what has become of which."""
        client = self.present(who)
        picked = self.pick(client, places, span=span)
        if picked:
            self.carry(client, slot, picked, self.named(client, picked, uid=uid), uid=uid, take=take)

    def carry(self, client: Client, slot: int, picked: Picked, named: str, *, uid: bool, take: bool) -> None:
        """COPY or MOVE of what was picked."""
        source, target = client.mailbox, self.slots[slot]
        assert source is not None
        if take and client.read_only:
            return
        command = f"{'MOVE' if take else 'COPY'} {named} {client.name(target)}"
        untagged, tagged = self.prefixed(client, command, uid=uid)
        alive = sorted(one for one in uids_of(picked) if one in source.messages)
        told = code(tagged, b"COPYUID") if not take else None
        for line in untagged:
            told = code(line, b"COPYUID") or told
        if not alive:
            assert told is None, (command, tagged)
        else:
            assert tagged.startswith(b"OK"), (command, tagged)
            fresh = list(range(target.uid_next, target.uid_next + len(alive)))
            found = re.fullmatch(rb"(\d+) ([\d:,]+) ([\d:,]+)", told or b"")
            assert found is not None, (command, untagged, tagged)
            assert int(found[1]) == target.validity
            assert (numbers_in(found[2]), numbers_in(found[3])) == (alive, fresh), (command, told, alive)
            target.copy_from(source, list(zip(alive, fresh, strict=True)))
            if take:
                source.remove(alive)
        self.settle(client)

    @rule(who=sessions, named=st.booleans(), places=picks, span=st.booleans())
    def expunge(self, who: int, named: bool, places: list[int], span: bool) -> None:
        """EXPUNGE of all that is marked, or UID EXPUNGE of some."""
        client = self.present(who)
        mailbox = client.mailbox
        assert mailbox is not None
        picked = self.pick(client, places, span=span)
        only = uids_of(picked) if named and picked else None
        marked = self.marked(mailbox, only)
        if not client.read_only:
            mailbox.remove(marked)
        text = "EXPUNGE" if only is None else f"UID EXPUNGE {','.join(map(str, only))}"
        tagged = client.run(text)[1]
        if client.read_only:
            assert tagged.startswith(b"NO"), tagged
        elif not mailbox.dead:
            assert tagged.startswith(b"OK"), tagged
            assert (code(tagged, b"HIGHESTMODSEQ") is not None) == bool(marked and client.condstore), tagged
        self.settle(client)

    @rule(who=sessions, places=picks, span=st.booleans())
    def discard(self, who: int, places: list[int], span: bool) -> None:
        """Mark some and expunge them, as clients do that know no MOVE."""
        self.store(who, places, span, "+", {"\\Deleted"}, True, True, None)
        self.expunge(who, True, places, span)

    @staticmethod
    def marked(mailbox: Mailbox, only: list[int] | None) -> list[int]:
        """UIDs marked deleted, of these when given."""
        return [
            uid
            for uid, message in mailbox.messages.items()
            if "\\Deleted" in message.flags and (only is None or uid in only)
        ]


__all__ = ["Changes", "uids_of"]
