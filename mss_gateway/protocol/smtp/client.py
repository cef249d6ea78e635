"""The client half of SMTP as a state machine without input or output (RFC 5321, 2920, 3030, 3207).

How a skin drives `SmtpClient`::

    core = SmtpClient(ClientConfig("mx.example.test"))
    while True:
        event = core.next_event()         # ProtocolViolation: the session is over; close, nothing more to say
        if event is NEED_DATA:
            write(core.data_to_send())
            core.receive_data(read())     # at the end of the stream: core.receive_eof()
        elif event is CLOSED: break
        elif isinstance(event, Ready): core.start_tls(), or core.begin(fit), or core.begin(fit, content)
        elif isinstance(event, HandshakeDue): shake hands; core.tls_started()     # Ready comes again
        elif isinstance(event, ContentWanted): core.send_content(piece)…; core.end_content()

After `MessageAnswered`, `ContentRefused` or `NothingAccepted` the next `begin` may follow; it resets by itself
what has to be reset. `quit` ends the session. A content given to `begin` is not wanted again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.mail.envelope import BodyType

from .client_content import ContentWriter
from .client_events import (
    ClientEvent,
    ContentRefused,
    ContentWanted,
    HandshakeDue,
    MessageAnswered,
    NothingAccepted,
    PeerCloses,
    Ready,
    RecipientAnswered,
    SenderAnswered,
    Unwelcome,
)
from .client_fit import Fit
from .client_replies import Capabilities, ReplyLimits, ReplyReader, read_capabilities
from .envelope import write_mail, write_rcpt
from .events import CLOSED, NEED_DATA, Signal
from .reply import Reply


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Who we say we are in EHLO, and what we bear; with `require_tls` no transaction begins before TLS (TRU-5)."""

    hostname: str
    require_tls: bool = True
    limits: ReplyLimits = field(default_factory=ReplyLimits)


class _Asked(Enum):
    GREETING = "greeting"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "end of content"
    EMPTY = "end of an empty message"
    QUIT = "QUIT"


class _Phase(Enum):
    TALK = "talk"
    HANDSHAKE = "handshake"
    ENVELOPE = "envelope"
    CONTENT = "content"
    CLOSED = "closed"


