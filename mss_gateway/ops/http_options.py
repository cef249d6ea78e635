"""What the ops door is told: where it listens, who may look behind it, what it tells mail clients (ACC-4, OPS-4)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from mss_gateway.net.gate import GateOptions

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
"""Addresses that may read the figures without a login."""

MIN_TOKEN = 20
"""Characters of an administrator's token; a shorter one could be guessed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the door listens: a TCP address, or a socket file in `path`; `secure` is TLS."""

    host: str = ""
    port: int = 0
    path: Path | None = None
    secure: bool = True


@dataclass(frozen=True, slots=True)
class MailServices:
    """What mail clients are told: host names and ports as they see them; port 0 is a service that is not offered."""

    imap_host: str
    submission_host: str
    imap: int = 0
    imaps: int = 0
    submission: int = 0
    submissions: int = 0


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where mail clients get tokens for XOAUTH2 and OAUTHBEARER, as Thunderbird wants to be told."""

    issuer: str
    scope: str
    authorize: str
    token: str


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What no client can pass: octets and seconds."""

    header_size: int = 16 * 1024
    body_size: int = 16 * 1024
    request_timeout: float = 10.0
    idle_timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """The ops door. `url` is its address from outside, "" when it has none; `domains` are those hosted here.

    `admin_dns` are normalised DN keys; `oauth` is None when tokens are not taken.
    """

    places: tuple[Place, ...]
    services: MailServices
    domains: frozenset[str]
    certificate: Path
    key: Path
    token_file: Path | None = None
    admin_dns: frozenset[str] = frozenset()
    metrics_from: tuple[Network, ...] = ()
    url: str = ""
    oauth: OAuth | None = None
    sign_profiles: bool = False
    caps: GateOptions = field(default_factory=lambda: GateOptions(200, 20))
    limits: HttpLimits = field(default_factory=HttpLimits)
