"""One function for each verb: what a command line means now (RFC 5321 section 4.1.1).

A verb returns the event that the skin must see, or None when the core has said all there is to say.
It raises `CommandError` for a refusal. Which verb is in its place is `session.ALLOWED`'s business.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Final

from mss_gateway.mail.envelope import BodyType

from .envelope import read_mail, read_rcpt
from .events import Auth, DataStart, Event, Hello, MailFrom, Quit, RcptTo, Reset, StartTls
from .grammar import CommandError
from .reply import Reply
from .session import Phase, Session

_HELLO_NAME = re.compile(rb"[!-~]{1,255}\Z")
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}\Z")

OK: Final = Reply(250, "2.0.0", "OK")
"""The plain yes of NOOP and RSET."""
BYE: Final = Reply(221, "2.0.0", "Bye")
"""The answer to QUIT."""
CANNOT_VERIFY: Final = Reply(252, "2.0.0", "Cannot verify; send a message and see")
"""The answer to every VRFY, whoever exists (RTE-3)."""
HELP_TEXT: Final = Reply(214, "2.0.0", "EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP QUIT")
"""The answer to HELP."""


def too_big() -> CommandError:
    """Return the refusal of a message over the limit (RFC 1870 section 6)."""
    return CommandError(552, "5.3.4", "Message too big for this system", "too-big")


def hello(session: Session, argument: bytes, *, extended: bool) -> Hello:
    """EHLO and HELO: forget any transaction; the name is kept as said, unverified."""
    if not _HELLO_NAME.match(argument):
        raise CommandError(501, "5.5.4", "Say your host name", "hello-name")
    session.end_transaction()
    return Hello(argument.decode("ascii"), extended)


def starttls(session: Session, argument: bytes) -> StartTls:
    """STARTTLS (RFC 3207 section 4)."""
    if session.tls_active:
        raise CommandError(503, "5.5.1", "TLS is already active", "tls-active")
    if not session.config.offer_starttls:
        raise CommandError(502, "5.5.1", "STARTTLS is not offered", "tls-not-offered")
    if argument:
        raise CommandError(501, "5.5.4", "STARTTLS takes no parameter", "starttls-parameter")
    return StartTls()


def auth(session: Session, argument: bytes) -> Auth:
    """AUTH (RFC 4954 section 4): only under TLS, once, outside a transaction (ACC-1)."""
    if not session.config.auth_mechanisms:
        raise CommandError(502, "5.5.1", "AUTH is not offered", "auth-not-offered")
    if not session.tls_active:
        raise CommandError(538, "5.7.11", "Encryption required for authentication", "auth-needs-tls")
    if session.authenticated:
        raise CommandError(503, "5.5.1", "Already authenticated", "auth-twice")
    name, space, initial = argument.partition(b" ")
    if not _MECHANISM.match(name):
        raise CommandError(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]", "auth-syntax")
    mechanism = name.decode("ascii").upper()
    if mechanism not in session.config.auth_mechanisms:
        raise CommandError(504, "5.5.4", "Mechanism not offered", "auth-mechanism")
    if not space:
        return Auth(mechanism, None)
    return Auth(mechanism, b"" if initial == b"=" else decode_base64(initial))


def decode_base64(text: bytes) -> bytes:
    """Decode strict base64; raise `CommandError` 501 5.5.2 (RFC 4954 section 4)."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise CommandError(501, "5.5.2", "Invalid base64", "auth-base64") from None


def mail(session: Session, argument: bytes) -> MailFrom:
    """MAIL: refuse at once a message declared over the limit (RFC 1870 section 6.1)."""
    event = read_mail(argument)
    if event.size is not None and event.size > session.config.max_size:
        raise too_big()
    return event


def rcpt(session: Session, argument: bytes) -> RcptTo:
    """RCPT: 452 past the announced RCPTMAX (RFC 5321 section 4.5.3.1.10, RFC 9422)."""
    event = read_rcpt(argument, smtputf8=session.smtputf8, postmaster=session.config.postmaster)
    if session.recipients >= session.config.limits.recipients:
        raise CommandError(452, "4.5.3", "Too many recipients", "too-many-recipients")
    return event


def data(session: Session, argument: bytes) -> DataStart:
    """DATA; BINARYMIME must travel by BDAT (RFC 3030 section 3)."""
    if argument:
        raise CommandError(501, "5.5.4", "DATA takes no parameter", "data-parameter")
    if session.binary:
        raise CommandError(503, "5.5.1", f"{BodyType.BINARY.value} needs BDAT", "data-for-binary")
    if not session.recipients:
        raise CommandError(554, "5.5.1", "No valid recipients", "no-recipients")
    return DataStart()


def rset(session: Session, argument: bytes) -> Reset | None:
    """RSET: an event only when there was a transaction to drop."""
    if argument:
        raise CommandError(501, "5.5.4", "RSET takes no parameter", "rset-parameter")
    under_way = session.phase not in (Phase.CONNECTED, Phase.READY)
    session.end_transaction()
    session.say(OK)
    return Reset() if under_way else None


def noop(session: Session, argument: bytes) -> None:
    """NOOP; its parameter means nothing (RFC 5321 section 4.1.1.9)."""
    session.say(OK)


def help_(session: Session, argument: bytes) -> None:
    """HELP."""
    session.say(HELP_TEXT)


def vrfy(session: Session, argument: bytes) -> None:
    """VRFY: the same words for every name (RTE-3)."""
    session.say(CANNOT_VERIFY)


def expn(session: Session, argument: bytes) -> None:
    """EXPN: no list is ever disclosed (RTE-3)."""
    raise CommandError(502, "5.5.1", "EXPN is not offered", "expn")


def quit_(session: Session, argument: bytes) -> Quit:
    """QUIT."""
    if argument:
        raise CommandError(501, "5.5.4", "QUIT takes no parameter", "quit-parameter")
    session.say(BYE)
    return Quit()


def _ehlo(session: Session, argument: bytes) -> Hello:
    return hello(session, argument, extended=True)


def _helo(session: Session, argument: bytes) -> Hello:
    return hello(session, argument, extended=False)


VERBS: Final[dict[bytes, tuple[str, Callable[[Session, bytes], Event | None]]]] = {
    b"MAIL": ("MAIL", mail),
    b"RCPT": ("RCPT", rcpt),
    b"DATA": ("DATA", data),
    b"EHLO": ("EHLO", _ehlo),
    b"HELO": ("HELO", _helo),
    b"STARTTLS": ("STARTTLS", starttls),
    b"AUTH": ("AUTH", auth),
    b"RSET": ("RSET", rset),
    b"NOOP": ("NOOP", noop),
    b"QUIT": ("QUIT", quit_),
    b"HELP": ("HELP", help_),
    b"VRFY": ("VRFY", vrfy),
    b"EXPN": ("EXPN", expn),
}
"""Every verb but BDAT, which is framing as much as command and lives in the core."""

FOREIGN_VERBS: Final = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"CONNECT", b"OPTIONS", b"PRI"})
"""First words of another protocol: a browser tricked into talking to us; the session ends at once."""
