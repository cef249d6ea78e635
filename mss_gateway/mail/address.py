"""Mailbox addresses as values (BAL-10, RFC 5321 section 4.1.2, RFC 6531)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import idna

from mss_gateway.base.errors import InvalidValue

MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1
MAX_DOMAIN = 255  # octets, RFC 5321 section 4.5.3.1.2
MAX_PATH = 254  # octets of local@domain, RFC 5321 section 4.5.3.1.3 less its two brackets

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff"
_DOT_STRING = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*\Z")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*)"\Z')
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # of IDNA2003 and UTS 46
_QUOTED_PAIR = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox: `local` as published (unquoted), `domain` lower case in A-label form."""

    local: str
    domain: str

    @property
    def key(self) -> str:
        """What two addresses are compared by: case never matters in MSSanté (BAL-10)."""
        return f"{self.local.lower()}@{self.domain}"

    @property
    def is_ascii(self) -> bool:
        """True when the address can travel without SMTPUTF8."""
        return self.local.isascii()

    def __str__(self) -> str:
        local = self.local
        if not _DOT_STRING.match(local):
            escaped = local.replace("\\", "\\\\").replace('"', '\\"')
            local = f'"{escaped}"'
        return f"{local}@{self.domain}"


@lru_cache(maxsize=4096)
def parse_domain(text: str) -> str:
    """Return a domain in lower-case A-label form; raise `InvalidValue` when it is not a host name.

    Address literals (`[192.0.2.1]`) are refused: no MSSanté domain is one.
    """
    name = text.lower()
    if not name.isascii():
        # Before IDNA, whose time grows with the square of a label: A-labels are longer than what they stand for.
        if len(name) > MAX_DOMAIN or any(len(label) > 63 for label in _DOTS.split(name)):
            raise InvalidValue("the domain is not a valid internationalised name", "domain-idna")
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise InvalidValue("the domain is not a valid internationalised name", "domain-idna") from None
    if len(name) > MAX_DOMAIN:
        raise InvalidValue("the domain is longer than 255 octets", "domain-too-long")
    labels = name.split(".")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise InvalidValue("the domain is not a host name", "domain-syntax")
    return name


@lru_cache(maxsize=8192)
def parse_address(text: str) -> Address:
    """Read `local@domain`, quoted local parts included; raise `InvalidValue` naming the wrong part.

    Neither source routes nor address literals are accepted (RFC 5321 section 4.1.2, BAL-10).
    """
    if "\0" in text or "\r" in text or "\n" in text:
        raise InvalidValue("the address holds a control character", "address-control")
    local, at, domain = text.rpartition("@")
    if not at or not local:
        raise InvalidValue("the address has no local part or no domain", "address-syntax")
    if local.startswith('"'):
        quoted = _QUOTED.match(local)
        if not quoted:
            raise InvalidValue("the quoted local part is malformed", "local-syntax")
        local = _QUOTED_PAIR.sub(r"\1", quoted[1])
    elif not _DOT_STRING.match(local):
        raise InvalidValue("the local part is malformed", "local-syntax")
    try:
        octets = len(local.encode())
    except UnicodeEncodeError:
        raise InvalidValue("the local part is not valid UTF-8", "local-syntax") from None
    if octets > MAX_LOCAL:
        raise InvalidValue("the local part is longer than 64 octets", "local-too-long")
    address = Address(local, parse_domain(domain))
    if len(str(address).encode()) > MAX_PATH:
        raise InvalidValue("the address is longer than 254 octets", "address-too-long")
    return address
