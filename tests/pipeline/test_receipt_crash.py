"""kill -9 between the opening and the receipt: exactly one MDN for what was opened, none for the rest (RCP-2)."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from mss_gateway.dev.wire import tls
from tests.support.letters import MEDECIN, letter, unique
from tests.support.process import GatewayProcess
from tests.support.wires import Closed, Imap, Smtp

ROUNDS = 4
MESSAGES = 30  # of each round
UNOPENED = 5
QUIET = 60.0  # seconds; only a receipt that never comes reaches it


def _imap(gateway: GatewayProcess, kind: str) -> Imap:
    imap = Imap(gateway.handout.ports.imaps, tls(gateway.handout))
    account = gateway.handout.account(kind)
    imap.ok(f"LOGIN {account.login} {account.password}")
    imap.ok("SELECT INBOX")
    return imap


def _send(gateway: GatewayProcess) -> list[str]:
    """Messages to the patient that ask for a receipt; their Message-IDs, in the order of their UIDs."""
    account, patient = gateway.handout.account("PER"), gateway.handout.patients.active
    wire = Smtp(gateway.handout.ports.submissions, tls(gateway.handout))
    wire.hello()
    assert wire.login(account.login, account.password).startswith("235")
    sent = []
    for _ in range(MESSAGES):
        message_id = unique("receipt")
        octets = letter(
            MEDECIN,
            patient,
            message_id=message_id,
            more=f"Disposition-Notification-To: <{MEDECIN}>\r\n",
        )
        assert wire.deliver(MEDECIN, patient, octets).startswith("250")
        sent.append(message_id)
    wire.close()
    return sent


def _open(gateway: GatewayProcess, uids: list[int], tried: list[int], said: list[int]) -> None:
    """Open messages until the connection breaks; what was begun, and what was answered OK."""
    try:
        imap = _imap(gateway, "PAT")
        for uid in uids:
            tried.append(uid)
            how = random.choice(("STORE {} +FLAGS.SILENT (\\Seen)", "FETCH {} (BODY[TEXT])"))
            imap.ok(f"UID {how.format(uid)}")
            said.append(uid)
    except (OSError, Closed, AssertionError):
        return


def _seen(gateway: GatewayProcess) -> dict[str, bool]:
    """Message-ID to whether the patient's message is marked as read."""
    imap = _imap(gateway, "PAT")
    found = {}
    for line in imap.ok("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
        match = re.search(rb"Message-ID: (<receipt[^>]+>)", line)
        if match:
            found[match[1].decode()] = b"\\Seen" in line
    imap.close()
    return found


def _receipts(gateway: GatewayProcess) -> Counter[str]:
    """How many receipts the sender has for each message."""
    imap = _imap(gateway, "PER")
    found = Counter(
        line.split(b"In-Reply-To: ")[1].split(b"\r\n")[0].decode()
        for line in imap.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (IN-REPLY-TO)])")
        if b"In-Reply-To: " in line
    )
    imap.close()
    return found


@pytest.mark.req("RCP-2", "RTE-4")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_opening_has_exactly_one_receipt_after_kill_9(tmp_path: Path) -> None:
    """Kills at random instants around the openings; each opened message has one receipt, each other none."""
    gateway = GatewayProcess(tmp_path)
    acknowledged: set[str] = set()
    try:
        for turn in range(ROUNDS):
            sent = _send(gateway)
            first = turn * MESSAGES + 1
            uids = list(range(first, first + MESSAGES - UNOPENED))
            tried: list[int] = []
            said: list[int] = []
            client = threading.Thread(target=_open, args=(gateway, uids, tried, said), daemon=True)
            client.start()
            limit = time.monotonic() + 60
            wanted = random.randrange(1, len(uids))
            while len(tried) < wanted and time.monotonic() < limit:
                time.sleep(0.0005)
            time.sleep(random.uniform(0.0, 0.003))
            gateway.kill()
            client.join(20)
            acknowledged |= {sent[uid - first] for uid in said}
            gateway.start()
        seen = _seen(gateway)
        assert len(seen) == ROUNDS * MESSAGES
        opened = {message_id for message_id, read in seen.items() if read}
        assert acknowledged <= opened
        assert acknowledged
        limit = time.monotonic() + QUIET
        while _receipts(gateway).keys() != opened and time.monotonic() < limit:
            time.sleep(0.1)
        time.sleep(0.5)  # a second receipt would come after the first
        assert _receipts(gateway) == Counter(opened)
        assert len(opened) < len(seen)
    finally:
        gateway.kill()


@pytest.mark.req("RCP-2")
@pytest.mark.timeout(600)
def test_what_a_killed_gateway_left_opened_is_answered_at_its_start(tmp_path: Path) -> None:
    """Killed exactly between the commit of the opening and the MDN."""
    gateway = GatewayProcess(tmp_path)
    try:
        sent, patient = _send(gateway), gateway.handout.patients.active
        gateway.stop()
        victim = subprocess.run(
            [sys.executable, "-m", "tests.support.receipt_victim", str(gateway.folder / "store"), patient],
            check=False,
            timeout=100,
        )
        assert victim.returncode == -signal.SIGKILL
        gateway.start()
        limit = time.monotonic() + QUIET
        while len(found := _receipts(gateway)) < len(sent) and time.monotonic() < limit:
            time.sleep(0.05)
        assert found == Counter(sent)
    finally:
        gateway.kill()
