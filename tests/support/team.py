"""An ORG or CAB mailbox with two members under their own names, who get mail and write (BAL-3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mss_gateway.base.secret import Secret
from mss_gateway.dev.handout import Account
from mss_gateway.dev.space import HOSTED
from mss_gateway.identity.passwords import Passwords
from mss_gateway.ports.records import NewBox, TraceLine
from mss_gateway.rules.facts import BoxType

from .doors import Served
from .letters import SENDER, letter, unique
from .wires import Imap

LINE = TraceLine(0.0, "test", "", actor="ops")
_numbers = itertools.count(1)


@dataclass
class Team:
    """The box with its address, and the logins of Alix Martin and Bo Durand, whose ids are `people`."""

    door: Served
    box_id: int
    address: str
    alix: Account
    bo: Account
    people: tuple[int, int]

    def receives(self, *, more: str = "") -> str:
        """A letter from another operator comes in; its Message-ID."""
        message_id = unique("equipe")
        data = letter(SENDER, self.address, message_id=message_id, more=more)
        wire = self.door.operator()
        assert wire.deliver(SENDER, self.address, data).startswith("250")
        wire.close()
        return message_id

    def both(self, folder: str = "INBOX") -> tuple[Imap, Imap]:
        """Sessions of Alix and of Bo with the folder open."""
        return self.door.imap(self.alix, select=folder), self.door.imap(self.bo, select=folder)


def team(door: Served, kind: BoxType = BoxType.ORG) -> Team:
    """Provisioned straight in the store of a running gateway, at an address of its own."""
    store = door.parts.store
    number = next(_numbers)
    address = f"equipe{number}@{HOSTED}"

    async def provision() -> Team:
        hasher = Passwords()
        box = await store.add_box(NewBox(address, kind, display="Équipe"), LINE)
        accounts, ids = [], []
        for first, name in (("alix", "Alix Martin"), ("bo", "Bo Durand")):
            login = f"{first}{number}"
            hashed = await hasher.hash(Secret("secret-" + login))
            person = await store.add_person(login, name, "", hashed, LINE)
            await store.add_member(box.id, person.id, "member", LINE)
            accounts.append(Account(address, login, "secret-" + login, kind.value))
            ids.append(person.id)
        hasher.close()
        return Team(door, box.id, address, accounts[0], accounts[1], (ids[0], ids[1]))

    return door.call(provision())


def held_team(door: Served) -> Team:
    """An ORG box that Alix holds, Bo being a member."""
    found = team(door)
    door.call(door.parts.store.add_member(found.box_id, found.people[0], "holder", LINE))
    return found


@contextmanager
def actor_and_listener(org: Team, name: str) -> Iterator[tuple[Imap, Imap, str]]:
    """Alix who acts, Bo who listens, and a new folder of that name."""
    alix, bo = org.door.imap(org.alix), org.door.imap(org.bo)
    alix.ok(f"CREATE {name}")
    yield alix, bo, name
    alix.close()
    bo.close()
