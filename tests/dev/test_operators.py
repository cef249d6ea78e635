"""The trust space of three operators as a person runs it: handed out, toured, stopped, and honest when a part fails."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mss_gateway.dev.configuration import NEIGHBOURS, OURS, THEIRS
from mss_gateway.dev.handout import Handout
from mss_gateway.dev.operators import Operators
from tests.support.journeys import ran
from tests.support.rows import base_port

pytestmark = pytest.mark.timeout(1200)  # three operators start and end in each, on however busy a machine
DEV = [sys.executable, "-m", "mss_gateway", "dev"]


def listens(host: str, port: int) -> bool:
    """Whether somebody is there."""
    try:
        socket.create_connection((host, port), 1.0).close()
    except OSError:
        return False
    return True


@pytest.mark.req("RTE-2", "TRU-5", "AUD-2")
def test_the_tour_of_three_operators_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Started for the tour, walked through, ended: the last line counts the steps, and the ports are free."""
    base = base_port()
    command = [*DEV, "tour", "--once", "--state", str(tmp_path / "state"), "--base-port", str(base)]
    status, said = ran(command, patience=1100.0)
    assert status == 0, said
    assert re.match(r"tour: (\d\d) of \1 steps passed", said.splitlines()[-1]), said
    assert not any(listens(host, base) for host in (OURS, THEIRS, NEIGHBOURS))


def test_it_hands_out_what_clients_need_and_ends_on_sigterm(tmp_path: Path) -> None:
    """One line of JSON: ours as for one gateway, the patients' operator and the rest beside it; all ends with 0."""
    base, state = base_port(), tmp_path / "state"
    command = [*DEV, "--json", "--state", str(state), "--base-port", str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as dev:
        assert dev.stdout is not None
        handed = json.loads(dev.stdout.readline())
        assert set(handed["ports"]) == {"mta", "submission", "submissions", "imap", "imaps"}
        assert {account["type"] for account in handed["accounts"]} == {"PER", "ORG", "CAB"}
        theirs = handed["patient_operator"]
        assert {account["type"] for account in theirs["accounts"]} == {"PAT"}
        assert (handed["mta_host"], theirs["mta_host"], handed["neighbour"]["host"]) == (
            OURS,
            THEIRS,
            NEIGHBOURS,
        )
        for host in (OURS, THEIRS, NEIGHBOURS):
            assert listens(host, base)
        for side in (handed, theirs):
            assert all(listens("127.0.0.1", side["ports"][door]) for door in ("submission", "imaps"))
        assert Handout.read((state / "handout.json").read_text(encoding="utf-8")).to_json() == json.dumps(
            handed, ensure_ascii=False
        )
        dev.send_signal(signal.SIGTERM)
        assert dev.wait(600) == 0
    assert not any(listens(host, base) for host in (OURS, THEIRS, NEIGHBOURS))


def test_passwords_and_mail_stay_from_run_to_run(tmp_path: Path) -> None:
    """Started again on the same folder, it is the same space."""
    base = base_port()
    with Operators(tmp_path, base) as first:
        handout = first.handout
    with Operators(tmp_path, base) as second:
        assert second.handout == handout


def test_when_one_operator_ends_all_end_and_it_is_named(tmp_path: Path) -> None:
    """A killed neighbour ends the whole with one sentence and exit status 6."""
    base = base_port()
    command = [*DEV, "--json", "--state", str(tmp_path), "--base-port", str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as dev:
        assert dev.stdout is not None
        assert dev.stderr is not None
        assert dev.stdout.readline()
        os.kill(_neighbour_of(dev.pid), signal.SIGKILL)
        assert dev.wait(600) == 6
        assert b"neighbour" in dev.stdout.read() + dev.stderr.read()
    assert not any(listens(host, base) for host in (OURS, THEIRS))


def _neighbour_of(parent: int) -> int:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
        for child in children:
            if b"mss_gateway.dev.neighbour" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise LookupError("no neighbour")


def test_a_killed_parent_takes_its_children_along(tmp_path: Path) -> None:
    """SIGKILL leaves no process that would hold the ports of the next start."""
    base = base_port()
    command = [*DEV, "--json", "--state", str(tmp_path), "--base-port", str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as dev:
        assert dev.stdout is not None
        assert dev.stdout.readline()
        dev.kill()
        dev.wait(600)
    limit = time.monotonic() + 90
    while any(listens(host, base) for host in (OURS, THEIRS, NEIGHBOURS)):
        assert time.monotonic() < limit, "somebody still listens"
        time.sleep(0.05)


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    """The process that cannot listen is named, and nothing stays up."""
    base = base_port()
    with socket.create_server((THEIRS, base)):
        command = [*DEV, "--json", "--state", str(tmp_path), "--base-port", str(base)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=600)
    assert done.returncode == 6
    assert b"patients" in done.stdout + done.stderr
    assert not listens(OURS, base)
