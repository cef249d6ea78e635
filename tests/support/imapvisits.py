"""How clients of the stateful IMAP test come and go, and what happens to the folders below them."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.support.imapmodel import sessions, slots
from tests.support.imapreading import Reading

_names = itertools.count(1)


class Visits(Reading):
    """Rules of SELECT, of leaving, of lost connections, of restarts and of folders that are renamed or made anew."""

    @rule(who=sessions, slot=slots, examine=st.booleans(), known=st.sampled_from([None, False, True]))
    def select(self, who: int, slot: int, examine: bool, known: bool | None) -> None:
        """Opened anew, from nothing or from what was kept: the picture is the truth."""
        client = self.clients[who]
        if client.mailbox is not None:
            client.remember()
        self.open(client, slot, examine=examine, known=known)

    @rule(who=sessions, how=st.sampled_from(["UNSELECT", "CLOSE", "drop", "drop"]))
    def leave(self, who: int, how: str) -> None:
        """UNSELECT, CLOSE, which expunges without a word, or a lost connection."""
        client = self.clients[who]
        mailbox = client.mailbox
        if mailbox is None:
            return
        client.quiet()
        client.remember()
        if how == "drop":
            client.imap.close()
            client.connect(sorted(client.kind))
            return
        if how == "CLOSE" and not client.read_only:
            mailbox.remove(self.marked(mailbox, None))
        assert client.run(how) == ([], b"OK closed")
        client.let_go()

    @rule(who=sessions, word=st.sampled_from(["QRESYNC", "CONDSTORE", "UIDONLY", "IMAP4REV2"]))
    def enable(self, who: int, word: str) -> None:
        """A client finds out later what the gateway can do."""
        if self.enabling:
            self.enabling -= 1
            client = self.present(who)
            client.enable(word)
            self.settle(client)

    @rule(slot=slots)
    def rename(self, slot: int) -> None:
        """The folder has another name, and is the same folder for all who have it open or come back."""
        mailbox = self.slots[slot]
        name = f"rename-{next(_names)}"
        self.chief.ok(f"RENAME {mailbox.name} {name}")
        mailbox.name = name

    @rule(slot=slots, sure=st.integers(0, 3))
    def make_anew(self, slot: int, sure: int) -> None:
        """DELETE, and CREATE under the same name: nothing of the old one is left, and its UIDVALIDITY is another."""
        if sure < 3:  # an empty folder is a dull one
            return
        old = self.slots[slot]
        self.chief.ok(f"DELETE {old.name}")
        old.delete()
        self.slots[slot] = self.make(old.name)

    @rule(sudden=st.booleans())
    def restart(self, sudden: bool) -> None:
        """The gateway stops and starts again over its store; clients come back by what they remember."""
        if not self.restarts:
            return
        self.restarts -= 1
        for client in self.clients:
            client.remember()
            if sudden:
                client.imap.close()
        self.ground.restart()
        self.chief.close()
        self.chief = self.ground.connect("chef")
        for client in self.clients:
            client.imap.close()
            client.connect(sorted(client.kind))


__all__ = ["Visits"]
