"""What an OCSP answer is worth: signer, subject, times, and octets that are no answer at all (TRU-2, RFC 6960)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust.anchors import Anchors
from mss_gateway.trust.ocsp_answer import Answer, Status, read_answer
from mss_gateway.trust.ocsp_question import Question, Unanswered, responder_of
from mss_gateway.trust.revocation import RevocationList, RevocationLists
from tests.support.ocsp import REVOKED, UNKNOWN, Voice, delegated, handmade, naming, refusal
from tests.support.pki import Issued, new_pki
from tests.support.trust import THEIRS, shared_pki


@cache
def leaf() -> Issued:
    """The certificate in question."""
    return shared_pki().organisations.issue(THEIRS)


def lists(*revoked: int, days: float = 7.0) -> RevocationLists:
    """CRLs of both authorities in force, these serial numbers revoked."""
    now = datetime.now(UTC)
    pki = shared_pki()
    made = {
        authority.certificate.subject: RevocationList(
            authority.certificate.subject,
            now - timedelta(days=10),
            now + timedelta(days=days),
            frozenset(revoked),
            "",
        )
        for authority in (pki.organisations, pki.root)
    }
    return RevocationLists(made)


def question(issued: Issued | None = None, crls: RevocationLists | None = None) -> Question:
    """A question about a leaf, now."""
    pki = shared_pki()
    anchors = Anchors((pki.organisations.certificate, pki.root.certificate), "")
    chain = anchors.path((issued or leaf()).certificate)
    assert chain is not None
    return Question(chain, crls or lists(), datetime.now(UTC))


def voice(**changes: object) -> Voice:
    """The issuer's own voice, changed."""
    return replace(Voice(shared_pki().organisations), **changes)  # type: ignore[arg-type]


def said(made: Voice, asked: Question | None = None) -> Answer:
    """What the voice says of the leaf."""
    return read_answer(made.says(leaf().certificate), asked or question())


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize(
    ("status", "meant"),
    [(None, Status.GOOD), (REVOKED, Status.REVOKED), (UNKNOWN, Status.UNKNOWN)],
)
@pytest.mark.parametrize("identified", [hashes.SHA1(), hashes.SHA256()], ids=["sha1", "sha256"])
def test_an_answer_of_the_issuer_counts(
    status: ocsp.OCSPCertStatus | None, meant: Status, identified: hashes.HashAlgorithm
) -> None:
    """Whichever of the two digests its CertID has."""
    made = voice(answered=identified, **({"status": status} if status else {}))
    found = said(made)
    assert found.status is meant
    assert found.next_update is not None
    assert found.next_update > found.this_update


@pytest.mark.req("TRU-2")
def test_the_question_names_the_certificate_and_nothing_else() -> None:
    """SHA-1 CertID, no nonce, no signature: what every responder understands (RFC 5019)."""
    asked = ocsp.load_der_ocsp_request(question().octets)
    assert asked.serial_number == leaf().serial
    assert isinstance(asked.hash_algorithm, hashes.SHA1)
    assert len(asked.extensions) == 0


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize("no_check", [True, False])
def test_a_delegated_responder_of_the_issuer_counts(no_check: bool) -> None:
    """With the right usage; without id-pkix-ocsp-nocheck the CRL says that it is good."""
    signer = delegated(shared_pki().organisations, no_check=no_check)
    assert said(voice(signer=signer, sent=[signer.certificate])).status is Status.GOOD


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize("no_check", [True, False])
def test_a_delegated_responder_on_the_crl_does_not_count(no_check: bool) -> None:
    """Even one that asks not to be checked."""
    signer = delegated(shared_pki().organisations, no_check=no_check)
    asked = question(crls=lists(signer.serial))
    with pytest.raises(Unanswered, match="not signed"):
        said(voice(signer=signer, sent=[signer.certificate]), asked)


