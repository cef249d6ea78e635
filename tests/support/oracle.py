"""What Dovecot says of a letter: its structure, its envelope and every section, over IMAP."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mss_gateway.dev.pki import Subject, new_pki

from .foreign import Dovecot, TlsFiles
from .imapvalues import is_message, part_numbers, read_value
from .wires import Imap

USER, WORD = "alix.martin@hopital.example", "oracle"


@dataclass(frozen=True)
class Said:
    """One letter as a server describes it; `sections` are octets by the name between the brackets."""

    bodystructure: Any
    body: Any
    envelope: Any
    sections: dict[str, bytes | None]


class Oracle:
    """A private Dovecot with one mailbox."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        files = folder / "pki"
        files.mkdir()
        pki = new_pki()
        cert, key = pki.organisations.issue(Subject("mail.hopital.example")).write(files, "server")
        ca = files / "ca.pem"
        ca.write_bytes(pki.ca_pem)
        self._dovecot = Dovecot(folder / "dovecot", TlsFiles(cert, key, ca), {USER: WORD})

    def __enter__(self) -> Oracle:
        self._dovecot.run()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._imap = Imap(self._dovecot.port, context)
        self._imap.ok(f"LOGIN {USER} {WORD}")
        self._imap.ok("CREATE letters")
        self._imap.ok("SELECT letters")
        return self

    def __exit__(self, *_: object) -> None:
        self._imap.close()
        self._dovecot.stop()

    def ask(self, letter: bytes) -> Said:
        """Append a letter and fetch all there is to say about it."""
        return describe(self._imap, "letters", letter)


def describe(imap: Imap, mailbox: str, letter: bytes) -> Said:
    """Append a letter to the mailbox in hand and fetch its structure and every section of it."""
    assert imap.append(mailbox, letter).startswith(b"OK"), letter[:200]
    items = _values(imap.fetch("*", "(BODYSTRUCTURE BODY ENVELOPE)")[-1])
    structure = items[b"BODYSTRUCTURE"]
    names = ["", "HEADER", "TEXT"]
    for path, body in part_numbers(structure):
        name = ".".join(map(str, path))
        names += [name, name + ".MIME"]
        if is_message(body):
            names += [name + ".HEADER", name + ".TEXT"]
    sections: dict[str, bytes | None] = {}
    for at in range(0, len(names), 40):
        asked = names[at : at + 40]
        found = _values(imap.fetch("*", "(" + " ".join(f"BODY.PEEK[{name}]" for name in asked) + ")")[-1])
        sections |= {name: found[f"BODY[{name}]".encode()] for name in asked}
    return Said(structure, items[b"BODY"], items[b"ENVELOPE"], sections)


def _values(line: bytes) -> dict[bytes, Any]:
    items = read_value(line[line.index(b"(") :])
    return dict(zip(items[::2], items[1::2], strict=True))
