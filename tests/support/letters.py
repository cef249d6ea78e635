"""Messages for the doors' tests, written as bytes so that nothing is normalised on the way."""

from __future__ import annotations

import itertools

from mss_gateway.dev.space import HOSTED, OPERATOR, PATIENTS

SENDER = f"service.accueil@{OPERATOR}"
MEDECIN = f"medecin.exemple@{HOSTED}"
ORG = f"secretariat@{HOSTED}"
CAB = f"cabinet@{HOSTED}"
_numbers = itertools.count(1)


def unique(prefix: str = "m") -> str:
    """A Message-ID that no other test uses."""
    return f"<{prefix}{next(_numbers)}@essai.example>"


def letter(
    sender: str = SENDER,
    recipient: str = MEDECIN,
    *,
    subject: str = "Essai",
    message_id: str = "",
    text: bytes = b"Bonjour.\r\n",
    more: str = "",
) -> bytes:
    """A plain message; `more` holds further header lines, each with its CRLF."""
    head = (
        f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n"
        f"Message-ID: {message_id or unique()}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n{more}\r\n"
    )
    return head.encode() + text


__all__ = ["CAB", "HOSTED", "MEDECIN", "OPERATOR", "ORG", "PATIENTS", "SENDER", "letter", "unique"]
