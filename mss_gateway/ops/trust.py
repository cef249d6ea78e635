"""The trust space as ops see it and change it: status, lists, why a peer is refused (TRU-3, TRU-8, OPS-1)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
import zlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from mss_gateway.base.errors import GatewayError, InvalidValue
from mss_gateway.mail.address import parse_domain
from mss_gateway.rules.ins import mask_text

from .operation import (
    CONFLICT,
    NOT_FOUND,
    UNAVAILABLE,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    limit_of,
    number,
    text,
    texts,
)

MAX_LIST = 32 * 1024 * 1024
"""Octets of a trusted list that is taken from a file."""

MAX_PLACES = 6
"""Addresses of a domain's hosts that are looked at."""

MAX_DOMAINS = 5000
"""Domains of each kind that one answer of `trust diff` may name."""

PATIENCE = (
    40.0  # seconds for a look at all hosts; the control socket waits a little longer than this and `LOOKUP`
)
LOOKUP = 12.0  # seconds until the hosts of a domain, or the addresses of a host, must be known
_NOTHING_TO_DO = frozenset({"list-nothing-held", "list-no-previous"})
T = TypeVar("T")


class Seen(Protocol):
    """What a look at a server has shown."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Its certificates in DER."""


class Desk(Protocol):
    """What is asked of the trust space (`trust.desk`); raises `GatewayError` with `reason` and one sentence."""

    def status(self) -> Result:
        """All that is in force. Blocking."""

    def diff(self, data: bytes | None, limit: int) -> Result:
        """What a list would change. Blocking."""

    def apply(self, data: bytes | None, *, removals: bool) -> Result:
        """Put a list in force, or the one that waits. Blocking."""

    def rollback(self) -> Result:
        """Go back to the list before. Blocking."""

    def show(self, domain: str) -> Result | None:
        """What the list says of a domain."""

    def explain_certificates(self, chain: Sequence[bytes], role: str, domain: str | None) -> Result:
        """Judge certificates."""

    def look(self, host: str, address: str, port: int, *, tls: bool) -> Seen:
        """Look at a live server. Blocking."""

    def judge(self, host: str, address: str, port: int, sight: Any, domain: str | None) -> Result:
        """What follows from a look."""

    async def ask(self, chain: Sequence[bytes]) -> None:
        """Have the issuer's responder asked about a certificate."""

    def session_chain(self, session: str) -> Sequence[bytes]:
        """The certificates of a refused session."""

    def sessions(self, limit: int) -> list[Result]:
        """The last refused sessions."""

    def explain_session(self, session: str, domain: str | None) -> Result | None:
        """A refused session."""


Place = tuple[str, str, int]
"""Host, address, port."""

Exchangers = Callable[[str], Awaitable[Sequence[Place]]]
"""The places that take the mail of a domain, best first; raises `GatewayError`."""


