"""The limits of one IMAP connection and what it announces."""

from __future__ import annotations

from dataclasses import dataclass

from .events import State


@dataclass(frozen=True, slots=True)
class ImapOptions:
    """Limits in octets, and the SASL mechanisms offered over TLS.

    `command` bounds the literals and lines of one command together, its last line apart. `bad_commands` is how many
    malformed commands in a row are answered before the connection ends; before login they are counted in all.
    """

    max_append: int = 50 * 1024 * 1024
    line_before_login: int = 8192
    line_auth: int = 16 * 1024
    line: int = 64 * 1024
    literal_before_login: int = 4096
    literal: int = 64 * 1024
    command_before_login: int = 16 * 1024
    command: int = 256 * 1024
    bad_commands: int = 20
    mechanisms: tuple[str, ...] = ("PLAIN", "EXTERNAL")
    login_without_tls: bool = False


_ALWAYS = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE"
_AFTER_LOGIN = (
    "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE UIDPLUS MOVE UNSELECT NAMESPACE CHILDREN SPECIAL-USE"
    " CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES CONDSTORE BINARY UTF8=ACCEPT"
)


def capability_list(options: ImapOptions, state: State, *, tls: bool, mechanisms: tuple[str, ...]) -> bytes:
    """What CAPABILITY announces now: no way to send a password before TLS (ACC-1)."""
    if state is not State.NOT_AUTHENTICATED:
        return f"{_AFTER_LOGIN} APPENDLIMIT={options.max_append}".encode("ascii")
    words = [_ALWAYS]
    if not tls:
        words.append("STARTTLS")
    if tls or options.login_without_tls:
        words.extend(f"AUTH={name}" for name in mechanisms)
    else:
        words.append("LOGINDISABLED")
    return " ".join(words).encode("ascii")
