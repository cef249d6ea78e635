"""The server that a mailbox is taken over from: a private Dovecot whose certificate names localhost."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imapclient import IMAPClient

from mss_gateway.cli.takeover_source import Place
from mss_gateway.dev.pki import Subject, new_pki

from .foreign import Dovecot, TlsFiles, require_program

USER, WORD = "alix.martin@ancien.example", "ancien-exemple"


@dataclass
class OldServer:
    """The account there."""

    dovecot: Dovecot
    ca: Path

    @property
    def url(self) -> str:
        """What `--from` takes."""
        return f"imaps://localhost:{self.dovecot.port}"

    def place(self) -> Place:
        """The same for the code."""
        return Place("localhost", self.dovecot.port, True, USER, WORD, self.ca)

    @contextlib.contextmanager
    def client(self) -> Iterator[IMAPClient]:
        """A session of its owner."""

        context = ssl.create_default_context(cafile=str(self.ca))
        with IMAPClient("localhost", self.dovecot.port, ssl=True, ssl_context=context) as client:
            client.login(USER, WORD)
            yield client


@contextlib.contextmanager
def old_server() -> Iterator[OldServer]:
    """One that runs; its files lie where its own users may go."""
    require_program("dovecot")
    with tempfile.TemporaryDirectory(prefix="mss-old-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        root.chmod(0o755)
        pki = new_pki()
        (root / "pki").mkdir()
        cert, key = pki.organisations.issue(Subject("localhost")).write(root / "pki", "server")
        ca = root / "pki" / "ca.pem"
        ca.write_bytes(pki.ca_pem)
        dovecot = Dovecot(root / "dovecot", TlsFiles(cert, key, ca), {USER: WORD})
        dovecot.run()
        try:
            yield OldServer(dovecot, ca)
        finally:
            dovecot.stop()
