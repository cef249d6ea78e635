"""The restore drill: mail comes in, a backup is made meanwhile, the gateway is killed, and comes back elsewhere."""

from __future__ import annotations

import re
import shutil
import signal
import smtplib
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.dev.handout import Account, Handout
from mss_gateway.dev.wire import tls
from tests.support.commands import Site, run
from tests.support.letters import letter, unique
from tests.support.process import GatewayProcess
from tests.support.wires import Imap

pytestmark = pytest.mark.req("OPS-5")

SIZES = (200, 60_000, 700_000)
"""Texts in the database, in a shared segment, in a segment of their own."""

INTERNAL = re.compile(rb"UIDVALIDITY (\d+)")


def imap(handout: Handout, account: Account, mailbox: str = "INBOX") -> Imap:
    """A session with a mailbox open."""
    wire = Imap(handout.ports.imaps, tls(handout))
    wire.ok(f"LOGIN {account.login} {account.password}")
    wire.opened = wire.ok(f"SELECT {mailbox}")  # type: ignore[attr-defined]
    return wire


def picture(handout: Handout, accounts: list[Account]) -> dict[str, Any]:
    """Everything that IMAP tells of these accounts, but what must change: flags, octets, annotations, quota."""
    found: dict[str, Any] = {}
    for account in accounts:
        for mailbox in ("INBOX", "Sent"):
            wire = imap(handout, account, mailbox)
            found[f"{account.login} {mailbox}"] = sorted(
                wire.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            )
            found[f"{account.login} {mailbox} notes"] = wire.ok(f'GETMETADATA {mailbox} "/shared/comment"')
            found[f"{account.login} {mailbox} quota"] = wire.ok(f"GETQUOTAROOT {mailbox}")
            wire.close()
    return found


def validities(handout: Handout, account: Account) -> int:
    """UIDVALIDITY of the inbox."""
    wire = imap(handout, account)
    opened: list[bytes] = wire.opened  # type: ignore[attr-defined]
    wire.close()
    return int(next(found[1] for line in opened if (found := INTERNAL.search(line))))


@dataclass
class Sender:
    """Sends without a pause, then one a second; `acknowledged` are the Message-IDs that were taken, with the time."""

    handout: Handout
    acknowledged: dict[str, float] = field(default_factory=dict)
    stopping: bool = False

    def run(self) -> None:
        """Until it is told to stop, or the gateway has gone."""
        doctor, cabinet = self.handout.account("PER"), self.handout.account("CAB")
        with smtplib.SMTP("127.0.0.1", self.handout.ports.submission, timeout=60) as smtp:
            smtp.starttls(context=tls(self.handout))
            smtp.login(doctor.login, doctor.password)
            while not self.stopping:
                message_id = unique("drill")
                text = b"x" * SIZES[len(self.acknowledged) % 2] + b"\r\n"
                smtp.sendmail(
                    doctor.address,
                    [cabinet.address],
                    letter(doctor.address, cabinet.address, message_id=message_id, text=text),
                )
                self.acknowledged[message_id] = time.time()
                if len(self.acknowledged) > 80:  # a backup on a busy machine is not to hold ever more of it
                    time.sleep(1.0)


