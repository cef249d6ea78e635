"""The audit matrix over real TLS: who gets in, and the reason of everyone else (TRU-1, TRU-2, TRU-6)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.trust.refusals import tls_refusal
from tests.support.pki import (
    EMAIL_ONLY,
    SERVER_ONLY,
    T61,
    Issued,
    Pki,
    Subject,
    name_of,
    new_pki,
    self_signed,
)
from tests.support.trust import THEIRS, World, meet, reason_of, shared_pki

Make = Callable[[Pki], Issued]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


ROWS: list[tuple[str, Make, str]] = [
    ("valid", lambda pki: pki.organisations.issue(THEIRS), ""),
    ("rsa", lambda pki: pki.organisations.issue(THEIRS, key="rsa"), ""),
    ("t61", lambda pki: pki.organisations.issue(Subject("mx.t61.fr", string=T61)), ""),
    ("no-usage-limit", lambda pki: pki.organisations.issue(THEIRS, usages=()), ""),
    ("expired", lambda pki: pki.organisations.expired(THEIRS), "certificate-expired"),
    ("not-yet-valid", lambda pki: pki.organisations.not_yet_valid(THEIRS), "certificate-not-yet-valid"),
    ("other-ca", lambda pki: new_pki(label="AUTRE").organisations.issue(THEIRS), "issuer-unknown"),
    ("self-signed", lambda pki: self_signed(THEIRS), "self-signed"),
    ("server-only", lambda pki: pki.organisations.issue(THEIRS, usages=SERVER_ONLY), "wrong-usage"),
    ("email-only", lambda pki: pki.organisations.issue(THEIRS, usages=EMAIL_ONLY), "wrong-usage"),
    ("weak-key", lambda pki: pki.organisations.issue(THEIRS, key="weak"), "weak-key"),
]


@pytest.mark.req("TRU-1", "TRU-2", "TRU-6")
@pytest.mark.parametrize(("make", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_each_client_certificate_meets_its_answer(world: World, make: Make, reason: str) -> None:
    """The handshake refuses what is bad, with the right slug, and so does the application's own check."""
    issued = make(world.pki)
    trust = world.trust()
    met = meet(trust.mta_context(), world.peer_context(issued))
    assert met.server == reason
    assert reason_of(trust.identify(issued.der)) == reason
    assert met.der == (None if reason else issued.der)


@pytest.mark.req("TRU-5", "TRU-6")
@pytest.mark.parametrize(
    ("make", "reason"),
    [row[1:] for row in ROWS if row[0] not in ("server-only", "weak-key")],
    ids=[row[0] for row in ROWS if row[0] not in ("server-only", "weak-key")],
)
def test_each_server_certificate_meets_its_answer(world: World, make: Make, reason: str) -> None:
    """The same in the other direction: what we deliver to is judged as strictly."""
    issued = make(world.pki)
    trust = world.trust()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*issued.write(world.folder / "peers", "server"))
    assert meet(server, trust.outbound_context()).client == reason
    assert reason_of(trust.identify_server(issued.der)) == reason


@pytest.mark.req("TRU-2", "TRU-6")
def test_a_revoked_leaf_is_refused(world: World) -> None:
    """A certificate on its issuer's CRL does not pass the handshake."""
    issued = world.pki.organisations.issue(THEIRS)
    world.put_crls([issued])
    trust = world.trust()
    assert meet(trust.mta_context(), world.peer_context(issued)).server == "certificate-revoked"
    refused = trust.check_operator(issued.der)
    assert refused is not None
    assert (refused.code, refused.enhanced, refused.reason) == (550, "5.7.1", "certificate-revoked")


@pytest.mark.req("TRU-2", "TRU-6")
def test_a_revoked_intermediate_takes_its_leaves_with_it(tmp_path: Path) -> None:
    """The root's CRL is checked as well, not only the leaf's issuer."""
    from mss_gateway.dev.listing import new_signer

    pki = new_pki()
    second = pki.root.authority(name_of(C="FR", O="MSS-GATEWAY", CN="TEST AC SECONDE"))
    world = World(tmp_path, pki, new_signer(pki.organisations))
    (tmp_path / "ca.pem").write_bytes(pki.ca_pem + second.issued.cert_pem)
    issued = second.issue(THEIRS)
    world.put_crl_files(pki.organisations.crl(), second.crl(), pki.root.crl([second]))
    trust = world.trust()
    assert meet(trust.mta_context(), world.peer_context(issued)).server == "certificate-revoked"
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
    other = pki.organisations.issue(THEIRS)
    assert meet(trust.mta_context(), world.peer_context(other)).server == ""