class SmtpClient:
    """One connection to a server. Memory is bounded by `ReplyLimits` and the last piece received."""

    __slots__ = (
        "_accepted",
        "_ahead",
        "_answered",
        "_asked",
        "_at",
        "_buffer",
        "_chunking",
        "_config",
        "_eof",
        "_events",
        "_later",
        "_must_reset",
        "_out",
        "_phase",
        "_reader",
        "_recipients",
        "_sender_refused",
        "_size",
        "_untimely",
        "_writer",
        "capabilities",
        "tls_active",
    )

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self.capabilities = Capabilities()
        self.tls_active = False
        self._reader = ReplyReader(config.limits)
        self._buffer = b""
        self._at = 0
        self._eof = False
        self._phase = _Phase.TALK
        self._out: list[bytes] = []
        self._asked: deque[_Asked] = deque((_Asked.GREETING,))
        self._later: deque[tuple[_Asked, bytes]] = deque()
        self._events: deque[ClientEvent] = deque()
        self._recipients = 0
        self._answered = 0
        self._accepted = 0
        self._ahead = False
        self._sender_refused = False
        self._must_reset = False
        self._chunking = False
        self._untimely = False
        self._size = 0
        self._writer: ContentWriter | None = None

    # What the skin may look at.

    @property
    def idle(self) -> bool:
        """True between transactions, when `begin` may be called; False before TLS when it is required."""
        ready = self._phase is _Phase.TALK and not self._asked and not self._events
        return ready and (self.tls_active or not self._config.require_tls)

    @property
    def buffered(self) -> int:
        """Octets received and not yet consumed."""
        return len(self._buffer) - self._at

    # What the skin does.

    def receive_data(self, data: bytes) -> None:
        """Take octets from the socket; nothing is looked at before `next_event`."""
        if self._phase is _Phase.CLOSED:
            return
        left = self._buffer[self._at :]
        self._buffer = left + data if left else data
        self._at = 0

    def receive_eof(self) -> None:
        """Note that the server sends no more; replies that are whole are still told, then `CLOSED`."""
        self._eof = True

    def data_to_send(self) -> bytes:
        """Return and forget what is queued, in order; empty when there is nothing."""
        out = self._out
        if not out:
            return b""
        octets = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return octets

    def start_tls(self) -> None:
        """Ask for TLS (RFC 3207); only a server that offered it may be asked."""
        if self.tls_active or self._asked or not self.capabilities.offers("STARTTLS"):
            raise RuntimeError("STARTTLS makes no sense now")
        self._ask(_Asked.STARTTLS, b"STARTTLS\r\n")

    def tls_started(self) -> None:
        """Begin anew after the handshake: what was said before is forgotten (RFC 3207 section 4.2)."""
        if self._phase is not _Phase.HANDSHAKE:
            raise RuntimeError("no STARTTLS was answered")
        if self.buffered:
            return  # the phase stays: next_event tells of the injection
        self.tls_active = True
        self.capabilities = Capabilities()
        self._phase = _Phase.TALK
        self._say_hello()

    def begin(self, fit: Fit, content: bytes | None = None) -> None:
        """Open a transaction: RSET where it is due, MAIL, RCPT and DATA, in one flight when the server pipelines.

        The whole `content` of a fit with chunking goes in the same flight (RFC 2920, RFC 3030 section 4.2), to a server
        that pipelines: whatever is heard of it, the server may have taken the message then. Raises `InvalidValue` for a
        bare CR or LF in it; nothing has begun then.
        """
        if not self.idle:
            raise RuntimeError("no transaction can begin now")
        writer = ContentWriter(stuff=not fit.chunking, binary=fit.mail.body is BodyType.BINARY)
        whole = b"" if content is None else self._whole(fit, content, writer)
        self._phase = _Phase.ENVELOPE
        self._ahead = content is not None
        self._chunking = fit.chunking
        self._size = fit.size
        self._accepted = 0
        self._sender_refused = False
        self._answered = 0
        self._recipients = len(fit.recipients)
        self._writer = writer
        commands = self._later
        if self._must_reset:
            commands.append((_Asked.RSET, b"RSET\r\n"))
            self._must_reset = False
        commands.append((_Asked.MAIL, write_mail(fit.mail)))
        commands.extend((_Asked.RCPT, write_rcpt(one)) for one in fit.recipients)
        if whole:
            commands.append((_Asked.END, whole))
        elif not fit.chunking:
            commands.append((_Asked.DATA, b"DATA\r\n"))
        self._send_commands()

    def _whole(self, fit: Fit, content: bytes, writer: ContentWriter) -> bytes:
        """A content with its command before it, which must be known to be all of it."""
        if not fit.chunking or len(content) != fit.size or not self.capabilities.offers("PIPELINING"):
            raise RuntimeError("this content cannot go ahead")
        octets = writer.write(content) + writer.end()
        return b"BDAT %d LAST\r\n%b" % (fit.size, octets)

    def send_content(self, piece: bytes) -> None:
        """Queue a piece of content, cut anywhere.

        Raises `InvalidValue` for a bare CR or LF: nothing of the piece is queued, and as the end of the content
        can never follow, the connection must be cut.
        """
        if self._phase is not _Phase.CONTENT or self._writer is None:
            raise RuntimeError("no content is wanted")
        octets = self._writer.write(piece)
        if octets:
            self._out.append(octets)

    def end_content(self) -> None:
        """Queue the end of the content; raises `InvalidValue` when its last octet is a bare CR."""
        if self._phase is not _Phase.CONTENT or self._writer is None:
            raise RuntimeError("no content is wanted")
        if self._chunking and self._writer.size != self._size:
            raise RuntimeError("the content has not the size announced")
        end = self._writer.end()
        self._phase = _Phase.TALK
        self._writer = None
        self._ask(_Asked.END, end)

    def quit(self) -> None:
        """Take leave; `CLOSED` follows the answer. Nothing happens when an answer is still owed."""
        if self._phase is _Phase.TALK and not self._asked:
            self._ask(_Asked.QUIT, b"QUIT\r\n")

    # Asking.

    def _ask(self, asked: _Asked, command: bytes) -> None:
        """Queue a command. What the server said before it was asked is no answer to it."""
        if not self._asked and (self.buffered or self._reader.within_reply):
            self._untimely = True
        self._asked.append(asked)
        if command:
            self._out.append(command)

    def _send_commands(self) -> None:
        pipelining = self.capabilities.offers("PIPELINING")
        while self._later and (pipelining or not self._asked):
            self._ask(*self._later.popleft())

    def _say_hello(self) -> None:
        self._ask(_Asked.EHLO, f"EHLO {self._config.hostname}\r\n".encode("ascii"))

    # Reading.

    def next_event(self) -> ClientEvent | Signal:
        """Return the next event, `NEED_DATA` or `CLOSED`; raise `ProtocolViolation` when the server breaks SMTP."""
        if self._events:
            return self._events.popleft()
        try:
            while self._phase is not _Phase.CLOSED:
                if self._phase is _Phase.HANDSHAKE and self.buffered:
                    raise _broken("octets in the clear after STARTTLS", "starttls-injection")
                reply, self._at = self._reader.read(self._buffer, self._at)
                if reply is None:
                    self._buffer, self._at = self._buffer[self._at :], 0
                    if not self._eof:
                        return NEED_DATA
                    break
                self._take(reply)
                if self._events:
                    return self._events.popleft()
        except ProtocolViolation:
            self._shut()
            raise
        self._shut()
        return CLOSED

    def _shut(self) -> None:
        self._phase = _Phase.CLOSED
        self._buffer, self._at = b"", 0
        self._asked.clear()
        self._later.clear()

    def _take(self, reply: Reply) -> None:
        if reply.code == 421:
            self._shut()
            self._events.append(PeerCloses(reply))
        elif not self._asked:
            self._unasked(reply)
        elif self._untimely:
            raise _broken("a reply before its command", "reply-before-command")
        else:
            _ANSWERS[self._asked.popleft()](self, reply)

    def _unasked(self, reply: Reply) -> None:
        """Some servers refuse a content before it has come to its end; nothing else may come unasked."""
        if self._phase is not _Phase.CONTENT or reply.code < 400:
            raise _broken("a reply that nothing asked for", "unsolicited-reply")
        self._shut()
        self._events.append(MessageAnswered(reply, early=True))

    def _greeting(self, reply: Reply) -> None:
        if not _yes(reply):
            self._events.append(Unwelcome("", reply))
            return
        if reply.code != 220:
            raise _broken("a greeting that is not 220", "wrong-code")
        self._say_hello()

    def _hello(self, reply: Reply) -> None:
        if not _yes(reply):
            self._events.append(Unwelcome("EHLO", reply))
            return
        if reply.code != 250:
            raise _broken("an answer to EHLO that is not 250", "wrong-code")
        self.capabilities = read_capabilities(reply)
        self._events.append(Ready(self.capabilities))

    def _starttls(self, reply: Reply) -> None:
        if not _yes(reply):
            self._events.append(Unwelcome("STARTTLS", reply))
            return
        if reply.code != 220:
            raise _broken("an answer to STARTTLS that is not 220", "wrong-code")
        self._phase = _Phase.HANDSHAKE
        if self.buffered:
            raise _broken("octets in the clear after STARTTLS", "starttls-injection")
        self._events.append(HandshakeDue())

    def _reset(self, reply: Reply) -> None:
        if not _yes(reply):
            raise _broken("RSET was refused", "rset-refused")
        self._send_commands()

    def _mail(self, reply: Reply) -> None:
        self._sender_refused = not _yes(reply)
        self._events.append(SenderAnswered(reply))
        if self._sender_refused and self._later:
            self._later.clear()
            self._over()
        self._send_commands()

    def _rcpt(self, reply: Reply) -> None:
        accepted = _yes(reply)
        if accepted and self._sender_refused:
            raise _broken("a recipient was accepted without a sender", "recipient-without-sender")
        self._accepted += accepted
        self._events.append(RecipientAnswered(self._answered, reply))
        self._answered += 1
        if self._answered < self._recipients:
            self._send_commands()
        elif self._ahead:
            return  # what is asked next is asked already
        elif self._chunking:
            self._envelope_done()
        elif self._later and not self._accepted:
            self._later.clear()
            self._over()
        else:
            self._send_commands()

    def _envelope_done(self) -> None:
        if self._accepted:
            self._phase = _Phase.CONTENT
            self._out.append(b"BDAT %d LAST\r\n" % self._size)
            self._events.append(ContentWanted())
        else:
            self._over()

    def _over(self) -> None:
        self._phase = _Phase.TALK
        self._writer = None
        self._must_reset = not self._sender_refused
        self._events.append(NothingAccepted())

    def _data(self, reply: Reply) -> None:
        if reply.code >= 400:
            if self._accepted:
                self._phase = _Phase.TALK
                self._must_reset = True
                self._events.append(ContentRefused(reply))
            else:
                self._over()
            return
        if reply.code != 354:
            raise _broken("an answer to DATA that is not 354", "wrong-code")
        if self._accepted:
            self._phase = _Phase.CONTENT
            self._events.append(ContentWanted())
        else:  # RFC 2920 section 3.1: nothing but an empty message gets us out of this
            self._ask(_Asked.EMPTY, b".\r\n")

    def _empty(self, reply: Reply) -> None:
        _yes(reply)
        self._over()

    def _end(self, reply: Reply) -> None:
        taken = _yes(reply)
        if self._ahead and not self._accepted:
            if taken:
                raise _broken("a message was taken for nobody", "taken-for-nobody")
            self._over()
            return
        self._phase = _Phase.TALK
        self._must_reset = self._chunking and not taken
        self._events.append(MessageAnswered(reply))

    def _quit(self, reply: Reply) -> None:
        self._shut()


def _yes(reply: Reply) -> bool:
    """True for 2xx, False for 4xx and 5xx; 3xx answers none of the commands that ask this."""
    if 300 <= reply.code < 400:
        raise _broken("a 3xx reply out of place", "wrong-code")
    return reply.code < 300


def _broken(public: str, reason: str) -> ProtocolViolation:
    return ProtocolViolation(public, reason, code=451, enhanced="4.5.0")


_ANSWERS: Final[dict[_Asked, Callable[[SmtpClient, Reply], None]]] = {
    _Asked.GREETING: SmtpClient._greeting,
    _Asked.EHLO: SmtpClient._hello,
    _Asked.STARTTLS: SmtpClient._starttls,
    _Asked.RSET: SmtpClient._reset,
    _Asked.MAIL: SmtpClient._mail,
    _Asked.RCPT: SmtpClient._rcpt,
    _Asked.DATA: SmtpClient._data,
    _Asked.END: SmtpClient._end,
    _Asked.EMPTY: SmtpClient._empty,
    _Asked.QUIT: SmtpClient._quit,
}
