"""Polling programs that empty a mailbox, as a hospital's software does: getmail and fetchmail."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.clients import append, awaited, contents, deliver, home, unix
from tests.support.doors import Served
from tests.support.foreign import MAIL_USER, Daemon, require_program
from tests.support.journeys import letter, ran

pytestmark = pytest.mark.foreign

GETMAIL = """\
[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = {port}
username = {login}
password = {password}
mailboxes = ("INBOX", "Archive")
ca_certs = {ca}

[destination]
type = Maildir
path = {mail}/
{user}

[options]
delete = {delete}
read_all = false
delivered_to = false
received = false
"""

FETCHMAIL = """\
set no bouncemail
poll localhost protocol IMAP port {port} auth password
    user "{login}" password "{password}"
    {tls} sslproto "TLS1.3+" sslcertck sslcertfile "{ca}"
    mda "{folder}/mda"
    {options}
"""


def configured(template: str, served: Served, folder: Path, port: int, **more: str) -> Path:
    """A file with the professional's account, readable for its owner only as both programs want it."""
    account = served.account("PER")
    path = folder / "config"
    path.write_text(
        template.format(
            port=port,
            login=account.login,
            password=account.password,
            ca=served.handout.ca,
            folder=folder,
            **more,
        ),
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def maildir() -> Iterator[Path]:
    """An empty one. As root, getmail gives up its rights before it delivers: this one can then be reached."""
    with TemporaryDirectory(prefix="mss-getmail-") as folder:
        parts = [Path(folder), *(Path(folder, name) for name in ("cur", "new", "tmp"))]
        for part in parts:
            part.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(part, MAIL_USER, MAIL_USER)
        yield parts[0]


def getmail(served: Served, folder: Path, maildir: Path, delete: str) -> list[bytes]:
    """One run; every message in the Maildir."""
    user = f"user = {MAIL_USER}" if os.geteuid() == 0 else ""
    port = served.handout.ports.imaps
    config = configured(GETMAIL, served, folder, port, delete=delete, mail=str(maildir), user=user)
    command = [require_program("getmail"), f"--getmaildir={folder}", f"--rcfile={config}"]
    status, said = ran(command, env=home(folder))
    assert status == 0, said
    assert "rror" not in said, said
    own = re.compile(rb"(?m)^X-getmail-retrieved-from-mailbox: .*\n")
    return sorted(own.sub(b"", path.read_bytes(), count=1) for path in (maildir / "new").iterdir())


@pytest.mark.req("IMP-1", "ACC-1")
def test_getmail_takes_each_message_once_and_deletes(served: Served, tmp_path: Path, maildir: Path) -> None:
    """It comes back for what is new by UID, over several folders; in the end it leaves nothing."""
    account = served.account("PER")
    first = [unix(deliver(served, account, f"Lettre {number}")) for number in range(3)]
    _, filed = letter(account.address, account.address, "Déjà classée")
    filed = b"Return-Path: <>\r\n" + filed  # getmail writes one of its own above what has none
    append(served, account, "Archive", filed)
    first.append(unix(filed))
    assert getmail(served, tmp_path, maildir, "false") == sorted(first)
    assert len(contents(served, account)) == 3
    later = unix(deliver(served, account, "Plus tard"))
    assert getmail(served, tmp_path, maildir, "false") == sorted([*first, later])  # the others not again
    assert getmail(served, tmp_path, maildir, "true") == sorted([*first, later])
    assert contents(served, account) == contents(served, account, "Archive") == []


def mda(folder: Path) -> Path:
    """A program that puts what it reads into a file of its own below `taken`."""
    (folder / "taken").mkdir()
    path = folder / "mda"
    path.write_text(
        f'#!/bin/sh\nset -e\nf=$(mktemp {folder}/part.XXXXXX)\ncat >"$f"\nmv "$f" {folder}/taken/\n'
    )
    path.chmod(0o700)
    return path


def taken(folder: Path) -> list[bytes]:
    """What the program above has got, without the line that fetchmail puts before each."""
    return sorted(path.read_bytes() for path in (folder / "taken").iterdir())


def fetchmail(config: Path, folder: Path, *more: str) -> list[str]:
    """The command line of a fetchmail that has its files in the folder."""
    command = [require_program("fetchmail"), "-f", str(config), "--nosyslog", "-v"]
    return [*command, "--invisible", "--pidfile", str(folder / "pid"), "-i", str(folder / "ids"), *more]


@pytest.mark.req("IMP-1", "ACC-1")
def test_fetchmail_empties_the_mailbox(served: Served, tmp_path: Path) -> None:
    """Octet for octet but for line ends; a second run finds nothing."""
    account = served.account("PER")
    letters = sorted(unix(deliver(served, account, f"Lettre {number}")) for number in range(3))
    mda(tmp_path)
    config = configured(FETCHMAIL, served, tmp_path, served.handout.ports.imaps, tls="ssl", options="")
    status, said = ran(fetchmail(config, tmp_path), env=home(tmp_path))
    assert status == 0, said
    assert taken(tmp_path) == letters, said
    assert contents(served, account) == []
    status, said = ran(fetchmail(config, tmp_path), env=home(tmp_path))
    assert status == 1, said  # of its manual: no mail


@pytest.mark.req("IMP-1", "ACC-1")
def test_fetchmail_waits_in_idle(served: Served, tmp_path: Path) -> None:
    """Over STARTTLS, it stays connected and takes each letter as soon as it is told of it."""
    account = served.account("PER")
    mda(tmp_path)
    config = configured(FETCHMAIL, served, tmp_path, served.handout.ports.imap, tls="", options="idle")
    environment = [f"{name}={value}" for name, value in home(tmp_path).items()]
    log = tmp_path / "log"
    daemon = Daemon("fetchmail", ["env", "-i", *environment, *fetchmail(config, tmp_path)], log)
    daemon.start(lambda: b"IDLE" in log.read_bytes().partition(b"CAPABILITY")[2].partition(b"IDLE")[2])
    try:
        for number in range(2):
            deliver(served, account, f"Poussée {number}")
            assert awaited(lambda count=number + 1: len(taken(tmp_path)) == count), daemon.log_tail()
        assert awaited(lambda: contents(served, account) == []), daemon.log_tail()
    finally:
        daemon.stop()