def prepare(gateway: GatewayProcess, site: Site) -> None:
    """Mail of every size, flags, a shared mailbox read by one, notes, a quota, a channel, something in the queue."""
    handout = gateway.handout
    doctor, one, patient = handout.account("PER"), handout.account("ORG"), handout.account("PAT")
    with smtplib.SMTP("127.0.0.1", handout.ports.submission, timeout=60) as smtp:
        smtp.starttls(context=tls(handout))
        smtp.login(doctor.login, doctor.password)
        for size in SIZES:
            text = (b"ligne %d\r\n" * (size // 9 + 1)) % tuple(range(size // 9 + 1))
            smtp.sendmail(doctor.address, [one.address], letter(doctor.address, one.address, text=text))
        elsewhere = f"dr.durand@{handout.operator.domain}"
        smtp.sendmail(doctor.address, [elsewhere], letter(doctor.address, elsewhere))
        smtp.sendmail(doctor.address, [patient.address], letter(doctor.address, patient.address))
    wire = imap(handout, one)
    wire.ok("STORE 1 +FLAGS (\\Seen $Urgent)")
    wire.ok('SETMETADATA INBOX (/shared/comment "à lire le matin")'.encode().replace("à".encode(), b"a"))
    assert wire.append("Sent", letter(one.address, doctor.address), "(\\Seen)").startswith(b"OK")
    wire.close()
    site.json("bal", "quota", one.address, "--bytes", "1G")


def serve_restored(before: GatewayProcess, folder: Path) -> GatewayProcess:
    """A gateway on what was restored, with the configuration that was in the backup."""
    after = GatewayProcess.__new__(GatewayProcess)
    after.folder = folder
    after.config = folder / "gateway.toml"
    shutil.copy(folder / "gateway.toml.kept", after.config)
    after.handout = before.handout
    after.log = folder / "log"
    after.start()
    return after


def held(site: Site) -> list[dict[str, Any]]:
    """Rows of the queue that are kept back."""
    return list(site.json("queue", "list", "--state", "held")["rows"])


@pytest.mark.timeout(400)
def test_the_restore_drill(tmp_path: Path) -> None:
    """Everything acknowledged before the backup began is there afterwards, octet by octet."""
    (tmp_path / "site").mkdir()
    gateway = GatewayProcess(tmp_path / "site")
    site, handout = Site(gateway.folder, beside=gateway), gateway.handout
    target, new = tmp_path / "backups", tmp_path / "new"
    members = [one for one in handout.accounts if one.type == "ORG"]
    sender = Sender(handout)
    try:
        prepare(gateway, site)
        first = site.json("backup", str(target))
        before = picture(handout, members)
        channels = site.json("channel", "list")
        old = validities(handout, members[0])
        thread = threading.Thread(target=sender.run, daemon=True)
        thread.start()
        while len(sender.acknowledged) < 20:
            time.sleep(0.02)
        began = time.time()
        second = site.json("backup", str(target))
        print(site.run("audit", "verify"))
        sender.stopping = True
        thread.join(60)
        assert second["written"] < first["octets"] * 3
    finally:
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait()

    status, said = run("restore", str(target), "--to", str(new), "--backup", second["backup"])
    assert status == 0, said
    assert "mss-gateway restored" in said
    after = serve_restored(gateway, new)
    try:
        there = Site(new, beside=after)
        assert picture(after.handout, members) == before
        assert there.json("channel", "list") == channels
        assert validities(after.handout, members[0]) > old
        wire = imap(after.handout, handout.account("CAB"))
        found = b"".join(wire.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))
        wire.close()
        for message_id, at in sender.acknowledged.items():
            assert at > began or message_id.encode() in found, message_id
        assert [row["hold_reason"] for row in held(there)] == [
            "the store was restored from a backup: it may have been sent since"
        ]
        assert there.json("restored")["restored"]["queue_held"] == 1
        checks = {one["name"]: one for one in there.json("doctor", status=DOCTOR_SAYS_NO)["checks"]}
        assert "kept back" in checks["restored"]["evidence"]
        assert there.json("verify")["findings"] == []
        status, said = there.run("audit", "verify")
        assert status == 0, said
    finally:
        after.stop()


DOCTOR_SAYS_NO = 0
"""Nothing of the sample is bad."""


@pytest.mark.timeout(400)
def test_offline_backup_list_prune_and_torn(tmp_path: Path) -> None:
    """The same commands when no gateway runs; a torn backup is refused by `restore` and found by `verify --backup`."""
    site = Site(tmp_path)
    target = tmp_path / "sauvegarde"
    first = site.json("backup", str(target))
    second = site.json("backup", str(target))
    assert [one["backup"] for one in site.json("backup", "list", str(target))["backups"]] == [
        second["backup"],
        first["backup"],
    ]
    status, said = site.run("backup", "list", str(target))
    assert (status, second["backup"] in said) == (0, True)
    assert site.json("verify", "--backup", str(target))["whole"]
    pruned = site.json("backup", "prune", str(target), "--keep", "1")
    assert pruned["backups"] == [first["backup"]]
    status, said = site.run("verify", "--quick")
    assert (status, "whole" in said) == (0, True)
    max(
        (path for path in (target / "chunks").rglob("*") if path.is_file()),
        key=lambda one: one.stat().st_size,
    ).unlink()
    found = site.json("verify", "--backup", str(target), status=1)
    assert [one["check"] for one in found["findings"]] == ["chunk-missing"]
    status, said = run("restore", str(target), "--to", str(tmp_path / "new"))
    assert status == 6
    assert "is torn: 1 of its pieces are missing" in " ".join(said.split())
    assert site.json("backup", status=2)["reason"] == "no-target"
    assert site.json("backup", "list", str(tmp_path / "rien"), status=3)["reason"] == "no-backup"
    assert site.json("restored")["restored"] is None


@pytest.mark.timeout(400)
def test_backups_by_the_clock(tmp_path: Path) -> None:
    """With keep.backup_to a gateway makes one by itself at its start, and the doctor knows its age."""
    (tmp_path / "site").mkdir()
    target = tmp_path / "backups"
    more = f'\n[keep]\nbackup_to = "{target}"\nbackup_every_hours = 1.0\nbackup_keep = 2\n'
    gateway = GatewayProcess(tmp_path / "site", more=more)
    site = Site(gateway.folder, beside=gateway)
    try:
        checks = {one["name"]: one for one in site.json("doctor", status=1)["checks"]}
        assert "is its disk mounted?" in checks["backup"]["evidence"]
        assert gateway.stop() == 0
        target.mkdir()
        gateway.start()
        limit = time.monotonic() + 60
        while not (target / "backups").is_dir() or not list((target / "backups").glob("*.json")):
            assert time.monotonic() < limit
            time.sleep(0.05)
        checks = {one["name"]: one for one in site.json("doctor")["checks"]}
        assert checks["backup"]["verdict"] == "good"
        assert len(site.json("backup", "list")["backups"]) == 1
    finally:
        gateway.stop()


def test_the_worker_says_nothing_on_its_own() -> None:
    """Its modules are not loaded by the command line's help."""
    code = "import sys, mss_gateway.cli.root; print('apsw' in sys.modules, 'cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