@pytest.mark.req("TRU-2")
def test_a_responder_to_be_checked_needs_a_crl_in_force() -> None:
    """A stale CRL does not say that it is good."""
    signer = delegated(shared_pki().organisations, no_check=False)
    with pytest.raises(Unanswered, match="not signed"):
        said(voice(signer=signer, sent=[signer.certificate]), question(crls=lists(days=-1)))


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize(
    "kind", ["no-usage", "expired", "another-issuer", "the-root", "leaf-of-the-issuer", "foreign", "not-sent"]
)
def test_nobody_else_may_sign(kind: str) -> None:
    """Neither a certificate without the usage, nor one of another authority, the root included."""
    pki = shared_pki()
    foreign = new_pki(label="AUTRE").organisations
    signer = {
        "no-usage": lambda: delegated(pki.organisations, usage=False),
        "expired": lambda: delegated(pki.organisations, days=-1),
        "another-issuer": lambda: delegated(foreign),
        "the-root": lambda: delegated(pki.root),
        "leaf-of-the-issuer": lambda: pki.organisations.issue(THEIRS),
        "foreign": lambda: foreign.issued,
        "not-sent": lambda: delegated(pki.organisations),
    }[kind]()
    sent = [] if kind == "not-sent" else [signer.certificate]
    with pytest.raises(Unanswered, match="not signed"):
        said(voice(signer=signer, sent=sent))


@pytest.mark.req("TRU-2")
def test_a_weak_responder_does_not_count() -> None:
    """A short key of a responder is no better than one of a peer."""
    authority = shared_pki().organisations
    weak = delegated_weak(authority.issue(THEIRS, key="weak"))
    with pytest.raises(Unanswered, match="not signed"):
        said(voice(signer=weak, sent=[weak.certificate]))


