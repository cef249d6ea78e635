"""Who is behind a login or a certificate, as the doors and the line see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.mail.address import parse_address
from mss_gateway.rules.facts import Caller, CallerKind

from .records import BoxRow


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has proved who they are. `boxes` are those they may open and write from, main one first.

    `proof` is the password's hash or the DN key that let them in: once changed, it ends what it had opened.
    """

    person_id: int
    login: str
    name: str
    kind: CallerKind
    auth: str
    boxes: tuple[BoxRow, ...]
    proof: str = field(default="", repr=False)

    @property
    def primary(self) -> BoxRow:
        """The box whose INBOX is INBOX."""
        return self.boxes[0]

    def caller(self) -> Caller:
        """The same party for the rules (BAL-6)."""
        keys = frozenset(parse_address(box.address).key for box in self.boxes)
        return Caller(self.kind, str(self.person_id), self.login, self.auth, boxes=keys)


class Accounts(Protocol):
    """Checks credentials. A wrong login and a wrong password cost and look the same (ACC-2)."""

    async def plain(self, login: str, password: Secret, host: str) -> Principal | Refuse:
        """A login with its password, from this address."""

    async def certificate(self, dn_key: str, wanted: str) -> Principal | Refuse:
        """A registered client certificate (BAL-4); `wanted` names the box, empty when there is only one."""

    async def still(self, principal: Principal) -> bool:
        """Whether somebody who came in before may go on, after the directory has changed (BAL-5)."""


class Hasher(Protocol):
    """Makes the hash of a password that the directory keeps."""

    async def hash(self, password: Secret) -> str:
        """The argon2id hash."""
