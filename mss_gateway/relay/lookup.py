"""Questions to the DNS: asked once however many wait, kept for their TTL, the last answer used while the DNS fails."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.resolver
import dns.rrset
from dns.rdatatype import AAAA, MX, A, RdataType

from .options import DnsOptions
from .problems import RelayProblem

KEPT = 2048
"""Answers kept, those used longest ago forgotten first."""
RECORDS = 50
"""Records kept of one answer: the most preferred hosts, the first addresses."""
LINKS = 8
"""Aliases followed from one answer to the next question; those within one answer dnspython bounds itself."""
_COSTLY = (
    60.0  # seconds that an answer with more records is kept at least: 64 KB take a tenth of a second to read
)

Record = tuple[int, str]
"""An MX as (preference, name in lower case without last dot), an address as (0, address)."""
_Key = tuple[str, RdataType]


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why there is no answer: the slug, the sentence and the status of a `RelayProblem`."""

    reason: str
    text: str
    status: str


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer: its records, None for a name that exists without such a record, or the lack of it; TTL in seconds."""

    records: tuple[Record, ...] | None
    ttl: float
    fault: _Fault | None = None


@dataclass(slots=True)
class _Kept:
    """`fresh` and `last` are loop times: used until the one, and until the other while the DNS fails."""

    said: _Said
    fresh: float
    last: float


@dataclass(slots=True)
class _Flight:
    """A question under way, and how many wait for it."""

    task: asyncio.Task[_Said]
    waiters: int = 0


class Names:
    """Asks name servers, one question for all who want to know the same.

    Answers are kept for their TTL within the bounds of `DnsOptions`. That a name does not exist is kept as well
    (RFC 2308), and for a moment that nobody could say. While nobody can say, what was known last goes on being
    used for `DnsOptions.stale` seconds (RFC 8767): the certificate decides who is spoken to, not the address.
    """

    def __init__(self, options: DnsOptions) -> None:
        self._options = options
        self._dns = _system_or(options)
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._flights: dict[_Key, _Flight] = {}

    async def mail_hosts(self, domain: str) -> tuple[Record, ...] | None:
        """The MX records in order of preference, None when there is none; raises `RelayProblem`."""
        return await self._records(domain, MX)

    async def addresses(self, name: str, *, six: bool) -> tuple[str, ...]:
        """The addresses of one family as the DNS orders them, perhaps none; raises `RelayProblem`."""
        found = await self._records(name, AAAA if six else A)
        return tuple(address for _, address in found or ())

    async def _records(self, name: str, kind: RdataType) -> tuple[Record, ...] | None:
        key = (name.lower(), kind)
        said = self._known(key)
        if said is None:
            said = await self._together(key)
        if said.fault is not None:
            raise RelayProblem(said.fault.reason, said.fault.text, said.fault.status, host=name)
        return said.records

    def _known(self, key: _Key) -> _Said | None:
        kept = self._kept.get(key)
        if kept is None or kept.fresh <= asyncio.get_running_loop().time():
            return None
        self._kept.move_to_end(key)
        return kept.said

    async def _together(self, key: _Key) -> _Said:
        """Join the question under way, or begin it; it ends with the last who waits for it."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._answer(key)))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters and self._flights.get(key) is flight:
                del self._flights[key]
                flight.task.cancel()

    async def _answer(self, key: _Key) -> _Said:
        said = await self._ask(*key)
        now = asyncio.get_running_loop().time()
        before = self._kept.get(key)
        failed = said.fault is not None and said.fault.reason == "dns-failure"
        if failed and before is not None and before.said.fault is None and before.last > now:
            before.fresh = now + self._options.retry
            return before.said
        ttl = min(max(said.ttl, self._options.shortest), self._options.longest)
        if failed:
            ttl = min(self._options.shortest, self._options.longest)
        elif not said.records:
            ttl = min(ttl, self._options.nothing)
        self._kept[key] = _Kept(said, now + ttl, now + ttl + self._options.stale)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return said

    async def _ask(self, name: str, kind: RdataType) -> _Said:
        """Ask, following aliases that lead out of one answer (RFC 5321 section 5.1)."""
        try:
            async with asyncio.timeout(self._options.lifetime + 1.0):
                return await self._follow(dns.name.from_text(name), kind)
        except dns.resolver.NXDOMAIN as missing:
            return _Said(None, _negative_ttl(missing), _nobody(name))
        except (dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.LabelTooLong, dns.name.BadEscape):
            return _Said(None, self._options.nothing, _nobody(name))
        except (dns.exception.DNSException, OSError, TimeoutError, ValueError) as error:
            text = f"no answer from the DNS for {name} ({type(error).__name__})"
            return _Said(None, 0.0, _Fault("dns-failure", text, "4.4.3"))

    async def _follow(self, target: dns.name.Name, kind: RdataType) -> _Said:
        ttl = self._options.longest
        for _ in range(LINKS):
            answer = await self._dns.resolve(target, kind, raise_on_no_answer=False, search=False)
            ttl = min(ttl, float(answer.chaining_result.minimum_ttl))
            if answer.rrset is not None:
                if len(answer.rrset) > RECORDS:
                    ttl = max(ttl, _COSTLY)
                return _Said(_values(answer.rrset, kind), ttl)
            if answer.canonical_name == target:
                return _Said(None, ttl)
            target = answer.canonical_name
        raise dns.message.ChainTooLong


def _nobody(name: str) -> _Fault:
    return _Fault("no-mx", f"the name {name} does not exist in the DNS", "4.4.4")


def _negative_ttl(missing: dns.resolver.NXDOMAIN) -> float:
    """How long a name may be taken for missing, in seconds (RFC 2308 section 5)."""
    shortest = 0.0
    for response in missing.responses().values():  # type: ignore[no-untyped-call]
        shortest = float(response.resolve_chaining().minimum_ttl)
    return shortest


def _values(rrset: dns.rrset.RRset, kind: RdataType) -> tuple[Record, ...]:
    if kind != MX:
        return tuple((0, str(record.address)) for record in list(rrset)[:RECORDS])
    hosts = [(int(one.preference), one.exchange.to_text(omit_final_dot=True)) for one in rrset]
    hosts.sort()
    return tuple((preference, name.lower().strip(".")) for preference, name in hosts[:RECORDS])


def _system_or(options: DnsOptions) -> dns.asyncresolver.Resolver:
    """The system's name servers, or those of the options; dnspython asks them in their order."""
    given = options.nameservers
    try:
        made = dns.asyncresolver.Resolver(configure=not given)
    except dns.resolver.NoResolverConfiguration:
        made = dns.asyncresolver.Resolver(configure=False)
    if given:
        made.nameservers = [_nameserver(text) for text in given]
    made.timeout = options.timeout
    made.lifetime = options.lifetime
    return made


def _nameserver(text: str) -> dns.nameserver.Nameserver:
    """Read `host`, `host:port`, `[v6]:port` or a bare IPv6 address; raises ValueError."""
    host, port = text, 53
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = int(rest.removeprefix(":") or 53)
    elif text.count(":") == 1:
        host, _, number = text.partition(":")
        port = int(number)
    return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(host)), port)
