"""The sample mailboxes and patients, as the operations that make them; made again they change nothing."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mss_gateway.ops.operation import CONFLICT, OperationRefused
from mss_gateway.trust import dn

from .configuration import PROBE
from .handout import Handout
from .space import Space

NATIONAL_ID = "899700366240"  # published sample of Pro Santé Connect (domain 9.2); its key holds
STRUCTURE = "1690000019"
NAMES = {
    "PER": "Médecin Exemple",
    "ORG": "Secrétariat Exemple",
    "CAB": "Cabinet Exemple",
    "APP": "Automate des résultats",
}
"""Display names by type of mailbox."""

ALERT_ADDRESS = "adresse.personnelle@courriel.example"
"""Where the sample patient is told outside that something has arrived (PAT-3)."""

INS_NIR = "1.2.250.1.213.1.4.8"
IDENTITY_FIELDS = ("ins", "oid", "family", "given", "sex", "born", "place", "status")
"""Columns of the registry of identities (INS-5)."""


def identities(handout: Handout) -> list[dict[str, str]]:
    """The sample registry: the traits of the sample patients, invented to fit their numbers."""
    states = handout.patients
    traits = (
        (states.active, "EXEMPLE", "PATIENTE", "1985-03-14", "77284", "QUAL"),
        (states.not_activated, "EXEMPLE", "PATIENTE NON ACTIVEE", "1979-03-28", "51215", "QUAL"),
        (states.closed, "EXEMPLE", "PATIENTE CLOTUREE", "1975-12-31", "63220", "VALI"),
    )
    return [
        dict(
            zip(
                IDENTITY_FIELDS,
                (address.partition("@")[0], INS_NIR, family, given, "F", born, place, status),
                strict=True,
            )
        )
        for address, family, given, born, place, status in traits
    ]


@dataclass(frozen=True, slots=True)
class Request:
    """One operation; `then` follows only when it was not done before."""

    operation: str
    arguments: Mapping[str, Any]
    then: tuple[Request, ...] = ()


def mailboxes(space: Space, handout: Handout) -> list[Request]:
    """The BALs of each type with their members."""
    common = {"structure": STRUCTURE, "responsible": NATIONAL_ID}
    per = handout.account("PER")
    holder = {"national_id": NATIONAL_ID, "login": per.login, "password": per.password}
    found = [_bal(per.address, "PER", **holder)]
    for account in handout.accounts:
        if account.type in ("ORG", "CAB"):
            found.append(_bal(account.address, account.type, **common))
            member = {"address": account.address, "login": account.login, "password": account.password}
            found.append(Request("bal.member", member))
    certificate = {"certificate_dn": space.app_dn, "certificate_key": dn.key_of_text(space.app_dn)}
    found.append(_bal(handout.app.address, "APP", **certificate, **common))
    own = dn.subject_attributes(_first_certificate(Path(space.gateway.cert)))
    probing = {"certificate_dn": dn.text_of_attributes(own), "certificate_key": dn.key_of(own)}
    found.append(_bal(f"{PROBE}@{space.hosted_domain}", "APP", **probing, **common))
    rows = [{"line": number, **row} for number, row in enumerate(identities(handout), 2)]
    found.append(Request("ins.import", {"rows": rows, "source": "mss-gateway dev"}))
    return found


def _first_certificate(path: Path) -> bytes:
    """The leaf of a PEM file, as DER."""
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(path.read_text(encoding="ascii").partition(end)[0] + end)


def _bal(address: str, kind: str, **more: str) -> Request:
    return Request("bal.add", {"address": address, "type": kind, "display": NAMES[kind], **more})


def patients(handout: Handout) -> list[Request]:
    """A patient in each state."""
    patient, states = handout.account("PAT"), handout.patients
    close = Request("patient.close", {"ins": states.closed, "reason": "opposed"})
    alert = tuple(
        Request("patient.set", {"ins": ins, "alert": ALERT_ADDRESS})
        for ins in (states.active, states.not_activated)
    )
    return [
        _patient(patient.address, "Patiente Exemple", alert[:1], password=patient.password),
        _patient(states.not_activated, "Patiente Non Activée", alert[1:]),
        _patient(states.closed, "Patiente Clôturée", (close,)),
    ]


def _patient(ins: str, name: str, then: tuple[Request, ...], **more: str) -> Request:
    return Request("patient.add", {"ins": ins, "display": name, **more}, then)


Ask = Callable[[str, Mapping[str, Any]], Awaitable[object]]
"""Carries out one operation; raises `OperationRefused`."""


async def carry_out(requests: Iterable[Request], ask: Ask) -> None:
    """Do what is not done yet; raises `OperationRefused` for anything but a conflict."""
    for request in requests:
        try:
            await ask(request.operation, {"actor": "dev", **request.arguments})
        except OperationRefused as refused:
            if refused.exit_code != CONFLICT:
                raise
            continue
        await carry_out(request.then, ask)
