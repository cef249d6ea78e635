"""Explains every archive of a message: what it holds, and a verdict for each check (INS-6, domain 10, 16)."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import getaddresses

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules.attachments import is_archive
from mss_gateway.rules.facts import ArchiveFacts, Attachment
from mss_gateway.rules.ins import mask, mask_text, parse_ins

from .archive import archive_facts, read_archive
from .nomenclature import find_type
from .oids import INS_OIDS
from .problems import PROBLEMS
from .record import Archive, Code, Document, PatientId, looks_like_ins

GOOD, WARNING, BAD = "good", "warning", "problem"
"""Verdicts of a check; only the last one makes a message bad."""

_UNREADABLE = (ValueError, LookupError, AttributeError, TypeError, AssertionError, MessageError)
# what the standard library's parser raises on some malformed fields


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a stable name, its verdict, and one sentence without an INS."""

    name: str
    verdict: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"check": self.name, "verdict": self.verdict, "text": self.text}


def explain_message(octets: bytes) -> dict[str, object]:
    """`good`, `checks` of the message, and `archives` with their documents and checks; INS masked throughout."""
    message = message_from_bytes(octets, policy=policy.default.clone(raise_on_defect=False))
    assert isinstance(message, EmailMessage)
    files = list(_files(message))
    found = [read_archive(content, inside=True) for attachment, content in files if is_archive(attachment)]
    pdfs = [
        content
        for attachment, content in files
        if content.startswith(b"%PDF-") and not is_archive(attachment)
    ]
    patients = _patients(message)
    archives: list[dict[str, object]] = []
    all_good = bool(found)
    for archive in found:
        checks = [*archive_checks(archive, patients), *_pdf_checks(archive, pdfs)]
        all_good = all_good and all(check.verdict != BAD for check in checks)
        archives.append(
            {
                "problem": archive.problem,
                "documents": [_document(one) for one in archive.documents],
                "files": [mask_text(name) for name in archive.files],
                "checks": [check.as_dict() for check in checks],
            }
        )
    checks = list(_header_checks(message, found))
    all_good = all_good and all(check.verdict != BAD for check in checks)
    return {"good": all_good, "checks": [check.as_dict() for check in checks], "archives": archives}


def archive_checks(archive: Archive, patients: frozenset[str]) -> Iterator[Check]:
    """The checks of INS-6 on one archive; `patients` are the INS of the patients that the message goes to."""
    if archive.problem:
        where = f" ({mask_text(archive.where)})" if archive.where else ""
        yield Check(archive.problem, BAD, PROBLEMS[archive.problem] + where)
        return
    yield Check("xdm-files", GOOD, f"{len(archive.documents)} documents: there, with the size and hash told")
    yield from _identity_checks(archive_facts(archive), patients)
    for document in archive.documents:
        code = document.cda.code.code if document.cda is not None else document.described.type.code
        if document.cda is not None and document.described.type.code != code:
            yield Check(
                "type-differs", WARNING, f"{document.path}: METADATA.XML and CDA name different types"
            )
        if find_type(code) is None:
            yield Check("type-unknown", WARNING, f"{document.path}: the type is not in the nomenclature here")


def _identity_checks(facts: ArchiveFacts, patients: frozenset[str]) -> Iterator[Check]:
    matricules = {ins[:13] for ins in facts.metadata | facts.cda}
    if facts.unnamed or not facts.metadata:
        yield Check("xdm-no-ins", BAD, "a document names no patient by INS")
        return
    if len(matricules) > 1:
        yield Check("xdm-two-patients", BAD, "the documents speak of more than one patient")
        return
    yield Check("xdm-patient", GOOD, "METADATA.XML and every CDA name one patient")
    if len(patients) > 1:
        yield Check("xdm-several-recipients", BAD, "the message goes to more than one patient")
    elif patients:
        (wanted,) = patients
        for slug, name, said in (
            ("xdm-metadata-mismatch", "METADATA.XML", facts.metadata),
            ("xdm-cda-mismatch", "a CDA", facts.cda),
        ):
            if any(ins not in (wanted, wanted[:13]) for ins in said):
                yield Check(slug, BAD, f"{name} names somebody else than the recipient")
                return
        yield Check("xdm-recipient", GOOD, "the patient is the recipient")


