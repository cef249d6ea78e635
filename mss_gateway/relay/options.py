"""What the relay bears and waits for; frozen, composed by `settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

SMTP = 25
"""The port of SMTP between operators (RFC 5321 section 4.5.4.2)."""


@dataclass(frozen=True, slots=True)
class RelayDeadlines:
    """Seconds that a peer may take for each step (RFC 5321 section 4.5.3.2 recommends the longest).

    `letter` bounds one attempt as a whole, waiting for a free connection included; `answer` is that to the end
    of the content, during which nobody knows whether the peer has taken the message. A host that was not reached
    is asked after the others for `shun` seconds.
    """

    connect: float = 20.0
    greeting: float = 120.0
    handshake: float = 30.0
    command: float = 120.0
    content: float = 180.0
    answer: float = 600.0
    slot: float = 120.0
    letter: float = 1800.0
    shun: float = 120.0
    farewell: float = 5.0


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How many connections to one host, idle ones in all, messages and seconds on one, recipients in one go.

    `idle` and `age` are in seconds; `hosts` and `addresses` are tried at most for one letter.
    """

    per_host: int = 5
    idle_in_all: int = 200
    idle: float = 30.0
    age: float = 600.0
    messages: int = 1000
    recipients: int = 100
    hosts: int = 5
    addresses: int = 4


@dataclass(frozen=True, slots=True)
class DnsOptions:
    """Name servers as `host:port` in order of preference, each the fallback of the one before; none: the system's.

    In seconds: `timeout` is for one question to one server, `lifetime` for all of them. An answer is kept for its
    TTL, but at least `shortest` (as is a failure, RFC 9520), at most `longest`, the lack of one at most `nothing`
    (RFC 2308). While the DNS fails, what was known is used for `stale` more, and it is asked again every `retry`.
    """

    nameservers: tuple[str, ...] = ()
    timeout: float = 3.0
    lifetime: float = 12.0
    shortest: float = 1.0
    longest: float = 3600.0
    nothing: float = 300.0
    stale: float = 86400.0
    retry: float = 30.0


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """`hostname` is said in EHLO. `overrides` gives a domain its hosts (name or address, port) without DNS."""

    hostname: str
    port: int = SMTP
    use_chunking: bool = True
    overrides: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=lambda: MappingProxyType({}))
    dns: DnsOptions = field(default_factory=DnsOptions)
    deadlines: RelayDeadlines = field(default_factory=RelayDeadlines)
    limits: RelayLimits = field(default_factory=RelayLimits)
