"""A mailbox taken over from a real Dovecot, interrupted and resumed; and written out again (IMP-4)."""

from __future__ import annotations

import contextlib
import mailbox
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from zlib import crc32

import pytest
from imapclient import IMAPClient

from mss_gateway.cli.importing import SOME_REFUSED
from mss_gateway.ops.operation import PASSWORD_VARIABLE
from tests.support.commands import Site
from tests.support.oldserver import USER, WORD, OldServer, old_server
from tests.support.process import GatewayProcess

pytestmark = pytest.mark.foreign
DAY = datetime(2019, 3, 31, 2, 30, tzinfo=UTC)
LARGE = 4_000_000  # octets: several pieces on the way


@pytest.fixture(scope="module")
def old() -> Iterator[OldServer]:
    """The server before, with folders of all kinds."""
    with old_server() as server:
        with server.client() as client:
            for name in ("Envoyés", "Corbeille", "Dossiers.2024.Été & fils"):
                client.create_folder(name)
            client.append("INBOX", letter("Un", "é" * 50), (b"\\Seen", b"\\Flagged", b"Suivi"), DAY)
            client.append("INBOX", letter("Deux", "deux"), (), DAY)
            client.append("INBOX", letter("Grand", "x" * 75 + "\r\n", LARGE // 77), (b"\\Answered",), DAY)
            client.append("Envoyés", letter("Parti", "parti"), (b"\\Seen",), DAY)
            client.append(
                "Dossiers.2024.Été & fils", letter("Classé", "classé"), (b"\\Deleted", b"\\Draft"), DAY
            )
        yield server


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that the commands talk to."""
    process = GatewayProcess(tmp_path)
    yield process
    assert process.stop() == 0


def letter(subject: str, text: str, times: int = 1) -> bytes:
    """A message with its CRLFs."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, f"<{USER}>", f"<{USER}>"
    message["Message-ID"] = f"<{crc32(subject.encode())}@ancien.example>"
    message["MIME-Version"] = "1.0"
    head = message.as_bytes().replace(b"\n", b"\r\n")
    kind = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return head.rstrip() + b"\r\n" + kind + (text.encode() * times).rstrip() + b"\r\n"


def words(old: OldServer, address: str) -> list[str]:
    """The command."""
    return ["mailbox", "import", address, "--from", old.url, "--user", USER, "--ca", str(old.ca)]


def folders(client: IMAPClient) -> dict[str, list[tuple[bytes, tuple[bytes, ...], datetime]]]:
    """All messages by folder: octets, flags, date."""
    found = {}
    for marks, _, name in client.list_folders():
        if b"\\Noselect" in marks:
            continue
        client.select_folder(name, readonly=True)
        client.normalise_times = False
        rows = (
            client.fetch(client.search("ALL"), ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"])
            if client.search("ALL")
            else {}
        )
        found[name] = sorted(
            (
                row[b"BODY[]"],
                tuple(sorted(set(row[b"FLAGS"]) - {b"\\Recent"})),
                row[b"INTERNALDATE"].astimezone(UTC),
            )
            for row in rows.values()
        )
    return found


@contextlib.contextmanager
def owner(gateway: GatewayProcess) -> Iterator[IMAPClient]:
    """A session of the mailbox's owner at the gateway."""
    account = gateway.handout.account("PER")
    context = ssl.create_default_context(cafile=gateway.handout.ca)
    with IMAPClient("localhost", gateway.handout.ports.imaps, ssl=True, ssl_context=context) as client:
        client.login(account.login, account.password)
        yield client


def ours(gateway: GatewayProcess) -> dict[str, list[tuple[bytes, tuple[bytes, ...], datetime]]]:
    """The same at the gateway."""
    with owner(gateway) as client:
        return folders(client)


@pytest.mark.req("IMP-4", "OPS-1")
@pytest.mark.timeout(600)
def test_folders_flags_dates_and_every_octet(
    old: OldServer, gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Special folders meet ours whatever their names; the second run brings nothing; the export holds it all."""
    monkeypatch.setenv(PASSWORD_VARIABLE, WORD)
    site = Site(tmp_path, beside=gateway)
    address = gateway.handout.account("PER").address
    plan = site.json(*words(old, address), "--dry-run")
    assert {row["folder"]: row["special_use"] for row in plan["folders"]}["Envoyés"] == "\\Sent"
    first = site.json(*words(old, address))
    assert (first["taken"], first["refused"]) == (5, 0)
    with old.client() as client:
        there = folders(client)
    here = ours(gateway)
    names = {"Envoyés": "Sent", "Corbeille": "Trash"}
    for name, messages in there.items():
        assert here[names.get(name, name.replace(".", "/"))] == messages, name
    again = site.json(*words(old, address))
    assert (again["taken"], sum(row["already_here"] for row in again["folders"])) == (0, 5)
    assert ours(gateway) == here
    written(site, address, tmp_path, here)
    status, told = site.run("trace", "--json", "--box", address)
    assert status != 0 or "mailbox-imported" in told


def written(
    site: Site, address: str, folder: Path, here: dict[str, list[tuple[bytes, tuple[bytes, ...], datetime]]]
) -> None:
    """Both forms of the export, read by Python's own `mailbox`."""
    done = site.json("mailbox", "export", address, "--to", str(folder / "maildir"))
    assert done["written"] == sum(map(len, here.values()))
    box = mailbox.Maildir(str(folder / "maildir"), create=False)
    assert sorted(one.as_bytes() for one in box) == sorted(
        octets.replace(b"\r\n", b"\n") for octets, _, _ in here["INBOX"]
    )
    by_subject = {str(one["Subject"]): one for one in box}
    assert by_subject["Un"].get_flags() == "FS"
    assert by_subject["Un"].get_date() == DAY.timestamp()
    assert {name.count(".") for name in box.list_folders()} >= {2}  # Dossiers.2024.Été & fils
    assert site.json("mailbox", "export", address, "--to", str(folder / "maildir"))["written"] == 0
    site.json("mailbox", "export", address, "--to", str(folder / "mbox"), "--format", "mbox")
    file = mailbox.mbox(str(folder / "mbox" / "INBOX.mbox"), create=False)
    assert sorted(str(one["Subject"]) for one in file) == ["Deux", "Grand", "Un"]
    assert (folder / "mbox" / "INBOX.mbox").stat().st_mode & 0o077 == 0
    status, said = site.run("mailbox", "export", address, "--to", str(folder / "mbox"))
    assert status == 4, said


@pytest.mark.req("IMP-4")
@pytest.mark.timeout(600)
def test_killed_in_the_middle_it_goes_on_where_it_was(
    old: OldServer, gateway: GatewayProcess, tmp_path: Path
) -> None:
    """SIGKILL to the command, then to the gateway: afterwards each message is there exactly once."""
    with old.client() as client:
        client.create_folder("Beaucoup")
        client.multiappend(
            "Beaucoup", [{"msg": letter(f"n° {number}", f"{number}" * 20000)} for number in range(60)]
        )
    address = gateway.handout.account("PER").address
    command = [sys.executable, "-m", "mss_gateway", *words(old, address), "--folder", "Beaucoup", "--json"]
    command += ["--config", str(gateway.config)]
    environment = os.environ | {PASSWORD_VARIABLE: WORD}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def arrived() -> int:
        with owner(gateway) as client:
            if not client.folder_exists("Beaucoup"):
                return 0
            return int(client.folder_status("Beaucoup", ["MESSAGES"])[b"MESSAGES"])

    def until(count: int) -> None:
        limit = time.monotonic() + 60
        while arrived() < count:
            assert time.monotonic() < limit

    running = start()
    until(5)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    before = arrived()
    running = start()
    until(min(55, before + 10))
    gateway.kill()
    said = running.communicate(timeout=100)[0]
    assert running.returncode in (0, 6), said
    gateway.start()
    running = start()
    said = running.communicate(timeout=100)[0]
    assert running.returncode == 0, said
    found = ours(gateway)["Beaucoup"]
    assert len(found) == 60
    assert len({octets for octets, _, _ in found}) == 60


@pytest.mark.req("IMP-4", "OPS-6")
@pytest.mark.timeout(600)
def test_what_cannot_be_done_is_said_in_a_sentence(
    old: OldServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown CA, a wrong password, a folder that is not there, somebody else's address, a URL in the clear."""
    site = Site(tmp_path)
    address = site.handout.account("PER").address
    monkeypatch.setenv(PASSWORD_VARIABLE, WORD)
    cases = [
        (["mailbox", "import", address, "--from", old.url, "--user", USER], 6, "--ca names the CA"),
        ([*words(old, address), "--folder", "Absent"], 6, "no folder Absent"),
        ([*words(old, "personne@clinique-exemple.mssante.fr")], 3, "There is no mailbox"),
        (["mailbox", "import", address, "--from", "http://localhost", "--user", USER], 2, "imaps://host"),
        ([*words(old, address), "--password", "visible"], 2, "seen by others"),
        (
            ["mailbox", "export", address, "--to", str(tmp_path / "x"), "--format", "pst"],
            2,
            "maildir or mbox",
        ),
        (["mailbox", "export", address, "--to", str(tmp_path)], 4, "is not empty"),
    ]
    for command, status, sentence in cases:
        found, said = site.run(*command)
        assert found == status, said
        assert sentence in said.replace("\n", " ")
    monkeypatch.setenv(PASSWORD_VARIABLE, "faux")
    status, said = site.run(*words(old, address))
    assert status == 6
    assert "run the same command again" in said


@pytest.mark.req("IMP-4")
@pytest.mark.timeout(600)
def test_a_message_that_cannot_be_kept_is_named_and_the_others_come(
    old: OldServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header of more than 256 KiB is left out by UID and reason; the exit status tells; no gateway runs."""
    monkeypatch.setenv(PASSWORD_VARIABLE, WORD)
    with old.client() as client:
        client.create_folder("Bizarre")
        client.append("Bizarre", b"X-Long: " + b"y" * 300_000 + b"\r\n\r\nfin\r\n")
        client.append("Bizarre", letter("Bon", "bon"))
    site = Site(tmp_path)
    address = site.handout.account("PER").address
    told = site.json(*words(old, address), "--folder", "Bizarre", "--into", "Repris", status=SOME_REFUSED)
    (row,) = told["folders"]
    assert (row["into"], row["taken"], [one["reason"] for one in row["refused"]]) == (
        "Repris/Bizarre",
        1,
        ["header-too-large"],
    )
