"""A server shaped as the national API, well or badly behaved: pages, key, errors (domain 15.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.publisher import Answer, Publisher

KEY = "cle-d-essai"
BASE = "/fhir/v2"
MAILBOX = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata"
TYPE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
Resource = dict[str, Any]


def telecom(address: str, kind: str, form: str = "valueCode", service: str = "") -> Resource:
    """A mailbox in a telecom; `form` is how the type is written."""
    value: Any = kind if form == "valueCode" else {"coding": [{"system": "TRE_R257-TypeBAL", "code": kind}]}
    parts: list[Resource] = [{"url": "type", form: value}] if kind else []
    if service:
        parts.append({"url": "service", "valueString": service})
    return {
        "system": "email",
        "value": address,
        "extension": [
            {"url": TYPE, "valueCodeableConcept": {"coding": [{"code": "MSSANTE"}]}},
            {"url": MAILBOX, "extension": parts},
        ],
    }


def practitioner(
    address: str, rpps: str, name: str, first: str, *, kind: str = "PER", form: str = "valueCode"
) -> Resource:
    """A professional with one mailbox."""
    return {
        "resourceType": "Practitioner",
        "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": rpps}],
        "name": [{"family": name, "given": [first], "prefix": ["DR"]}],
        "telecom": [telecom(address, kind, form)],
    }


def organization(
    address: str, finess: str, name: str, *, kind: str = "ORG", form: str = "valueCodeableConcept"
) -> Resource:
    """A structure with one mailbox."""
    return {
        "resourceType": "Organization",
        "identifier": [{"system": "https://finess.esante.gouv.fr", "value": finess}],
        "name": name,
        "address": [{"postalCode": "77000", "city": "MELUN"}],
        "telecom": [telecom(address, kind, form, "URGENCES")],
    }


class _Routes(dict[str, Answer]):
    """Whatever is asked is answered by one function."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def get(self, path: str, default: Any = None) -> Answer:  # type: ignore[override]
        """The one function."""
        return self._answer


@dataclass
class FhirServer:
    """Answers searches over `resources`; `troubles` come first, one for each request."""

    publisher: Publisher
    resources: list[Resource] = field(default_factory=list)
    troubles: list[Answer] = field(default_factory=list)
    page: int = 50
    link: Callable[[str], str] = str
    """Makes another address of the one of the next page."""

    def __post_init__(self) -> None:
        self.publisher.answers = _Routes(self.answer)

    @property
    def base(self) -> str:
        """What `fhir_url` is set to."""
        return self.publisher.base + BASE

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        if self.troubles:
            self.troubles.pop(0)(handler)
            return
        if handler.headers["ESANTE-API-KEY"] != KEY:
            status(401)(handler)
            return
        parts = urlsplit(handler.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        fitting = [one for one in self.resources if self._fits(one, parts.path.rpartition("/")[2], asked)]
        start = int(asked.get("_start", "0"))
        links = []
        if start + self.page < len(fitting):
            further = urlencode({**asked, "_start": str(start + self.page)})
            url = self.link(f"{self.publisher.base}{parts.path}?{further}")
            links = [{"relation": "self", "url": handler.path}, {"relation": "next", "url": url}]
        entries = [{"resource": one} for one in fitting[start : start + self.page]]
        send(
            handler,
            200,
            json.dumps(
                {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
            ).encode(),
        )

    @staticmethod
    def _fits(resource: Resource, kind: str, asked: dict[str, str]) -> bool:
        if resource["resourceType"] != kind:
            return False
        addresses = [one["value"].lower() for one in resource["telecom"]]
        exact, part = asked.get("mailbox-mss:exact"), asked.get("mailbox-mss:contains")
        return any(one == exact if exact is not None else (part or "").lower() in one for one in addresses)


def send(handler: BaseHTTPRequestHandler, code: int, data: bytes, **headers: str) -> None:
    """A whole answer."""
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Type", "application/fhir+json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def status(code: int, data: bytes = b"{}", **headers: str) -> Answer:
    """An answer with this status."""
    return lambda handler: send(handler, code, data, **headers)
