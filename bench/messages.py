"""Where a load goes, and the messages it is made of: built before any clock runs."""

from __future__ import annotations

import base64
import random
import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """Where a load goes and where it is read: ports of 127.0.0.1, PEM files, one envelope, one IMAP login.

    With an `account` the load is a submission: that login, its password and no client certificate.
    """

    smtp_port: int
    imap_port: int
    ca: Path
    cert: Path
    key: Path
    sender: str
    recipient: str
    login: str
    password: str = field(repr=False)
    account: str = ""
    secret: str = field(default="", repr=False)

    def tls(self, *, client: bool = True) -> ssl.SSLContext:
        """A TLS 1.3 context that trusts the CA and presents the client certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(self.ca)
        if client:
            context.load_cert_chain(self.cert, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Message:
    """One message on the wire: its own Message-ID in `head`, `body` ended by CRLF.CRLF; nothing to dot-stuff.

    `recipient` is another one than the target's, if any.
    """

    id: str
    head: bytes
    body: bytes
    recipient: str = ""


def build(target: Target, count: int, size: int, tag: str) -> list[Message]:
    """Messages of exactly `size` octets before the end mark: a text part and an attachment in base64.

    Small ones differ in every octet of the attachment; above 64 KB they share it but for its first line.
    """
    dice = random.Random(tag)
    shared = _lines(dice, size) if size > 65536 else b""
    messages = []
    for number in range(count):
        ident = f"bench-{tag}-{number}@{target.sender.rpartition('@')[2]}"
        head = (
            f"Date: Mon, 05 Jan 2026 10:00:00 +0100\r\nFrom: <{target.sender}>\r\nTo: <{target.recipient}>\r\n"
            f"Subject: Compte rendu {number}\r\nMessage-ID: <{ident}>\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="limite"\r\n\r\n'
            "--limite\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBonjour,\r\nvoici le document.\r\n"
            "--limite\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
            'Content-Disposition: attachment; filename="document.pdf"\r\n\r\n'
        ).encode("ascii") + _lines(dice, 78)
        tail = b"\r\n--limite--\r\n"
        room = size - len(head) - len(tail)
        filler = (shared or _lines(dice, size))[: room - 2].rstrip(b"\r\n")
        filler += b"A" * (room - len(filler))
        messages.append(Message(ident, head, filler + tail + b".\r\n"))
    return messages


def _lines(dice: random.Random, size: int) -> bytes:
    return base64.encodebytes(dice.randbytes(size * 3 // 4 + 57)).replace(b"\n", b"\r\n")[: size - size % 78]
