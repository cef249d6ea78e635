"""`trace` against a running gateway: what really happened to a letter, from a wrong address to its receipt (AUD-2)."""

from __future__ import annotations

import imaplib
import json
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mss_gateway.dev.handout import Account
from mss_gateway.dev.wire import tls
from tests.support.journeys import letter
from tests.support.process import GatewayProcess

WAIT = 60.0  # seconds; only a receipt that is never written reaches it


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that the command asks."""
    process = GatewayProcess(tmp_path_factory.mktemp("timeline"))
    yield process
    assert process.stop() == 0


def traced(gateway: GatewayProcess, message_id: str) -> Any:
    """The JSON answer of the command."""
    words = ("trace", message_id, "--json", "--config", str(gateway.config))
    done = subprocess.run(
        [sys.executable, "-m", "mss_gateway", *words],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def submit(gateway: GatewayProcess, sender: Account, recipients: list[str], message: bytes) -> list[int]:
    """Send a message to several recipients; the reply codes of RCPT and of the message."""
    with smtplib.SMTP("127.0.0.1", gateway.handout.ports.submission, timeout=60) as smtp:
        smtp.starttls(context=tls(gateway.handout))
        smtp.login(sender.login, sender.password)
        smtp.mail(sender.address)
        return [*(smtp.rcpt(to)[0] for to in recipients), smtp.data(message)[0]]


def open_all(gateway: GatewayProcess, reader: Account) -> None:
    """Mark everything in INBOX as read."""
    with imaplib.IMAP4_SSL(
        "127.0.0.1", gateway.handout.ports.imaps, ssl_context=tls(gateway.handout)
    ) as imap:
        imap.login(reader.login, reader.password)
        imap.select("INBOX")
        imap.store("1:*", "+FLAGS", "\\Seen")


@pytest.mark.req("AUD-2", "INS-7", "RCP-2")
def test_one_letter_from_a_mistyped_address_to_its_receipt(gateway: GatewayProcess) -> None:
    """The refused recipient, the acceptance, the channel, the opening and the receipt stand on one timeline."""
    doctor, patient = gateway.handout.account("PER"), gateway.handout.account("PAT")
    local, _, domain = patient.address.partition("@")
    mistyped = f"{local[:-2]}{int(local[-2:]) % 97 + 1:02}@{domain}"
    message_id, message = letter(doctor.address, patient.address)
    message = f"Disposition-Notification-To: {doctor.address}\r\n".encode() + message
    assert submit(gateway, doctor, [mistyped, patient.address], message) == [550, 250, 250]
    open_all(gateway, patient)
    limit = time.monotonic() + WAIT
    while True:
        found = traced(gateway, message_id)
        events = [line["event"] for line in found["lines"]]
        if "mdn-sent" in events or time.monotonic() > limit:
            break
        time.sleep(0.1)
    assert events == ["refused", "accepted", "channel-open", "receipt-opened", "mdn-sent"]
    refused, receipt = found["lines"][0], found["lines"][-1]
    assert refused["detail"]["reason"] == "ins-key"
    assert refused["rules"][-1]["name"] == "patient-address"
    assert refused["transaction"] == found["lines"][1]["transaction"]
    assert receipt["detail"]["report"].startswith("<")
    assert [line["at"] for line in found["lines"]] == sorted(line["at"] for line in found["lines"])
    assert local not in json.dumps(found)
    assert mistyped[:15] not in json.dumps(found)
