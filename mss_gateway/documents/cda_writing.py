"""A CDA R2 of level N1: the header that the CI-SIS asks for, and the PDF as base64 (domain 16.3)."""

from __future__ import annotations

import binascii

from .oids import CONFIDENTIALITY, PROFESSIONAL, SEXES, STRUCTURE, TEMPLATES
from .record import Code
from .request import Author, Checked, Marks
from .xmlwriting import coded, moment, quoted, uid

NORMAL = Code("N", CONFIDENTIALITY, "Normal")
"""The confidentiality of every document built here."""

_SEX_LABELS = {"M": "Masculin", "F": "Féminin", "U": "Inconnu"}


def write_cda(checked: Checked, marks: Marks) -> bytes:
    """The whole document in UTF-8."""
    at = f"{moment(marks.at)}+0000"
    header = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        '<realmCode code="FR"/>\n<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>\n'
        + "".join(f'<templateId root="{root}"/>\n' for root in TEMPLATES)
        + f'<id root="{uid(marks.document)}"/>\n'
        + coded("code", Code(checked.type.code, checked.type.system, checked.type.label))
        + f"\n<title>{quoted(checked.request.title)}</title>\n"
        f'<effectiveTime value="{at}"/>\n{coded("confidentialityCode", NORMAL)}\n<languageCode code="fr-FR"/>\n'
        f'<setId root="{uid(marks.document)}"/>\n<versionNumber value="1"/>\n'
        f"{_patient(checked)}{_signers(checked.request.author, at)}{_care(checked)}"
        '<component><nonXMLBody><text mediaType="application/pdf" representation="B64">'
    )
    footer = "</text></nonXMLBody></component>\n</ClinicalDocument>\n"
    inside = binascii.b2a_base64(checked.request.pdf, newline=False)
    return header.encode() + inside + footer.encode()


def _patient(checked: Checked) -> str:
    subject = checked.request.subject
    ids = f'<id root="{checked.ins_oid}" extension="{quoted(subject.ins.upper())}"/>'
    if subject.ipp:
        ids += f'<id root="{subject.ipp_root}" extension="{quoted(subject.ipp)}"/>'
    names = f"<given>{quoted(' '.join(subject.given))}</given>"
    names += f'<given qualifier="BR">{quoted(subject.given[0])}</given>'
    sex = (
        coded("administrativeGenderCode", Code(subject.sex, SEXES, _SEX_LABELS[subject.sex]))
        if subject.sex
        else '<administrativeGenderCode nullFlavor="UNK"/>'
    )
    born = f'value="{subject.born:%Y%m%d}"' if subject.born else 'nullFlavor="UNK"'
    place = (
        f"<birthplace><place><addr><county>{quoted(subject.place)}</county></addr></place></birthplace>"
        if subject.place
        else ""
    )
    return (
        f'<recordTarget><patientRole>{ids}<addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>'
        f'<patient><name><family qualifier="BR">{quoted(subject.family)}</family>{names}</name>'
        f"{sex}<birthTime {born}/>{place}</patient></patientRole></recordTarget>\n"
    )


def _structure(author: Author) -> str:
    number, name = quoted(author.structure_id), quoted(author.structure)
    return f'<id root="{STRUCTURE}" extension="{number}"/><name>{name}</name>'


def _signers(author: Author, at: str) -> str:
    """Author, custodian and legal authenticator: the professional, for the structure."""
    identity = f'<id root="{PROFESSIONAL}" extension="{quoted(author.national_id)}"/>'
    person = (
        f"<assignedPerson><name><family>{quoted(author.family)}</family><given>{quoted(author.given)}</given></name>"
        "</assignedPerson>"
    )
    structure = _structure(author)
    unasked = '<addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>'
    return (
        f'<author><time value="{at}"/><assignedAuthor>{identity}{unasked}{person}'
        f"<representedOrganization>{structure}</representedOrganization></assignedAuthor></author>\n"
        f"<custodian><assignedCustodian><representedCustodianOrganization>{structure}"
        '<telecom nullFlavor="NASK"/><addr nullFlavor="NASK"/></representedCustodianOrganization>'
        "</assignedCustodian></custodian>\n"
        f'<legalAuthenticator><time value="{at}"/><signatureCode code="S"/><assignedEntity>{identity}{unasked}{person}'
        f"<representedOrganization>{structure}</representedOrganization></assignedEntity></legalAuthenticator>\n"
    )


def _care(checked: Checked) -> str:
    """The act that the document speaks of, and where it took place."""
    author = checked.request.author
    day = f"{checked.request.written:%Y%m%d}"
    identity = f'<id root="{PROFESSIONAL}" extension="{quoted(author.national_id)}"/>'
    structure = _structure(author)
    practice = coded("standardIndustryClassCode", checked.practice)
    return (
        f'<documentationOf><serviceEvent><effectiveTime><low value="{day}"/></effectiveTime>'
        f'<performer typeCode="PRF"><assignedEntity>{identity}<representedOrganization>{structure}{practice}'
        "</representedOrganization></assignedEntity></performer></serviceEvent></documentationOf>\n"
        f'<componentOf><encompassingEncounter><effectiveTime><low value="{day}"/></effectiveTime>'
        f"<location><healthCareFacility>{coded('code', checked.sector)}</healthCareFacility></location>"
        "</encompassingEncounter></componentOf>\n"
    )
