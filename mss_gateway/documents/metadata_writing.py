"""METADATA.XML of a submission set with one document: ebRIM 3.0 (domain 16.2)."""

from __future__ import annotations

from hashlib import sha1
from itertools import count

from .cda_writing import NORMAL
from .metadata import SCHEMES
from .oids import CLASSES, FORMATS, PROFESSIONAL, STRUCTURE
from .record import Code
from .request import Author, Checked, Marks
from .xmlwriting import cx, moment, part, quoted, uid

FORMAT = Code("urn:ihe:iti:xds-sd:pdf:2008", FORMATS, "Document à corps non structuré en PDF")
"""The format code of a CDA with a PDF inside."""

_DOCUMENT, _SET = "Document01", "SubmissionSet01"
_ASSOCIATION = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"


def write_metadata(checked: Checked, marks: Marks, cda: bytes, uri: str) -> bytes:
    """The whole file in UTF-8, about the CDA in the file `uri` beside it."""
    numbers = count(1)
    body = _document(checked, marks, cda, uri, numbers) + _submission(checked, marks, numbers)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"'
        ' xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">\n<RegistryObjectList>\n'
        f"{body}</RegistryObjectList>\n</lcm:SubmitObjectsRequest>\n"
    ).encode()


def _document(checked: Checked, marks: Marks, cda: bytes, uri: str, numbers: count[int]) -> str:
    request = checked.request
    codes = (
        ("type", Code(checked.type.code, checked.type.system, checked.type.label)),
        ("class", Code(checked.type.class_code, CLASSES, checked.type.class_label)),
        ("format", FORMAT),
        ("confidentiality", NORMAL),
        ("facility", checked.sector),
        ("practice", checked.practice),
    )
    return (
        f'<ExtrinsicObject id="{_DOCUMENT}" mimeType="text/xml" objectType="urn:uuid:{SCHEMES["document"]}"'
        ' status="urn:oasis:names:tc:ebxml-regrep:StatusType:Approved">\n'
        + slot("creationTime", moment(marks.at))
        + slot("hash", sha1(cda, usedforsecurity=False).hexdigest())
        + slot("languageCode", "fr-FR")
        + slot("legalAuthenticator", person(request.author))
        + slot("serviceStartTime", f"{request.written:%Y%m%d}")
        + slot("size", str(len(cda)))
        + slot("sourcePatientId", _source_patient(checked))
        + slot("sourcePatientInfo", *_patient_info(checked))
        + slot("URI", uri)
        + _localized("Name", request.title)
        + _author("author", _DOCUMENT, request.author, numbers)
        + "".join(_classified(scheme, _DOCUMENT, code, numbers) for scheme, code in codes)
        + _external("patient", _DOCUMENT, _patient(checked), "XDSDocumentEntry.patientId", numbers)
        + _external("unique", _DOCUMENT, uid(marks.document), "XDSDocumentEntry.uniqueId", numbers)
        + "</ExtrinsicObject>\n"
    )


def _submission(checked: Checked, marks: Marks, numbers: count[int]) -> str:
    source = marks.source or uid(marks.submission)
    content = Code(checked.type.class_code, CLASSES, checked.type.class_label)
    return (
        f'<RegistryPackage id="{_SET}">\n'
        + slot("submissionTime", moment(marks.at))
        + _localized("Name", checked.request.title)
        + _author("set-author", _SET, checked.request.author, numbers)
        + _classified("set-content", _SET, content, numbers)
        + _external("set-patient", _SET, _patient(checked), "XDSSubmissionSet.patientId", numbers)
        + _external("set-source", _SET, source, "XDSSubmissionSet.sourceId", numbers)
        + _external("set-unique", _SET, uid(marks.submission), "XDSSubmissionSet.uniqueId", numbers)
        + "</RegistryPackage>\n"
        f'<Classification id="id{next(numbers):02}" classifiedObject="{_SET}"'
        f' classificationNode="urn:uuid:{SCHEMES["set"]}"/>\n'
        f'<Association id="id{next(numbers):02}" associationType="{_ASSOCIATION}" sourceObject="{_SET}"'
        f' targetObject="{_DOCUMENT}">\n{slot("SubmissionSetStatus", "Original")}</Association>\n'
    )


def slot(name: str, *values: str) -> str:
    """A slot with its values."""
    listed = "".join(f"<Value>{quoted(value)}</Value>" for value in values)
    return f'<Slot name="{name}"><ValueList>{listed}</ValueList></Slot>\n'


def person(author: Author) -> str:
    """A professional as XCN: id, name, first name, who gave the id."""
    return f"{part(author.national_id)}^{part(author.family)}^{part(author.given)}^^^^^^&{PROFESSIONAL}&ISO^D^^^IDNPS"


def _structure(author: Author) -> str:
    return f"{part(author.structure)}^^^^^&{STRUCTURE}&ISO^IDNST^^^{part(author.structure_id)}"


def _patient(checked: Checked) -> str:
    return cx(checked.request.subject.ins.upper(), checked.ins_oid, "NH")


def _source_patient(checked: Checked) -> str:
    subject = checked.request.subject
    return cx(subject.ipp, subject.ipp_root, "PI") if subject.ipp else _patient(checked)


def _patient_info(checked: Checked) -> list[str]:
    subject = checked.request.subject
    given = " ".join(map(part, subject.given[1:]))
    lines = [f"PID-5|{part(subject.family)}^{part(subject.given[0])}^{given}^^^^L"]
    if subject.born is not None:
        lines.append(f"PID-7|{subject.born:%Y%m%d}")
    if subject.sex:
        lines.append(f"PID-8|{subject.sex}")
    return lines


def _localized(element: str, text: str) -> str:
    return f'<{element}><LocalizedString xml:lang="fr-FR" value="{quoted(text)}"/></{element}>\n'


def _author(scheme: str, owner: str, author: Author, numbers: count[int]) -> str:
    return (
        f'<Classification id="id{next(numbers):02}" classificationScheme="urn:uuid:{SCHEMES[scheme]}"'
        f' classifiedObject="{owner}" nodeRepresentation="">\n'
        + slot("authorInstitution", _structure(author))
        + slot("authorPerson", person(author))
        + "</Classification>\n"
    )


def _classified(scheme: str, owner: str, code: Code, numbers: count[int]) -> str:
    return (
        f'<Classification id="id{next(numbers):02}" classificationScheme="urn:uuid:{SCHEMES[scheme]}"'
        f' classifiedObject="{owner}" nodeRepresentation="{quoted(code.code)}">\n'
        + slot("codingScheme", code.system)
        + _localized("Name", code.label)
        + "</Classification>\n"
    )


def _external(scheme: str, owner: str, value: str, name: str, numbers: count[int]) -> str:
    return (
        f'<ExternalIdentifier id="id{next(numbers):02}" identificationScheme="urn:uuid:{SCHEMES[scheme]}"'
        f' registryObject="{owner}" value="{quoted(value)}">\n{_localized("Name", name)}</ExternalIdentifier>\n'
    )
