"""swaks as another operator's server and as hospital software."""

from __future__ import annotations

from pathlib import Path

import pytest

from mss_gateway.dev.handout import Credential
from tests.support.foreign import require_program
from tests.support.journeys import HOST, letter, log_since, ran, stored
from tests.support.process import GatewayProcess

pytestmark = pytest.mark.foreign


def swaks(
    gateway: GatewayProcess, port: int, sender: str, recipient: str, data: bytes, folder: Path, *extra: str
) -> tuple[int, str]:
    """One delivery by swaks; its exit status and the dialogue."""
    file = folder / "message.eml"
    file.write_bytes(data.replace(b"\r\n", b"\n"))
    command = [
        require_program("swaks"),
        "--server",
        HOST,
        "--port",
        str(port),
        "--from",
        sender,
        "--to",
        recipient,
    ]
    return ran([*command, "--data", f"@{file}", "--timeout", "60", *extra])


def certificate(credential: Credential) -> tuple[str, ...]:
    """STARTTLS with this client certificate."""
    return ("-tls", "--tls-cert", credential.cert, "--tls-key", credential.key)


@pytest.mark.req("TRU-1", "TRU-4", "RTE-1", "RTE-7")
def test_a_listed_operator_delivers(gateway: GatewayProcess, tmp_path: Path) -> None:
    """The message is there byte for byte, with our trace in front."""
    handout = gateway.handout
    doctor = handout.account("PER")
    sender = f"expediteur@{handout.operator.domain}"
    message_id, data = letter(sender, doctor.address)
    status, said = swaks(
        gateway, handout.ports.mta, sender, doctor.address, data, tmp_path, *certificate(handout.operator)
    )
    assert status == 0, said
    assert "250 2.0.0 Stored as" in said
    kept = stored(handout, doctor, message_id)
    assert kept is not None
    assert data.rstrip() in kept
    assert kept.startswith(f"Return-Path: <{sender}>\r\nReceived: ".encode())
    assert b"TLSv1.3" in kept


@pytest.mark.req("TRU-1", "TRU-2", "TRU-6")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("revoked", "certificate-revoked"),
        ("expired", "certificate-expired"),
        ("foreign-ca", "issuer-unknown"),
        ("self-signed", "self-signed"),
        ("wrong-usage", "wrong-usage"),
    ],
)
def test_a_bad_certificate_is_refused(
    gateway: GatewayProcess, tmp_path: Path, name: str, reason: str
) -> None:
    """Nothing is accepted, and our log carries the reason."""
    handout = gateway.handout
    credential, doctor = handout.refused[name], handout.account("PER")
    sender = f"expediteur@{credential.domain}"
    message_id, data = letter(sender, doctor.address)
    offset = gateway.log.stat().st_size
    status, said = swaks(
        gateway, handout.ports.mta, sender, doctor.address, data, tmp_path, *certificate(credential)
    )
    assert status != 0
    assert "250 2.0.0" not in said
    assert log_since(gateway.log, offset, f"reason={reason}"), gateway.log.read_text()[offset:]
    assert stored(handout, doctor, message_id, wait=0) is None


@pytest.mark.req("TRU-1", "TRU-4", "TRU-6", "BAL-7", "RTE-3")
def test_what_a_listed_authority_alone_does_not_allow(gateway: GatewayProcess, tmp_path: Path) -> None:
    """No TLS, no certificate, an unlisted DN, a domain of somebody else, a stranger's recipient: each its reply."""
    handout = gateway.handout
    doctor, operator = handout.account("PER").address, handout.operator
    ours = f"expediteur@{operator.domain}"
    cases = [
        (ours, doctor, (), "530 5.7.0"),
        (ours, doctor, ("-tls",), "550 5.7.1 A client certificate"),
        (ours, doctor, certificate(handout.refused["unlisted"]), "550 5.7.1 The DN"),
        (doctor, doctor, certificate(operator), "550 5.7.1 This sender's domain is hosted here"),
        ("a@example.org", doctor, certificate(operator), "550 5.7.1"),
        (ours, "quelqu.un@example.org", certificate(operator), "550 5.7.1"),
        (ours, "inconnu@" + doctor.partition("@")[2], certificate(operator), "550 5.1.1"),
    ]
    for sender, recipient, how, reply in cases:
        _, data = letter(sender, recipient)
        status, said = swaks(gateway, handout.ports.mta, sender, recipient, data, tmp_path, *how)
        assert status != 0, said
        assert reply in said


@pytest.mark.req("ACC-1", "BAL-6")
def test_a_mail_client_submits(gateway: GatewayProcess, tmp_path: Path) -> None:
    """AUTH PLAIN over STARTTLS and over implicit TLS; a wrong password and a borrowed sender are refused."""
    handout = gateway.handout
    doctor, office = handout.account("PER"), handout.account("ORG")
    login = ("--auth", "PLAIN", "--auth-user", doctor.login, "--auth-password", doctor.password)
    for port, tls in ((handout.ports.submission, "-tls"), (handout.ports.submissions, "--tls-on-connect")):
        message_id, data = letter(doctor.address, office.address)
        status, said = swaks(gateway, port, doctor.address, office.address, data, tmp_path, tls, *login)
        assert status == 0, said
        assert stored(handout, office, message_id) is not None
    _, data = letter(office.address, doctor.address)
    port = handout.ports.submission
    status, said = swaks(gateway, port, office.address, doctor.address, data, tmp_path, "-tls", *login)
    assert status != 0
    assert "550 5.7.1 You may write only" in said
    wrong = (*login[:-1], "ce-n-est-pas-lui")
    status, said = swaks(gateway, port, doctor.address, office.address, data, tmp_path, "-tls", *wrong)
    assert status != 0
    assert "535 5.7.8" in said
