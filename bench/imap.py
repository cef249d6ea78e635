"""How the bench looks into a mailbox: one IMAP session over TLS."""

from __future__ import annotations

import re
import socket
import ssl
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from .messages import Target

ANSWER_SECONDS = 120.0
APPEND_GROUP = 50
_MESSAGES = re.compile(rb"\* STATUS [^\r\n]*\bMESSAGES (\d+)", re.IGNORECASE)
_EXISTS = re.compile(rb"^\* (\d+) EXISTS\r$", re.MULTILINE)
_IDENT = re.compile(rb"<(bench-[0-9A-Za-z.@-]+)>")


class Mailbox:
    """An IMAP login looking at INBOX. Raises OSError when the server goes away or says no."""

    def __init__(self, target: Target) -> None:
        context = target.tls(client=False)
        plain = socket.create_connection(("127.0.0.1", target.imap_port), ANSWER_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: ssl.SSLSocket = context.wrap_socket(plain)
        self._tag = 0
        self._socket.recv(65536)
        self.command(f'LOGIN "{target.login}" "{target.password}"')

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def count(self) -> int:
        """Messages in INBOX, by STATUS: no folder is open, so nothing is held in the way of delivery."""
        found = _MESSAGES.search(self.command("STATUS INBOX (MESSAGES)"))
        if found is None:
            raise OSError("no STATUS answer")
        return int(found[1])

    def exists(self, mailbox: str) -> int:
        """Open a mailbox for writing; return how many messages it holds."""
        return int(_EXISTS.findall(self.command(f"SELECT {mailbox}"))[-1])

    def idents(self, first: int = 1) -> Counter[str]:
        """Message-IDs of the bench in INBOX from sequence number `first` on, with how often each is there."""
        exists = _EXISTS.findall(self.command("EXAMINE INBOX"))
        if not exists or int(exists[-1]) < first:
            return Counter()
        answer = self.command(f"FETCH {first}:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        self.command("CLOSE")
        return Counter(ident.decode() for ident in _IDENT.findall(answer))

    def append(self, mailbox: str, letters: Iterable[bytes]) -> None:
        """APPEND all of them, sent in groups without waiting in between."""
        left = iter(letters)
        while group := list(islice(left, APPEND_GROUP)):
            for one in group:
                head = f"a APPEND {mailbox} {{{len(one)}+}}\r\n".encode()
                self._socket.sendall(head + one + b"\r\n")
            answer = self.command("NOOP")
            if answer.count(b"a OK ") != len(group):
                raise OSError(f"APPEND: {answer[-300:].decode(errors='replace').strip()}")

    def idle(self) -> socket.socket:
        """Begin IDLE and give the socket, on which the server now speaks of its own accord."""
        self._socket.sendall(b"idle IDLE\r\n")
        while not self._socket.recv(65536).startswith(b"+"):
            pass
        return self._socket

    def command(self, text: str) -> bytes:
        """Send one command and return all that is answered; raises OSError for anything but OK."""
        self._tag += 1
        tag = f"b{self._tag} ".encode()
        self._socket.sendall(tag + text.encode() + b"\r\n")
        answer = bytearray()
        while True:
            data = self._socket.recv(262144)
            if not data:
                raise OSError("the IMAP server closed the connection")
            answer += data
            if not answer.endswith(b"\r\n"):
                continue
            last = bytes(answer[answer.rfind(b"\n", 0, len(answer) - 1) + 1 :])
            if last.startswith(tag):
                if not last.startswith(tag + b"OK"):
                    raise OSError(f"{text.split()[0]}: {last.decode(errors='replace').strip()}")
                return bytes(answer)
