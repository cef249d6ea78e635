"""The signed trusted list: read safely, verified as a whole, only then believed (TRU-3, TRU-4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_domain

from . import dn
from .refusals import ListRefused
from .signature import ListSigner, verify_signature
from .xmlform import DATE, DOMAIN, DOMAINS, FIELDS, GENERATED, ROOT, SIGNATURE

MAX_UNREADABLE = 0.01  # share of entries that may be unreadable before the list is refused as a whole
CLOCK_SKEW = timedelta(minutes=10)
_NO_DOMAINS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TrustedList:
    """A verified list. `domains` maps a domain to the DN keys that may speak for it, `by_dn` the reverse.

    `names` gives a DN's text as published, by key; `unreadable` counts entries that were left out because
    their domain or DN could not be read; `digest` is SHA-256 of the file, in hexadecimal; `signer` is the
    certificate (DER) that signed it.
    """

    generated_at: datetime
    digest: str
    domains: Mapping[str, frozenset[str]] = field(repr=False)
    by_dn: Mapping[str, frozenset[str]] = field(repr=False)
    names: Mapping[str, str] = field(repr=False)
    entries: int
    unreadable: int = 0
    signer: bytes = field(default=b"", repr=False)

    def knows(self, domain: str) -> bool:
        """True when the domain (lower-case A-label form) is on the list."""
        return domain in self.domains

    def domains_of(self, dn_key: str) -> frozenset[str]:
        """Every domain that lists this DN (TRU-4)."""
        return self.by_dn.get(dn_key, _NO_DOMAINS)

    def lists(self, domain: str, dn_key: str) -> bool:
        """True when the domain lists this DN."""
        return domain in self.by_dn.get(dn_key, _NO_DOMAINS)

    def is_operator(self, dn_key: str) -> bool:
        """True when any domain lists this DN: enough for the null sender (TRU-7)."""
        return dn_key in self.by_dn

    def age_hours(self, now: datetime) -> float:
        """Hours since the list was generated."""
        return (now - self.generated_at).total_seconds() / 3600


NO_LIST = TrustedList(datetime.fromtimestamp(0, UTC), "", {}, {}, {}, 0)
"""Before the first list: nobody is trusted."""


def load_list(
    data: bytes,
    signer: ListSigner,
    now: datetime,
    *,
    held: TrustedList | None = None,
    max_bytes: int = 32 * 1024 * 1024,
    st_is_l: bool = True,
) -> TrustedList:
    """Verify and read a list; raises `ListRefused` saying why and what to do. Takes about half a second for 4 MB.

    A list older than the one in force (`held`) is refused, so that nobody can bring an old one back.
    """
    if len(data) > max_bytes:
        raise ListRefused(
            "list-too-large", f"the trusted list is larger than {max_bytes} octets: check where it comes from"
        )
    root = _parsed(data)
    _check_frame(root)
    content, certificate = verify_signature(root, signer, now)
    return replace(_read(content, data, now, held, st_is_l), signer=certificate.public_bytes(Encoding.DER))


def _parsed(data: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ListRefused(
            "list-malformed", "the trusted list is not well-formed XML, or is cut short: fetch it again"
        ) from None
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise ListRefused("list-doctype", "the trusted list declares a document type: it is not genuine")
    return root


def _structure(what: str) -> ListRefused:
    return ListRefused(
        "list-structure", f"the trusted list does not have its published structure ({what}): fetch it again"
    )


def _check_frame(root: etree._Element) -> None:
    """The signature stands where it must and is the only one, before any of it is believed."""
    if root.tag != ROOT:
        raise _structure("root element or namespace")
    signatures = list(root.iter(SIGNATURE))
    if not signatures:
        raise ListRefused("list-unsigned", "the trusted list is not signed: fetch it from its publisher")
    if len(signatures) != 1 or signatures[0].getparent() is not root:
        raise _structure("one signature, at the end of the root")
    children = [child.tag for child in root if isinstance(child.tag, str)]
    if children != [GENERATED, DOMAINS, SIGNATURE]:
        raise _structure("children of the root")


def _read(
    root: etree._Element, data: bytes, now: datetime, held: TrustedList | None, st_is_l: bool
) -> TrustedList:
    """Read what was signed, and nothing else: `root` comes back from the verification, without its signature."""
    if root.tag != ROOT or root.attrib or [child.tag for child in root] != [GENERATED, DOMAINS]:
        raise _structure("signed content")
    generated = _date(_text(root[0], "DateDeGeneration"))
    if generated > now + CLOCK_SKEW:
        raise ListRefused("list-future", "the trusted list was generated in the future: check the clock")
    if held is not None and generated < held.generated_at:
        raise ListRefused(
            "list-older",
            f"the trusted list ({generated:{DATE}}) is older than the one in force ({held.generated_at:{DATE}}):"
            " fetch the current one, or use `trust rollback`",
        )
    domains: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    unreadable = 0
    for item in root[1]:
        name, listed = _entry(item)
        try:
            domain, key = parse_domain(name.strip()), dn.key_of_text(listed, st_is_l)
        except InvalidValue:
            unreadable += 1  # nobody is trusted by it; the rest of a genuine list stays usable
            continue
        domains.setdefault(domain, set()).add(key)
        names.setdefault(key, listed)
    entries = len(root[1])
    if not domains or unreadable > max(1.0, entries * MAX_UNREADABLE):
        raise ListRefused(
            "list-unreadable",
            f"{unreadable} of {entries} entries of the trusted list cannot be read: fetch it again",
        )
    return TrustedList(
        generated,
        sha256(data).hexdigest(),
        {domain: frozenset(keys) for domain, keys in domains.items()},
        _reversed(domains),
        names,
        entries,
        unreadable,
    )


def _reversed(domains: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for domain, keys in domains.items():
        for key in keys:
            found.setdefault(key, set()).add(domain)
    return {key: frozenset(names) for key, names in found.items()}


def _entry(item: etree._Element) -> tuple[str, str]:
    if item.tag != DOMAIN or len(item) != len(FIELDS) or item.attrib:
        raise _structure("a Domaine")
    for child, expected in zip(item, FIELDS, strict=True):
        if child.tag != expected or len(child) or child.attrib:
            raise _structure("the fields of a Domaine")
    return item[0].text or "", item[2].text or ""


def _text(element: etree._Element, name: str) -> str:
    if len(element) or element.attrib or not element.text:
        raise _structure(name)
    return element.text.strip()


def _date(text: str) -> datetime:
    try:
        return datetime.strptime(text, DATE).replace(tzinfo=UTC)
    except ValueError:
        raise _structure("DateDeGeneration") from None
