"""curl as an operator's server, as software with a certificate, and as an IMAP client."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.foreign import require_program
from tests.support.journeys import HOST, letter, ran, stored
from tests.support.process import GatewayProcess

pytestmark = pytest.mark.foreign


@pytest.mark.req("TRU-1", "RTE-1")
def test_curl_delivers_with_a_certificate_and_reads_over_imap(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """SMTP with mutual TLS in, IMAPS out: the same bytes."""
    handout = gateway.handout
    doctor = handout.account("PER")
    sender = f"curl@{handout.operator.domain}"
    message_id, data = letter(sender, doctor.address, text="Octets : éàü, €.\r\n.une ligne à point\r\n")
    file = tmp_path / "m.eml"
    file.write_bytes(data)
    curl = require_program("curl")
    smtp = [
        curl,
        "-sv",
        "--ssl-reqd",
        "--cacert",
        handout.ca,
        f"smtp://localhost:{handout.ports.mta}/hopital.example",
    ]
    smtp += ["--cert", handout.operator.cert, "--key", handout.operator.key]
    status, said = ran(
        [*smtp, "--mail-from", sender, "--mail-rcpt", doctor.address, "--upload-file", str(file)]
    )
    assert status == 0, said
    assert stored(handout, doctor, message_id) is not None
    box = f"imaps://localhost:{handout.ports.imaps}/INBOX"
    login = ["--cacert", handout.ca, "--user", f"{doctor.login}:{doctor.password}"]
    status, found = ran([curl, "-s", *login, box, "-X", f'UID SEARCH HEADER Message-ID "{message_id}"'])
    assert status == 0
    uid = found.split()[-1]
    status, text = ran([curl, "-s", *login, f"{box};UID={uid}"])
    assert status == 0
    assert data.decode().strip() in text


@pytest.mark.req("BAL-4", "BAL-8", "CHN-4")
def test_curl_submits_as_software_by_its_certificate(gateway: GatewayProcess, tmp_path: Path) -> None:
    """AUTH EXTERNAL: no password; a message to a patient without Reply-To gets X-MSS-MES: FIN."""
    handout = gateway.handout
    patient = handout.account("PAT")
    message_id, data = letter(handout.app.address, patient.address, "Vos resultats")
    file = tmp_path / "m.eml"
    file.write_bytes(data)
    command = [require_program("curl"), "-sv", "--ssl-reqd", "--cacert", handout.ca]
    command += [
        f"smtp://localhost:{handout.ports.submission}/logiciel.example",
        "--login-options",
        "AUTH=EXTERNAL",
    ]
    command += ["--user", f"{handout.app.address}:", "--cert", handout.app.cert, "--key", handout.app.key]
    command += [
        "--mail-from",
        handout.app.address,
        "--mail-rcpt",
        patient.address,
        "--upload-file",
        str(file),
    ]
    status, said = ran(command)
    assert status == 0, said
    kept = stored(handout, patient, message_id)
    assert kept is not None
    assert b"\r\nX-MSS-MES: FIN\r\n" in kept.partition(b"\r\n\r\n")[0]


def test_curl_without_tls_gets_nothing(gateway: GatewayProcess) -> None:
    """IMAP in the clear offers no login (ACC-1)."""
    doctor = gateway.handout.account("PER")
    url = f"imap://{HOST}:{gateway.handout.ports.imap}/INBOX"
    status, said = ran([require_program("curl"), "-sv", url, "--user", f"{doctor.login}:{doctor.password}"])
    assert status != 0
    assert "LOGINDISABLED" in said
    assert doctor.password not in said.replace(f"{doctor.login}:{doctor.password}", "")
