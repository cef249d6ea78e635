"""Where the mail of a domain goes: MX, else the domain itself, then addresses (RFC 5321 section 5.1, TRU-5)."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import re
import socket
from itertools import chain, zip_longest

from mss_gateway.ports.relay import Fate

from .lookup import Names, Record
from .options import RelayOptions
from .places import Exchanger, Host
from .problems import RelayProblem

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\Z")
_LONGEST_NAME = 253  # octets as text (RFC 1035 section 2.3.4)
_SECOND_FAMILY = (
    0.25  # seconds that IPv6 addresses are waited for once there are IPv4 ones (RFC 8305 section 3)
)


class Resolver:
    """Turns domains into hosts and hosts into addresses."""

    def __init__(self, options: RelayOptions) -> None:
        self._options = options
        self._names = Names(options.dns)
        self._overrides = {domain.lower(): hosts for domain, hosts in options.overrides.items()}
        self._hostname = options.hostname.lower().rstrip(".")

    async def exchangers(self, domain: str) -> tuple[Exchanger, ...]:
        """The hosts of a domain, best first, equal ones in random order; raises `RelayProblem`.

        Everything is temporary but a null MX (RFC 7505): a domain of the signed trusted list that is not in the
        DNS, or leads to nothing or to ourselves, is somebody's mistake or a fault of the DNS, which may be put
        right while the message waits.
        """
        override = self._overrides.get(domain)
        if override:
            return tuple(Exchanger(at, Host(name, port)) for at, (name, port) in enumerate(override))
        found = await self._names.mail_hosts(domain)
        if found is None:
            found = ((0, domain),)
        elif [name for _, name in found] == [""]:
            raise RelayProblem(
                "null-mx", f"the domain {domain} takes no mail (null MX)", "5.1.10", fate=Fate.FAILED
            )
        usable = self._beyond_us(domain, _usable(domain, found))
        random.shuffle(usable)
        usable.sort(key=lambda pair: pair[0])
        return tuple(Exchanger(preference, Host(name, self._options.port)) for preference, name in usable)

    def _beyond_us(self, domain: str, hosts: list[Record]) -> list[Record]:
        """Without ourselves and what is not preferred to us, or mail would go in circles (RFC 5321 section 5.1)."""
        ours = [preference for preference, name in hosts if name == self._hostname]
        if not ours:
            return hosts
        better = [pair for pair in hosts if pair[0] < min(ours)]
        if not better:
            raise RelayProblem(
                "mail-loop",
                f"the DNS leads the mail of {domain} back to this gateway",
                "4.4.6",
                host=self._hostname,
            )
        return better

    async def addresses(self, host: Host) -> tuple[str, ...]:
        """The addresses of a host, families by turns, IPv6 first (RFC 8305 section 4); raises `RelayProblem`.

        At most `RelayLimits.addresses`. On a machine without IPv6 such an address fails at once and costs nothing.
        """
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
        """Both families at once; one that fails, or is slow, does not hide what the other one found."""
        loop = asyncio.get_running_loop()
        six = loop.create_task(self._names.addresses(host.name, six=True))
        four = loop.create_task(self._names.addresses(host.name, six=False))
        try:
            await asyncio.wait((four,))
            enough = four.exception() is None and four.result()
            await asyncio.wait((six,), timeout=_SECOND_FAMILY if enough else None)
        finally:
            four.cancel()
            six.cancel()
            results = await asyncio.gather(six, four, return_exceptions=True)
        found = [one if isinstance(one, tuple) else () for one in results]
        if not any(found):
            for one in results:
                if isinstance(one, BaseException):
                    raise one
        return _by_turns(*found)

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
        every = [str(one[4][0]) for one in found]
        return _by_turns([one for one in every if ":" in one], [one for one in every if ":" not in one])


def _by_turns(six: list[str] | tuple[str, ...], four: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    pairs = chain.from_iterable(zip_longest(six, four))
    return tuple(dict.fromkeys(address for address in pairs if address is not None))


def _usable(domain: str, records: tuple[Record, ...]) -> list[Record]:
    """Each host once, at its best preference. An MX must be the name of a host: an address, or what can be no name of
    a host, is passed over (RFC 5321 section 5.1, RFC 2181 section 10.3).
    """
    best: dict[str, int] = {}
    for preference, name in records:
        if _is_host(name):
            best.setdefault(name, preference)
    if not best:
        raise RelayProblem("no-mx", f"the MX records of {domain} name no host", "4.4.4", host=domain)
    return [(preference, name) for name, preference in best.items()]


def _is_host(name: str) -> bool:
    if len(name) > _LONGEST_NAME or _NAME.match(name) is None:
        return False
    return not name.rpartition(".")[2].isdigit()  # what ends in digits is an address, well written or not
