"""Where the mail of a domain goes: MX, else the domain itself, then addresses (RFC 5321 section 5.1, TRU-5)."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections import OrderedDict

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from dns.rdatatype import AAAA, MX, A, RdataType

from mss_gateway.ports.relay import Fate

from .options import RelayOptions
from .places import Exchanger, Host
from .problems import RelayProblem

KEPT = 2048  # answers kept
_LONGEST_NOTHING = 300.0  # seconds that "no such record" is kept at most (RFC 2308)
_SHORTEST = 1.0  # seconds that an answer is kept, whatever its TTL


class Resolver:
    """Asks name servers and keeps what they said for its TTL. Failures are not kept: the queue spaces attempts."""

    def __init__(self, options: RelayOptions) -> None:
        self._options = options
        self._dns = _system_or(options)
        self._kept: OrderedDict[tuple[str, RdataType], tuple[float, tuple[object, ...] | None]] = (
            OrderedDict()
        )
        self._overrides = {domain.lower(): hosts for domain, hosts in options.overrides.items()}

    async def exchangers(self, domain: str) -> tuple[Exchanger, ...]:
        """The hosts of a domain, best first, equal ones in random order; raises `RelayProblem`.

        Everything is temporary but a null MX (RFC 7505): a domain of the trusted list that is not in the DNS is
        somebody's mistake, which may be put right while the message waits.
        """
        override = self._overrides.get(domain)
        if override:
            return tuple(Exchanger(at, Host(name, port)) for at, (name, port) in enumerate(override))
        found = await self._records(domain, MX)
        if found is None:
            return (Exchanger(0, Host(domain, self._options.port)),)
        usable = [pair for pair in found if isinstance(pair, tuple) and pair[1]]
        if not usable:
            raise RelayProblem(
                "null-mx", f"the domain {domain} takes no mail (null MX)", "5.1.10", fate=Fate.FAILED
            )
        random.shuffle(usable)
        usable.sort(key=lambda pair: pair[0])
        return tuple(Exchanger(preference, Host(name, self._options.port)) for preference, name in usable)

    async def addresses(self, host: Host) -> tuple[str, ...]:
        """The addresses of a host, IPv4 first, at most `RelayLimits.addresses`; raises `RelayProblem`."""
        try:
            return (str(ipaddress.ip_address(host.name)),)
        except ValueError:
            pass
        if self._is_override(host):
            found = await self._system(host)
        else:
            found = await self._both(host)
        if not found:
            raise RelayProblem("no-mx", f"the host {host} has no address", "4.4.4", host=host.name)
        return found[: self._options.limits.addresses]

    def _is_override(self, host: Host) -> bool:
        pair = (host.name, host.port)
        return any(pair in hosts for hosts in self._overrides.values())

    async def _both(self, host: Host) -> tuple[str, ...]:
        """Both families at once; one that fails does not hide what the other one found."""
        four, six = await asyncio.gather(
            self._records(host.name, A), self._records(host.name, AAAA), return_exceptions=True
        )
        found: list[str] = []
        failed: BaseException | None = None
        for answer in (four, six):
            if isinstance(answer, BaseException):
                failed = answer
            elif answer is not None:
                found.extend(str(one) for one in answer)
        if failed is not None and not (found and isinstance(failed, RelayProblem)):
            raise failed
        return tuple(found)

    async def _system(self, host: Host) -> tuple[str, ...]:
        """A name written by hand is looked up as the system does, hosts file included."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._options.dns.lifetime):
                found = await loop.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            raise RelayProblem(
                "dns-failure", f"the host {host} is unknown to this system", "4.4.3", host=host.name
            ) from None
        return tuple(dict.fromkeys(str(one[4][0]) for one in found))

    async def _records(self, name: str, kind: RdataType) -> tuple[object, ...] | None:
        """What the DNS holds, None for a name that exists without such a record; raises `RelayProblem`."""
        now = asyncio.get_running_loop().time()
        key = (name, kind)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            self._kept.move_to_end(key)
            return kept[1]
        try:
            async with asyncio.timeout(self._options.dns.lifetime + 1.0):
                answer = await self._dns.resolve(
                    dns.name.from_text(name), kind, raise_on_no_answer=False, search=False
                )
        except (dns.resolver.NXDOMAIN, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.LabelTooLong):
            raise RelayProblem(
                "no-mx", f"the name {name} does not exist in the DNS", "4.4.4", host=name
            ) from None
        except (dns.exception.DNSException, OSError, TimeoutError) as error:
            raise RelayProblem(
                "dns-failure",
                f"no answer from the DNS for {name} ({type(error).__name__})",
                "4.4.3",
                host=name,
            ) from None
        rrset = answer.rrset
        found = None if rrset is None else tuple(_value(record, kind) for record in rrset)
        longest = self._options.dns.longest if found else _LONGEST_NOTHING
        ttl = min(max(float(answer.chaining_result.minimum_ttl), _SHORTEST), longest)
        self._kept[key] = (now + ttl, found)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


def _value(record: object, kind: RdataType) -> object:
    if kind == MX:
        exchange: dns.name.Name = record.exchange  # type: ignore[attr-defined]
        return int(record.preference), exchange.to_text(omit_final_dot=True).lower().strip(".")  # type: ignore[attr-defined]
    return str(record.address)  # type: ignore[attr-defined]


def _system_or(options: RelayOptions) -> dns.asyncresolver.Resolver:
    """The system's name servers, or those of the options; dnspython asks them in their order."""
    given = options.dns.nameservers
    try:
        made = dns.asyncresolver.Resolver(configure=not given)
    except dns.resolver.NoResolverConfiguration:
        made = dns.asyncresolver.Resolver(configure=False)
    if given:
        made.nameservers = [_nameserver(text) for text in given]
    made.timeout = options.dns.timeout
    made.lifetime = options.dns.lifetime
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
