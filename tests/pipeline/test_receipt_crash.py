"""kill -9 between the opening and the receipt: exactly one MDN for what was opened, none for the rest (RCP-2)."""

from __future__ import annotations

import random
import re
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
QUIET = 15.0  # seconds; only a receipt that never comes reaches it


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
            limit = time.monotonic() + 20
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
        while (found := _receipts(gateway)).keys() != opened and time.monotonic() < limit:
            time.sleep(0.1)
        assert found == Counter(opened)
        assert len(opened) < len(seen)
    finally:
        gateway.kill()


@pytest.mark.req("RCP-2")
def test_what_a_killed_gateway_left_opened_is_answered_at_its_start(tmp_path: Path) -> None:
    """The opening is durable and the MDN is not written: the state that a kill between the two leaves behind."""
    gateway = GatewayProcess(tmp_path)
    try:
        sent = _send(gateway)
        gateway.stop()
        _open_alone(gateway)
        gateway.start()
        limit = time.monotonic() + QUIET
        while len(found := _receipts(gateway)) < len(sent) and time.monotonic() < limit:
            time.sleep(0.05)
        assert found == Counter(sent)
    finally:
        gateway.kill()


def _open_alone(gateway: GatewayProcess) -> None:
    """Every message of the patient is opened in a store that nobody else serves: no MDN can be written."""
    import asyncio

    from mss_gateway.mail.address import parse_address
    from mss_gateway.ports.mailboxes import FlagChange
    from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
    from tests.support.store import ANYONE, inbox, uids

    async def run() -> None:
        store = SqliteStore(SqliteOptions(gateway.folder / "store"))
        await store.open()
        box = await store.box(parse_address(gateway.handout.patients.active).key)
        assert box is not None
        folder = await inbox(store, box.id)
        known = await uids(store, folder)
        await store.store_flags(folder, ANYONE, known, FlagChange.ADD, frozenset({"\\Seen"}))
        assert len(await store.opened()) == len(known)
        await store.close()

    asyncio.run(run())