@pytest.mark.req("TRU-1", "TRU-6")
def test_a_client_without_certificate_passes_tls_and_is_refused_by_the_dialogue(world: World) -> None:
    """So that its operator reads a sentence and not a TLS alert."""
    trust = world.trust()
    met = meet(trust.mta_context(), world.peer_context(None))
    assert (met.server, met.der) == ("", None)
    refused = trust.check_operator(met.der)
    assert refused is not None
    assert (refused.code, refused.enhanced, refused.reason) == (550, "5.7.1", "no-certificate")


@pytest.mark.req("TRU-4", "TRU-6")
def test_a_good_certificate_of_an_unlisted_dn_is_refused(world: World) -> None:
    """Even with the CN of a listed operator: the whole DN counts."""
    trust = world.trust()
    same_cn = world.pki.organisations.issue(Subject(THEIRS.cn, ou=THEIRS.ou, o="AUTRE HOPITAL"))
    refused = trust.check_operator(same_cn.der)
    assert refused is not None
    assert refused.reason == "dn-not-listed"
    assert trust.check_operator(world.pki.organisations.issue(THEIRS).der) is None


@pytest.mark.req("TRU-1", "TRU-6")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(world: World, version: ssl.TLSVersion) -> None:
    """TLS below 1.2 ends in the handshake with its own reason."""
    client = world.peer_context(world.pki.organisations.issue(THEIRS))
    client.minimum_version = version
    client.maximum_version = version
    client.set_ciphers("ALL:@SECLEVEL=0")
    assert meet(world.trust().mta_context(), client).server == "tls-version"


@pytest.mark.req("TRU-1")
@pytest.mark.parametrize(
    "ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"]
)
def test_suites_without_forward_secrecy_or_aead_are_refused(world: World, ciphers: str) -> None:
    """In TLS 1.2 only ECDHE with AEAD is spoken."""
    client = world.peer_context(world.pki.organisations.issue(THEIRS))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    assert meet(world.trust().mta_context(), client).server == "tls-no-cipher"


@pytest.mark.req("TRU-1")
def test_noise_instead_of_a_handshake_has_a_reason() -> None:
    """A peer that speaks no TLS ends with a slug, never with a traceback."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError) as failed:
        tls.do_handshake()
    assert tls_refusal(failed.value)[0] == "tls-not-spoken"
    assert tls_refusal(RuntimeError("x"))[0] == "tls-failed"


@pytest.mark.req("TRU-1", "TRU-2")
@pytest.mark.parametrize("bad", [False, True])
async def test_the_matrix_holds_under_asyncio(world: World, bad: bool) -> None:
    """asyncio's own TLS gives the same error object to the server's side."""
    organisations = world.pki.organisations
    issued = organisations.expired(THEIRS) if bad else organisations.issue(THEIRS)
    trust = world.trust()
    seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await writer.start_tls(trust.mta_context())
            der = writer.get_extra_info("ssl_object").getpeercert(True)
            identity = trust.identify(der)
            seen.set_result(identity.reason if isinstance(identity, Refuse) else identity.dn_text)
        except ssl.SSLError as error:
            seen.set_result(tls_refusal(error)[0])
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await writer.start_tls(world.peer_context(issued), server_hostname="localhost")
            await reader.read(1)
        except (ssl.SSLError, ConnectionError):
            pass
        writer.close()
        assert await seen == ("certificate-expired" if bad else THEIRS.listed())


@pytest.mark.req("TRU-2")
def test_what_a_peer_sends_never_becomes_an_authority(world: World) -> None:
    """An intermediate of the same root that is not configured is unknown, although the peer sends it along."""
    unlisted = shared_pki().root.authority(name_of(C="FR", O="MSS-GATEWAY", CN="TEST AC PERSONNES"))
    issued = unlisted.issue(THEIRS)
    trust = world.trust()
    assert meet(trust.mta_context(), world.peer_context(issued)).server == "crl-missing"
    assert reason_of(trust.identify(issued.der)) == "issuer-unknown"
