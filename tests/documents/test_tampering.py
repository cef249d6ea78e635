"""What is built is accepted with exactly its patient; every single change is refused with its reason (INS-6)."""

from __future__ import annotations

from datetime import date
from hashlib import sha1

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.documents.archive import archive_facts, read_archive, read_facts
from mss_gateway.documents.building import build_archive
from mss_gateway.documents.nomenclature import types
from mss_gateway.documents.request import DocumentRequest, Subject
from mss_gateway.mail.address import parse_address
from mss_gateway.rules.contents import archive as archive_rule
from mss_gateway.rules.facts import (
    ArchiveFacts,
    Caller,
    CallerKind,
    Facts,
    House,
    MessageFacts,
    Party,
    Place,
    Realm,
)
from tests.support.xdm import (
    CDA,
    INS,
    MARKS,
    METADATA,
    OTHER_INS,
    REQUEST,
    built,
    changed,
    described,
    pack,
    unpack,
)

pytestmark = pytest.mark.req("INS-6")
FILES = unpack(built().archive)
ME, OTHER = INS.encode(), OTHER_INS.encode()

names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cn")), min_size=1, max_size=40
).filter(lambda text: bool(text.strip()) and not text.isspace())
published = st.sampled_from(
    ["275126322074974", "180032B02040123", "279035121518989", "285037728417346", "277076322082910"]
)


def verdict(facts: ArchiveFacts, ins: str = INS) -> str:
    """The slug of the rule for a message with this archive to this patient; empty when it passes."""
    message = MessageFacts(archives=(facts,))
    recipient = Party(parse_address(f"{ins}@patient.mssante.fr"), Place.PATIENT_HOSTED)
    caller = Caller(CallerKind.PERSON, "p", "p", "plain")
    refused = archive_rule(Facts(0.0, House(realm=Realm.TEST), caller, None, recipient, message, patients=1))
    return refused.reason if refused else ""


@settings(max_examples=60)
@given(
    st.builds(
        Subject,
        ins=published,
        family=names,
        given=st.lists(names, min_size=1, max_size=3).map(tuple),
        sex=st.sampled_from(["M", "F", "U", ""]),
        born=st.none() | st.dates(date(1900, 1, 1), date(2026, 1, 1)),
        place=st.sampled_from(["", "51215", "2B020", "99100"]),
        ipp=st.sampled_from(["", "8001234"]),
    ),
    st.sampled_from([one.code for one in types()]),
    names,
    st.binary(max_size=3000),
)
def test_what_is_built_is_accepted_with_exactly_its_patient(
    subject: Subject, code: str, title: str, content: bytes
) -> None:
    """Round trip: any patient, type, title and PDF."""
    if subject.ipp:
        subject = Subject(
            **{**{name: getattr(subject, name) for name in Subject.__slots__}, "ipp_root": "1.2.3.4"}
        )
    request = DocumentRequest(
        subject=subject,
        author=REQUEST.author,
        type_code=code,
        title=title,
        written=date(2026, 9, 20),
        pdf=b"%PDF-" + content,
        sender=REQUEST.sender,
        recipient=REQUEST.recipient,
        nil="3734",
        realm=Realm.TEST,
    )
    archive = build_archive(request, MARKS).archive
    assert archive == build_archive(request, MARKS).archive
    read = read_archive(archive)
    facts = archive_facts(read)
    assert facts == ArchiveFacts("", frozenset({subject.ins}), frozenset({subject.ins}), False)
    assert verdict(facts, subject.ins) == ""
    (document,) = read.documents
    assert document.described.type.code == code
    assert document.cda is not None
    assert document.cda.code == document.described.type
    assert document.cda.traits.born == (f"{subject.born:%Y%m%d}" if subject.born else "")
    assert document.cda.level == "N1"


def without(name: str) -> bytes:
    """The archive with one file taken away."""
    return pack({known: content for known, content in FILES.items() if known != name})


