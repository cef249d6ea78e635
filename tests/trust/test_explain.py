"""`trust explain` on a certificate: the verdict is the gateway's own, and every fault is shown (TRU-8)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mss_gateway.base.errors import InvalidValue, Refuse
from mss_gateway.dev.listing import Entry, new_signer
from mss_gateway.net.alert import AlertingObject
from mss_gateway.trust.explain import explain
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.judgement import Explanation, Role, Step, Verdict
from tests.support.pki import (
    CLIENT_ONLY,
    EMAIL_ONLY,
    SERVER_ONLY,
    T61,
    Authority,
    Issued,
    Pki,
    Subject,
    name_of,
    new_pki,
    self_signed,
)
from tests.support.trust import FOREIGN, HOSTED, THEIRS, World, reason_of

Make = Callable[[Pki], Issued]
ALIKE = Subject(THEIRS.cn, ou=THEIRS.ou, o="AUTRE HOPITAL")
PAST, FUTURE = datetime.now(UTC) - timedelta(days=400), datetime.now(UTC) + timedelta(days=400)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


ROWS: list[tuple[str, Make, set[str]]] = [
    ("valid", lambda pki: pki.organisations.issue(THEIRS), set()),
    ("rsa", lambda pki: pki.organisations.issue(THEIRS, key="rsa"), set()),
    ("t61", lambda pki: pki.organisations.issue(Subject("mx.t61.fr", string=T61)), {"trusted list"}),
    ("no-usage-limit", lambda pki: pki.organisations.issue(THEIRS, usages=()), set()),
    ("expired", lambda pki: pki.organisations.expired(THEIRS), {"dates"}),
    ("not-yet-valid", lambda pki: pki.organisations.not_yet_valid(THEIRS), {"dates"}),
    ("other-ca", lambda pki: new_pki(label="AUTRE").organisations.issue(THEIRS), {"chain"}),
    ("self-signed", lambda pki: self_signed(THEIRS), {"chain"}),
    ("server-only", lambda pki: pki.organisations.issue(THEIRS, usages=SERVER_ONLY), {"usage"}),
    ("client-only", lambda pki: pki.organisations.issue(THEIRS, usages=CLIENT_ONLY), {"usage"}),
    ("email-only", lambda pki: pki.organisations.issue(THEIRS, usages=EMAIL_ONLY), {"usage"}),
    ("weak-key", lambda pki: pki.organisations.issue(THEIRS, key="weak"), {"strength"}),
    ("not-listed", lambda pki: pki.organisations.issue(Subject("mx.autre.fr")), {"trusted list"}),
    ("same-cn", lambda pki: pki.organisations.issue(ALIKE), {"trusted list"}),
    (
        "everything-wrong",
        lambda pki: pki.organisations.issue(
            ALIKE, key="weak", usages=EMAIL_ONLY, not_before=PAST, not_after=PAST + timedelta(days=90)
        ),
        {"dates", "strength", "usage", "trusted list"},
    ),
    (
        "self-signed-and-weak",
        lambda pki: self_signed(ALIKE, key="weak"),
        {"chain", "strength", "trusted list"},
    ),
]


SEVERAL: list[tuple[str, Make]] = [
    (
        "expired-and-wrong-usage",
        lambda pki: pki.organisations.issue(
            THEIRS, usages=EMAIL_ONLY, not_before=PAST, not_after=PAST + timedelta(days=1)
        ),
    ),
    (
        "not-yet-valid-and-weak",
        lambda pki: pki.organisations.issue(
            THEIRS, key="weak", not_before=FUTURE, not_after=FUTURE + timedelta(days=1)
        ),
    ),
]
"""More certificates with several faults, of which OpenSSL and the gateway tell different ones first."""


def failed(found: Explanation) -> set[str]:
    """The steps that failed."""
    return {step.name for step in found.steps if step.verdict is Verdict.FAIL}


def step(found: Explanation, name: str) -> Step:
    """One step by its name."""
    return next(one for one in found.steps if one.name == name)


def check(trust: Trust, chain: Sequence[bytes], found: Explanation, domain: str | None = None) -> None:
    """The explanation says what the gateway does, in both directions, and fails a step for each refusal."""
    judged = {Role.CLIENT: trust.identify(chain[0]), Role.SERVER: trust.identify_server(chain[0])}
    for meeting in found.meetings:
        peer = judged[meeting.role]
        good = not isinstance(peer, Refuse)
        if not isinstance(peer, Refuse):
            good = trust.lists(domain, peer.dn_key) if domain else trust.is_operator(peer.dn_key)
        assert meeting.accepted == good
        assert bool(meeting.reason) == (not good)
    assert found.accepted == (not failed(found))
    for one in found.steps:
        assert bool(one.reason) == (one.verdict is Verdict.FAIL)
        assert one.remedy or one.verdict is not Verdict.FAIL


@dataclass(frozen=True)
class Audit:
    """Every certificate of the rows, and the trust space before and after all of them were revoked."""

    issued: dict[str, Issued]
    trusts: dict[bool, Trust]


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Made once: nothing here changes it."""
    world = World(tmp_path_factory.mktemp("audit"))
    issued = {name: make(world.pki) for name, make in (*((row[0], row[1]) for row in ROWS), *SEVERAL)}
    before = world.trust(state=None)
    world.put_crls(issued.values())
    return Audit(issued, {False: before, True: world.trust(state=None)})