def _pdf_checks(archive: Archive, pdfs: list[bytes]) -> Iterator[Check]:
    """A PDF beside the archive should be one of those inside."""
    inside = [content for one in archive.documents if (content := _inside(one)) is not None]
    if pdfs and inside:
        if all(one in pdfs for one in inside):
            yield Check("pdf-same", GOOD, "the PDF attached is the one inside the archive")
        else:
            yield Check("pdf-differs", WARNING, "the PDF attached is not the one inside the archive")


def _inside(document: Document) -> bytes | None:
    if document.cda is None or document.cda.media_type != "application/pdf":
        return None
    try:
        return binascii.a2b_base64(document.cda.inside)
    except (binascii.Error, ValueError):
        return None


def _header_checks(message: EmailMessage, found: list[Archive]) -> Iterator[Check]:
    if not found:
        yield Check("no-archive", BAD, "the message has no IHE_XDM archive")
        return
    if _field(message, "Subject").startswith("XDM/1.0/DDM"):
        yield Check("subject", GOOD, "the subject begins with XDM/1.0/DDM")
    else:
        yield Check("subject", WARNING, "the subject does not begin with XDM/1.0/DDM (ECO.2.1.3)")
    codes = [one.cda.code.code for archive in found for one in archive.documents if one.cda is not None]
    told = [code.strip() for code in _field(message, "X-MSS-CODECDA").split(",") if code.strip()]
    if codes and sorted(codes) != sorted(told):
        yield Check("x-mss-codecda", WARNING, "X-MSS-CODECDA does not name the types of the documents")
    if codes and _field(message, "X-MSS-INS") not in ("O", "N"):
        yield Check("x-mss-ins", WARNING, "X-MSS-INS is neither O nor N")
    if not _field(message, "X-MSS-NIL"):
        yield Check("x-mss-nil", WARNING, "X-MSS-NIL is missing")


def _field(message: EmailMessage, name: str) -> str:
    """A field's text, empty when it is missing or cannot be parsed."""
    try:
        return str(message.get(name, "")).strip()
    except _UNREADABLE:
        return ""


def _files(message: EmailMessage) -> Iterator[tuple[Attachment, bytes]]:
    for part in message.walk():
        if part.is_multipart():
            continue
        try:
            name = str(part.get_filename("") or "")
            kind = part.get_content_type().lower()
            content = part.get_payload(decode=True)
        except _UNREADABLE:
            continue
        if isinstance(content, bytes):
            yield Attachment(kind, name.replace("\\", "/").rpartition("/")[2].strip()), content


def _patients(message: EmailMessage) -> frozenset[str]:
    """INS of every recipient of the header whose address is one."""
    found: set[str] = set()
    for _, address in getaddresses([_field(message, name) for name in ("To", "Cc")]):
        try:
            found.add(str(parse_ins(address.partition("@")[0])))
        except InvalidValue:
            continue
    return frozenset(found)


def _document(document: Document) -> dict[str, object]:
    described, cda = document.described, document.cda
    code = cda.code if cda is not None and cda.code.code else described.type
    patients = described.patients + (cda.patients if cda is not None else ())
    return {
        "path": mask_text(document.path),
        "title": mask_text(described.title or (cda.title if cda is not None else "")),
        "type": _coded(code),
        "class": _coded(described.document_class),
        "created": described.created,
        "media_type": described.media_type,
        "size": document.size,
        "level": cda.level if cda is not None else "",
        "author": mask_text(described.author),
        "patients": list(dict.fromkeys(_shown(one) for one in patients if one.is_ins)),
        "problem": document.problem,
    }


def _coded(code: Code) -> str:
    known = find_type(code.code)
    label = code.label or (known.label if known is not None else "")
    return f"{code.code} {label}".strip()


def _shown(patient: PatientId) -> str:
    masked = mask(patient.value) if looks_like_ins(patient.value) else "(no INS)"
    return f"{masked} ({INS_OIDS[patient.root]})"
