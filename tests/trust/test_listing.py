"""The trusted list: what is genuine is read, all else is refused as a whole (TRU-3)."""

from __future__ import annotations

from base64 import b64encode
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mss_gateway.dev.listing import SIGNER, Entry, new_signer, sign_list, signed_list, unsigned_list
from mss_gateway.trust import dn
from mss_gateway.trust.anchors import Anchors
from mss_gateway.trust.listing import TrustedList, load_list
from mss_gateway.trust.refusals import ListRefused
from mss_gateway.trust.revocation import RevocationLists
from mss_gateway.trust.signature import ListSigner
from mss_gateway.trust.xmlform import DS_NS, LIST_NS
from tests.support.pki import SERVER_ONLY, Issued, Subject, new_pki, self_signed
from tests.support.trust import FOREIGN, HOSTED, OURS, THEIRS, shared_pki, shared_signer

pytestmark = pytest.mark.req("TRU-3")
ENTRIES = (Entry(HOSTED, OURS.listed()), Entry(FOREIGN, THEIRS.listed()))
NOW = datetime.now(UTC).replace(microsecond=0)


def signer(**changes: object) -> ListSigner:
    """The expected signer of the shared hierarchy."""
    pki = shared_pki()
    anchors = Anchors((pki.organisations.certificate, pki.root.certificate), "")
    values: dict[str, object] = {
        "anchors": anchors,
        "dn_key": dn.key_of_text(SIGNER.listed()),
        "crls": RevocationLists({}),
    }
    return ListSigner(**(values | changes))  # type: ignore[arg-type]


def genuine(*entries: Entry, generated: datetime = NOW) -> bytes:
    """A list that is in order."""
    return signed_list(entries or ENTRIES, shared_signer(), generated=generated)


def refusal(data: bytes, expected: ListSigner | None = None, held: TrustedList | None = None) -> str:
    """The slug with which a list is refused."""
    with pytest.raises(ListRefused) as refused:
        load_list(data, expected or signer(), NOW, held=held, max_bytes=1_000_000)
    assert refused.value.sentence
    return refused.value.reason


@pytest.mark.req("TRU-4")
def test_a_genuine_list_is_read() -> None:
    """Domains in any case, several DNs a domain, duplicates, one DN spelled two ways."""
    loose = THEIRS.listed().replace(",", ", ").replace("HOPITAL VOISIN", '"HOPITAL  VOISIN"')
    entries = [
        *ENTRIES,
        Entry(FOREIGN.upper(), OURS.listed()),
        Entry(FOREIGN, loose),
        Entry("hôpital.mssante.fr", loose, description="Sur\ndeux lignes"),
        Entry("mssante.apicrypt.org", "CN=x,C=FR"),
    ]
    found = load_list(genuine(*entries), signer(), NOW)
    ours, theirs = dn.key_of_text(OURS.listed()), dn.key_of_text(THEIRS.listed())
    assert found.domains[FOREIGN] == {ours, theirs}
    assert found.domains_of(theirs) == {FOREIGN, "xn--hpital-ixa.mssante.fr"}
    assert found.domains_of("cn=nobody") == frozenset()
    assert found.lists(HOSTED, ours)
    assert not found.lists(HOSTED, theirs)
    assert found.knows("mssante.apicrypt.org")
    assert not found.knows("exemple.fr")
    assert found.is_operator(theirs)
    assert (found.entries, found.unreadable, found.generated_at) == (6, 0, NOW)
    assert found.names[ours] == OURS.listed()