@pytest.mark.req("TRU-8", "TRU-6")
@pytest.mark.parametrize("domain", [None, FOREIGN, HOSTED, "inconnu.example"])
@pytest.mark.parametrize(("name", "faults"), [(row[0], row[2]) for row in ROWS])
def test_the_audit_set_is_judged_as_the_gateway_does(
    audit: Audit, name: str, faults: set[str], domain: str | None
) -> None:
    """Same verdict as `identify` and `lists`; every fault of a certificate has its failed step, and nothing else."""
    issued, trust = audit.issued[name], audit.trusts[False]
    found = explain(trust, [issued.der], domain=domain)
    check(trust, [issued.der], found, domain)
    assert failed(found) - {"domain"} == faults
    alone = explain(trust, [issued.der], domain=domain, roles=(Role.CLIENT,))
    check(trust, [issued.der], alone, domain)


@pytest.mark.req("TRU-8", "TRU-2")
def test_revocation_is_shown_link_by_link(tmp_path: Path) -> None:
    """A revoked leaf, a revoked intermediate, a missing CRL and a stale one, each with its link and its dates."""
    pki = new_pki()
    second = pki.root.authority(name_of(C="FR", O="MSS-GATEWAY", CN="TEST AC SECONDE"))
    world = World(tmp_path, pki, new_signer(pki.organisations))
    (tmp_path / "ca.pem").write_bytes(pki.ca_pem + second.issued.cert_pem)
    good, under = pki.organisations.issue(THEIRS), second.issue(THEIRS)
    cases: list[tuple[list[bytes], Issued, str, str]] = [
        ([pki.organisations.crl([good]), pki.root.crl()], good, "certificate-revoked", "CN=mx.hopital"),
        (
            [pki.organisations.crl(), second.crl(), pki.root.crl([second])],
            under,
            "certificate-revoked",
            "CN=TEST AC SECONDE",
        ),
        ([pki.organisations.crl(), pki.root.crl()], under, "crl-missing", "CN=mx.hopital"),
        ([pki.organisations.crl(), second.stale_crl(), pki.root.crl()], under, "crl-stale", "CN=mx.hopital"),
    ]
    for crls, issued, reason, link in cases:
        world.put_crl_files(*crls)
        trust = world.trust(state=None)
        found = explain(trust, [issued.der])
        check(trust, [issued.der], found)
        told = step(found, "revocation")
        assert (told.verdict, told.reason) == (Verdict.FAIL, reason)
        bad = [line for line in told.evidence if ": not revoked" not in line or " late" in line]
        assert len(bad) == 1
        assert bad[0].startswith(link)
        assert {meeting.reason for meeting in found.meetings} == {reason}


