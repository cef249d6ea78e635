"""The server outside of the trust space that takes alert mails (PAT-3): aiosmtpd, plain, on loopback; it keeps them."""

from __future__ import annotations

import itertools
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["Alerts", "new_smarthost"]


class Alerts:
    """Keeps each mail as NNN.eml, its envelope in front as `X-Envelope-From` and `X-Envelope-To`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = itertools.count(len(list(folder.glob("*.eml"))) + 1)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take whatever comes."""
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        part = self._folder / f"{next(self._numbers):04}.part"
        part.write_bytes(head.encode() + (envelope.original_content or b""))
        part.rename(part.with_suffix(".eml"))
        return "250 2.0.0 taken"


def new_smarthost(folder: Path, host: str, port: int) -> Controller:
    """A smarthost to `start` and `stop`; raises OSError on start when the port is taken."""
    return Controller(Alerts(folder), hostname=host, port=port, ident="smarthost")
