"""What mail clients are told so that they need no typing: services by domain, SRV records, commands (ACC-4).

Only the domain of an address is looked at: whether the address exists is never told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address

from .http_options import HttpOptions
from .operation import NOT_FOUND, USAGE, Arguments, Operation, OperationRefused, Result, text

TTL = 3600
"""Seconds that a record may be kept."""

LONGEST = 320
"""Characters of an address; a longer one is none (RFC 5321 section 4.5.3.1)."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: `kind` is imap or smtp, `implicit` is TLS from the first octet, otherwise STARTTLS."""

    kind: str
    host: str
    port: int
    implicit: bool


def services_of(options: HttpOptions) -> tuple[Service, ...]:
    """What is offered, TLS from the first octet before STARTTLS (RFC 8314 section 3)."""
    told = options.services
    found = (
        Service("imap", told.imap_host, told.imaps, True),
        Service("imap", told.imap_host, told.imap, False),
        Service("smtp", told.submission_host, told.submissions, True),
        Service("smtp", told.submission_host, told.submission, False),
    )
    return tuple(one for one in found if one.port)


def methods_of(options: HttpOptions) -> tuple[str, ...]:
    """How clients may log in, as Thunderbird names it, the best first; certificates are for software (EXTERNAL)."""
    password = ("password-cleartext", "TLS-client-cert")  # in the clear inside of TLS: PLAIN and SCRAM
    return ("OAuth2", *password) if options.oauth is not None else password


def domain_of(options: HttpOptions, address: str) -> tuple[str, str] | None:
    """The address as it is written in answers, and its domain; None unless the domain is hosted here."""
    if len(address) > LONGEST:
        return None
    try:
        parsed = parse_address(address)
    except InvalidValue:
        return None
    return (str(parsed), parsed.domain) if parsed.domain in options.domains else None


def srv_records(options: HttpOptions) -> Iterator[tuple[str, int, int, int, str]]:
    """Service, priority, weight, port and target of each record; target "." says that there is none (RFC 2782)."""
    told = options.services
    yield _srv("_submissions._tcp", told.submissions, told.submission_host, 0)
    yield _srv("_submission._tcp", told.submission, told.submission_host, 10)
    yield _srv("_imaps._tcp", told.imaps, told.imap_host, 0)
    yield _srv("_imap._tcp", told.imap, told.imap_host, 10)
    yield _srv("_pop3s._tcp", 0, "", 0)
    yield _srv("_pop3._tcp", 0, "", 0)
    if options.url:
        parts = urlsplit(options.url)
        yield _srv("_autodiscover._tcp", parts.port or 443, parts.hostname or "", 0)


def _srv(name: str, port: int, host: str, priority: int) -> tuple[str, int, int, int, str]:
    return (name, priority, 1, port, f"{host}.") if port else (name, 0, 0, 0, ".")


class AutoconfigOperations:
    """`autoconfig srv|show`."""

    def __init__(self, options: HttpOptions) -> None:
        self._options = options

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"autoconfig.srv": self.srv, "autoconfig.show": self.show}

    async def srv(self, arguments: Arguments) -> Result:
        """The records of one domain, or of every domain hosted here."""
        wanted = text(arguments, "domain", "").lower()
        if wanted and wanted not in self._options.domains:
            raise _not_hosted()
        domains = [wanted] if wanted else sorted(self._options.domains)
        names = ("service", "priority", "weight", "port", "target")
        return {
            "ttl": TTL,
            "zones": [
                {
                    "domain": domain,
                    "records": [dict(zip(names, one, strict=True)) for one in srv_records(self._options)],
                    "autoconfig": f"autoconfig.{domain}",
                    "url": self._options.url,
                }
                for domain in domains
            ],
        }

    async def show(self, arguments: Arguments) -> Result:
        """What a client with this address is told; the address itself is not looked up."""
        address = text(arguments, "address")
        if "@" not in address:
            raise OperationRefused("Write a whole address, name@domain", "bad-argument", USAGE)
        found = domain_of(self._options, address)
        if found is None:
            raise _not_hosted()
        return {
            "domain": found[1],
            "login": found[0],
            "methods": list(methods_of(self._options)),
            "services": [
                {
                    "kind": one.kind,
                    "host": one.host,
                    "port": one.port,
                    "security": "TLS" if one.implicit else "STARTTLS",
                }
                for one in services_of(self._options)
            ],
        }


def _not_hosted() -> OperationRefused:
    return OperationRefused(
        "This domain is not hosted here: domains.hosted names those that are", "domain-not-hosted", NOT_FOUND
    )
