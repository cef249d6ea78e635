"""As the unit and the container run it: read-only root, no capability; and the disk that fills up under it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mss_gateway.dev.wire import tls
from tests.support.disks import disk_of
from tests.support.letters import MEDECIN, SENDER, letter, unique
from tests.support.process import GatewayProcess
from tests.support.wires import Imap, Smtp

pytestmark = pytest.mark.timeout(600)
CONFINED = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
"""
"""In a mount namespace of its own: only the state folder can be written, nothing of root's rights is left."""


def may_mount() -> bool:
    """Whether this user may make file systems and namespaces."""
    command = ["unshare", "--mount", "true"]
    return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0


def needs_root() -> None:
    """Fails in CI and is loudly left out elsewhere, when this user may not mount."""
    if may_mount():
        return
    text = "NOT ROOT: a read-only root and a full disk were NOT tested"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(text)
    pytest.skip(text)


class ConfinedProcess(GatewayProcess):
    """`mss-gateway serve` that sees a read-only root; its state folder is the only place to write."""

    @property
    def command(self) -> list[str]:
        """The command behind the confinement."""
        program = [sys.executable, "-B", "-m", "mss_gateway", "serve", "--config", str(self.config)]
        return ["unshare", "--mount", "sh", "-c", CONFINED, "sh", str(self.folder), *program]


def sent(served: GatewayProcess, message: bytes) -> str:
    """The answer to a message of the listed operator."""
    wire = Smtp(served.handout.ports.mta)
    wire.hello()
    wire.start_tls(tls(served.handout, served.handout.operator))
    wire.hello()
    try:
        return wire.deliver(SENDER, MEDECIN, message)
    finally:
        wire.close()


def found(served: GatewayProcess, message_id: str) -> bool:
    """Whether the message lies in the recipient's INBOX."""
    account = served.handout.account("PER")
    wire = Imap(served.handout.ports.imaps, tls(served.handout))
    wire.ok(f"LOGIN {account.login} {account.password}")
    wire.ok("SELECT INBOX")
    answers = wire.ok(f"SEARCH HEADER Message-ID {message_id}")
    wire.close()
    return any(line.split()[2:] for line in answers if line.startswith(b"* SEARCH"))


@pytest.mark.req("OPS-4")
def test_it_runs_on_a_read_only_root_without_any_capability(tmp_path: Path) -> None:
    """Mail comes in and is read; nothing was written outside of the state folder, nothing was refused."""
    needs_root()
    served = ConfinedProcess(tmp_path)
    try:
        message_id = unique()
        assert sent(served, letter(message_id=message_id, text=(b"y" * 70 + b"\r\n") * 5_000)).startswith(
            "250"
        )
        assert found(served, message_id)
        status = Path(f"/proc/{served.process.pid}/status").read_text(encoding="ascii")
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
    finally:
        assert served.stop() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    needs_root()
    with disk_of(48, tmp_path / "disk") as disk:
        assert disk is not None, "root of a machine on which nothing can be mounted"
        yield disk


def large(message_id: str) -> bytes:
    """A message of a megabyte, which goes to a segment file."""
    return letter(message_id=message_id, text=(b"z" * 70 + b"\r\n") * 15_000)


@pytest.mark.req("RTE-4", "OPS-4")
def test_a_disk_that_is_full_and_has_room_again(small_disk: Path) -> None:
    """`452` while it is full; with room again it goes on by itself, and nothing acknowledged is gone."""
    served = GatewayProcess(small_disk)
    try:
        accepted = []
        for _ in range(200):
            message_id = unique()
            answer = sent(served, large(message_id))
            if not answer.startswith("250"):
                break
            accepted.append(message_id)
        assert answer.startswith("452 4.3.1")
        assert accepted
        subprocess.run(["mount", "-o", "remount,size=96m", str(small_disk)], check=True)
        again = unique()
        assert sent(served, large(again)).startswith("250")
        assert all(found(served, one) for one in [*accepted, again])
        assert served.spooled == []
    finally:
        assert served.stop() == 0