@pytest.mark.req("TRU-8", "TRU-2")
def test_a_crl_that_lives_on_grace_is_a_doubt_and_revocation_is_left_to_the_dialogue(world: World) -> None:
    """Accepted meanwhile; a revoked one then meets a reply and no alert."""
    pki = world.pki
    good, bad = pki.organisations.issue(THEIRS), pki.organisations.issue(THEIRS)
    world.put_crl_files(pki.organisations.stale_crl([bad]), pki.root.stale_crl())
    trust = world.trust(crl_grace_hours=24.0)
    found = explain(trust, [good.der])
    check(trust, [good.der], found)
    told = step(found, "revocation")
    assert told.verdict is Verdict.DOUBT
    assert "(grace 24 h)" in told.evidence[0]
    found = explain(trust, [bad.der])
    check(trust, [bad.der], found)
    assert found.meetings[0].where == "dialogue"
    assert found.meetings[0].told.startswith("550 5.7.1 the certificate, or its issuer, has been revoked")


def der_of(authority: Authority) -> bytes:
    """An authority's certificate."""
    return authority.certificate.public_bytes(Encoding.DER)


@pytest.mark.req("TRU-8", "TRU-2")
def test_the_missing_issuer_is_named_and_what_the_peer_sends_is_not_believed(world: World) -> None:
    """An authority of the right root that is not configured, sent along and not sent along."""
    second = world.pki.root.authority(name_of(C="FR", O="MSS-GATEWAY", CN="TEST AC PERSONNES"))
    issued = second.issue(THEIRS)
    trust = world.trust()
    alone = step(explain(trust, [issued.der]), "chain")
    assert "missing: CN=TEST AC PERSONNES, O=MSS-GATEWAY, C=FR" in alone.evidence
    sent = explain(trust, [issued.der, der_of(second)])
    check(trust, [issued.der], sent)
    told = step(sent, "chain")
    assert "what a peer sends is never made an authority" in told.evidence
    assert "add it to trust.ca" in told.remedy
    assert (told.reason, sent.meetings[0].reason) == ("issuer-unknown", "issuer-unknown")


@pytest.mark.req("TRU-8")
def test_an_authority_of_the_right_name_and_the_wrong_key_is_told(world: World) -> None:
    """The name alone makes no issuer."""
    twin = Authority.root(world.pki.organisations.certificate.subject)
    found = explain(world.trust(), [twin.issue(THEIRS).der])
    assert any("its key has not signed this" in line for line in step(found, "chain").evidence)


@pytest.mark.req("TRU-8", "TRU-4")
def test_the_attribute_that_differs_is_named(world: World) -> None:
    """Of several DNs of the domain the nearest is told, with both spellings."""
    far = Subject("mx.loin.fr", ou="1999999999", o="LOIN")
    world.put_list(
        [Entry(FOREIGN, far.listed()), Entry(FOREIGN, THEIRS.listed()), Entry(HOSTED, far.listed())]
    )
    trust = world.trust()
    issued = world.pki.organisations.issue(Subject(THEIRS.cn, ou=THEIRS.ou, o="HOPITAL VOISIN SUD"))
    found = explain(trust, [issued.der], domain=FOREIGN)
    told = step(found, "domain")
    assert "O is HOPITAL VOISIN on the list and HOPITAL VOISIN SUD in the certificate" in told.evidence
    assert not any(line.startswith("CN is") for line in told.evidence)
    assert sum(line.startswith(f"{FOREIGN} lists ") for line in told.evidence) == 2
    found = explain(trust, [world.pki.organisations.issue(THEIRS).der], domain=HOSTED)
    assert step(found, "trusted list").verdict is Verdict.PASS
    assert step(found, "domain").reason == "dn-not-listed"
    assert found.meetings[0].told == "550 5.7.1 The sender's domain does not list the DN of your certificate"


