"""Where a session stands: its phase, what it has proved, its transaction, the replies to send."""

from __future__ import annotations

from enum import Enum
from typing import Final

from mss_gateway.mail.envelope import BodyType

from .config import ServerConfig
from .events import MailFrom
from .grammar import CommandError
from .reply import Reply


class Phase(Enum):
    """The command phases of a session; content phases are the reader's business."""

    CONNECTED = "connected"
    READY = "ready"
    MAIL = "mail"
    RCPT = "rcpt"
    CHUNKING = "chunking"
    CHUNKING_FAILED = "chunking-failed"


_GREETED: Final = frozenset(Phase) - {Phase.CONNECTED}
_ANY: Final = frozenset(Phase)

ALLOWED: Final[dict[str, frozenset[Phase]]] = {
    "EHLO": _ANY,
    "HELO": _ANY,
    "NOOP": _ANY,
    "QUIT": _ANY,
    "RSET": _ANY,
    "HELP": _ANY,
    "VRFY": _ANY,
    "EXPN": _ANY,
    "STARTTLS": frozenset({Phase.READY}),
    "AUTH": frozenset({Phase.READY}),
    "MAIL": frozenset({Phase.READY}),
    "RCPT": frozenset({Phase.MAIL, Phase.RCPT}),
    "DATA": frozenset({Phase.MAIL, Phase.RCPT}),
    "BDAT": frozenset({Phase.MAIL, Phase.RCPT, Phase.CHUNKING}),
}
"""The state machine: in which phases each verb is in its place; elsewhere the answer is 503."""

BEFORE_TLS: Final = frozenset({"EHLO", "HELO", "NOOP", "QUIT", "STARTTLS"})
"""Verbs that need no TLS (RFC 3207 section 4, TRU-1)."""
BEFORE_AUTH: Final = BEFORE_TLS | {"AUTH", "RSET", "HELP"}
"""Verbs that need no login (RFC 4954 section 6)."""


class Session:
    """The mutable record that the verbs work on; owned by one core."""

    __slots__ = (
        "authenticated",
        "bad_commands",
        "binary",
        "config",
        "out",
        "phase",
        "recipients",
        "smtputf8",
        "tls_active",
    )

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.tls_active = config.tls_active
        self.authenticated = False
        self.bad_commands = 0
        self.out: list[bytes] = []
        self.phase = Phase.CONNECTED
        self.end_transaction()

    def end_transaction(self) -> None:
        """Forget sender and recipients; a session that said hello is ready for the next MAIL."""
        if self.phase is not Phase.CONNECTED:
            self.phase = Phase.READY
        self.recipients = 0
        self.smtputf8 = False
        self.binary = False

    def begin_transaction(self, mail: MailFrom) -> None:
        """Note the sender's declarations that later commands depend on."""
        self.phase = Phase.MAIL
        self.smtputf8 = mail.smtputf8
        self.binary = mail.body is BodyType.BINARY

    def say(self, reply: Reply) -> None:
        """Queue a reply behind those already queued."""
        self.out.append(reply.encode())

    def check(self, verb: str) -> None:
        """Raise `CommandError` when `verb` is not allowed now: 530 first, then 503 (TRU-1, ACC-1)."""
        if self.config.require_tls and not self.tls_active and verb not in BEFORE_TLS:
            raise CommandError(530, "5.7.0", "Must issue a STARTTLS command first", "tls-required")
        if self.config.require_auth and not self.authenticated and verb not in BEFORE_AUTH:
            raise CommandError(530, "5.7.0", "Authentication required", "auth-required")
        if self.phase not in ALLOWED[verb]:
            raise CommandError(503, "5.5.1", self._advice(verb), "bad-sequence")

    def _advice(self, verb: str) -> str:
        if self.phase not in _GREETED:
            return "Send EHLO first"
        if self.phase in (Phase.CHUNKING, Phase.CHUNKING_FAILED):
            return "A BDAT transaction is under way: send BDAT or RSET"
        if verb in ("RCPT", "DATA", "BDAT"):
            return "Send MAIL first"
        return "Not during a mail transaction"


def hello_reply(session: Session, *, extended: bool) -> Reply:
    """Return the answer to EHLO with the keywords that hold now, or to HELO."""
    config = session.config
    if not extended:
        return Reply(250, None, config.hostname)
    lines = [
        config.hostname,
        f"SIZE {config.max_size}",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "CHUNKING",
        "BINARYMIME",
        "DSN",
        "ENHANCEDSTATUSCODES",
        f"LIMITS RCPTMAX={config.limits.recipients}",
    ]
    if config.offer_starttls and not session.tls_active:
        lines.insert(2, "STARTTLS")
    if session.tls_active and config.auth_mechanisms and not session.authenticated:
        lines.insert(2, "AUTH " + " ".join(config.auth_mechanisms))
    # Not in the last line: GNU SASL looks for `250-STARTTLS` and `250-AUTH`.
    return Reply(250, None, "\n".join(lines))
