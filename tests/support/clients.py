"""What the tests of mail clients share: letters into a mailbox, what it then holds, and a home for a program."""

from __future__ import annotations

import imaplib
import os
import pty
import re
import select
import smtplib
import ssl
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mss_gateway.dev.handout import Account, Handout

from .doors import Served
from .journeys import letter

T = TypeVar("T")
NAME = "localhost"
"""The host that clients are told; the gateway's certificate names it."""
ACCENTS = (
    "Résultats : déjà prêts, 12 €.\r\n.\r\n..deux points\r\nFrom la première colonne\r\n\r\nÀ bientôt.\r\n"
)
"""A text with what transports like to change: 8-bit letters, leading points, From at the start of a line."""


def verifying(handout: Handout) -> ssl.SSLContext:
    """A client context that trusts nothing but the sample authority, and checks the host's name."""
    return ssl.create_default_context(cafile=handout.ca)


@dataclass(frozen=True, slots=True)
class Kept:
    """One message of a folder as the gateway holds it."""

    uid: int
    flags: frozenset[str]
    octets: bytes


def imap_of(served: Served, account: Account) -> imaplib.IMAP4_SSL:
    """Python's own client, logged in; a context manager."""
    imap = imaplib.IMAP4_SSL(
        NAME, served.handout.ports.imaps, ssl_context=verifying(served.handout), timeout=60
    )
    imap.login(account.login, account.password)
    return imap


def contents(served: Served, account: Account, folder: str = "INBOX") -> list[Kept]:
    """Everything in a folder, in a session of its own that changes nothing; empty for no such folder."""
    with imap_of(served, account) as imap:
        status, said = imap.select(f'"{folder}"', readonly=True)
        if status != "OK" or said == [b"0"]:
            return []
        _, data = imap.fetch("1:*", "(UID FLAGS BODY.PEEK[])")
    kept = []
    for part in data:
        if not isinstance(part, tuple):
            continue
        uid, flags = re.search(rb"UID (\d+)", part[0]), re.search(rb"FLAGS \(([^)]*)\)", part[0])
        assert uid is not None
        assert flags is not None
        kept.append(Kept(int(uid[1]), frozenset(flags[1].decode().split()), part[1]))
    return kept


def deliver(served: Served, account: Account, subject: str, text: str = ACCENTS) -> bytes:
    """A letter from the software's mailbox, submitted over TLS by its certificate; as it then lies in INBOX."""
    handout = served.handout
    _, data = letter(handout.app.address, account.address, subject, text)
    before = {one.uid for one in contents(served, account)}
    submit(handout, data, account.address)
    found = awaited(lambda: [one for one in contents(served, account) if one.uid not in before])
    assert found[0].octets.endswith(data)
    return found[0].octets


def submit(handout: Handout, data: bytes, recipient: str) -> None:
    """A message from the software's mailbox by its certificate."""
    context = verifying(handout)
    context.load_cert_chain(handout.app.cert, handout.app.key)
    with smtplib.SMTP(NAME, handout.ports.submission, timeout=60) as smtp:
        smtp.starttls(context=context)
        smtp.ehlo("logiciel.example")
        smtp.auth("EXTERNAL", lambda _=None: handout.app.address)
        smtp.sendmail(handout.app.address, [recipient], data)


def append(served: Served, account: Account, folder: str, octets: bytes, flags: str = "") -> None:
    """Put a message into a folder."""
    with imap_of(served, account) as imap:
        assert imap.append(f'"{folder}"', flags, "", octets)[0] == "OK"


def awaited(ask: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer; the last one when none has come in time."""
    limit = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < limit:
        time.sleep(0.05)
    return answer


def home(folder: Path) -> dict[str, str]:
    """The environment of a program that finds nothing but what is in its folder."""
    return {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8", "TZ": "UTC"}


def unix(octets: bytes) -> bytes:
    """With the line ends of a Maildir or mbox."""
    return octets.replace(b"\r\n", b"\n")


def on_a_terminal(
    command: Sequence[str], environment: dict[str, str], seconds: float = 100.0
) -> tuple[int, str]:
    """Exit status and output of a program that wants a terminal; it is killed after so many seconds."""
    near, far = pty.openpty()
    termios.tcsetwinsize(far, (40, 120))
    process = subprocess.Popen(
        list(command), stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True
    )
    os.close(far)
    said = b""
    limit = time.monotonic() + seconds
    try:
        while time.monotonic() < limit:
            if not select.select([near], [], [], 0.2)[0]:
                continue
            try:
                said += os.read(near, 65536)
            except OSError:  # the program has closed its terminal
                break
    finally:
        if time.monotonic() >= limit:
            process.kill()
        status = process.wait(10)
        os.close(near)
    return status, said.decode("utf-8", "replace")
