"""What is read in a peer's certificate, whatever it holds (TRU-4)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust import dn
from mss_gateway.trust.anchors import Anchors
from mss_gateway.trust.peer import KEPT, PeerBook
from tests.support.pki import PRINTABLE, T61, UTF8, Subject
from tests.support.trust import THEIRS, shared_pki


def book() -> PeerBook:
    """A fresh book over the shared hierarchy."""
    pki = shared_pki()
    anchors = Anchors((pki.organisations.certificate, pki.root.certificate), "")
    return PeerBook(anchors, min_rsa_bits=2048, st_is_l=True)


def element(tag: int, content: bytes) -> bytes:
    """One DER element of at most 65,535 octets."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    return bytes((tag, 0x82)) + size.to_bytes(2, "big") + content


def with_latin_subject() -> bytes:
    """A certificate whose T61String holds Latin-1, as old issuers wrote it; signed anew after the change."""
    pki = shared_pki()
    issued = pki.organisations.issue(Subject("mx.ancien.fr", st="Rhône (69)", string=T61))
    body = issued.certificate.tbs_certificate_bytes
    old, new = "Rhône (69)".encode(), "Rhône  (69)".encode("latin-1")
    assert body.count(old) == 1
    assert len(old) == len(new)
    body = body.replace(old, new)
    key = pki.organisations.issued.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    return element(0x30, body + algorithm + element(0x03, b"\0" + signature))


@pytest.mark.req("TRU-4")
@pytest.mark.parametrize("string", [UTF8, T61, PRINTABLE])
def test_string_types_do_not_matter(string: object) -> None:
    """The decoded text is compared, not its encoding."""
    subject = Subject("mx.exemple.fr", o="OPERATEUR", st="Rhone (69)", string=string)  # type: ignore[arg-type]
    found = book().analysis(shared_pki().organisations.issue(subject).der)
    assert found.identity is not None
    assert found.identity.dn_key == dn.key_of_text(subject.listed())
    assert found.identity.dn_text == subject.listed()


@pytest.mark.req("TRU-4")
def test_latin_1_in_a_t61_string_is_read() -> None:
    """The library refuses such a name; the operator behind it must be matched all the same."""
    found = book().analysis(with_latin_subject())
    assert (found.flaw, len(found.chain)) == ("", 3)
    assert found.identity is not None
    assert found.identity.dn_key == dn.key_of_text(Subject("mx.ancien.fr").listed())


def test_locality_counts_as_state() -> None:
    """One certificate with L, listed with ST."""
    issued = shared_pki().organisations.issue(Subject(THEIRS.cn, THEIRS.ou, THEIRS.o, locality=True))
    found = book().analysis(issued.der)
    assert found.identity is not None
    assert found.identity.dn_key == dn.key_of_text(THEIRS.listed())


@pytest.mark.req("TRU-4")
def test_a_dn_hidden_in_a_value_matches_nothing() -> None:
    """An organisation named `A,C=FR` is not the two attributes it looks like when printed without escapes."""
    whole = Subject("mx.exemple.fr", o="OPERATEUR EXEMPLE,ST=Paris (75)")
    found = book().analysis(shared_pki().organisations.issue(whole).der)
    assert found.identity is not None
    assert found.identity.dn_key != dn.key_of_text(whole.listed())
    assert dn.key_of_text(found.identity.dn_text) == found.identity.dn_key


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_octets_raise(data: st.DataObject) -> None:
    """Any damage to a certificate ends in a flaw; a signature never survives it."""
    der = shared_pki().organisations.issued.der
    at = data.draw(st.integers(0, len(der) - 1))
    junk = data.draw(st.binary(max_size=4))
    damaged = der[:at] + junk + der[at + data.draw(st.integers(0, 4)) :]
    found = book().analysis(damaged)
    assert damaged == der or found.flaw


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_noise_is_malformed(noise: bytes) -> None:
    """What is no certificate has its own reason."""
    assert book().analysis(noise).flaw == "certificate-malformed"


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that shows ever new certificates does not grow the memory."""
    monkeypatch.setattr("mss_gateway.trust.peer.KEPT", 8)
    assert KEPT > 8
    kept = book()
    for number in range(50):
        kept.analysis(number.to_bytes(4, "big"))
    assert len(kept._known) == 8
