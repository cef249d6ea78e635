"""What a FHIR resource of the national API says of mailboxes, read tolerantly (domain 15.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address

from .entry import Record

MAILBOX = "mailbox-mss-metadata"
"""The extension of a telecom that is a mailbox, by the end of its address (older versions have no `as-ext-`)."""

RPPS = "urn:oid:1.2.250.1.71.4.2.1"
IDNST = "urn:oid:1.2.250.1.71.4.2.2"
FINESS = "https://finess.esante.gouv.fr"
MAX_VALUES = 200  # elements of one list that are looked at
_TYPES = frozenset({"PER", "ORG", "APP", "CAB"})
_KINDS = {"Practitioner": "PER", "PractitionerRole": "PER", "Organization": "ORG"}


def mailboxes(resource: Any) -> Iterator[Record]:
    """A row for each MSSanté mailbox of a resource; what is not as it should be is left out."""
    if not isinstance(resource, dict):
        return
    kind = _KINDS.get(_text(resource.get("resourceType")), "")
    common = _person(resource) if kind == "PER" else _house(resource)
    for telecom in _dicts(resource.get("telecom")):
        metadata = next(
            (one for one in _dicts(telecom.get("extension")) if _text(one.get("url")).endswith(MAILBOX)), None
        )
        if metadata is None and not _is_mss(telecom):
            continue
        address = _text(telecom.get("value")).removeprefix("mailto:")
        try:
            parse_address(address)
        except InvalidValue:
            continue
        told = _metadata(metadata or {})
        if told.pop("red", ""):  # its holder does not want to be found
            continue
        record = {"type": told.pop("type", kind), "address": address, **common, **told}
        if record["type"] in _TYPES:
            yield {name: value for name, value in record.items() if value}


def next_link(bundle: Any) -> str:
    """The address of the next page, empty on the last one."""
    links = _dicts(bundle.get("link") if isinstance(bundle, dict) else None)
    return next((_text(one.get("url")) for one in links if one.get("relation") == "next"), "")


def resources(bundle: Any) -> list[Any]:
    """What a page holds; raises ValueError when it is no Bundle."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise ValueError
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        raise ValueError
    return [one.get("resource") for one in entries if isinstance(one, dict)]


def _is_mss(telecom: dict[str, Any]) -> bool:
    """A telecom whose type extension says MSSANTE, or whose system says so outright."""
    if _text(telecom.get("system")) not in ("email", ""):
        return False
    return any(_code(one) == "MSSANTE" for one in _dicts(telecom.get("extension")))


def _metadata(extension: dict[str, Any]) -> Record:
    found: Record = {}
    for one in _dicts(extension.get("extension")):
        name = _text(one.get("url"))
        if name == "type" and _code(one) in _TYPES:
            found["type"] = _code(one)
        elif name == "service":
            found["service"] = _text(one.get("valueString"))
        elif name == "digitization" and isinstance(one.get("valueBoolean"), bool):
            found["paperless"] = "O" if one["valueBoolean"] else "N"
        elif name == "listeRouge" and one.get("valueBoolean") is True:
            found["red"] = "true"
    return found


def _code(extension: dict[str, Any]) -> str:
    """The code of an extension, written as valueCode, valueCoding or valueCodeableConcept: all three are seen."""
    concept = extension.get("valueCodeableConcept")
    codings = _dicts(concept.get("coding")) if isinstance(concept, dict) else []
    coding = extension.get("valueCoding")
    if isinstance(coding, dict):
        codings.append(coding)
    codes = [_text(extension.get("valueCode")), *(_text(one.get("code")) for one in codings)]
    return next((code for code in codes if code), "")


def _person(resource: dict[str, Any]) -> Record:
    found: Record = {}
    for one in _dicts(resource.get("identifier")):
        value = _text(one.get("value"))
        if _text(one.get("system")) == RPPS and value.isascii() and value.isalnum():
            national = value if len(value) == 12 else f"8{value}"
            found |= {"id": national[1:], "id_type": national[0], "national_id": national}
    for name in _dicts(resource.get("name"))[:1]:
        given = name.get("given")
        found["name"] = _text(name.get("family"))
        found["first_name"] = " ".join(_text(one) for one in given[:5]) if isinstance(given, list) else ""
        prefix = name.get("prefix")
        found["title"] = _text(prefix[0]) if isinstance(prefix, list) and prefix else ""
    organization = resource.get("organization")
    if isinstance(organization, dict):
        found["structure"] = _text(organization.get("display"))
    for qualification in _dicts(resource.get("qualification")):
        code = qualification.get("code")
        for coding in _dicts(code.get("coding")) if isinstance(code, dict) else []:
            system = _text(coding.get("system"))
            if "TRE-G15" in system or "TRE_G15" in system:
                found["profession_code"] = _text(coding.get("code"))
                found["profession"] = _text(coding.get("display"))
    return found


def _house(resource: dict[str, Any]) -> Record:
    found: Record = {"structure": _text(resource.get("name"))}
    for one in _dicts(resource.get("identifier")):
        system, value = _text(one.get("system")), _text(one.get("value"))
        if system in (FINESS, IDNST) and value and (system == FINESS or "structure_id" not in found):
            found |= {"structure_id": value}
    for address in _dicts(resource.get("address"))[:1]:
        found["postcode"] = _text(address.get("postalCode"))
        found["town"] = " ".join(part for part in (found["postcode"], _text(address.get("city"))) if part)
    return found


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value[:MAX_VALUES] if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return " ".join(value[:500].split()) if isinstance(value, str) else ""