def delegated_weak(issued: Issued) -> Issued:
    """A responder's certificate for a short RSA key."""
    from cryptography.x509 import ExtendedKeyUsage, OCSPNoCheck
    from cryptography.x509.oid import ExtendedKeyUsageOID

    from mss_gateway.dev.pki import _builder

    authority = shared_pki().organisations
    now = datetime.now(UTC)
    span = (now - timedelta(hours=1), now + timedelta(days=1))
    builder = _builder(THEIRS.name(), authority.certificate.subject, issued.key, *span)
    builder = builder.add_extension(ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
    builder = builder.add_extension(OCSPNoCheck(), critical=False)
    return Issued(builder.sign(authority.issued.key, hashes.SHA256()), issued.key)


@pytest.mark.req("TRU-2")
def test_a_weak_digest_does_not_count() -> None:
    """SHA-1 signatures can be forged."""
    authority = shared_pki().organisations
    whole = voice().says(leaf().certificate)
    assert read_answer(handmade(authority, whole), question()).status is Status.GOOD
    with pytest.raises(Unanswered, match="not signed"):
        read_answer(handmade(authority, whole, sha1=True), question())


@pytest.mark.req("TRU-2")
def test_of_several_answers_in_one_the_newest_about_the_certificate_counts() -> None:
    """Others are passed over, and so are those out of their time."""
    authority, certificate = shared_pki().organisations, leaf().certificate
    other = authority.issue(THEIRS)
    several = handmade(
        authority,
        voice(status=UNKNOWN).says(other.certificate),
        voice(this_update=-3.0).says(certificate),
        voice(status=REVOKED, this_update=-2.0).says(certificate),
        voice(this_update=-1.0, next_update=-0.5).says(certificate),
    )
    assert read_answer(several, question()).status is Status.REVOKED


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_the_issuers_key_may_be_of_either_kind(key: str) -> None:
    """RSA is what the authorities of the trust space have."""
    pki = new_pki(key=key)
    issued = pki.organisations.issue(THEIRS)
    chain = Anchors((pki.organisations.certificate, pki.root.certificate), "").path(issued.certificate)
    assert chain is not None
    asked = Question(chain, lists(), datetime.now(UTC))
    assert read_answer(Voice(pki.organisations).says(issued.certificate), asked).status is Status.GOOD


@pytest.mark.req("TRU-2")
def test_an_answer_about_another_certificate_is_none() -> None:
    """Signed, in force, and of no use: by serial number and by issuer."""
    other = shared_pki().organisations.issue(THEIRS)
    with pytest.raises(Unanswered, match="another certificate"):
        said(voice(about=other.certificate))
    elsewhere = replace(question(), chain=(leaf().certificate, *question().chain[:0:-1]))
    with pytest.raises(Unanswered, match="not signed"):
        said(voice(), elsewhere)


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize("part", ["name", "key"])
def test_an_answer_about_another_issuers_certificate_of_this_number_is_none(part: str) -> None:
    """A responder may serve several authorities, and two of them may use one serial number."""
    issuer = shared_pki().organisations
    wanted = ocsp.load_der_ocsp_request(question().octets)
    now = datetime.now(UTC)
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        b"x" * 20 if part == "name" else wanted.issuer_name_hash,
        b"x" * 20 if part == "key" else wanted.issuer_key_hash,
        leaf().serial,
        hashes.SHA1(),
        ocsp.OCSPCertStatus.GOOD,
        now - timedelta(hours=1),
        now + timedelta(hours=1),
        None,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, issuer.certificate)
    made = builder.sign(issuer.issued.key, hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(Unanswered, match="another certificate"):
        read_answer(made, question())


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize(
    ("start", "end", "later", "match"),
    [
        (-2.0, -0.01, 0.0, "out of date"),
        (0.2, 1.0, 0.0, "of the future"),
        (-1.0, None, 0.5, "names no end"),
        (-3.0, 1.0, -1.0, "of the future"),
    ],
)
def test_an_answer_out_of_its_time_is_none(start: float, end: float | None, later: float, match: str) -> None:
    """Ended, for or from the future, or made a while ago and without an end; `later` is in hours."""
    asked = question()
    asked = replace(asked, now=asked.now + timedelta(hours=later))
    with pytest.raises(Unanswered, match=match):
        said(voice(this_update=start, next_update=end), asked)


@pytest.mark.req("TRU-2")
def test_a_clock_a_little_ahead_and_an_answer_without_end_are_borne() -> None:
    """Ten minutes of skew; without nextUpdate an answer made just now counts."""
    assert said(voice(this_update=0.15)).status is Status.GOOD
    found = said(voice(next_update=None))
    assert (found.status, found.next_update) == (Status.GOOD, None)


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize(
    "status", [one for one in ocsp.OCSPResponseStatus if one is not ocsp.OCSPResponseStatus.SUCCESSFUL]
)
def test_a_refusal_of_the_responder_is_no_answer(status: ocsp.OCSPResponseStatus) -> None:
    """Nobody signs it, so it means nothing."""
    with pytest.raises(Unanswered, match=status.name.lower()):
        read_answer(refusal(status), question())


@cache
def samples() -> tuple[bytes, ...]:
    """Answers to spoil: revoked by the issuer, good by a delegate."""
    signer = delegated(shared_pki().organisations)
    certificate = leaf().certificate
    return (
        voice(status=REVOKED).says(certificate),
        voice(signer=signer, sent=[signer.certificate]).says(certificate),
        refusal(),
    )


@pytest.mark.req("TRU-2")
@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_octets_are_an_answer_or_none(octets: bytes) -> None:
    """No other exception, and never a verdict."""
    with pytest.raises(Unanswered):
        read_answer(octets, question())


@pytest.mark.req("TRU-2")
@given(st.data())
@settings(max_examples=400)
def test_a_spoilt_answer_never_says_something_else(data: st.DataObject) -> None:
    """Octets changed, removed, doubled or added at any place: the same verdict as before, or none."""
    whole = data.draw(st.sampled_from(samples()))
    asked = question()
    spoilt = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoilt)))
        size = data.draw(st.integers(0, 8))
        piece = data.draw(st.one_of(st.binary(max_size=8), st.just(bytes(spoilt[at : at + 8]))))
        spoilt[at : at + size] = piece
    try:
        found = read_answer(bytes(spoilt), asked)
    except Unanswered:
        return
    assert found == read_answer(whole, asked)


@pytest.mark.req("TRU-2")
def test_a_certificate_names_its_responder_or_none() -> None:
    """The first OCSP address, which must be a URI of a sensible length."""
    authority = shared_pki().organisations
    url = "http://ocsp.exemple.test/o"
    assert responder_of(naming(authority, leaf(), url).certificate) == url
    assert responder_of(leaf().certificate) == ""
    assert responder_of(naming(authority, leaf(), "http://x.test/" + "a" * 3000).certificate) == ""
