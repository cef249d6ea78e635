"""Writes a whole throw-away trust space into a folder: authorities, certificates, CRLs and the signed list."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mss_gateway.dev.handout import Credential

HOSTED = "clinique-exemple.mssante.fr"
PATIENTS = "patient.mssante.fr"
OPERATOR = "hopital-voisin.mssante.fr"
OTHER = "laboratoire-voisin.mssante.fr"
PATIENT_OPERATOR = "operateur-patients.mssante.fr"
APP_ADDRESS = "automate.resultats@clinique-exemple.mssante.fr"
LIFE = timedelta(days=90)
LIST_LIFE = timedelta(hours=12)
NOBODY = Credential("", "")
"""No operator of their own for the patients: they are ours."""
_MARK, _FORM = "space.json", 3


@dataclass(frozen=True, slots=True)
class Space:
    """Where everything of the trust space lies. All paths are absolute texts; keys have mode 0600.

    `gateway` is our own operator certificate, `operator` that of a listed foreign one, `patient_operator` that of
    the patients' operator where it is not us; `app` belongs to an applicative mailbox whose registered DN is
    `app_dn`. `refused` holds certificates that must be turned
    away: `revoked` and `expired` (their DNs are listed), `unlisted`, `foreign-ca`, `self-signed`, `wrong-usage`.
    """

    folder: str
    ca: str
    crls: str
    trusted_list: str
    list_signer: str
    hosted_domain: str
    patient_domain: str
    gateway: Credential
    operator: Credential
    app: Credential
    app_dn: str
    refused: dict[str, Credential]
    patient_operator: Credential = NOBODY


def make_space(
    state: Path,
    *,
    hosted_domain: str = HOSTED,
    patient_domain: str = PATIENTS,
    operator_domain: str = OPERATOR,
    app_address: str = APP_ADDRESS,
    patient_operator: str = "",
    now: datetime | None = None,
) -> Space:
    """Make the trust space below `state`, or take up the one there; the list is signed anew when it ages.

    `patient_operator` is the technical domain of the patients' operator; without one the patients are ours. A space
    of other domains, of an older form, or near the end of its certificates is made again.
    """
    at = now or datetime.now(UTC)
    folder = (state / "trust-space").absolute()
    wanted = [hosted_domain, patient_domain, operator_domain, app_address, patient_operator]
    found = _taken_up(folder, wanted, at)
    if found is None:
        (folder / _MARK).unlink(missing_ok=True)  # a half-made space is not taken up
        found = _made(folder, hosted_domain, patient_domain, operator_domain, app_address, patient_operator)
        mark = {
            "form": _FORM,
            "wanted": wanted,
            "until": (at + LIFE - timedelta(days=1)).timestamp(),
            "space": asdict(found),
        }
        _sign(found)
        _write(folder / _MARK, json.dumps(mark, ensure_ascii=False).encode())
    path = Path(found.trusted_list)
    if not path.exists() or at.timestamp() - path.stat().st_mtime > LIST_LIFE.total_seconds():
        _sign(found)
    return found


def _write(path: Path, data: bytes, *, private: bool = False) -> str:
    from mss_gateway.dev.pki import write_file

    return str(write_file(path, data, private=private))


def _taken_up(folder: Path, wanted: list[str], now: datetime) -> Space | None:
    try:
        mark: dict[str, Any] = json.loads((folder / _MARK).read_bytes())
        if mark["form"] != _FORM or mark["wanted"] != wanted or mark["until"] < now.timestamp():
            return None
        data = mark["space"]
        for name in ("gateway", "operator", "app", "patient_operator"):
            data[name] = Credential(**data[name])
        data["refused"] = {name: Credential(**item) for name, item in data["refused"].items()}
        space = Space(**data)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    others = () if space.patient_operator == NOBODY else (space.patient_operator,)
    pairs = (space.gateway, space.operator, space.app, *others, *space.refused.values())
    files = [space.ca, space.crls, *(one.cert for one in pairs), *(one.key for one in pairs)]
    moved = space.folder != str(folder)
    return None if moved or not all(Path(name).is_file() for name in files) else space


def _made(
    folder: Path, hosted: str, patients: str, operator: str, app_address: str, patient_operator: str
) -> Space:
    from mss_gateway.dev import pki
    from mss_gateway.dev.listing import SIGNER, new_signer

    space = pki.new_pki()
    stranger = pki.new_pki(label="ETRANGERE")
    issuer = space.organisations
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)

    def keep(name: str, issued: pki.Issued, *, domain: str = "", address: str = "") -> Credential:
        cert, key = issued.write(folder, name)
        return Credential(str(cert), str(key), domain=domain, address=address)

    ours, theirs = _subjects(hosted, operator)
    revoked_domain, expired_domain = f"revoque.{operator}", f"expire.{operator}"
    revoked = issuer.issue(pki.Subject(f"mx.{revoked_domain}"))
    app = pki.Subject(app_address.partition("@")[0], o="CLINIQUE EXEMPLE", ou="1690000019")
    keep("list-signer", new_signer(issuer))
    keep("publisher", issuer.issue(pki.Subject("liste.essai-mssante.fr"), hosts=("localhost", "127.0.0.1")))
    return Space(
        folder=str(folder),
        ca=_write(folder / "ca.pem", space.ca_pem),
        crls=_write(
            folder / "crls.pem",
            issuer.crl([revoked], next_update=datetime.now(UTC) + LIFE)
            + space.root.crl(next_update=datetime.now(UTC) + LIFE),
        ),
        trusted_list=str(folder / "liste-blanche.xml"),
        list_signer=SIGNER.listed(),
        hosted_domain=hosted,
        patient_domain=patients,
        gateway=keep("gateway", issuer.issue(ours, hosts=("localhost", "127.0.0.1", "::1", f"mx.{hosted}"))),
        operator=keep("operator", issuer.issue(theirs), domain=operator),
        app=keep("app", issuer.issue(app, hosts=(app_address,), usages=pki.CLIENT_ONLY), address=app_address),
        app_dn=app.listed(),
        refused={
            "revoked": keep("revoked", revoked, domain=revoked_domain),
            "expired": keep(
                "expired", issuer.expired(pki.Subject(f"mx.{expired_domain}")), domain=expired_domain
            ),
            "unlisted": keep("unlisted", issuer.issue(pki.Subject("mx.inconnu-exemple.fr")), domain=operator),
            "foreign-ca": keep("foreign-ca", stranger.organisations.issue(theirs), domain=operator),
            "self-signed": keep("self-signed", pki.self_signed(theirs), domain=operator),
            "wrong-usage": keep("wrong-usage", issuer.issue(theirs, usages=pki.EMAIL_ONLY), domain=operator),
        },
        patient_operator=keep(
            "patient-operator", issuer.issue(_patients_subject(patient_operator)), domain=patient_operator
        )
        if patient_operator
        else NOBODY,
    )


def _subjects(hosted: str, operator: str) -> tuple[Any, Any]:
    from mss_gateway.dev.pki import Subject

    ours = Subject(f"mx.{hosted}", o="PASSERELLE ESSAI")
    theirs = Subject(f"mx.{operator}", ou="1750000018", o="HOPITAL VOISIN", st="Paris (75)")
    return ours, theirs


def _patients_subject(domain: str) -> Any:
    from mss_gateway.dev.pki import Subject

    return Subject(f"mx.{domain}", ou="300000000000035", o="OPERATEUR PATIENTS ESSAI", st="Paris (75)")


def _sign(space: Space) -> None:
    """Sign the list: our domains, the patients', the neighbour's, each under its operator's DN, and two of bad ones."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from mss_gateway.dev import pki
    from mss_gateway.dev.listing import Entry, signed_list

    folder = Path(space.folder)
    key = load_pem_private_key((folder / "list-signer.key").read_bytes(), None)
    certificate = x509.load_pem_x509_certificates((folder / "list-signer.pem").read_bytes())[0]
    assert isinstance(key, pki.PrivateKey)
    ours, theirs = _subjects(space.hosted_domain, space.operator.domain)
    patients = _patients_subject(space.patient_operator.domain) if space.patient_operator != NOBODY else ours
    entries = [
        Entry(space.hosted_domain, ours.listed()),
        Entry(space.patient_domain, patients.listed(), description="Messagerie des usagers (essai)"),
        Entry(space.operator.domain, theirs.listed()),
        Entry(OTHER, theirs.listed()),
        Entry(OTHER, ours.listed(), description="Le même domaine, chez un second opérateur"),
    ]
    if space.patient_operator != NOBODY:
        entries.append(Entry(space.patient_operator.domain, patients.listed()))
    for name in ("revoked", "expired"):
        domain = space.refused[name].domain
        entries.append(Entry(domain, pki.Subject(f"mx.{domain}").listed()))
    _write(Path(space.trusted_list), signed_list(entries, pki.Issued(certificate, key)))
