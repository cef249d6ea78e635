"""What commands in other processes cause, and what operators deliver, reaches a client in IDLE or after NOTIFY."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mss_gateway.cli.mailbox import PASSWORD_VARIABLE
from mss_gateway.dev.wire import tls
from tests.support.letters import SENDER, letter
from tests.support.oldserver import USER, WORD, old_server
from tests.support.process import GatewayProcess
from tests.support.wires import Closed, Imap, Smtp

pytestmark = [pytest.mark.req("IMP-1"), pytest.mark.timeout(600)]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway of its own, for members are taken away and channels closed."""
    process = GatewayProcess(tmp_path)
    yield process
    assert process.stop() == 0


def other_process(gateway: GatewayProcess, *words: str, **environment: str) -> None:
    """A command of operations in a process of its own."""
    command = [sys.executable, "-m", "mss_gateway", *words, "--config", str(gateway.config)]
    done = subprocess.run(
        command, capture_output=True, timeout=100, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr


def listening(gateway: GatewayProcess, kind: str, *, notify: str = "") -> Imap:
    """A client of the first account of a type: INBOX in IDLE, or after NOTIFY with nothing open."""
    account = gateway.handout.account(kind)
    box = Imap(gateway.handout.ports.imaps, tls(gateway.handout))
    box.ok(f"LOGIN {account.login} {account.password}")
    if notify:
        box.ok(f"NOTIFY SET {notify}")
        return box
    box.ok("SELECT INBOX")
    box.begin("IDLE")
    assert box.response().startswith(b"+ ")
    return box


def submitted(gateway: GatewayProcess, kind: str, recipient: str) -> None:
    """A letter of the first account of a type."""
    account = gateway.handout.account(kind)
    wire = Smtp(gateway.handout.ports.submission)
    wire.hello()
    wire.start_tls(tls(gateway.handout))
    wire.hello()
    wire.login(account.login, account.password)
    assert wire.deliver(account.address, recipient, letter(account.address, recipient)).startswith("250")
    wire.close()


def test_a_delivery_and_a_channel_closed_by_a_command(gateway: GatewayProcess) -> None:
    """The doctor writes to a patient, whose client hears of it; closing the channel tells the patient by a message."""
    patient = gateway.handout.account("PAT")
    idler = listening(gateway, "PAT")
    other = listening(gateway, "PAT", notify="(personal (MessageNew MessageExpunge))")
    submitted(gateway, "PER", patient.address)
    assert idler.response().endswith(b" EXISTS")
    assert other.response().startswith(b"* STATUS INBOX (MESSAGES ")
    doctor = gateway.handout.account("PER").address
    other_process(gateway, "channel", "close", patient.address, doctor, "--reason", "fin du suivi")
    assert idler.response().endswith(b" EXISTS")
    assert other.response().startswith(b"* STATUS INBOX (MESSAGES ")
    idler.close()
    other.close()


@pytest.mark.foreign
def test_a_mailbox_that_is_imported(gateway: GatewayProcess) -> None:
    """`mailbox import` makes folders and messages: LIST, STATUS and EXISTS as it goes on."""
    account = gateway.handout.account("PER")
    idler = listening(gateway, "PER")
    other = listening(gateway, "PER", notify="(personal (MessageNew MessageExpunge MailboxName))")
    with old_server() as old:
        with old.client() as client:
            client.create_folder("Ancien")
            for name in ("INBOX", "Ancien"):
                client.append(name, letter(SENDER, USER))
        other_process(
            gateway,
            "mailbox",
            "import",
            account.address,
            "--from",
            old.url,
            "--user",
            USER,
            "--ca",
            str(old.ca),
            **{PASSWORD_VARIABLE: WORD},
        )
    assert idler.response().endswith(b" EXISTS")
    told = [other.response() for _ in range(3)]
    assert any(line.startswith(b"* LIST ") and line.endswith(b" Ancien") for line in told)
    assert any(line.startswith(b"* STATUS Ancien (MESSAGES 1 ") for line in told)
    assert any(line.startswith(b"* STATUS INBOX (") for line in told)
    idler.close()
    other.close()


def test_a_member_who_is_taken_away(gateway: GatewayProcess) -> None:
    """`bal member --remove` ends the sessions of that member at once, those in IDLE and those after NOTIFY."""
    shared = gateway.handout.account("ORG").address
    login, word = "bo.essai", "un-mot-assez-long"
    other_process(gateway, "bal", "member", shared, login, "--name", "Bo Durand", "--password", word)
    boxes = []
    for command in ("IDLE", "NOTIFY SET (personal (MessageNew MessageExpunge))"):
        box = Imap(gateway.handout.ports.imaps, tls(gateway.handout))
        box.ok(f"LOGIN {login} {word}")
        box.ok("SELECT INBOX")
        box.send(f"x {command}\r\n".encode())
        box.response()
        boxes.append(box)
    other_process(gateway, "bal", "member", shared, login, "--remove")
    for box in boxes:
        assert box.response().startswith(b"* BYE ")
        with pytest.raises(Closed):
            box.response()
