"""What one SMTP listener offers and bears; frozen, given to every core it creates."""

from __future__ import annotations

from dataclasses import dataclass, field

from mss_gateway.mail.address import Address


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets and counts that no peer can pass; line lengths include CRLF (RFC 5321 section 4.5.3.1).

    `content_line` is far over the 1000 octets of RFC 5321 because real programs exceed them;
    past it the message is refused, the session goes on. `chunk` is the largest BDAT, beyond which
    swallowing it would cost more than the peer is worth: the session ends. `auth` is twice what RFC 4954
    section 4 asks for: tokens grow.
    """

    command: int = 4096
    envelope: int = 2048
    auth: int = 24 * 1024
    content_line: int = 65536
    chunk: int = 1 << 32
    bad_commands: int = 20
    recipients: int = 1000


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The role of a listener: port 25 (`require_tls`) or submission (`require_tls`, `require_auth`).

    `max_size` is in octets. `tls_active` is true from the first octet on an implicit TLS port.
    `auth_mechanisms` are upper case names, shown only under TLS (ACC-1). `postmaster` is where
    `RCPT TO:<postmaster>` goes; None refuses it.
    """

    hostname: str
    max_size: int = 35 * 1024 * 1024
    offer_starttls: bool = True
    tls_active: bool = False
    require_tls: bool = True
    require_auth: bool = False
    auth_mechanisms: tuple[str, ...] = ()
    postmaster: Address | None = None
    limits: Limits = field(default_factory=Limits)