def renamed(old: str, new: str) -> bytes:
    """The archive with one file under another name."""
    return pack({new if name == old else name: content for name, content in FILES.items()})


HASH = sha1(FILES[CDA]).hexdigest().encode()
WRONG = HASH[:-1] + (b"0" if HASH[-1:] != b"0" else b"1")
SIZE = str(len(FILES[CDA])).encode()
FAMILY = b"PAT-TROIS</family>"
LOCAL = b'root="1.2.250.1.213.1.4.10" extension="' + ME + b'"'

CHANGES = {
    "a digit of the hash": (changed(FILES, METADATA, (HASH, WRONG)), "xdm-hash"),
    "no hash": (changed(FILES, METADATA, (b'name="hash"', b'name="hush"')), "xdm-hash"),
    "another size": (changed(FILES, METADATA, (b">" + SIZE + b"<", b">1" + SIZE + b"<")), "xdm-size"),
    "no size": (changed(FILES, METADATA, (b'name="size"', b'name="sise"')), "xdm-size"),
    "an octet of the PDF": (changed(FILES, CDA, (b"JVBER", b"JVBES"), honest=False), "xdm-hash"),
    "a longer PDF": (changed(FILES, CDA, (b"JVBER", b"AAAAJVBER"), honest=False), "xdm-size"),
    "a name in the CDA": (changed(FILES, CDA, (FAMILY, b"PAT-DEUXX</family>"), honest=False), "xdm-hash"),
    "another patient in the metadata": (changed(FILES, METADATA, (ME, OTHER)), "xdm-two-patients"),
    "another patient in the CDA": (changed(FILES, CDA, (ME, OTHER)), "xdm-two-patients"),
    "another patient in the CDA, hash untouched": (
        changed(FILES, CDA, (ME, OTHER), honest=False),
        "xdm-hash",
    ),
    "a wrong key in the metadata": (changed(FILES, METADATA, (ME, ME[:13] + b"01")), "xdm-metadata-mismatch"),
    "a wrong key in the CDA": (changed(FILES, CDA, (ME, ME[:13] + b"01")), "xdm-cda-mismatch"),
    "no INS in the metadata": (
        changed(FILES, METADATA, (b"1.2.250.1.213.1.4.10", b"1.2.250.1.213.9.9.99")),
        "xdm-no-ins",
    ),
    "no INS in the CDA": (changed(FILES, CDA, (LOCAL, b'root="1.2.3" extension="12"')), "xdm-no-ins"),
    "a second patient in the CDA": (
        changed(
            FILES,
            CDA,
            (
                b"<author>",
                b"<recordTarget><patientRole><id "
                + LOCAL.replace(ME, OTHER)
                + b"/></patientRole></recordTarget><author>",
            ),
        ),
        "xdm-two-patients",
    ),
    "a second id in the CDA": (
        changed(FILES, CDA, (b"<patientRole>", b"<patientRole><id " + LOCAL.replace(ME, OTHER) + b"/>")),
        "xdm-two-patients",
    ),
    "a second patient of the submission set": (
        changed(
            FILES,
            METADATA,
            (
                b'registryObject="SubmissionSet01" value="' + ME,
                b'registryObject="SubmissionSet01" value="' + OTHER,
            ),
        ),
        "xdm-two-patients",
    ),
    "the CDA renamed": (renamed(CDA, "IHE_XDM/SUBSET01/DOC0002.XML"), "xdm-missing-document"),
    "the CDA dropped": (without(CDA), "xdm-missing-document"),
    "another URI": (changed(FILES, METADATA, (b"DOC0001.XML", b"DOC0002.XML")), "xdm-missing-document"),
    "no URI": (changed(FILES, METADATA, (b"DOC0001.XML", b"")), "xdm-missing-document"),
    "an URI that climbs": (
        changed(FILES, METADATA, (b"DOC0001.XML", b"../DOC0001.XML")),
        "xdm-missing-document",
    ),
    "the metadata dropped": (without(METADATA), "xdm-no-metadata"),
    "the metadata renamed": (renamed(METADATA, "IHE_XDM/METADATA.XML"), "xdm-no-metadata"),
    "a document more": (pack({**FILES, "IHE_XDM/SUBSET01/DOC0002.XML": FILES[CDA]}), "xdm-unnamed-file"),
    "a program": (pack({**FILES, "SETUP.EXE": b"MZ"}), "xdm-unnamed-file"),
    "an archive more": (pack({**FILES, "MORE.ZIP": b"x"}), "xdm-nested"),
    "the metadata cut": (pack({**FILES, METADATA: FILES[METADATA][:-9]}), "xdm-malformed-metadata"),
    "no metadata at all in it": (pack({**FILES, METADATA: b"<a/>"}), "xdm-malformed-metadata"),
    "a hash given twice": (
        changed(
            FILES,
            METADATA,
            (
                b'<Slot name="hash">',
                b'<Slot name="HASH"><ValueList><Value>'
                + WRONG
                + b'</Value></ValueList></Slot><Slot name="hash">',
            ),
        ),
        "xdm-malformed-metadata",
    ),
    "another root in the CDA": (
        changed(FILES, CDA, (b"ClinicalDocument", b"OtherDocument")),
        "xdm-malformed-cda",
    ),
    "another namespace of the CDA": (
        changed(FILES, CDA, (b"urn:hl7-org:v3", b"urn:other")),
        "xdm-malformed-cda",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_single_change_is_refused_with_its_reason(change: str) -> None:
    """One thing changed, everything else as built."""
    data, expected = CHANGES[change]
    assert verdict(read_facts(data)) == expected


def test_another_recipient_is_refused() -> None:
    """The archive is good, the message goes to somebody else."""
    facts = read_facts(built().archive)
    assert verdict(facts) == ""
    assert verdict(facts, OTHER_INS) == "xdm-metadata-mismatch"


def test_the_named_document_twice_is_refused() -> None:
    """Two descriptions of one file."""
    start, end = FILES[METADATA].index(b"<ExtrinsicObject"), FILES[METADATA].index(b"<RegistryPackage")
    again = FILES[METADATA][start:end]
    twice = FILES[METADATA].replace(again, again + again.replace(b"Document01", b"Document02"))
    assert read_facts(pack({**FILES, METADATA: twice})).problem == "xdm-duplicate"


def test_companions_need_no_description() -> None:
    """Style sheets and files for people."""
    more = {
        "CDA.XSL": b"<xsl/>",
        "IHE_XDM/SUBSET01/STYLE.XSL": b"<xsl/>",
        "NOTICE.PDF": b"%PDF-1.4",
        "A.PNG": b"x",
    }
    assert read_facts(pack({**FILES, **more})).problem == ""


def test_a_matricule_without_its_key_names_the_patient() -> None:
    """Thirteen characters in the CDA are the patient still."""
    data = changed(FILES, CDA, (b'extension="' + ME, b'extension="' + ME[:13]))
    assert verdict(read_facts(data)) == ""


def test_several_sets_and_documents_are_all_read() -> None:
    """Each SUBSETnn has its own METADATA.XML; one other patient among them is found."""
    second = {
        name.replace("SUBSET01", "SUBSET02"): content for name, content in FILES.items() if "SUBSET" in name
    }
    read = read_archive(pack({**FILES, **second}))
    assert (read.problem, len(read.documents)) == ("", 2)
    other_cda = second[CDA.replace("1/", "2/")].replace(ME, OTHER)
    second[CDA.replace("1/", "2/")] = other_cda
    second[METADATA.replace("1/", "2/")] = described(second[METADATA.replace("1/", "2/")], other_cda)
    assert verdict(read_facts(pack({**FILES, **second}))) == "xdm-two-patients"