class TrustOperations:
    """`trust status|diff|apply|rollback|show|explain|sessions`.

    `changed` is called on the loop after another list came in force. Slow work goes to threads: files and lists to the
    loop's own, looks at servers, which may last, to others.
    """

    def __init__(self, desk: Desk, exchangers: Exchangers, changed: Callable[[], None]) -> None:
        self._desk = desk
        self._exchangers = exchangers
        self._changed = changed

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "trust.status": self.status,
            "trust.diff": self.diff,
            "trust.apply": self.apply,
            "trust.rollback": self.rollback,
            "trust.show": self.show,
            "trust.explain": self.explain,
            "trust.sessions": self.sessions,
        }

    async def status(self, arguments: Arguments) -> Result:
        """All that is in force, and the alarms."""
        return await _threaded(self._desk.status)

    async def diff(self, arguments: Arguments) -> Result:
        """What the list given would change, else the one that waits, else what the last one has changed."""
        data, limit = _list(arguments), limit_of(arguments, 50, MAX_DOMAINS)
        return await _threaded(lambda: self._desk.diff(data, limit))

    async def apply(self, arguments: Arguments) -> Result:
        """Put the list given in force, or the one that waits.

        A list given that drops many domains waits as any other, unless `removals` tells that somebody has seen it.
        """
        data, removals = _list(arguments), flag(arguments, "removals")
        result = await _threaded(lambda: self._desk.apply(data, removals=removals))
        self._changed()
        return {"list": result}

    async def rollback(self, arguments: Arguments) -> Result:
        """Go back to the list before."""
        result = await _threaded(self._desk.rollback)
        self._changed()
        return {"list": result}

    async def show(self, arguments: Arguments) -> Result:
        """What the list says of a domain."""
        domain = text(arguments, "domain")
        found = _told(lambda: self._desk.show(domain))
        if found is None:
            sentence = (
                "The trusted list in force does not know this domain: check its spelling, and `trust status`"
            )
            raise OperationRefused(sentence, "domain-not-listed", NOT_FOUND)
        return found

    async def sessions(self, arguments: Arguments) -> Result:
        """The last refused sessions, the latest first."""
        return {"sessions": self._desk.sessions(limit_of(arguments, 20, 1000))}

    async def explain(self, arguments: Arguments) -> Result:
        """Why a peer is accepted or refused: `certificates`, a `session`, a `host` with its `port`, or a `domain`."""
        domain = _domain(arguments)
        if arguments.get("certificates"):
            chain = [_octets(one) for one in texts(arguments, "certificates")]
            role = text(arguments, "role", "")
            if role not in ("", "client", "server"):
                raise OperationRefused("The role is client or server", "bad-argument", USAGE)
            await self._desk.ask(chain)
            return {"peers": [_told(lambda: self._desk.explain_certificates(chain, role, domain))]}
        if arguments.get("session"):
            return {"peers": [await self._session(text(arguments, "session"), domain)]}
        if arguments.get("host"):
            port = number(arguments, "port", 25, least=1, most=65535)
            places: Sequence[Place] = await _addresses(text(arguments, "host"), port)
        elif domain:
            places = await self._hosts(domain)
        else:
            raise OperationRefused("Name a certificate, a host, a session or a domain", "bad-argument", USAGE)
        if not places:
            raise OperationRefused("The domain has no host to look at", "no-mx", UNAVAILABLE)
        return {"peers": await self._look(places[:MAX_PLACES], flag(arguments, "tls"), domain)}

    async def _hosts(self, domain: str) -> Sequence[Place]:
        try:
            async with asyncio.timeout(LOOKUP):
                return await _answered(self._exchangers(domain))
        except TimeoutError:
            sentence = "The DNS did not answer in time"
            raise OperationRefused(sentence, "dns-failure", UNAVAILABLE) from None

    async def _session(self, session: str, domain: str | None) -> Result:
        chain = self._desk.session_chain(session)
        if chain:
            await self._desk.ask(chain)
        found = _told(lambda: self._desk.explain_session(session, domain))
        if found is None:
            sentence = (
                "No refused session has this id, or it is too long ago: `trust sessions` lists the last ones"
            )
            raise OperationRefused(sentence, "unknown-session", NOT_FOUND)
        return found

    async def _look(self, places: Sequence[Place], tls: bool, domain: str | None) -> list[Result]:
        """Look at all places at once, each in a thread; one that does not come to an end is told as such."""
        loop = asyncio.get_running_loop()
        threads = ThreadPoolExecutor(len(places), thread_name_prefix="probe")

        def look(place: Place) -> Seen:
            return self._desk.look(*place, tls=tls)

        try:
            under_way = {loop.run_in_executor(threads, look, place): place for place in places}
            await asyncio.wait(under_way, timeout=PATIENCE)
            # A thread that has not come to its end does so by its own deadlines; nobody waits for it.
            return [
                await self._judged(place, await _answered(one), domain) if one.done() else _unfinished(place)
                for one, place in under_way.items()
            ]
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _judged(self, place: Place, seen: Seen, domain: str | None) -> Result:
        if seen.chain:
            await self._desk.ask(seen.chain)
        return _told(lambda: self._desk.judge(*place, seen, domain))


def _unfinished(place: Place) -> Result:
    """A look that has not come to its end."""
    step = {
        "name": "connection",
        "verdict": "fail",
        "evidence": ["the host is too slow to be looked at now"],
        "remedy": "Ask again; its operator's log may tell why.",
        "reason": "timeout",
    }
    host, address, port = place
    return {
        "host": host,
        "address": address,
        "port": port,
        "accepted": False,
        "steps": [step],
        "meetings": [],
    }


async def _addresses(host: str, port: int) -> list[Place]:
    """The addresses of a host as this system knows them, at most two."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKUP):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        sentence = "The host has no address that this system knows: check its name"
        raise OperationRefused(sentence, "no-address", UNAVAILABLE) from None
    addresses = dict.fromkeys(str(one[4][0]) for one in found)
    return [(host, address, port) for address in list(addresses)[:2]]


async def _threaded(act: Callable[[], T]) -> T:
    return await asyncio.to_thread(_told, act)


async def _answered(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except GatewayError as problem:
        raise _refused(problem) from None


def _told(act: Callable[[], T]) -> T:
    """Do it; what the trust space refuses is a refusal of the operation."""
    try:
        return act()
    except GatewayError as problem:
        raise _refused(problem) from None


def _refused(problem: GatewayError) -> OperationRefused:
    reason = str(getattr(problem, "reason", "trust"))
    if isinstance(problem, InvalidValue):
        return OperationRefused(problem.public, reason, USAGE)
    # A problem of the relay tells its sentence apart.
    sentence = str(getattr(problem, "sentence", "") or getattr(problem, "text", "") or problem)
    exit_code = CONFLICT if reason in _NOTHING_TO_DO or reason.startswith("list-") else UNAVAILABLE
    return OperationRefused(mask_text(sentence), reason, exit_code)


def _domain(arguments: Arguments) -> str | None:
    given = text(arguments, "domain", "").strip()
    return _told(lambda: parse_domain(given)) if given else None


def _octets(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise OperationRefused("An argument is not base64", "bad-argument", USAGE) from None


def packed(data: bytes) -> str:
    """A list as it travels over the control socket, whose lines are shorter than a list."""
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def _list(arguments: Arguments) -> bytes | None:
    """The list that was sent, None when none was; what unpacks to more than `MAX_LIST` is refused."""
    if not arguments.get("list"):
        return None
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(_octets(text(arguments, "list")), MAX_LIST)
    except zlib.error:
        raise OperationRefused("The list was damaged on its way", "bad-argument", USAGE) from None
    if unpack.unconsumed_tail or not unpack.eof:
        raise OperationRefused(f"The list is larger than {MAX_LIST} octets", "bad-argument", USAGE)
    return data
