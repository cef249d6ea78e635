"""CRLs past their time, the grace policy, and sessions that would like to come back (TRU-2)."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mss_gateway.dev.listing import new_signer
from mss_gateway.trust.refusals import TrustProblem
from tests.support.pki import name_of, new_pki
from tests.support.trust import THEIRS, World, meet, reason_of

pytestmark = pytest.mark.req("TRU-2")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


def test_a_stale_crl_refuses_everybody_by_default(world: World) -> None:
    """Policy `hard`: past nextUpdate nobody gets in, by OpenSSL and by our own check."""
    issued = world.pki.organisations.issue(THEIRS)
    world.put_crl_files(world.pki.organisations.stale_crl(hours=1), world.pki.root.crl())
    trust = world.trust()
    assert meet(trust.mta_context(), world.peer_context(issued)).server == "crl-stale"
    assert reason_of(trust.identify(issued.der)) == "crl-stale"
    assert "crl-stale" in [alarm.reason for alarm in trust.alarms()]


@pytest.mark.parametrize(("grace", "reason"), [(2.0, ""), (0.5, "crl-stale")])
def test_grace_lets_a_peer_in_for_the_hours_set(world: World, grace: float, reason: str) -> None:
    """An hour after nextUpdate, two hours of grace accept and half an hour does not."""
    issued = world.pki.organisations.issue(THEIRS)
    world.put_crl_files(world.pki.organisations.stale_crl(hours=1), world.pki.root.crl())
    trust = world.trust(crl_grace_hours=grace)
    assert meet(trust.mta_context(), world.peer_context(issued)).server == reason
    assert reason_of(trust.identify(issued.der)) == reason


def test_grace_never_excuses_a_revoked_certificate(world: World) -> None:
    """Within the grace the old CRL's entries still count, by the check that every connection passes."""
    issued = world.pki.organisations.issue(THEIRS)
    expired = world.pki.organisations.expired(THEIRS)
    world.put_crl_files(world.pki.organisations.stale_crl([issued], hours=1), world.pki.root.crl())
    trust = world.trust(crl_grace_hours=2.0)
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
    assert meet(trust.mta_context(), world.peer_context(expired)).server == "certificate-expired"


def test_each_authority_has_its_own_grace(tmp_path: Path) -> None:
    """Peers of one whose CRL is within the grace come in, although that of another is past it."""
    pki = new_pki()
    second = pki.root.authority(name_of(C="FR", O="MSS-GATEWAY", CN="TEST AC SECONDE"))
    world = World(tmp_path, pki, new_signer(pki.organisations))
    (tmp_path / "ca.pem").write_bytes(pki.ca_pem + second.issued.cert_pem)
    issued, other = pki.organisations.issue(THEIRS), second.issue(THEIRS)
    world.put_crl_files(pki.organisations.stale_crl(hours=1), second.stale_crl(hours=5), pki.root.crl())
    trust = world.trust(crl_grace_hours=2.0)
    assert meet(trust.mta_context(), world.peer_context(issued)).server == ""
    assert reason_of(trust.identify(issued.der)) == ""
    assert reason_of(trust.identify(other.der)) == "crl-stale"


def test_grace_begins_and_ends_without_a_reload(world: World) -> None:
    """The contexts follow the clock: CRL checked by OpenSSL, then grace, then refused."""
    now = [time.time()]
    organisations = world.pki.organisations
    issued = organisations.issue(THEIRS)
    soon = datetime.fromtimestamp(now[0], UTC) + timedelta(hours=1)
    world.put_crl_files(organisations.crl(next_update=soon), world.pki.root.crl())
    from dataclasses import replace

    from mss_gateway.trust.guard import Trust

    trust = Trust(replace(world.options, crl_grace_hours=2.0), clock=lambda: now[0])
    flags = [trust.mta_context().verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN]
    verdicts = [reason_of(trust.identify(issued.der))]
    for hours in (1.5, 2.0):
        now[0] += hours * 3600
        flags.append(trust.mta_context().verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN)
        verdicts.append(reason_of(trust.identify(issued.der)))
    assert [bool(flag) for flag in flags] == [True, False, True]
    assert verdicts == ["", "", "crl-stale"]


def test_a_missing_crl_refuses(world: World) -> None:
    """Without the intermediate's CRL no leaf passes; without the root's neither."""
    issued = world.pki.organisations.issue(THEIRS)
    for crl in (world.pki.root.crl(), world.pki.organisations.crl()):
        world.put_crl_files(crl)
        trust = world.trust()
        assert meet(trust.mta_context(), world.peer_context(issued)).server == "crl-missing"
        assert reason_of(trust.identify(issued.der)) == "crl-missing"


def test_a_reload_revokes_at_once_and_keeps_open_connections(world: World) -> None:
    """New handshakes and the check of open ones see the new CRL; nothing is restarted."""
    issued = world.pki.organisations.issue(THEIRS)
    trust = world.trust()
    before = trust.mta_context()
    assert meet(before, world.peer_context(issued)).server == ""
    assert trust.poll() is False
    world.put_crls([issued])
    assert trust.poll() is True
    assert meet(trust.mta_context(), world.peer_context(issued)).server == "certificate-revoked"
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"


