"""The replies that the core says by itself or on `accept()`, each with its status (RFC 3463)."""

from __future__ import annotations

import binascii
from typing import Final

from .content import BARE_LINE_END, LINE_TOO_LONG, NUL_IN_CONTENT
from .events import Auth, AuthResponse, DataEnd, DataStart, Hello, MailFrom, RcptTo, StartTls
from .reply import Reply

STANDARD: Final[
    dict[type[Hello | StartTls | Auth | AuthResponse | MailFrom | RcptTo | DataStart | DataEnd], Reply]
] = {
    StartTls: Reply(220, "2.0.0", "Ready to start TLS"),
    Auth: Reply(235, "2.7.0", "Authentication successful"),
    AuthResponse: Reply(235, "2.7.0", "Authentication successful"),
    MailFrom: Reply(250, "2.1.0", "Sender OK"),
    RcptTo: Reply(250, "2.1.5", "Recipient OK"),
    DataStart: Reply(354, None, "End data with <CR><LF>.<CR><LF>"),
    DataEnd: Reply(250, "2.0.0", "Message accepted"),
}
"""The positive reply of each event that waits; Hello's depends on the session."""

_FLAWS: Final = {
    NUL_IN_CONTENT: Reply(550, "5.6.0", "The message holds a NUL octet"),
    LINE_TOO_LONG: Reply(550, "5.6.0", "The message holds a line that is too long"),
    BARE_LINE_END: Reply(550, "5.6.0", "The message holds a bare CR or LF: only BINARYMIME may"),
}
_TOO_BIG: Final = Reply(552, "5.3.4", "Message too big for this system")


def challenge_line(data: bytes) -> bytes:
    """Return the 334 line that carries `data` in base64 (RFC 4954 section 4)."""
    return b"334 " + binascii.b2a_base64(data, newline=False) + b"\r\n"


def octets_received(count: int) -> Reply:
    """Return the answer to a BDAT chunk that is not the last (RFC 3030 section 2)."""
    return Reply(250, "2.0.0", f"{count} octets received")


def flawed(flaw: str) -> tuple[Reply, str]:
    """Return the reply and the reason for content refused for what it holds."""
    return _FLAWS[flaw], flaw


def too_big() -> tuple[Reply, str]:
    """Return the reply and the reason for content over the limit (RFC 1870 section 6.2)."""
    return _TOO_BIG, "too-big"
