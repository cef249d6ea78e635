"""A shared mailbox with its people, provisioned straight in the store of a served gateway."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from mss_gateway.base.secret import Secret
from mss_gateway.dev.handout import Account
from mss_gateway.identity.passwords import Passwords
from mss_gateway.ports.records import BoxRow, NewBox, TraceLine
from mss_gateway.rules.facts import BoxType
from tests.support.doors import Served

LINE = TraceLine(0.0, "test", "", actor="ops")
CHIEF = "chef"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Practice:
    """A shared box: its people by their short name, and the accounts they log in with."""

    box: BoxRow
    accounts: dict[str, Account]
    ids: dict[str, int]

    def login(self, name: str) -> str:
        """The login of one of them, as ACL shows it."""
        return self.accounts[name].login


def practice(
    served: Served, *members: str, kind: BoxType = BoxType.ORG, own: tuple[str, ...] = ()
) -> Practice:
    """A shared box with a responsible professional who is a member, and other members; `own` have a PER box too."""
    number = next(_numbers)
    store = served.parts.store

    async def provision() -> Practice:
        hasher = Passwords()
        responsible = f"8{number:011}"
        box = await store.add_box(
            NewBox(f"cabinet{number}@essai.example", kind, responsible=responsible), LINE
        )
        accounts, ids = {}, {}
        for name in (CHIEF, *members):
            login, password = f"{name}.{number}", f"secret-de-{name}"
            hashed = await hasher.hash(Secret(password))
            national = responsible if name == CHIEF else ""
            person = await store.add_person(login, name.title(), national, hashed, LINE)
            await store.add_member(box.id, person.id, "member", LINE)
            if name in own:
                mine = await store.add_box(NewBox(f"{login}@essai.example", BoxType.PER), LINE)
                await store.add_member(mine.id, person.id, "holder", LINE)
            accounts[name] = Account(box.address, login, password, kind.value)
            ids[name] = person.id
        hasher.close()
        return Practice(box, accounts, ids)

    return served.call(provision())
