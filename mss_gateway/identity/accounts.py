"""From credentials to a principal: which person, which boxes (BAL-2..5, ACC-2)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from mss_gateway.base.errors import InvalidValue, Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.mail.address import parse_address
from mss_gateway.ports.identity import Principal, ScramKeys, TokenBook, TokenHelp, Trial
from mss_gateway.ports.records import BoxRow, Person
from mss_gateway.ports.store import DirectoryRows, StoreError
from mss_gateway.rules.facts import BoxState, BoxType, CallerKind

from .delegated import delegated_to
from .locks import Locks
from .passwords import Busy, Passwords
from .scramkeys import ScramVault
from .whose import spelling, whose

WRONG = Refuse(535, "5.7.8", "Login or password is wrong, or the mailbox is not active", "login-failed")
WAIT = Refuse(454, "4.7.0", "Too many failed logins; wait a while and try again", "login-slowed")
BUSY = Refuse(454, "4.7.0", "Too many logins at once; try again in a moment", "login-busy")
NOT_YOURS = Refuse(
    535, "5.7.8", "This login does not open the mailbox that it asks for", "login-other-mailbox"
)
UNKNOWN_CERTIFICATE = Refuse(
    535, "5.7.8", "The DN of this certificate is not registered for a mailbox", "certificate-not-registered"
)
OTHER_CERTIFICATE = Refuse(
    535,
    "5.7.8",
    "The DN of this certificate is registered for another mailbox",
    "certificate-of-another-mailbox",
)
WHICH_BOX = Refuse(
    535, "5.7.8", "This certificate serves several mailboxes: name one as authorization identity", "which-box"
)
NO_TOKENS = Refuse(535, "5.7.8", "The token is not accepted here", "token-not-accepted")
NO_PERSON = replace(NO_TOKENS, reason="token-unknown-person")
TOKEN_ELSEWHERE = replace(NO_TOKENS, reason="token-other-mailbox")

EXPIRED = "token-expired"
"""A token that was good a moment ago is no guess: its refusal is not counted, or a hospital would be locked out."""

STRANGERS = 4096
"""Logins of nobody that are remembered: the directory remembers those of somebody, and the difference would show."""

_OPEN = (BoxState.ACTIVE, BoxState.NOT_ACTIVATED)
_BY_TOKEN = (BoxType.PER, BoxType.ORG, BoxType.CAB)  # who has an identity of a professional (BAL-4)
_FIRST = (BoxType.PER, BoxType.PAT, BoxType.CAB, BoxType.ORG)


class Accounts:
    """Checks logins against the directory; implements `ports.identity.Accounts`."""

    def __init__(
        self,
        rows: DirectoryRows,
        passwords: Passwords,
        locks: Locks,
        vault: ScramVault,
        clock: Callable[[], float] = time.time,
        tokens: TokenBook | None = None,
    ) -> None:
        self._rows = rows
        self._passwords = passwords
        self._locks = locks
        self._vault = vault
        self._clock = clock
        self._tokens = tokens
        self._strangers: set[str] = set()
        self._changes = 0

    def directory_changed(self) -> None:
        """Who was nobody may be somebody now."""
        self._changes += 1
        self._strangers.clear()

    async def plain(self, login: str, password: Secret, host: str, acting_as: str = "") -> Principal | Refuse:
        """A login, which is a person's own or the address of a box that one person holds."""
        person = await self._meant(login)
        account = self._account(person, login)
        if self._locks.wait(account, host, self._clock()) > 0:
            return WAIT
        try:
            stranger = self._locks.is_stranger(host, self._clock())
            right = await self._passwords.verify(_usable(person), password, stranger=stranger)
        except Busy:
            return BUSY
        principal = await self._outcome(account, host, person if right else None, "plain")
        if isinstance(principal, Refuse) or person is None:
            return principal
        await self._complete(person, password)
        return _acting(principal, login, acting_as, NOT_YOURS)

    async def scram(self, login: str, host: str) -> Trial | Refuse:
        """What SCRAM proves against; who is not there looks like somebody who is."""
        person = await self._meant(login)
        if self._locks.wait(self._account(person, login), host, self._clock()) > 0:
            return WAIT
        return Trial(login, host, await self._keys(person, login), person)

    async def proved(self, trial: Trial, right: bool, acting_as: str = "") -> Principal | Refuse:
        """The end of a trial, counted like a password."""
        person = trial.person
        account = self._account(person, trial.login)
        right = right and person is not None and _usable(person) != ""
        principal = await self._outcome(account, trial.host, person if right else None, "scram")
        if isinstance(principal, Refuse):
            return principal
        return _acting(principal, trial.login, acting_as, NOT_YOURS)

    async def token(self, login: str, token: Secret, host: str) -> Principal | Refuse:
        """A token of the identity provider: `SubjectNameID` to person to boxes."""
        account = self._locks.tokens(login)
        if self._locks.wait(account, host, self._clock()) > 0:
            return WAIT
        if self._tokens is None:
            return NO_TOKENS
        claims = await self._tokens.check(token)
        if isinstance(claims, Refuse):
            if not claims.temporary and claims.reason != EXPIRED:
                self._locks.failed(account, host, self._clock())
            return claims
        outcome: Principal | Refuse = NO_PERSON
        # One professional may have several logins: the one that opens what is asked for is meant.
        for person in await self._rows.persons_by_national_id(claims.subject):
            principal = await self._principal(person, "token") if not person.disabled else None
            if principal is not None:
                outcome = _acting(replace(principal, until=claims.until), "", login, TOKEN_ELSEWHERE)
            if isinstance(outcome, Principal):
                self._locks.succeeded(account, host, self._clock())
                return outcome
        self._locks.failed(account, host, self._clock())
        return outcome

    @property
    def token_help(self) -> TokenHelp:
        """What a client is told whose token was refused."""
        return self._tokens.help if self._tokens is not None else TokenHelp()

    async def certificate(self, dn_key: str, wanted: str) -> Principal | Refuse:
        """Software that shows a certificate registered for APP boxes (BAL-4)."""
        boxes = [
            box
            for box in await self._rows.boxes_of_certificate(dn_key)
            if box.state in _OPEN and box.type is BoxType.APP
        ]
        if not boxes:
            return UNKNOWN_CERTIFICATE
        if wanted:
            boxes = [box for box in boxes if box.address.lower() == wanted.lower()]
        if not boxes:
            return OTHER_CERTIFICATE
        if len(boxes) > 1:
            return WHICH_BOX
        box = boxes[0]
        # Software is no person: id 0 never owns a \\Seen of its own, and an APP box is not shared.
        return Principal(0, box.address, box.display, CallerKind.APPLICATION, "external", (box,), dn_key)

    async def whose(self, login: str) -> str:
        """The login of the person meant, empty when there is nobody."""
        person = await self._meant(login)
        return person.login if person is not None else ""

    async def still(self, principal: Principal) -> bool:
        """Whether a principal of before may go on: the same password and the same open boxes (BAL-5)."""
        if principal.auth == "external":
            registered = {
                box.id for box in await self._rows.boxes_of_certificate(principal.proof) if box.state in _OPEN
            }
            return {box.id for box in principal.boxes} <= registered
        found = await self._rows.persons([principal.person_id])
        if not found or found[0].disabled or _proof(found[0], principal.auth) != principal.proof:
            return False
        now = await self._principal(found[0], principal.auth)
        # What may be done in them, which a change of role may take away, is asked with every command (RFC 4314).
        if now is None or not set(principal.sends) <= set(now.sends):
            return False
        return {box.id for box in principal.boxes} <= {box.id for box in now.boxes}

    def _account(self, person: Person | None, login: str) -> str:
        # One account has many spellings (login, address, quoted local part): failures count for the person.
        return self._locks.account(person.id if person is not None else 0, spelling(login))

    async def _meant(self, login: str) -> Person | None:
        """The person of a login; nobody is found as quickly as somebody from the second time on (ACC-3)."""
        if (mark := self._locks.account(0, login)) in self._strangers:
            return None
        changes = self._changes
        person = await whose(self._rows, login)
        if person is None and changes == self._changes:
            if len(self._strangers) >= STRANGERS:
                self._strangers.clear()
            self._strangers.add(mark)
        return person

    async def _outcome(self, account: str, host: str, person: Person | None, auth: str) -> Principal | Refuse:
        """Count the outcome; `person` is None when it was wrong."""
        # Many guesses at once: those that began before the others failed are not heard either.
        if self._locks.wait(account, host, self._clock()) > 0:
            return WAIT
        now = await self._unchanged(person) if person is not None else None
        principal = await self._principal(now, auth) if now is not None else None
        if principal is None:
            self._locks.failed(account, host, self._clock())
            return WRONG
        self._locks.succeeded(account, host, self._clock())
        return principal

    async def _unchanged(self, person: Person) -> Person | None:
        """The same person as of now; None when they were disabled or given another password while they proved it."""
        found = await self._rows.persons([person.id])
        return found[0] if found and _usable(found[0]) == person.password_hash else None

    async def _keys(self, person: Person | None, login: str) -> ScramKeys:
        stored = await self._rows.login_keys(person.id if person is not None else 0)
        keys = self._vault.open(stored, _usable(person))
        return keys or self._vault.nobody(person.login if person is not None else spelling(login))

    async def _complete(self, person: Person, password: Secret) -> None:
        """Make the SCRAM keys of somebody who has none that can be used (ACC-2)."""
        if not self._vault.options.offered:
            return
        if self._vault.open(await self._rows.login_keys(person.id), person.password_hash) is not None:
            return
        try:
            keys = await self._passwords.keys(password, person.login, person.password_hash)
        except Busy:
            return
        if keys:
            with contextlib.suppress(StoreError):  # a full disk must keep nobody from reading
                await self._rows.put_login_keys(person.id, person.password_hash, keys)

    async def _principal(self, person: Person, auth: str) -> Principal | None:
        """What the person may open: boxes that they hold or are members of, none that is suspended or closed."""
        boxes: list[BoxRow] = []
        for tie in await self._rows.memberships(person_id=person.id):
            box = await self._rows.box_by_id(tie.box_id)
            if box is None or box.state not in _OPEN:
                continue
            if auth == "token" and box.type not in _BY_TOKEN:
                continue
            if _opens(box, tie.role):
                boxes.append(box)
        if not boxes:
            return None
        boxes.sort(key=lambda box: (_FIRST.index(box.type) if box.type in _FIRST else 9, box.address.lower()))
        kind = CallerKind.PATIENT if boxes[0].type is BoxType.PAT else CallerKind.PERSON
        if all(box.type is BoxType.APP for box in boxes):
            kind = CallerKind.APPLICATION
        sends = await delegated_to(self._rows, person.id) if kind is CallerKind.PERSON else ()
        proof = _proof(person, auth)
        return Principal(person.id, person.login, person.name, kind, auth, tuple(boxes), proof, sends)


def _usable(person: Person | None) -> str:
    return person.password_hash if person is not None and not person.disabled else ""


def _proof(person: Person, auth: str) -> str:
    return person.national_id if auth == "token" else person.password_hash


def _acting(principal: Principal, login: str, wanted: str, refuse: Refuse) -> Principal | Refuse:
    """The principal with the box named as authorization identity in front; `login` names nothing new."""
    if not wanted or wanted.lower() in (login.lower(), principal.login.lower()):
        return principal
    try:
        key = parse_address(wanted).key
    except InvalidValue:
        return refuse
    named = [box for box in principal.boxes if parse_address(box.address).key == key]
    if not named:
        return refuse
    return replace(principal, boxes=(*named, *(box for box in principal.boxes if box not in named)))


def _opens(box: BoxRow, role: str) -> bool:
    """What a tie to a box is worth at login (BAL-2..4, PAT-6); being responsible for a shared box opens nothing."""
    match box.type:
        case BoxType.PER:
            return role == "holder"
        case BoxType.APP:
            return box.password_login
        case BoxType.PAT:
            return role in ("holder", "carer")
        case _:
            return role in ("holder", "member")