@pytest.mark.req("TRU-8")
def test_what_is_no_certificate_is_told_as_such(world: World) -> None:
    """Nothing after the first step is reached, nothing is raised."""
    trust = world.trust()
    valid = world.pki.organisations.issue(THEIRS).der
    for octets in (b"", b"\x30", valid[:-40], valid[:200], bytes(300), b"\x30\x82\xff\xff"):
        found = explain(trust, [octets], domain=FOREIGN)
        assert found.steps[0].reason == "certificate-malformed"
        assert not found.accepted
        assert {one.verdict for one in found.steps[1:-1]} == {Verdict.NOT_REACHED}
    with pytest.raises(InvalidValue):
        explain(trust, [valid], domain="pas un domaine")


@pytest.mark.req("TRU-8")
def test_a_certificate_that_ends_soon_is_a_doubt(world: World) -> None:
    """Accepted, with the days left."""
    soon = world.pki.organisations.issue(THEIRS, not_after=datetime.now(UTC) + timedelta(days=9, hours=1))
    found = explain(world.trust(), [soon.der])
    assert found.accepted
    assert step(found, "dates").verdict is Verdict.DOUBT
    assert "9 days left" in step(found, "dates").evidence[0]


@pytest.mark.req("TRU-8", "TRU-2")
def test_what_the_responder_says_is_a_step_where_ocsp_is_switched_on(world: World) -> None:
    """Not asked yet, it is a refusal that passes; the verdict is the gateway's own."""
    issued = world.pki.organisations.issue(THEIRS)
    assert all(one.name != "ocsp" for one in explain(world.trust(), [issued.der]).steps)
    trust = world.trust(ocsp="require")
    found = explain(trust, [issued.der])
    check(trust, [issued.der], found)
    told = step(found, "ocsp")
    assert (told.verdict, told.reason) == (Verdict.FAIL, "ocsp-unavailable")
    assert found.meetings[0].told.startswith("451 4.7.5 ")


@pytest.mark.req("TRU-8", "TRU-6")
@pytest.mark.parametrize("revoke", [False, True], ids=["", "revoked"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", [row[0] for row in (*ROWS, *SEVERAL)])
def test_the_alert_is_the_one_that_the_peer_meets(
    audit: Audit, tmp_path: Path, name: str, version: ssl.TLSVersion, revoke: bool
) -> None:
    """What is told of the handshake is what OpenSSL does, also when a certificate has several faults."""
    issued, trust = audit.issued[name], audit.trusts[revoke]
    (meeting,) = explain(trust, [issued.der], roles=(Role.CLIENT,)).meetings
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    client.load_cert_chain(*issued.write(tmp_path, "peer"))
    client.minimum_version = client.maximum_version = version
    reason, alert = refused(trust, client)
    if not reason:
        assert meeting.where == "dialogue"
        return
    assert (meeting.where, meeting.reason) == ("handshake", reason)
    assert meeting.told == f"TLS alert: {alert}"


_ALERTS = {
    "TLSV1_ALERT_UNKNOWN_CA": "unknown CA",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "certificate expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "certificate revoked",
    "SSLV3_ALERT_BAD_CERTIFICATE": "bad certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "unsupported certificate",
}


def refused(trust: Trust, client: ssl.SSLContext) -> tuple[str, str]:
    """A handshake in memory: the slug of our refusal and the alert that the client reads; empty when it stands."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = trust.mta_context().wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server)
    assert isinstance(server, AlertingObject)
    for _ in range(4):
        for end in (ours, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                reason, _ = trust.explain_handshake(error)
                to_client.write(error.alert)  # type: ignore[attr-defined]
                return reason, met(ours)
    return "", ""


def met(client: ssl.SSLObject) -> str:
    """The alert that a client reads: in the handshake, or in TLS 1.3 after it."""
    try:
        client.do_handshake()
        client.read(1)
    except ssl.SSLError as error:
        return _ALERTS[error.reason]
    return ""


def test_a_certificate_of_an_authority_is_judged_too(world: World) -> None:
    """Whoever gives the wrong file gets an answer: an authority is no peer."""
    trust = world.trust()
    for authority in (world.pki.organisations, world.pki.root):
        found = explain(trust, [der_of(authority)])
        check(trust, [der_of(authority)], found)
        assert reason_of(trust.identify(der_of(authority))) == "wrong-usage"
        assert step(found, "usage").reason == "wrong-usage"
