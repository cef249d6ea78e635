"""Files that somebody wants explained: certificates are taken, keys are not looked at, the rest is told (TRU-8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust.certificate_file import MAX_FILE, MAX_LINKS, certificates_of, read_certificates
from mss_gateway.trust.refusals import TrustProblem
from tests.support.pki import Subject, self_signed
from tests.support.trust import THEIRS, shared_pki


def refusal(octets: bytes) -> str:
    """The slug of a refused file."""
    with pytest.raises(TrustProblem) as refused:
        certificates_of(octets, "x")
    assert refused.value.sentence.startswith("x: ")
    return refused.value.reason


@pytest.mark.req("TRU-8")
def test_pem_with_its_chain_and_der_are_read(tmp_path: Path) -> None:
    """In the order of the file, also with words around them and Windows line ends."""
    issued = shared_pki().organisations.issue(THEIRS)
    pem = issued.cert_pem + issued.chain
    for octets in (pem, pem.replace(b"\n", b"\r\n"), b"Bag Attributes\n  x: y\n" + pem + b"\nend"):
        found = certificates_of(octets, "x")
        assert found[0] == issued.der
        assert len(found) == 2
    path = tmp_path / "peer.der"
    path.write_bytes(issued.der)
    assert read_certificates(path) == (issued.der,)
    assert len(certificates_of(issued.cert_pem * 40, "x")) == MAX_LINKS


@pytest.mark.req("TRU-8")
def test_what_is_none_has_its_own_sentence(tmp_path: Path) -> None:
    """Keys by their marks, PKCS#7, damage, size, rights."""
    issued = self_signed(Subject("mx.x.fr"))
    assert refusal(issued.cert_pem + issued.key_pem) == "file-private-key"
    assert refusal(b"-----BEGIN EC PRIVATE " + b"KEY-----\nAA") == "file-private-key"
    assert refusal(bytes.fromhex("3080020103")) == "file-malformed"
    assert refusal(bytes.fromhex("3003020103")) == "file-pkcs12"
    assert refusal(bytes.fromhex("3003020100")) == "file-private-key"
    assert refusal(bytes.fromhex("300b06092a864886f70d010702")) == "file-pkcs7"
    assert refusal(issued.der[:-1]) == "file-malformed"
    assert refusal(issued.der + b"x") == "file-malformed"
    assert refusal(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----") == "file-malformed"
    for make in (
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(bytes(MAX_FILE + 1)),
    ):
        path = tmp_path / f"f{id(make)}"
        make(path)  # type: ignore[no-untyped-call]
        with pytest.raises(TrustProblem):
            read_certificates(path)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x30\x82\x01\x00\x30" + tail))
@settings(max_examples=200, deadline=None)
def test_nothing_else_is_ever_raised(octets: bytes) -> None:
    """Whatever a file holds."""
    try:
        found = certificates_of(octets, "x")
    except TrustProblem:
        return
    assert found == (octets,)