def test_an_unusable_new_crl_keeps_the_last_good_one(world: World) -> None:
    """A broken, foreign or older CRL file raises an alarm or is passed over; revocation stays as it was."""
    issued = world.pki.organisations.issue(THEIRS)
    older = world.pki.organisations.crl(this_update=datetime.now(UTC) - timedelta(days=2))
    world.put_crls([issued])
    trust = world.trust()
    for bad in (b"not a CRL", b"-----BEGIN X509 CRL-----\nAAAA", new_pki(label="AUTRE").crls()):
        (world.folder / "crls.pem").write_bytes(bad)
        assert trust.reload()[0].reason in {"crl-malformed", "crl-foreign"}
        assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
    (world.folder / "crls.pem").write_bytes(older + world.pki.root.crl())
    assert trust.reload() == ()
    assert meet(trust.mta_context(), world.peer_context(issued)).server == "certificate-revoked"
    world.put_crls()
    assert trust.reload() == ()
    assert meet(trust.mta_context(), world.peer_context(issued)).server == ""


def test_crls_in_der_are_read(world: World) -> None:
    """The authorities publish DER files."""
    issued = world.pki.organisations.issue(THEIRS)
    der = x509.load_pem_x509_crl(world.pki.organisations.crl([issued])).public_bytes(Encoding.DER)
    (world.folder / "organisations.crl").write_bytes(der)
    world.put_crl_files(world.pki.root.crl())
    trust = world.trust(crl_files=(world.folder / "crls.pem", world.folder / "organisations.crl"))
    assert meet(trust.mta_context(), world.peer_context(issued)).server == "certificate-revoked"


def test_no_ticket_is_ever_given(world: World) -> None:
    """TLS 1.3 sessions cannot be resumed at all."""
    trust = world.trust()
    client = world.peer_context(world.pki.organisations.issue(THEIRS))
    first = meet(trust.mta_context(), client)
    assert first.version == "TLSv1.3"
    assert first.session is None or not first.session.has_ticket
    assert not meet(trust.mta_context(), client, first.session).reused


def test_a_resumed_session_of_a_revoked_peer_is_refused(world: World) -> None:
    """TLS 1.2 session ids cannot be switched off: the check refuses, and a reload forgets every session."""
    issued = world.pki.organisations.issue(THEIRS)
    trust = world.trust()
    client = world.peer_context(issued)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    stale_context = trust.mta_context()
    first = meet(stale_context, client)
    assert first.session is not None
    assert not first.session.has_ticket
    world.put_crls([issued])
    trust.reload()
    resumed = meet(stale_context, client, first.session)
    assert (resumed.server, resumed.reused) == ("", True)
    assert reason_of(trust.identify(resumed.der)) == "certificate-revoked"
    again = meet(trust.mta_context(), client, first.session)
    assert (again.server, again.reused) == ("certificate-revoked", False)


def test_remembered_sessions_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that has gathered many sessions is replaced, so that memory stays flat."""
    monkeypatch.setattr("mss_gateway.trust.guard.MAX_SESSIONS", 2)
    trust = world.trust()
    client = world.peer_context(world.pki.organisations.issue(THEIRS))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    counts = []
    for _ in range(5):
        context = trust.mta_context()
        assert meet(context, client).server == ""
        counts.append(context.session_stats()["number"])
    assert max(counts) == 3


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"ca_files": ()}, "ca-missing"),
        ({"ca_files": ("absent.pem",)}, "file-unreadable"),
        ({"ca_files": ("ours.pem",)}, "ca-wrong"),
        ({"ca_files": ("ours.key",)}, "ca-malformed"),
        ({"ca_files": ("intermediate.pem",)}, "ca-incomplete"),
        ({"test_authorities": False}, "ca-test"),
        ({"key": "other.key"}, "own-certificate"),
        ({"key": "encrypted.key"}, "own-key-encrypted"),
        ({"certificate": "crls.pem"}, "own-certificate"),
        ({"crl_files": ("ours.pem",)}, "crl-malformed"),
    ],
)
def test_unusable_files_are_refused_at_start_with_a_sentence(
    world: World, spoil: dict[str, object], reason: str
) -> None:
    """Each broken configuration says file and remedy, and none asks for a password on the terminal."""
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat

    other = world.pki.organisations.issue(THEIRS)
    (world.folder / "intermediate.pem").write_bytes(world.pki.organisations.issued.cert_pem)
    (world.folder / "other.key").write_bytes(other.key_pem)
    (world.folder / "encrypted.key").write_bytes(
        world.ours.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )

    def placed(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(world.folder / name for name in value)
        return world.folder / value if isinstance(value, str) else value

    with pytest.raises(TrustProblem) as refused:
        world.trust(**{name: placed(value) for name, value in spoil.items()})
    assert refused.value.reason == reason
    assert "Traceback" not in refused.value.sentence
    assert ":" in refused.value.sentence
