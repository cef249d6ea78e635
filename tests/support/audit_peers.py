"""The peers of the audit matrix: a client that knocks at our port 25, and a server that we bring mail to."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.support.audit_kinds import Link, Row
from tests.support.pki import Issued
from tests.support.wires import Closed, Smtp

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds; only a broken test reaches it


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same, of the year 2006."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def client_context(row: Row, files: tuple[Path, Path] | None, *, tls12: bool = False) -> ssl.SSLContext:
    """The standard library's client, which shows whatever it is given and asks nothing of us."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if files is not None:
        context.load_cert_chain(*files)
    return _old(context) if row.link is Link.OLD else context


def server_context(row: Row, files: tuple[Path, Path] | None, ca: Path) -> ssl.SSLContext:
    """The standard library's server; it wants a certificate of us. Without one of its own it has anonymous suites."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED if files is not None else ssl.CERT_NONE
    if files is None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
        return context
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(*files)
    return _old(context) if row.link is Link.OLD else context


def message(row: Row, recipient: str) -> bytes:
    """What the peer brings: a letter, or a report."""
    lines = [f"From: <expediteur@{row.domain}>", f"To: <{recipient}>", "Subject: Essai d'audit"]
    lines += [f"Message-ID: <{row.name}@{row.domain}>", "Date: Fri, 20 Nov 2026 10:00:00 +0100"]
    if row.report:
        lines.append("Auto-Submitted: auto-replied")
    return "\r\n".join([*lines, "", "Bonjour.", ""]).encode()


@dataclass(frozen=True, slots=True)
class Heard:
    """How a visit ended: the command that was answered last and its reply, or the TLS alert."""

    at: str
    words: str


def knock(
    port: int, row: Row, files: tuple[Path, Path] | None, recipient: str, *, tls12: bool = False
) -> Heard:
    """Bring one message as the row's peer would, up to the first no."""
    wire = Smtp(port)
    try:
        wire.hello()
        if row.link is not Link.PLAIN:
            try:
                wire.start_tls(client_context(row, files, tls12=tls12))
                wire.send(b"EHLO mx.audit\r\n")
                wire.buffer += wire.socket.recv(
                    65536
                )  # in TLS 1.3 the verdict comes with the first octets read
            except ssl.SSLError as refused:
                return Heard("TLS", str(refused))
            wire.reply()
        sender = "" if row.null_sender else f"expediteur@{row.domain}"
        for verb, line in (("MAIL", f"MAIL FROM:<{sender}>"), ("RCPT", f"RCPT TO:<{recipient}>")):
            reply = wire.command(line)
            if not reply.startswith("250"):
                return Heard(verb, reply)
        return Heard("DATA", wire.data(message(row, recipient)))
    finally:
        wire.close()


def knock_by_openssl(
    openssl: str, port: int, row: Row, files: tuple[Path, Path] | None, recipient: str
) -> Heard:
    """The same by `openssl s_client -starttls smtp`, its dialogue written by hand."""
    command = [openssl, "s_client", "-connect", f"{HOST}:{port}", "-starttls", "smtp", "-crlf", "-quiet"]
    if files is not None:
        command += ["-cert", str(files[0]), "-cert_chain", str(files[0]), "-key", str(files[1])]
    if row.link is Link.OLD:
        command += ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        stop = threading.Timer(PATIENCE, client.kill)
        stop.start()
        try:
            last = Heard("TLS", "")
            for verb, line in (
                ("EHLO", "EHLO s-client.example"),
                ("MAIL", f"MAIL FROM:<expediteur@{row.domain}>"),
                ("RCPT", f"RCPT TO:<{recipient}>"),
                ("DATA", "DATA"),
                ("DATA", message(row, recipient).decode().replace("\r\n", "\n") + "."),
            ):
                with suppress(BrokenPipeError):
                    client.stdin.write(f"{line}\n".encode())
                    client.stdin.flush()
                reply = _reply(client.stdout)
                if reply is None:
                    break
                last = Heard(verb, reply)
                if reply[0] in "45":
                    break
            client.kill()
            said = client.communicate()[1].decode("utf-8", "replace")
        finally:
            stop.cancel()
    return last if last.words else Heard("TLS", said)


def _reply(lines: IO[bytes]) -> str | None:
    """The last line of one reply; None at the end of the stream. What s_client itself prints is passed over."""
    for line in iter(lines.readline, b""):
        text = line.decode("utf-8", "replace").strip()
        if re.match(r"\d{3}(?: |$)", text):
            return text
    return None


@dataclass
class FarEnd:
    """A server on its own threads that keeps each command it gets, and each message it takes."""

    row: Row
    files: tuple[Path, Path] | None
    ca: Path
    commands: list[str] = field(default_factory=list)
    mail: list[bytes] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._context = server_context(self.row, self.files, self.ca)
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._visit, args=(link,), daemon=True).start()

    def _visit(self, link: socket.socket) -> None:
        link.settimeout(PATIENCE)
        with suppress(OSError, Closed, ValueError):
            self._speak(link)
        link.close()

    def _speak(self, link: socket.socket) -> None:
        link.sendall(b"220 mx.audit ESMTP\r\n")
        stream = link.makefile("rb")
        secured = False
        while line := stream.readline():
            self.commands.append(line.decode("utf-8", "replace").strip())
            verb = self.commands[-1].partition(" ")[0].upper()
            if verb == "EHLO":
                offered = b"250-STARTTLS\r\n" if not secured and self.row.link is not Link.PLAIN else b""
                link.sendall(b"250-mx.audit\r\n" + offered + b"250 8BITMIME\r\n")
            elif verb == "STARTTLS" and self.row.link is Link.UNREADY:
                link.sendall(b"454 4.7.0 TLS not available due to temporary reason\r\n")
            elif verb == "STARTTLS" and self.row.link is Link.UNWILLING:
                link.sendall(b"554 5.7.0 No TLS for you\r\n")
            elif verb == "STARTTLS":
                link.sendall(b"220 2.0.0 go\r\n")
                link = self._context.wrap_socket(link, server_side=True)
                stream, secured = link.makefile("rb"), True
                shown = link.getpeercert() or {}
                self.shown.append(str(shown.get("subject", "")))
            elif verb == "DATA":
                link.sendall(b"354 go\r\n")
                octets = b""
                while (text := stream.readline()) not in (b".\r\n", b""):
                    octets += text
                self.mail.append(octets)
                link.sendall(b"250 2.0.0 taken\r\n")
            else:
                link.sendall(b"250 2.0.0 fine\r\n")


def files_of(issued: Issued | None, folder: Path, name: str) -> tuple[Path, Path] | None:
    """The PEM files of a certificate, written."""
    return issued.write(folder, name) if issued is not None else None
