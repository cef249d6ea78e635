"""From credentials to a principal: which person, which boxes (BAL-2..5, ACC-2)."""

from __future__ import annotations

import time
from collections.abc import Callable

from mss_gateway.base.errors import InvalidValue, Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.mail.address import parse_address
from mss_gateway.ports.identity import Principal
from mss_gateway.ports.records import BoxRow, Person
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.rules.facts import BoxState, BoxType, CallerKind

from .passwords import Busy, Passwords
from .slowdown import Slowdown, SlowdownOptions

WRONG = Refuse(535, "5.7.8", "Login or password is wrong, or the mailbox is not active", "login-failed")
WAIT = Refuse(454, "4.7.0", "Too many failed logins; wait a while and try again", "login-slowed")
BUSY = Refuse(454, "4.7.0", "Too many logins at once; try again in a moment", "login-busy")
UNKNOWN_CERTIFICATE = Refuse(
    535, "5.7.8", "The DN of this certificate is not registered for a mailbox", "certificate-not-registered"
)
WHICH_BOX = Refuse(
    535, "5.7.8", "This certificate serves several mailboxes: name one as authorization identity", "which-box"
)

_OPEN = (BoxState.ACTIVE, BoxState.NOT_ACTIVATED)
_FIRST = (BoxType.PER, BoxType.PAT, BoxType.CAB, BoxType.ORG)

SOURCES = SlowdownOptions(free=100)
"""One address may stand for a whole hospital behind a router: it gets more tries than one account."""


class Accounts:
    """Checks logins against the directory."""

    def __init__(
        self,
        rows: DirectoryRows,
        passwords: Passwords,
        slowdown: Slowdown | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = rows
        self._passwords = passwords
        self._slowdown = slowdown or Slowdown()
        self._sources = Slowdown(SOURCES)
        self._clock = clock

    async def plain(self, login: str, password: Secret, host: str) -> Principal | Refuse:
        """A login, which is a person's own or the address of a box that one person holds."""
        person = await self._person(login)
        # One account has many spellings (login, address, quoted local part): failures count for the person.
        account = (f"person:{person.id}" if person is not None else f"login:{login.lower()}",)
        source = (f"host:{host}",)
        waits = self._slowdown.wait(account, self._clock()) + self._sources.wait(source, self._clock())
        if waits > 0:
            return WAIT
        stored = person.password_hash if person is not None and not person.disabled else ""
        try:
            right = await self._passwords.verify(stored, password)
        except Busy:
            return BUSY
        principal = await self._principal(person) if right and person is not None else None
        if principal is None:
            self._slowdown.failed(account, self._clock())
            self._sources.failed(source, self._clock())
            return WRONG
        self._slowdown.succeeded(account)
        return principal

    async def still(self, principal: Principal) -> bool:
        """Whether a principal of before may go on: the same password and the same open boxes (BAL-5)."""
        if principal.auth == "external":
            registered = {
                box.id for box in await self._rows.boxes_of_certificate(principal.proof) if box.state in _OPEN
            }
            return {box.id for box in principal.boxes} <= registered
        found = await self._rows.persons([principal.person_id])
        if not found or found[0].disabled or found[0].password_hash != principal.proof:
            return False
        now = await self._principal(found[0])
        # What may be done in them, which a change of role may take away, is asked with every command (RFC 4314).
        return now is not None and {box.id for box in principal.boxes} <= {box.id for box in now.boxes}

    async def _person(self, login: str) -> Person | None:
        person = await self._rows.person(login)
        if person is not None:
            return person
        try:
            box = await self._rows.box(parse_address(login).key)
        except InvalidValue:
            return None
        if box is None or box.type not in (BoxType.PER, BoxType.PAT):
            return None
        ties = [tie.person_id for tie in await self._rows.memberships(box_id=box.id) if tie.role == "holder"]
        found = await self._rows.persons(ties)
        return found[0] if found else None

    async def _principal(self, person: Person) -> Principal | None:
        """What the person may open: boxes that they hold or are members of, none that is suspended or closed."""
        boxes: list[BoxRow] = []
        for tie in await self._rows.memberships(person_id=person.id):
            box = await self._rows.box_by_id(tie.box_id)
            if box is None or box.state not in _OPEN:
                continue
            if _opens(box, tie.role):
                boxes.append(box)
        if not boxes:
            return None
        boxes.sort(key=lambda box: (_FIRST.index(box.type) if box.type in _FIRST else 9, box.address.lower()))
        kind = CallerKind.PATIENT if boxes[0].type is BoxType.PAT else CallerKind.PERSON
        if all(box.type is BoxType.APP for box in boxes):
            kind = CallerKind.APPLICATION
        hashed = person.password_hash
        return Principal(person.id, person.login, person.name, kind, "plain", tuple(boxes), hashed)

    async def certificate(self, dn_key: str, wanted: str) -> Principal | Refuse:
        """Software that shows a certificate registered for APP boxes (BAL-4)."""
        boxes = [
            box
            for box in await self._rows.boxes_of_certificate(dn_key)
            if box.state in _OPEN and box.type is BoxType.APP
        ]
        if wanted:
            boxes = [box for box in boxes if box.address.lower() == wanted.lower()]
        if not boxes:
            return UNKNOWN_CERTIFICATE
        if len(boxes) > 1:
            return WHICH_BOX
        box = boxes[0]
        # Software is no person: id 0 never owns a \\Seen of its own, and an APP box is not shared.
        return Principal(0, box.address, box.display, CallerKind.APPLICATION, "external", (box,), dn_key)


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
