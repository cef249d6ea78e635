"""The message around a document: subject, names, X-MSS fields, parts (ECO.2.1.3, ECO.2.1.6; domain 10)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from mss_gateway.base.errors import InvalidValue
from mss_gateway.documents.archive import read_archive
from mss_gateway.documents.building import build_archive
from mss_gateway.documents.companions import SECTIONS
from mss_gateway.documents.letter import build_message
from mss_gateway.mail.words import decode_words
from mss_gateway.rules.facts import Realm
from tests.support.xdm import INS, MARKS, METADATA, PDF, REQUEST, built, unpack

pytestmark = pytest.mark.req("INS-6")


def letter(**changes: Any) -> EmailMessage:
    """The sample message as the standard library reads it."""
    message = message_from_bytes(build_message(built(**changes)), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def person(**changes: Any) -> Any:
    """The sample patient with some traits changed."""
    return replace(REQUEST.subject, **changes)


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({}, "XDM/1.0/DDM+CR d'imagerie médicale PAT-TROIS DOMINIQUE 28/03/1979"),
        (
            {"type_code": "34112-3", "subject": person(family="Lefèvre-Œuvrard", given=("Zoé", "Anaïs"))},
            "XDM/1.0/DDM+CR hospitalier (séjour) LEFEVRE-OEUVRARD Zoe 28/03/1979",
        ),
        (
            {"type_code": "11490-0"},
            "XDM/1.0/DDM+Lettre de liaison à la sortie d'un établ PAT-TROIS DOMINIQUE 28/03/1979",
        ),
        ({"subject": person(born=None)}, "XDM/1.0/DDM+CR d'imagerie médicale PAT-TROIS DOMINIQUE"),
        (
            {"subject": person(family="A\r\nBcc: x@y")},
            "XDM/1.0/DDM+CR d'imagerie médicale A BCC: X@Y DOMINIQUE 28/03/1979",
        ),
    ],
)
def test_the_subject_line(changes: dict[str, Any], subject: str) -> None:
    """Label cut to 40 characters, NOM without accents in upper case, date of birth when known."""
    made = built(**changes)
    assert made.subject == subject
    raw = re.search(rb"(?m)^Subject: ([^\r]*(?:\r\n[ \t][^\r]*)*)", build_message(made))
    assert raw is not None
    assert decode_words(raw[1].replace(b"\r\n", b"")) == subject
    assert letter(**changes)["Bcc"] is None


def test_the_name_of_the_pdf() -> None:
    """`<date>_<type>_<NOM>_<prenom>_<numéro>.pdf`, as programs read it."""
    parts = list(letter(file_number="D-17").iter_attachments())
    assert parts[0].get_filename() == "20260920_CR d'imagerie médicale_PAT-TROIS_DOMINIQUE_D-17.pdf"
    assert built(type_code="28653-4").pdf_name == (
        "20260920_Document du secteur social médico-social_PAT-TROIS_DOMINIQUE.pdf"
    )


def test_the_parts_of_the_message() -> None:
    """A French text in UTF-8, the PDF, and the archive under its own name."""
    message = letter()
    body = message.get_body()
    assert body is not None
    assert body.get_content_charset() == "utf-8"
    assert "Échographie du genou" in body.get_content()
    pdf, archive = message.iter_attachments()
    assert pdf.get_content() == PDF
    assert archive["Content-Type"].replace("\n", "") == 'application/zip; name="IHE_XDM.zip"'
    assert archive.get_filename() == "IHE_XDM.zip"
    assert archive.get_content() == built().archive
    assert message.defects == []


def test_the_fields_of_mssante() -> None:
    """X-MSS-CODECDA, -INS, -NIL always; -MES, Reply-To and the receipt when asked."""
    message = letter()
    assert (message["X-MSS-CODECDA"], message["X-MSS-INS"], message["X-MSS-NIL"]) == ("18748-4", "O", "3734")
    assert message["X-MSS-MES"] is None
    assert message["Reply-To"] is None
    assert message["Disposition-Notification-To"] is None
    asked = letter(closing=True, receipt=True, reply_to="secretariat@clinique-exemple.mssante.fr")
    assert asked["X-MSS-MES"] == "FIN"
    assert asked["Reply-To"] == "secretariat@clinique-exemple.mssante.fr"
    assert asked["Disposition-Notification-To"] == f"<{REQUEST.sender}>"


@pytest.mark.parametrize("missing", [{"sex": ""}, {"sex": "U"}, {"born": None}])
def test_the_ins_is_declared_only_with_four_traits(missing: dict[str, Any]) -> None:
    """`O` needs INS, OID, birth name, given name, date and sex (domain 10.2)."""
    assert letter(subject=person(**missing))["X-MSS-INS"] == "N"
    assert letter(subject=person(place=""))["X-MSS-INS"] == "O"


def test_equal_arguments_give_equal_octets() -> None:
    """No clock, no dice."""
    assert build_message(built()) == build_message(built())
    later = replace(MARKS, at=MARKS.at + 60)
    assert build_archive(REQUEST, later).archive != built().archive


def test_every_line_fits_smtp_and_ends_in_crlf() -> None:
    """No bare line feed, no line over 998 octets (RFC 5322)."""
    octets = build_message(built(title="Très long titre " * 120))
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", octets)
    assert max(map(len, octets.split(b"\r\n"))) <= 998


def test_the_boundary_is_in_no_part() -> None:
    """A boundary that a text happens to hold is lengthened."""
    message = message_from_bytes(
        build_message(build_archive(replace(REQUEST, title="--limite"), replace(MARKS, boundary="limite"))),
        policy=policy.default,
    )
    assert len(list(message.iter_parts())) == 3  # type: ignore[attr-defined]


def test_the_companions_of_the_archive() -> None:
    """README.TXT has its four sections, INDEX.HTM leads to the document."""
    files = unpack(built(title="<script>alert(1)</script>").archive)
    readme = files["README.TXT"].decode()
    assert [readme.index(f"{title}\r\n-") for title in SECTIONS] == sorted(
        readme.index(f"{title}\r\n-") for title in SECTIONS
    )
    index = files["INDEX.HTM"].decode()
    assert 'href="IHE_XDM/SUBSET01/DOC0001.XML"' in index
    assert "<script" not in index


def test_the_metadata_says_what_the_request_says() -> None:
    """Title, class, format, source patient, author."""
    subject = person(ipp="800123", ipp_root="1.2.250.1.999.1")
    (document,) = read_archive(built(subject=subject).archive).documents
    told = document.described
    assert told.title == "Échographie du genou"
    assert (told.document_class.code, told.document_class.label) == ("31", "Imagerie médicale")
    assert told.format.code == "urn:ihe:iti:xds-sd:pdf:2008"
    assert [one.value for one in told.source_patients] == ["800123"]
    assert (told.source_traits.family, told.source_traits.born) == ("PAT-TROIS", "19790328")
    assert told.author == "EXEMPLE Jean"
    assert told.created == "20260921141320"
    assert told.unique_id == "2.25.1"
    assert document.cda is not None
    assert [one.value for one in document.cda.patients] == [INS, "800123"]
    assert b"279035121518989^^^&amp;1.2.250.1.213.1.4.10&amp;ISO^NH" in unpack(built().archive)[METADATA]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nil": ""}, "document-nil"),
        ({"nil": "a\r\nb"}, "document-nil"),
        ({"pdf": b"PK"}, "document-pdf"),
        ({"type_code": "0000-0"}, "document-type"),
        ({"title": " \n"}, "document-title"),
        ({"file_number": "a/b"}, "document-file-number"),
        ({"subject": person(ins="12")}, "ins-length"),
        ({"subject": person(ins="279035121518901"), "realm": Realm.PRODUCTION}, "ins-key"),
        ({"subject": person(oid="1.2.3")}, "document-oid"),
        ({"subject": person(family=" ")}, "document-name"),
        ({"subject": person(given=())}, "document-name"),
        ({"subject": person(sex="X")}, "document-sex"),
        ({"subject": person(ipp="12")}, "document-ipp"),
        ({"author": replace(REQUEST.author, national_id="1")}, "national-id"),
        ({"author": replace(REQUEST.author, structure=" ")}, "document-author"),
        ({"author": replace(REQUEST.author, sector="XX")}, "document-sector"),
    ],
)
def test_a_request_that_cannot_be_built_says_why(changes: dict[str, Any], reason: str) -> None:
    """Loudly, and without the INS."""
    with pytest.raises(InvalidValue) as caught:
        built(**changes)
    assert caught.value.reason == reason
    assert INS[:13] not in caught.value.public


@pytest.mark.parametrize("field", ["sender", "recipient", "reply_to"])
def test_an_address_that_is_none_is_refused(field: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidValue):
        build_message(built(**{field: "nobody"}))


def test_no_repr_shows_the_patient() -> None:
    """What a log could print by accident (INS-7)."""
    made = built()
    shown = repr((made, made.checked.request, read_archive(made.archive)))
    assert INS not in shown
    assert "PAT-TROIS" not in shown
    assert date(1979, 3, 28).isoformat() not in shown
