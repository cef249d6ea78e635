"""What a document is built from; every time, id and boundary is an argument (domain 10, 16)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.compose import one_line
from mss_gateway.rules.facts import IdentityStatus, Realm
from mss_gateway.rules.ins import parse_ins
from mss_gateway.rules.national import check_person_id, check_structure_id

from .nomenclature import DocumentType, find_type
from .oids import INS_OID_OF, INS_OIDS
from .record import Code

SECTORS = {
    "SA01": "Etablissement public de santé",
    "SA05": "Centre de santé",
    "SA07": "Cabinet individuel",
}
"""Kinds of structures (TRE_R02) that may be named as where care took place."""

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+\Z")
_SEXES = frozenset({"M", "F", "U", ""})
_FILE_NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}\Z")
_NIL = re.compile(r"[A-Za-z0-9-]{1,20}\Z")


@dataclass(frozen=True, slots=True)
class Subject:
    """The patient: INS of 15 characters with its OID, the strict traits, the status, and a local number (IPP).

    `sex` is `M`, `F`, `U` (unknown) or empty, `place` an INSEE code; `ipp_root` is the OID of who gave the number.
    """

    ins: str = field(repr=False)
    family: str = field(repr=False)
    given: tuple[str, ...] = field(repr=False)
    sex: str = field(default="", repr=False)
    born: date | None = field(default=None, repr=False)
    place: str = field(default="", repr=False)
    status: IdentityStatus = IdentityStatus.QUAL
    oid: str = ""
    ipp: str = field(default="", repr=False)
    ipp_root: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """The professional who signs: name, national id (8 + RPPS, 0 + ADELI), structure with its national id."""

    family: str
    given: str
    national_id: str
    structure: str
    structure_id: str
    sector: str = "SA07"


@dataclass(frozen=True, slots=True)
class Marks:
    """What makes one message unlike every other: time (epoch seconds), ids, boundary (ASCII), Message-ID.

    `source` names the sending system (an OID): empty makes one of the submission's id.
    """

    at: float
    document: UUID
    submission: UUID
    boundary: str
    message_id: str
    offset: int = 0  # minutes east of UTC
    source: str = ""


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One PDF about one patient, from a mailbox to a patient or a professional.

    `nil` is the product reference of X-MSS-NIL; `file_number` the last, optional field of the PDF's name.
    `closing` sets `X-MSS-MES: FIN`, `receipt` asks for a read receipt.
    """

    subject: Subject
    author: Author
    type_code: str
    title: str
    written: date
    pdf: bytes = field(repr=False)
    sender: str
    recipient: str = field(repr=False)
    nil: str
    realm: Realm = Realm.PRODUCTION
    sender_name: str = ""
    file_number: str = field(default="", repr=False)
    reply_to: str = ""
    receipt: bool = False
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that may be built: with its type found, its OID told, its codes complete."""

    request: DocumentRequest
    type: DocumentType
    ins_oid: str

    @property
    def four_traits(self) -> bool:
        """INS, OID and the four traits of X-MSS-INS (domain 10.2)."""
        subject = self.request.subject
        return bool(subject.family and subject.given and subject.sex in ("M", "F") and subject.born)

    @property
    def sector(self) -> Code:
        """Where care took place."""
        code = self.request.author.sector
        return Code(code, "1.2.250.1.71.4.2.4", SECTORS[code])

    @property
    def practice(self) -> Code:
        """The setting of practice (TRE_A01)."""
        ambulatory = self.request.author.sector != "SA01"
        code = ("AMBULATOIRE", "Ambulatoire") if ambulatory else ("ETABLISSEMENT", "Etablissement de santé")
        return Code(code[0], "1.2.250.1.213.1.1.4.9", code[1])


def check_request(request: DocumentRequest) -> Checked:
    """Judge a request before anything is built; raises `InvalidValue` that names the part, never the patient."""
    subject = request.subject
    ins = parse_ins(subject.ins)
    oid = subject.oid or INS_OID_OF[request.realm]
    if oid not in INS_OIDS:
        raise InvalidValue("the OID is none of an INS", "document-oid")
    if not ins.key_holds and oid in (INS_OID_OF[Realm.PRODUCTION], "1.2.250.1.213.1.4.9"):
        raise InvalidValue("the key (last 2 digits) of the INS is wrong", "ins-key")
    if not one_line(subject.family) or not subject.given or not all(map(one_line, subject.given)):
        raise InvalidValue("the birth name and a birth given name are needed", "document-name")
    if subject.sex not in _SEXES:
        raise InvalidValue("the sex is M, F or U", "document-sex")
    if bool(subject.ipp) != bool(subject.ipp_root) or (subject.ipp_root and not _OID.match(subject.ipp_root)):
        raise InvalidValue("a local patient number (IPP) needs the OID of who gave it", "document-ipp")
    found = find_type(request.type_code)
    if found is None:
        raise InvalidValue("there is no such document type: see `document types`", "document-type")
    if not request.pdf.startswith(b"%PDF-"):
        raise InvalidValue("the file is no PDF", "document-pdf")
    if not one_line(request.title):
        raise InvalidValue("the document needs a title", "document-title")
    if not _NIL.match(request.nil):
        raise InvalidValue("the product reference for X-MSS-NIL is missing or malformed", "document-nil")
    if request.file_number and not _FILE_NUMBER.match(request.file_number):
        raise InvalidValue("a file number has letters, digits and hyphens", "document-file-number")
    _check_author(request.author)
    return Checked(request, found, oid)


def _check_author(author: Author) -> None:
    check_person_id(author.national_id)
    check_structure_id(author.structure_id)
    if not one_line(author.family) or not one_line(author.structure):
        raise InvalidValue("the author needs a name and a structure", "document-author")
    if author.sector not in SECTORS:
        raise InvalidValue(f"the sector is one of {', '.join(SECTORS)}", "document-sector")
