"""What the journeys share: messages with their own ids, running a program, waiting for a message."""

from __future__ import annotations

import imaplib
import itertools
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from mss_gateway.dev.handout import Account, Handout

HOST = "127.0.0.1"
_numbers = itertools.count(1)


def letter(
    sender: str, recipient: str, subject: str = "Compte rendu", text: str = "Bonjour.\r\n"
) -> tuple[str, bytes]:
    """A Message-ID and a message that carries it, with CRLF."""
    message_id = f"<journey-{next(_numbers)}-{time.time_ns()}@{sender.partition('@')[2]}>"
    lines = (
        f"From: {sender}",
        f"To: {recipient}",
        f"Subject: {subject}",
        "Date: Fri, 20 Nov 2026 10:00:00 +0100",
        f"Message-ID: {message_id}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
    )
    return message_id, "\r\n".join(lines).encode()


def ran(
    command: Sequence[str], *, data: bytes = b"", env: dict[str, str] | None = None, patience: float = 110.0
) -> tuple[int, str]:
    """Exit status and everything a program printed."""
    done = subprocess.run(
        list(command),
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=patience,
        check=False,
        env=env,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def trusting(handout: Handout) -> ssl.SSLContext:
    """A client context that trusts the sample authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(handout.ca)
    return context


def stored(handout: Handout, account: Account, message_id: str, *, wait: float = 60.0) -> bytes | None:
    """The message of this id in INBOX byte for byte, None when it does not come; by Python's own imaplib."""
    limit = time.monotonic() + wait
    with imaplib.IMAP4_SSL(HOST, handout.ports.imaps, ssl_context=trusting(handout)) as imap:
        imap.login(account.login, account.password)
        while True:
            imap.select("INBOX", readonly=True)
            _, found = imap.search(None, "HEADER", "Message-ID", f'"{message_id}"')
            if found[0]:
                _, data = imap.fetch(found[0].split()[-1].decode(), "(BODY.PEEK[])")
                part = data[0]
                assert isinstance(part, tuple)
                return bytes(part[1])
            if time.monotonic() > limit:
                return None
            time.sleep(0.05)


def log_since(log: Path, offset: int, needle: str, *, wait: float = 60.0) -> bool:
    """Does the gateway's log say this after the offset, within some seconds?"""
    limit = time.monotonic() + wait
    while needle.encode() not in log.read_bytes()[offset:]:
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True