def changed(data: bytes, old: str, new: str) -> bytes:
    """The file with one text replaced; the test fails when it does not occur."""
    assert old.encode() in data
    return data.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (FOREIGN, "voisin.mssante.fr", "list-signature"),
        ("OU=1750000018", "OU=1750000019", "list-signature"),
        ("<Description>", "<Description> ", "list-signature"),
        (LIST_NS, LIST_NS + "/v2", "list-structure"),
        ("ListeBlancheMSSante", "ListeBlanche", "list-structure"),
        ("<ListeDomaines>", "<xmlns>x</xmlns><ListeDomaines>", "list-structure"),
        ("rsa-sha256", "rsa-sha512", "list-signature-form"),
        ("xml-exc-c14n#", "xml-exc-c14n#WithComments", "list-signature-form"),
        ('URI=""', 'URI="#x"', "list-signature-form"),
        ("<?xml version", "<!DOCTYPE a []><?xml version", "list-malformed"),
        ("</ListeDomaines>", "", "list-malformed"),
    ],
)
def test_any_change_is_noticed(old: str, new: str, reason: str) -> None:
    """Content, structure, namespace and algorithms: each change has its reason."""
    assert refusal(changed(genuine(), old, new)) == reason


def test_truncated_empty_huge_and_binary_files_are_refused() -> None:
    """A download that broke off is never half a list."""
    data = genuine()
    for cut in (0, 1, 100, len(data) // 2, len(data) - 1):
        assert refusal(data[:cut]) == "list-malformed"
    assert refusal(b"\xff\xfe\x00" * 50) == "list-malformed"
    assert refusal(data + b" " * 1_000_000) == "list-too-large"


def test_document_types_and_entities_are_refused() -> None:
    """No entity is ever expanded, no file read, no address fetched."""
    bomb = b'<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]>'
    head, _, body = genuine().partition(b"?>\n")
    assert refusal(head + b"?>\n" + bomb + body) == "list-doctype"
    external = b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">'
    assert refusal(head + b"?>\n" + external + body) == "list-doctype"


def test_an_unsigned_list_is_refused() -> None:
    """As those seen in public."""
    assert refusal(etree.tostring(unsigned_list(ENTRIES))) == "list-unsigned"


def test_signature_wrapping_is_refused() -> None:
    """A genuine signature moved, doubled or wrapped around other content never makes it trusted."""
    root = etree.fromstring(genuine())
    forged = unsigned_list([Entry("pirate.mssante.fr", "CN=pirate,C=FR")], generated=NOW)
    signature = root[-1]
    cases = []
    other = deepcopy(forged)
    other.append(deepcopy(signature))
    cases.append((other, "list-signature"))
    nested = deepcopy(forged)
    nested.append(deepcopy(root))
    cases.append((nested, "list-structure"))
    hidden = deepcopy(root)
    hidden[-1].append(deepcopy(forged))
    cases.append((hidden, "list-signature"))
    held = deepcopy(other)
    etree.SubElement(held[-1], f"{{{DS_NS}}}Object").append(deepcopy(root))
    cases.append((held, "list-structure"))
    twice = deepcopy(root)
    twice.append(deepcopy(signature))
    cases.append((twice, "list-structure"))
    for case, reason in cases:
        assert refusal(etree.tostring(case)) == reason


def test_other_algorithms_are_refused() -> None:
    """The algorithms are those of the publisher, not the weakest that verifies."""
    root = unsigned_list(ENTRIES, generated=NOW)
    assert (
        refusal(sign_list(deepcopy(root), shared_signer(), signature="RSA_SHA512")) == "list-signature-form"
    )
    assert refusal(sign_list(deepcopy(root), shared_signer(), digest="SHA512")) == "list-signature-form"


def expired_signer() -> Issued:
    """A signer of the right DN whose certificate ended."""
    past = datetime.now(UTC) - timedelta(days=30)
    return shared_pki().organisations.issue(
        SIGNER, key="rsa", not_before=past, not_after=past + timedelta(days=10)
    )


def test_only_the_expected_signer_of_the_configured_authority_counts() -> None:
    """Right CA and wrong DN, right DN and wrong CA, self-signed, expired, revoked: each refused."""
    pki = shared_pki()
    others = {
        "list-signer": new_signer(pki.organisations, Subject(SIGNER.cn, o="AUTRE")),
        "list-signer-ca": new_signer(new_pki(label="AUTRE").organisations),
        "list-signer-expired": expired_signer(),
    }
    for reason, other in others.items():
        assert refusal(signed_list(ENTRIES, other, generated=NOW)) == reason
    assert refusal(signed_list(ENTRIES, self_signed(SIGNER, key="rsa"), generated=NOW)) == "list-signer-ca"


def test_a_revoked_signer_is_refused() -> None:
    """The CRL of the signer's authority counts for lists too."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from mss_gateway.trust.revocation import load_revocation

    expected = signer()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "crl.pem"
        path.write_bytes(shared_pki().crls([shared_signer()]))
        crls = load_revocation([path], expected.anchors)
    assert refusal(genuine(), signer(crls=crls)) == "list-signer-revoked"


def test_a_renewed_signer_is_accepted() -> None:
    """CA and DN are pinned, never the certificate (domain reference 6.3)."""
    renewed = shared_pki().organisations.issue(SIGNER, usages=SERVER_ONLY, key="rsa")
    assert load_list(signed_list(ENTRIES, renewed, generated=NOW), signer(), NOW).knows(HOSTED)


def test_a_certificate_that_is_none_is_refused() -> None:
    """Garbage where the signer's certificate should be."""
    pem = shared_signer().der
    data = genuine()
    at = data.index(b"X509Certificate>") + len(b"X509Certificate>")
    end = data.index(b"<", at)
    for garbage in (b"", b"!!!", b64encode(pem[:50]), b64encode(pem[:-9] + b"\0" * 9)):
        reason = refusal(data[:at] + garbage + data[end:])
        assert reason in {"list-signer", "list-signer-ca"}


def test_older_and_future_lists_are_refused() -> None:
    """Nobody brings back an old list, nor one from tomorrow."""
    held = load_list(genuine(), signer(), NOW)
    assert refusal(genuine(generated=NOW - timedelta(hours=1)), held=held) == "list-older"
    assert refusal(genuine(generated=NOW + timedelta(hours=1))) == "list-future"
    assert load_list(genuine(generated=NOW + timedelta(minutes=5)), signer(), NOW, held=held)
    assert held.age_hours(NOW + timedelta(hours=3)) == 3


def test_one_unreadable_entry_trusts_nobody_and_spoils_nothing() -> None:
    """A single bad DN or domain is left out and counted; many make the list unfit."""
    many = [Entry(f"d{index}.mssante.fr", THEIRS.listed()) for index in range(5)]
    found = load_list(genuine(*many, Entry("bad_domain", THEIRS.listed())), signer(), NOW)
    assert (found.unreadable, len(found.domains)) == (1, 5)
    assert refusal(genuine(*many, Entry("x.fr", "no dn"), Entry("y.fr", ""))) == "list-unreadable"
    assert refusal(sign_list(unsigned_list([], generated=NOW), shared_signer())) == "list-unreadable"


@cache
def believed() -> tuple[bytes, TrustedList]:
    """A genuine list and what it says; signed once, since that takes most of the time."""
    original = genuine()
    return original, load_list(original, signer(), NOW)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damaged_list_is_ever_believed(data: st.DataObject) -> None:
    """Any octet changed or cut out gives a refusal, or exactly the genuine content."""
    original, good = believed()
    at = data.draw(st.integers(0, len(original) - 1))
    how = data.draw(st.sampled_from(["cut", "flip", "insert"]))
    junk = data.draw(st.binary(min_size=1, max_size=3))
    tail = original[at:] if how == "insert" else original[at + len(junk) :]
    damaged = original[:at] + (b"" if how == "cut" else junk) + tail
    try:
        found = load_list(damaged, signer(), NOW)
    except ListRefused:
        return
    assert (found.domains, found.generated_at) == (good.domains, good.generated_at)
