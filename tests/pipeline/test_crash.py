"""kill -9 under SMTP load: every 250 is found exactly once over IMAP, and nothing is left in the spool."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from mss_gateway.dev.wire import tls
from tests.support.letters import MEDECIN, SENDER, letter, unique
from tests.support.process import GatewayProcess
from tests.support.wires import Closed, Imap, Smtp

ROUNDS = 3
CLIENTS = 4


def _load(gateway: GatewayProcess, said: list[str], sent: list[str]) -> None:
    """Deliver small and large messages until the connection breaks."""
    try:
        wire = Smtp(gateway.handout.ports.mta)
        wire.hello()
        wire.start_tls(tls(gateway.handout, gateway.handout.operator))
        wire.hello()
        while True:
            message_id = unique("crash")
            size = random.choice((10, 3000, 60_000, 1_500_000))
            octets = letter(message_id=message_id, text=(b"c" * 70 + b"\r\n") * (size // 72 + 1))
            wire.envelope(SENDER, MEDECIN)
            sent.append(message_id)
            if wire.data(octets).startswith("250"):
                said.append(message_id)
    except (OSError, Closed, AssertionError):
        return


def _stored(gateway: GatewayProcess) -> Counter[str]:
    imap = Imap(gateway.handout.ports.imaps, tls(gateway.handout))
    account = gateway.handout.account("PER")
    imap.ok(f"LOGIN {account.login} {account.password}")
    imap.ok("SELECT INBOX")
    lines = imap.run("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)] RFC822.SIZE)")[0]
    found = Counter(
        line.split(b"Message-ID: ")[1].split(b"\r\n")[0].decode() for line in lines if b"Message-ID: " in line
    )
    # Every stored text can be read to its announced end.
    sizes = [
        line for line in imap.ok("UID FETCH 1:* (RFC822.SIZE BODY.PEEK[TEXT]<0.1>)") if b" FETCH " in line
    ]
    assert all(b"}\r\nc" in line or b"}\r\nB" in line for line in sizes)
    imap.close()
    return found


@pytest.mark.req("RTE-4", "QUE-1")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_250_is_found_once_after_kill_9(tmp_path: Path) -> None:
    """Three kills at random instants; nothing acknowledged is lost, nothing is there twice."""
    gateway = GatewayProcess(tmp_path)
    said: list[str] = []
    sent: list[str] = []
    try:
        for _ in range(ROUNDS):
            before = len(said)
            clients = [
                threading.Thread(target=_load, args=(gateway, said, sent), daemon=True)
                for _ in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            limit = time.monotonic() + 60
            while len(said) < before + 5 and time.monotonic() < limit:
                time.sleep(0.01)
            time.sleep(random.uniform(0.0, 0.4))
            gateway.kill()
            for client in clients:
                client.join(30)
            assert len(said) > before
            gateway.start()
            found = _stored(gateway)
            assert [message_id for message_id in said if found[message_id] != 1] == []
            assert max(found.values()) == 1
            assert set(found) <= set(sent)
            assert gateway.spooled == []
    finally:
        assert gateway.stop() == 0
