"""The limits of one IMAP connection and what it announces."""

from __future__ import annotations

from dataclasses import dataclass

from .events import State


@dataclass(frozen=True, slots=True)
class ImapOptions:
    """Limits in octets, and the SASL mechanisms offered over TLS.

    `max_append` bounds one message; `append_messages` and `append_total` those of one APPEND together (RFC 3502),
    `append_parts` the parts of CATENATE in it. `command` bounds the literals and lines of one command together, its
    last line apart. `swallowed` is the largest literal that is dropped for a client that does not wait for a
    go-ahead; a larger one ends the connection. `bad_commands` is how many malformed commands in a row end it too;
    before login they are counted in all. `message_limit` is what MESSAGELIMIT announces (RFC 9738), 0 nothing.
    `annotation_size` bounds one value of SETMETADATA (RFC 5464 section 4.3).
    """

    max_append: int = 50 * 1024 * 1024
    append_messages: int = 250
    append_total: int = 250 * 1024 * 1024
    append_parts: int = 1000
    swallowed: int = 500 * 1024 * 1024
    line_before_login: int = 8192
    line_auth: int = 24 * 1024
    line: int = 64 * 1024
    literal_before_login: int = 4096
    literal: int = 64 * 1024
    command_before_login: int = 16 * 1024
    command: int = 256 * 1024
    bad_commands: int = 10
    message_limit: int = 0
    annotation_size: int = 16 * 1024
    mechanisms: tuple[str, ...] = ("PLAIN", "EXTERNAL")
    login_without_tls: bool = False


_ALWAYS = "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE"
_AFTER_LOGIN = (
    "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE UIDPLUS MOVE UNSELECT NAMESPACE CHILDREN SPECIAL-USE"
    " CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES CONDSTORE BINARY UTF8=ACCEPT"
    " OBJECTID SAVEDATE PREVIEW"
    " WITHIN CONTEXT=SEARCH MULTISEARCH SEARCH=FUZZY I18NLEVEL=2"
    " SORT SORT=DISPLAY ESORT CONTEXT=SORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT"
    " QRESYNC UIDONLY PARTIAL INPROGRESS UNAUTHENTICATE"
    " METADATA LIST-METADATA NOTIFY"
    " MULTIAPPEND CATENATE REPLACE"
    " ACL RIGHTS=kxte QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE LIST-MYRIGHTS"
)


def capability_list(
    options: ImapOptions, state: State, *, tls: bool, mechanisms: tuple[str, ...], compressed: bool = False
) -> bytes:
    """What CAPABILITY announces now: no way to send a password before TLS (ACC-1).

    LITERAL- and LITERAL+ never stand together (RFC 7888 section 5): strangers may send literals of 4096 octets
    without waiting, who is logged in larger ones too.
    """
    if state is not State.NOT_AUTHENTICATED:
        compress = "" if compressed else " COMPRESS=DEFLATE"
        limit = f" MESSAGELIMIT={options.message_limit}" if options.message_limit else ""
        return f"{_AFTER_LOGIN}{compress} APPENDLIMIT={options.max_append}{limit}".encode("ascii")
    words = [_ALWAYS]
    if not tls:
        words.append("STARTTLS")
    if tls or options.login_without_tls:
        words.extend(f"AUTH={name}" for name in mechanisms)
    else:
        words.append("LOGINDISABLED")
    return " ".join(words).encode("ascii")
