"""Who is behind a login, a token or a certificate, as the doors and the line see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.mail.address import parse_address
from mss_gateway.rules.facts import Caller, CallerKind, Delegated

from .records import BoxRow, Person


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has proved who they are. `boxes` are those they may open and write from, main one first.

    `sends` are mailboxes that they may write from without opening them, whether or not their time has come (BAL-6).
    `until` (epoch seconds) ends their session, 0 never does. `auth` is `plain`, `scram`, `token` or `external`.
    `proof` is the password's hash, the national identifier or the DN key that let them in: once changed, it ends what
    it had opened.
    """

    person_id: int
    login: str
    name: str
    kind: CallerKind
    auth: str
    boxes: tuple[BoxRow, ...]
    proof: str = field(default="", repr=False)
    sends: tuple[Delegated, ...] = ()
    until: float = 0.0

    @property
    def primary(self) -> BoxRow:
        """The box whose INBOX is INBOX."""
        return self.boxes[0]

    def caller(self) -> Caller:
        """The same party for the rules (BAL-6)."""
        keys = frozenset(parse_address(box.address).key for box in self.boxes)
        return Caller(
            self.kind,
            str(self.person_id),
            self.login,
            self.auth,
            boxes=keys,
            delegated=self.sends,
            own=self.primary.address if self.sends else "",
        )


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What SCRAM-SHA-256 keeps of a password (RFC 5802 section 2.2); whoever has them may guess, or play the server."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """A login that SCRAM has begun: the keys to prove against, made up for a `person` who is not there (ACC-3)."""

    login: str
    host: str
    keys: ScramKeys
    person: Person | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Locked:
    """A count of failed logins: of an `account` at one `source`, of one `everywhere`, of an `address` (ACC-3).

    `login` is empty where nobody has it, `last` epoch seconds, `wait` the seconds until the next try is heard.
    """

    kind: str
    login: str
    source: str
    failures: int
    last: float
    wait: float


class LockDesk(Protocol):
    """What ops see of failed logins, and lift (ACC-3)."""

    async def locked(self) -> list[Locked]:
        """All counts, those that must wait longest first."""

    async def unlock(self, who: str) -> int:
        """Forget the failures of a login, a mailbox or an IP address; return how many counts there were."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token that was found good says (ACC-2).

    `subject` is the national identifier (`SubjectNameID`), `expires` epoch seconds. `until` (epoch seconds) ends the
    session that the token opens, 0 never does.
    """

    subject: str = field(repr=False)
    expires: float
    until: float = 0.0
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class TokenHelp:
    """What a client is told whose token was refused (RFC 7628 section 3.2.2): the scope that a token needs, and where
    the provider describes itself; empty ones are not told."""

    scope: str = ""
    document: str = ""


class TokenBook(Protocol):
    """Checks access tokens of an identity provider; keeps and logs none (ACC-2, AUD-5)."""

    @property
    def help(self) -> TokenHelp:
        """What a client is told whose token was refused."""

    async def check(self, token: Secret) -> TokenClaims | Refuse:
        """The claims of a token that is good now; `Refuse` says why not, temporary when the provider is away."""


class Accounts(Protocol):
    """Checks credentials. A wrong login and a wrong password cost and look the same (ACC-2).

    `acting_as` is a SASL authorization identity: empty, the login itself, or the address of a box that the person
    may open, which then comes first.
    """

    async def plain(self, login: str, password: Secret, host: str, acting_as: str = "") -> Principal | Refuse:
        """A login with its password, from this address."""

    async def scram(self, login: str, host: str) -> Trial | Refuse:
        """What SCRAM proves against; an unknown login gets keys that nothing fits."""

    async def proved(self, trial: Trial, right: bool, acting_as: str = "") -> Principal | Refuse:
        """The end of a trial: who it was when the proof was `right`."""

    async def token(self, login: str, token: Secret, host: str) -> Principal | Refuse:
        """An access token from this address; `login`, a person's or the address of one of their boxes, may be empty."""

    @property
    def token_help(self) -> TokenHelp:
        """What a client is told whose token was refused; nothing where no tokens are taken."""

    async def certificate(self, dn_key: str, wanted: str) -> Principal | Refuse:
        """A registered client certificate (BAL-4); `wanted` names the box, empty when there is only one."""

    async def whose(self, login: str) -> str:
        """The login of the person that `login` means, for the trace; empty when there is nobody."""

    async def still(self, principal: Principal) -> bool:
        """Whether somebody who came in before may go on, after the directory has changed (BAL-5)."""


class Hasher(Protocol):
    """Makes of a password the record that the directory keeps."""

    async def hash(self, password: Secret, login: str = "") -> str:
        """The argon2id hash; behind a line feed the sealed SCRAM keys, when `login` is given and SCRAM is on."""
