"""aiosmtplib, imaplib and openssl s_client; the tour; what `dev --json` hands out."""

from __future__ import annotations

import imaplib
import json
import re
import subprocess
import sys
from pathlib import Path

import aiosmtplib
import pytest

from mss_gateway.dev.wire import tls
from tests.support.foreign import require_program
from tests.support.journeys import HOST, letter, log_since, ran, stored, trusting
from tests.support.process import GatewayProcess
from tests.support.rows import base_port


@pytest.mark.req("TRU-1", "RTE-5")
async def test_aiosmtplib_delivers_to_several(gateway: GatewayProcess) -> None:
    """One of three recipients is unknown: it is refused at RCPT, the others get their copy."""
    handout = gateway.handout
    sender = f"aiosmtplib@{handout.operator.domain}"
    good = [handout.account("PER"), handout.account("ORG")]
    unknown = "inconnu@" + good[0].address.partition("@")[2]
    message_id, data = letter(sender, good[0].address)
    client = aiosmtplib.SMTP(
        hostname=HOST,
        port=handout.ports.mta,
        start_tls=True,
        tls_context=tls(handout, handout.operator),
        timeout=60,
    )
    async with client:
        errors, said = await client.sendmail(sender, [good[0].address, unknown, good[1].address], data)
    assert set(errors) == {unknown}
    assert errors[unknown][0] == 550
    assert "Stored as" in said
    for account in good:
        assert stored(handout, account, message_id) is not None


def test_imaplib_walks_through_the_mailbox(gateway: GatewayProcess) -> None:
    """LIST, STATUS, SELECT, FETCH, STORE, COPY, EXPUNGE as Python's own client does them."""
    doctor = gateway.handout.account("PER")
    ports = gateway.handout.ports
    with imaplib.IMAP4_SSL(HOST, ports.imaps, ssl_context=trusting(gateway.handout)) as imap:
        imap.login(doctor.login, doctor.password)
        assert imap.create("Dossiers/&AMk-t&AOk-")[0] == "OK"
        status, listed = imap.list()
        assert status == "OK"
        assert any(b'"Dossiers/&AMk-t&AOk-"' in line or b"Dossiers/&AMk-t&AOk-" in line for line in listed)
        assert imap.append("Dossiers", "", None, letter("a@exemple.fr", "a@exemple.fr")[1])[0] == "OK"
        assert imap.select("Dossiers")[1] == [b"1"]
        assert imap.store("1", "+FLAGS", r"(\Answered)")[0] == "OK"
        assert b"\\Answered" in imap.fetch("1", "(FLAGS)")[1][0]
        assert imap.copy("1", "Trash")[0] == "OK"
        assert imap.store("1", "+FLAGS.SILENT", r"(\Deleted)")[0] == "OK"
        assert imap.expunge()[1] == [b"1"]
        imap.unselect()
        assert imap.delete("Dossiers/&AMk-t&AOk-")[0] == "OK"
        assert imap.delete("Dossiers")[0] == "OK"


@pytest.mark.foreign
@pytest.mark.req("TRU-1", "TRU-2", "TRU-6")
@pytest.mark.parametrize(
    ("name", "alert", "reason"),
    [
        ("revoked", "certificate revoked", "certificate-revoked"),
        ("expired", "certificate expired", "certificate-expired"),
        ("foreign-ca", "unknown ca", "issuer-unknown"),
    ],
)
def test_s_client_is_refused_in_the_handshake(
    gateway: GatewayProcess, name: str, alert: str, reason: str
) -> None:
    """The peer reads why in its own log, and ours carries the slug."""
    credential = gateway.handout.refused[name]
    offset = gateway.log.stat().st_size
    command = [require_program("openssl"), "s_client", "-connect", f"{HOST}:{gateway.handout.ports.mta}"]
    command += [
        "-starttls",
        "smtp",
        "-cert",
        credential.cert,
        "-cert_chain",
        credential.cert,
        "-key",
        credential.key,
    ]
    _, said = ran([*command, "-ign_eof", "-CAfile", gateway.handout.ca], data=b"QUIT\r\n")
    assert alert in said.lower()
    assert log_since(gateway.log, offset, f"reason={reason}")


@pytest.mark.foreign
@pytest.mark.req("TRU-1")
def test_old_tls_is_refused(gateway: GatewayProcess) -> None:
    """TLS 1.1 finds no common version."""
    command = [
        require_program("openssl"),
        "s_client",
        "-connect",
        f"{HOST}:{gateway.handout.ports.imaps}",
        "-tls1_1",
    ]
    status, said = ran([*command, "-cipher", "ALL:@SECLEVEL=0"], data=b"")
    assert status != 0
    assert "protocol version" in said or "handshake failure" in said or "no protocols available" in said


@pytest.mark.timeout(600)
def test_dev_hands_out_what_a_script_needs_and_the_tour_holds(tmp_path: Path) -> None:
    """One line of JSON with every key; the tour passes against the running gateway and fails loudly on none."""
    base = base_port()
    run = [sys.executable, "-m", "mss_gateway", "dev"]
    where = ["--one", "--state", str(tmp_path / "state"), "--base-port", str(base)]
    with (tmp_path / "log").open("wb") as log:
        gateway = subprocess.Popen([*run, "--json", *where], stdout=subprocess.PIPE, stderr=log)
    try:
        assert gateway.stdout is not None
        handed = json.loads(gateway.stdout.readline())
        assert set(handed["ports"]) == {"mta", "submission", "submissions", "imap", "imaps"}
        assert {"cert", "key", "domain"} <= set(handed["operator"])
        assert {"address", "cert", "key"} <= set(handed["app"])
        assert set(handed["patients"]) == {"active", "not_activated", "closed"}
        assert {account["type"] for account in handed["accounts"]} >= {"PER", "ORG", "PAT"}
        assert all(set(account) == {"address", "login", "password", "type"} for account in handed["accounts"])
        assert Path(handed["ca"]).is_file()
        assert handed["state"] == str(tmp_path / "state")
        status, said = ran([*run, "tour", *where], patience=400)
        assert status == 0, said
        assert re.match(r"tour: (\d\d) of \1 steps passed", said.splitlines()[-1])
    finally:
        gateway.terminate()
        assert gateway.wait(60) == 0
