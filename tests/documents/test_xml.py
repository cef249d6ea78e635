"""METADATA.XML and CDA of strangers: hostile ones, and those of the published examples (INS-6)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.documents.archive import archive_facts, read_archive, read_facts
from mss_gateway.documents.limits import DEFAULT_LIMITS, ArchiveLimits
from mss_gateway.documents.metadata import read_cx, read_metadata
from mss_gateway.documents.problems import PROBLEMS
from mss_gateway.documents.record import Described
from mss_gateway.documents.xmlreading import parse_xml
from tests.support.xdm import CDA, INS, METADATA, Raw, built, changed, described, pack, raw_zip, unpack

pytestmark = pytest.mark.req("INS-6")
FILES = unpack(built().archive)
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
BOMBS = {
    "billion laughs": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">' + LAUGHS + b"]><a>&l9;</a>",
    "a file of the machine": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "a network address": b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>',
    "a parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://192.0.2.1/p">%p;]><a/>',
    "a document type alone": b"<!DOCTYPE a><a/>",
}


def with_cda(cda: bytes) -> bytes:
    """The archive with another CDA, described honestly."""
    return pack({**FILES, CDA: cda, METADATA: described(FILES[METADATA], cda)})


def stored(cda: bytes) -> bytes:
    """The same, not deflated, so that nothing looks like a bomb."""
    files = {**FILES, CDA: cda, METADATA: described(FILES[METADATA], cda)}
    return raw_zip(*(Raw(name.encode(), content) for name, content in files.items()))


@pytest.mark.parametrize("kind", BOMBS)
def test_entities_and_document_types_are_refused(kind: str) -> None:
    """In METADATA.XML and in a CDA, before any parser sees them."""
    assert read_facts(pack({**FILES, METADATA: BOMBS[kind]})).problem == "xdm-entity"
    assert read_facts(with_cda(BOMBS[kind])).problem == "xdm-entity"


@pytest.mark.parametrize(
    "octets",
    [
        b"<a>" * 5000 + b"</a>" * 5000,
        "<?xml version='1.0' encoding='UTF-16'?><a/>".encode("utf-16"),
        b"<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-",
        b"<?xml version='1.0' encoding='unknown'?><a/>",
        b"<a>\xff</a>",
        b"<a>&undeclared;</a>",
        b"<a b='1' b='2'/>",
        b"",
        b"no XML",
    ],
)
def test_xml_that_is_none_is_malformed(octets: bytes) -> None:
    """Deep nesting, encodings in which markup is not ASCII, and broken syntax."""
    assert read_facts(pack({**FILES, METADATA: octets})).problem == "xdm-malformed-metadata"
    assert read_facts(with_cda(octets)).problem == "xdm-malformed-cda"


def test_too_many_elements_are_not_built() -> None:
    """The tree would be many times the text."""
    cda = b"<a>" + b"<b/>" * (DEFAULT_LIMITS.markup + 1) + b"</a>"
    assert read_facts(stored(cda)).problem == "xdm-too-large"


def test_one_large_file_described_many_times_is_hashed_once() -> None:
    """The work does not grow with descriptions of one file."""
    start, end = FILES[METADATA].index(b"<ExtrinsicObject"), FILES[METADATA].index(b"<RegistryPackage")
    again = FILES[METADATA][start:end]
    many = pack({**FILES, METADATA: FILES[METADATA].replace(again, again * 20)})
    read = read_archive(many)
    assert [one.problem for one in read.documents] == ["", *["xdm-duplicate"] * 19]
    assert read_archive(many, ArchiveLimits(entries=19)).problem == "xdm-too-many"


def test_a_pdf_larger_than_the_parser_takes_is_read() -> None:
    """libxml2 refuses texts over ten million octets; a PDF of eight megabytes is longer in base64."""
    pdf = b"%PDF-1.4" + b"\x00\xff" * 4_000_000
    start = FILES[CDA].index(b"JVBER")
    cda = FILES[CDA][:start] + base64.b64encode(pdf) + FILES[CDA][FILES[CDA].index(b"</text>") :]
    archive = read_archive(stored(cda))
    assert archive.problem == ""
    assert archive_facts(archive).cda == {INS}


def test_markup_beside_a_long_text_is_kept() -> None:
    """Only the inside of base64 is left out; a patient cannot be hidden next to it."""
    hidden = b"<recordTarget><patientRole><id root='1.2.250.1.213.1.4.8' extension='275126322074974'/>"
    hidden += b"</patientRole></recordTarget>"
    long = b"A" * 9_100_000
    cda = FILES[CDA].replace(b"</component>", b"</component><x>" + long + b"</x>" + hidden)
    root = parse_xml(cda, "xdm-malformed-cda", CDA)
    assert len(list(root.iter("{*}recordTarget"))) == 2


def metadata(body: str) -> tuple[Described, frozenset[str]]:
    """The only document of a METADATA.XML, and every patient of it by INS."""
    text = f"<SubmitObjectsRequest><RegistryObjectList>{body}</RegistryObjectList></SubmitObjectsRequest>"
    root = parse_xml(text.encode(), "xdm-malformed-metadata", "M")
    read = read_metadata(root, "IHE_XDM/SUBSET01", "M")
    return read.documents[0], frozenset(one.value for one in read.patients if one.is_ins)


def external(scheme: str, name: str, attributes: str = "") -> str:
    """An external identifier with the test patient."""
    told = f"<Name><LocalizedString value='{name}'/></Name>" if name else ""
    return (
        f"<ExternalIdentifier identificationScheme='urn:uuid:{scheme}' {attributes}"
        f" value='{INS}^^^&amp;1.2.250.1.213.1.4.10&amp;ISO^NH'>{told}</ExternalIdentifier>"
    )


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("58a6f841-87b3-4a3e-92fd-a8ffeff98427", ""),
        ("58A6F841-87B3-4A3E-92FD-A8FFEFF98427", "XDSDocumentEntry.patientId"),
        ("2e82c1f6-a085-4c72-9da3-8640a32e42ab", "XDSDocumentEntry.patientId"),
        ("", "XDSDocumentEntry.patientId"),
        ("", "xdsdocumententry.patientid"),
    ],
)
def test_the_patient_is_found_by_scheme_or_by_name(scheme: str, name: str) -> None:
    """The published mapping writes patientId under the scheme of uniqueId (domain 16.2)."""
    document, patients = metadata(f"<ExtrinsicObject id='d'>{external(scheme, name)}</ExtrinsicObject>")
    assert patients == {INS}
    assert [one.value for one in document.patients] == [INS]


def test_an_identifier_beside_its_document_belongs_to_it() -> None:
    """ebRIM allows identifiers next to the object that they refer to."""
    beside = external("58a6f841-87b3-4a3e-92fd-a8ffeff98427", "", "registryObject='d'")
    document, patients = metadata(f"<ExtrinsicObject id='d'/>{beside}")
    assert patients == {INS}
    assert len(document.patients) == 1


def test_slots_are_found_in_either_case() -> None:
    """`SourcePatientInfo` occurs as well; classification in lower case too (domain 16.2)."""
    slots = (
        "<Slot name='SourcePatientInfo'><ValueList><Value>PID-5|PAT-TROIS^DOMINIQUE^^^</Value>"
        "<Value>PID-7|19790328</Value><Value>PID-8|F</Value>"
        f"<Value>PID-3|12^^^&amp;1.2.3&amp;ISO^PI~{INS}^^^&amp;1.2.250.1.213.1.4.10&amp;ISO^NH</Value>"
        "</ValueList></Slot>"
        "<classification classificationScheme='urn:uuid:f0306f51-975f-434e-a61c-c59651d33983'"
        " nodeRepresentation='11502-2'/>"
        "<Slot name='uri'><ValueList><Value>2|0001.XML</Value><Value>1|DOC</Value></ValueList></Slot>"
    )
    document, patients = metadata(f"<ExtrinsicObject id='d' mimeType='text/xml'>{slots}</ExtrinsicObject>")
    traits = document.source_traits
    assert (traits.family, traits.given, traits.born, traits.sex) == (
        "PAT-TROIS",
        ("DOMINIQUE",),
        "19790328",
        "F",
    )
    assert document.type.code == "11502-2"
    assert document.uri == "DOC0001.XML"
    assert patients == {INS}


def test_a_structured_cda_is_level_3_and_traits_are_read() -> None:
    """N3 has sections instead of a file."""
    start = FILES[CDA].index(b"<nonXMLBody>")
    end = FILES[CDA].index(b"</nonXMLBody>")
    cda = FILES[CDA][:start] + b"<structuredBody/>" + FILES[CDA][end + len(b"</nonXMLBody>") :]
    (document,) = read_archive(with_cda(cda)).documents
    assert document.cda is not None
    assert document.cda.level == "N3"
    traits = document.cda.traits
    assert (traits.family, traits.sex, traits.born, traits.place) == ("PAT-TROIS", "F", "19790328", "51215")
    assert traits.given[0] == "DOMINIQUE"


def test_a_pdf_document_without_a_cda_is_allowed() -> None:
    """A document may be a PDF itself; the metadata names its patient."""
    pdf = b"%PDF-1.4 alone"
    files = {name: content for name, content in FILES.items() if name != CDA}
    told = described(FILES[METADATA], pdf).replace(b"DOC0001.XML", b"DOC0001.PDF")
    files["IHE_XDM/SUBSET01/DOC0001.PDF"] = pdf
    files[METADATA] = told.replace(b'mimeType="text/xml"', b'mimeType="application/pdf"')
    facts = read_facts(pack(files))
    assert (facts.problem, facts.cda, facts.unnamed) == ("", frozenset(), False)


def test_a_cda_that_calls_itself_a_pdf_is_read_as_a_cda() -> None:
    """Its content tells, so that no patient hides behind a type."""
    data = changed(FILES, METADATA, (b'mimeType="text/xml"', b'mimeType="application/pdf"'))
    assert read_facts(data).cda == {INS}


def test_the_old_computed_number_is_no_ins() -> None:
    """22 digits under the OID of INS-C name nobody here; the real one beside it counts."""
    old = (
        b'<id root="1.2.250.1.213.1.4.2" extension="0000000000000000000000"/><id root="1.2.250.1.213.1.4.10"'
    )
    data = changed(FILES, CDA, (b'<id root="1.2.250.1.213.1.4.10"', old))
    assert read_facts(data).cda == {INS}


@given(st.text(max_size=60))
def test_any_identifier_text_is_read(value: str) -> None:
    """Whatever stands in a value, an identifier comes out."""
    assert len(read_cx(value).value) <= 64


@settings(max_examples=120)
@given(st.data())
def test_mutated_xml_never_raises(data: st.DataObject) -> None:
    """Pieces of METADATA.XML cut out, doubled or replaced."""
    octets = FILES[METADATA]
    start = data.draw(st.integers(0, len(octets)))
    end = data.draw(st.integers(start, min(len(octets), start + 200)))
    middle = data.draw(st.sampled_from([b"", octets[start:end] * 2, b"<", b'"', b"&amp;", b"^^^&", b"\xc3"]))
    facts = read_facts(pack({**FILES, METADATA: octets[:start] + middle + octets[end:]}))
    assert facts.problem == "" or facts.problem in PROBLEMS
