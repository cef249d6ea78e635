"""Canary words: what they are, who says them to a gateway, and whether a text gives one back (AUD-5, INS-7)."""

from __future__ import annotations

import re
import sqlite3
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mss_gateway.dev.handout import Account, Credential
from mss_gateway.dev.wire import tls
from tests.support.canary_site import Site
from tests.support.commands import run
from tests.support.process import GatewayProcess
from tests.support.wires import Imap, Smtp

UNKNOWN = "154092A12345664"  # well formed, nobody's
LOWER = UNKNOWN.lower()
WORDS = ("canarisujet", "canaricorps", "canaripiece", "canaricherche", "canaridossier", "canarientete")
PASSWORD = "canari-mot-de-passe"
TOKEN = "canarijeton-0123456789"
MESSAGE = (
    "From: {sender}\r\nTo: {recipient}\r\nSubject: canarisujet {ins}\r\nX-Note: canarientete\r\n"
    "Message-ID: <canari.{ins}.{number}@operateur.example>\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    "--b\r\nContent-Type: text/plain\r\n\r\ncanaricorps {ins}\r\n"
    '--b\r\nContent-Type: application/pdf; name="canaripiece.pdf"\r\n'
    'Content-Disposition: attachment; filename="canaripiece.pdf"\r\n\r\ncanaricorps\r\n--b--\r\n'
)


class Listening(Smtp):
    """An SMTP client that keeps every reply."""

    heard: list[str]

    def __init__(self, port: int, heard: list[str]) -> None:
        self.heard = heard
        super().__init__(port)

    def reply(self) -> str:
        """One whole reply, kept."""
        text = super().reply()
        self.heard.append(text)
        return text


@dataclass
class Scene:
    """The gateway with what its clients and operators were told."""

    gateway: GatewayProcess
    heard: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    number: int = 0
    site: Site | None = None
    tokens: set[str] = field(default_factory=set)
    proofs: set[str] = field(default_factory=set)
    web: list[tuple[str, str]] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)

    @property
    def around(self) -> Site:
        """The peers of the gateway."""
        assert self.site is not None
        return self.site

    def apart(self, *words: str) -> int:
        """A command that needs no configuration; what it prints is kept."""
        status, said = run(*words)
        self.printed.append(" ".join(words[:1]) + "\n" + said)
        return status

    def letter(self, sender: str, recipient: str, **more: str) -> bytes:
        """A message full of canaries."""
        self.number += 1
        text = MESSAGE.format(sender=sender, recipient=recipient, ins=UNKNOWN, number=self.number)
        for name, value in more.items():
            text = f"{name.replace('_', '-')}: {value}\r\n{text}"
        return text.encode()

    def smtp(self, port: int, credential: Credential | None = None) -> Listening:
        """A session past EHLO under TLS."""
        wire = Listening(port, self.heard)
        wire.hello()
        wire.start_tls(tls(self.gateway.handout, credential))
        wire.hello()
        return wire

    def imap(self, account: Account | None = None) -> Imap:
        """An IMAP session, logged in when an account is given."""
        wire = Imap(self.gateway.handout.ports.imaps, tls(self.gateway.handout))
        if account is not None:
            wire.ok(f"LOGIN {account.login} {account.password}")
        return wire

    def cli(self, *words: str) -> int:
        """One command, in this process: starting a Python for each takes most of the time; what it prints is kept."""
        status, said = run(*words, "--config", str(self.gateway.config))
        self.printed.append(" ".join(words[:2]) + "\n" + said)
        return status

    def secrets(self) -> dict[str, str]:
        """Everything that nobody may find, by what it is."""
        handout = self.gateway.handout
        found = {word: word for word in (*WORDS, PASSWORD, TOKEN)}
        found |= {
            f"base64 of {word}": b64encode(word.encode()).decode().lower() for word in (PASSWORD, TOKEN)
        }
        for address in (
            handout.patients.active,
            handout.patients.not_activated,
            handout.patients.closed,
            UNKNOWN,
        ):
            ins = address.partition("@")[0].lower()
            found |= {f"INS {ins[:5]}": ins, f"matricule {ins[:5]}": ins[:13]}
            found[f"base64 {ins[:5]}"] = b64encode(f"\0{address}\0{PASSWORD}".encode()).decode().lower()
        for account in handout.accounts:
            found[f"password of {account.type}"] = account.password.lower()
            token = b64encode(f"\0{account.login}\0{account.password}".encode()).decode()
            found[f"token of {account.type}"] = token.lower()
        if self.site is not None:
            found |= self.site.secrets()
        for number, token in enumerate(sorted(self.tokens)):
            signature = token.rpartition(".")[2].lower()
            if len(signature) > 20:
                found[f"signature of token {number}"] = signature
        return found | {f"SCRAM {number}": proof.lower() for number, proof in enumerate(sorted(self.proofs))}


def leaks(secrets: dict[str, str], text: str) -> set[str]:
    """Which secrets a text holds, however it breaks its lines or spells its case."""
    lowered = text.lower()
    joined = re.sub(r"\s+", "", lowered)
    return {name for name, secret in secrets.items() if secret in lowered or secret in joined}


def trace_rows(folder: Path) -> list[tuple[Any, ...]]:
    """Event, Message-ID, actor and detail of every line of the timeline, as it lies on disk."""
    (database,) = (folder / "store").glob("*.db")
    with closing(sqlite3.connect(database)) as db:
        return db.execute("SELECT event, message_id, actor, detail FROM trace").fetchall()
