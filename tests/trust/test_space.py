"""The throw-away trust space of `mss-gateway dev` is complete, private and made once."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mss_gateway.dev.handout import Credential
from mss_gateway.dev.space import Space, make_space
from mss_gateway.trust import dn
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.options import TrustOptions
from mss_gateway.trust.peer import PeerIdentity
from tests.support.trust import reason_of


def opened(space: Space) -> Trust:
    """The trust space as the gateway sees it."""
    return Trust(
        TrustOptions(
            ca_files=(Path(space.ca),),
            crl_files=(Path(space.crls),),
            certificate=Path(space.gateway.cert),
            key=Path(space.gateway.key),
            list_file=Path(space.trusted_list),
            list_signer=space.list_signer,
            test_authorities=True,
        )
    )


def der(credential: Credential) -> bytes:
    """The leaf of a credential."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    certificates = x509.load_pem_x509_certificates(Path(credential.cert).read_bytes())
    return certificates[0].public_bytes(Encoding.DER)


@pytest.mark.req("TRU-6")
def test_every_certificate_of_the_space_meets_its_answer(tmp_path: Path) -> None:
    """The operator is accepted, each odd one is refused for its own reason, the bad ones' DNs being listed."""
    space = make_space(tmp_path)
    trust = opened(space)
    assert trust.alarms() == ()
    assert trust.check_operator(der(space.operator)) is None
    assert reason_of(trust.identify_server(der(space.gateway))) == ""
    for name in (space.hosted_domain, space.patient_domain, space.operator.domain):
        assert trust.knows(name)
    reasons = {
        "revoked": "certificate-revoked",
        "expired": "certificate-expired",
        "unlisted": "dn-not-listed",
        "foreign-ca": "issuer-unknown",
        "self-signed": "self-signed",
        "wrong-usage": "wrong-usage",
    }
    for name, credential in space.refused.items():
        refused = trust.check_operator(der(credential))
        assert refused is not None
        assert refused.reason == reasons.pop(name)
        identity = trust.analysis(der(credential)).identity
        assert identity is not None
        assert trust.lists(credential.domain, identity.dn_key) == (name != "unlisted")
    assert reasons == {}
    app = trust.identify(der(space.app))
    assert isinstance(app, PeerIdentity)
    assert app.dn_key == dn.key_of_text(space.app_dn)
    assert app.emails == (space.app.address,)


def test_a_second_call_changes_nothing_and_keys_are_private(tmp_path: Path) -> None:
    """Reused while it is good; no key is readable by others."""
    first = make_space(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in Path(first.folder).iterdir()}
    assert make_space(tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in Path(first.folder).iterdir()} == stamps
    keys = list(Path(first.folder).glob("*.key"))
    assert len(keys) == 11
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
    assert all(isinstance(value, str | dict) for value in asdict(first).values())


def test_a_space_that_ages_is_renewed(tmp_path: Path) -> None:
    """The list is signed anew after half a day, everything is made anew near the end of its life."""
    first = make_space(tmp_path)
    mtime = datetime.now(UTC).timestamp() - 13 * 3600
    before = Path(first.trusted_list).read_bytes()
    os.utime(first.trusted_list, (mtime, mtime))
    certificate = Path(first.gateway.cert).read_bytes()
    assert make_space(tmp_path) == first
    assert Path(first.trusted_list).stat().st_mtime > mtime
    assert Path(first.trusted_list).read_bytes() != b""
    assert Path(first.gateway.cert).read_bytes() == certificate
    opened(make_space(tmp_path, now=datetime.now(UTC) + timedelta(days=90)))
    assert Path(first.gateway.cert).read_bytes() != certificate
    assert Path(first.trusted_list).read_bytes() != before


def test_a_damaged_or_different_space_is_made_again(tmp_path: Path) -> None:
    """A missing file, an unreadable mark or other domains give a whole new space."""
    first = make_space(tmp_path)
    Path(first.operator.key).unlink()
    assert Path(make_space(tmp_path).operator.key).exists()
    (Path(first.folder) / "space.json").write_text("{")
    opened(make_space(tmp_path))
    other = make_space(tmp_path, hosted_domain="cabinet-exemple.mssante.fr")
    assert opened(other).knows("cabinet-exemple.mssante.fr")
