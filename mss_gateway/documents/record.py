"""What an archive says, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .oids import INS_C, INS_OIDS

_INS = re.compile(r"[0-9]{6}[0-9A-Z][0-9]{6}(?:[0-9]{2})?\Z")
_MAX_ID = 64


@dataclass(frozen=True, slots=True)
class PatientId:
    """One identifier of a patient: `value` in upper case as written, `root` the OID of who gave it."""

    value: str = field(repr=False)
    root: str

    @property
    def is_ins(self) -> bool:
        """True when its OID is one of an INS; under the old OID of INS-C only when it looks like one."""
        return self.root in INS_OIDS and (self.root != INS_C or looks_like_ins(self.value))


def patient_id(value: str, root: str) -> PatientId:
    """An identifier as compared later: no blanks, upper case, and never longer than any real one."""
    return PatientId("".join(value.split()).upper()[:_MAX_ID], root.strip().removeprefix("urn:oid:"))


def looks_like_ins(value: str) -> bool:
    """True for 13 characters of a matricule, with or without its key."""
    return _INS.match(value) is not None


@dataclass(frozen=True, slots=True)
class Traits:
    """Traits of a patient as a document tells them; empty where it tells nothing. Dates are `YYYYMMDD…`."""

    family: str = field(default="", repr=False)
    given: tuple[str, ...] = field(default=(), repr=False)
    sex: str = field(default="", repr=False)
    born: str = field(default="", repr=False)
    place: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value with the OID of its code system and its label."""

    code: str = ""
    system: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Cda:
    """The header of one CDA R2. `level` is `N1` (a file inside), `N3` (structured) or empty (no body).

    `patients` are all identifiers of every recordTarget; `named` tells that one of the first recordTarget is an INS.
    `media_type` and `inside` are those of the file in a N1 body, still in base64; `inside` only when it was asked for.
    """

    patients: tuple[PatientId, ...] = ()
    named: bool = False
    traits: Traits = Traits()
    code: Code = Code()
    title: str = ""
    unique_id: str = ""
    created: str = ""
    confidentiality: tuple[Code, ...] = ()
    level: str = ""
    media_type: str = ""
    inside: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Described:
    """One document as METADATA.XML describes it; `hash` is in lower case, `size` in octets as written."""

    uri: str
    folder: str
    hash: str = ""
    size: str = ""
    patients: tuple[PatientId, ...] = ()
    source_patients: tuple[PatientId, ...] = ()
    source_traits: Traits = Traits()
    type: Code = Code()
    document_class: Code = Code()
    format: Code = Code()
    confidentiality: tuple[Code, ...] = ()
    title: str = ""
    created: str = ""
    media_type: str = ""
    unique_id: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of an archive: its description, its path in the archive, and its CDA header when it is one.

    `problem` is empty or a slug of `problems.PROBLEMS`.
    """

    described: Described
    path: str
    cda: Cda | None = None
    size: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """One IHE_XDM archive as read. `problem` is empty when it can be trusted, else the first slug found.

    `where` is the file in question and may hold an INS: mask it before it is shown. `patients` are all identifiers
    of patients in METADATA.XML, of documents and of submission sets. `files` are the paths of all files.
    """

    problem: str = ""
    where: str = field(default="", repr=False)
    documents: tuple[Document, ...] = ()
    patients: tuple[PatientId, ...] = ()
    files: tuple[str, ...] = field(default=(), repr=False)
