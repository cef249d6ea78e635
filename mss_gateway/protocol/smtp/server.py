"""The server core: framing, order of replies, content phases; `verbs` says what a command means."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Final

from mss_gateway.base.errors import ProtocolViolation

from .config import ServerConfig
from .content import ChunkReader, DotReader
from .events import (
    CLOSED,
    NEED_DATA,
    Auth,
    AuthCancelled,
    AuthResponse,
    DataChunk,
    DataDropped,
    DataEnd,
    DataStart,
    Event,
    Hello,
    MailFrom,
    Quit,
    RcptTo,
    Refused,
    Signal,
    StartTls,
)
from .grammar import CommandError
from .replies import STANDARD, challenge_line, flawed, octets_received, too_big
from .reply import Reply
from .session import Phase, Session, hello_reply
from .verbs import FOREIGN_VERBS, VERBS, decode_base64

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_BDAT = re.compile(rb"([0-9]{1,20})( +LAST)?\Z", re.IGNORECASE)

_Waiting = Hello | StartTls | Auth | AuthResponse | MailFrom | RcptTo | DataStart | DataEnd


class _Mode(Enum):
    COMMAND = "command"
    AUTH = "auth"
    TLS = "tls"
    DATA = "data"
    CHUNK = "chunk"


class SmtpServer:
    """One SMTP session, seen from the server; the package's page shows how to drive it.

    Feed it when `next_event` says `NEED_DATA`: what it then keeps of its input is one unfinished line
    (`Limits.command`, or `Limits.auth` where AUTH is offered) or two octets of content. Asking for an
    event before answering the last one, or answering nothing, is a mistake of ours: `RuntimeError`.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_chunk_left",
        "_chunk_refusal",
        "_chunk_size",
        "_chunks",
        "_closing",
        "_config",
        "_dots",
        "_dropped",
        "_eof",
        "_last",
        "_mode",
        "_session",
        "_size",
        "_waiting",
    )

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._session = Session(config)
        self._buffer = b""
        self._at = 0
        self._eof = False
        self._closing = False
        self._mode = _Mode.COMMAND
        self._waiting: _Waiting | None = None
        self._dots: DotReader | None = None
        self._chunks: ChunkReader | None = None
        self._chunk_left = 0
        self._chunk_size = 0
        self._chunk_refusal: Reply | CommandError | None = None
        self._last = False
        self._size = 0
        self._dropped: tuple[Reply, str] | None = None

    # What the skin may look at.

    @property
    def closing(self) -> bool:
        """True once the last reply is queued: nothing more will be read."""
        return self._closing

    @property
    def buffered(self) -> int:
        """Octets received and not yet consumed."""
        return len(self._buffer) - self._at

    @property
    def tls_active(self) -> bool:
        """True on an implicit TLS port and after `tls_started`."""
        return self._session.tls_active

    @property
    def authenticated(self) -> bool:
        """True after a positive answer to Auth or AuthResponse."""
        return self._session.authenticated

    @property
    def in_content(self) -> bool:
        """True while the peer owes message content: the skin's slow-upload deadline applies."""
        return self._mode in (_Mode.DATA, _Mode.CHUNK)

    # What the skin does.

    def greet(self, text: str = "ESMTP") -> None:
        """Queue the 220 banner, host name first (RFC 5321 section 4.2)."""
        self._session.say(Reply(220, None, f"{self._config.hostname} {text}"))

    def receive_data(self, data: bytes) -> None:
        """Take octets from the socket; nothing is looked at before `next_event`."""
        if self._closing:
            return
        left = self._buffer[self._at :]
        self._buffer = left + data if left else data
        self._at = 0

    def receive_eof(self) -> None:
        """Note that the peer sends no more; what is complete is still handled, then `CLOSED`."""
        self._eof = True

    def data_to_send(self) -> bytes:
        """Return and forget the queued replies, in order; empty when there are none."""
        out = self._session.out
        if not out:
            return b""
        octets = b"".join(out)
        out.clear()
        return octets

    def close(self, reply: Reply) -> None:
        """Queue a last reply (421) and end the session; pending input is dropped."""
        self._session.say(reply)
        self._waiting = None
        self._shut()

    def offer(self, mechanisms: tuple[str, ...]) -> None:
        """Offer these AUTH mechanisms from now on: EXTERNAL makes sense only to a peer with a certificate."""
        self._config = self._session.config = replace(self._config, auth_mechanisms=mechanisms)

    def tls_started(self) -> None:
        """Begin anew after the handshake: all said before is forgotten (RFC 3207 section 4.2)."""
        if self._mode is not _Mode.TLS:
            raise RuntimeError("no STARTTLS was accepted")
        bad_commands = self._session.bad_commands
        self._session = Session(self._config)
        self._session.tls_active = True
        self._session.bad_commands = bad_commands
        self._mode = _Mode.COMMAND

    def refuse_message(self, reply: Reply, reason: str = "refused-by-skin") -> None:
        """Refuse the content that is arriving: the rest is swallowed, then answered with `reply`."""
        if not self.in_content and self._session.phase is not Phase.CHUNKING:
            raise RuntimeError("no content is arriving")
        if self._dropped is None:
            self._dropped = (reply, reason)

    def challenge(self, data: bytes) -> None:
        """Answer Auth or AuthResponse with a challenge (334, base64)."""
        if not isinstance(self._waiting, (Auth, AuthResponse)):
            raise RuntimeError("no AUTH is waiting")
        self._waiting = None
        self._session.out.append(challenge_line(data))
        self._mode = _Mode.AUTH

    def accept(self) -> None:
        """Answer the waiting event with its standard positive reply."""
        event = self._waiting
        if isinstance(event, Hello):
            self.reply(hello_reply(self._session, extended=event.extended))
        elif event is None:
            raise RuntimeError("no event waits for an answer")
        else:
            self.reply(STANDARD[type(event)])

    def reply(self, reply: Reply) -> None:
        """Answer the waiting event; 2xx and 3xx accept, 4xx and 5xx refuse, 421 also closes."""
        event = self._waiting
        if event is None:
            raise RuntimeError("no event waits for an answer")
        self._waiting = None
        if isinstance(event, DataStart) and event.chunking:
            self._open_chunks(reply)
        else:
            self._session.say(reply)
            self._apply(event, positive=reply.positive)
        if reply.code == 421:
            if self._chunk_refusal is reply:
                self._session.say(reply)
            self._shut()

    def _apply(self, event: _Waiting, *, positive: bool) -> None:
        """Move the state machine as the answer to `event` says."""
        session = self._session
        if isinstance(event, DataEnd):
            session.end_transaction()
            if positive:
                session.bad_commands = 0
        elif isinstance(event, (Auth, AuthResponse)):
            session.authenticated = session.authenticated or positive
        elif not positive:
            return
        elif isinstance(event, RcptTo):
            session.recipients += 1
            session.phase = Phase.RCPT
        elif isinstance(event, MailFrom):
            session.begin_transaction(event)
        elif isinstance(event, DataStart):
            self._dots = DotReader(self._config.limits.content_line)
            self._open_content(_Mode.DATA)
        elif isinstance(event, Hello):
            session.phase = Phase.READY
        else:
            self._mode = _Mode.TLS

    # Reading.

    def next_event(self) -> Event | Signal:
        """Return the next event, `NEED_DATA` or `CLOSED`; raise `ProtocolViolation` at a grave fault.

        When it raises, the reply is queued and the session over.
        """
        if self._waiting is not None:
            raise RuntimeError("the last event waits for its answer")
        try:
            while not self._closing:
                event = _STEPS[self._mode](self)
                if event is None:
                    continue
                if event is NEED_DATA:
                    if not self._eof:
                        self._buffer, self._at = self._buffer[self._at :], 0
                        return NEED_DATA
                    self._shut()
                    break
                return event
        except ProtocolViolation as violation:
            self._session.say(Reply(violation.code, violation.enhanced, violation.public))
            self._shut()
            raise
        return CLOSED

    def _shut(self) -> None:
        self._closing = True
        self._buffer = b""
        self._at = 0

    def _line(self) -> bytes | None:
        """Take one line without its CRLF; None when it has not all arrived.

        The verdict on a line is given when its LF is there or when it is too long, never before, so
        that it does not depend on how the octets were cut.
        """
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\n", at)
        length = (end + 1 if end >= 0 else len(buffer)) - at
        limits = self._config.limits
        if length > limits.command and length > self._longest_line():
            raise ProtocolViolation("Line too long", "line-too-long", code=500, enhanced=self._long_status())
        if end < 0:
            return None
        self._at = end + 1
        line = buffer[at : end - 1] if end > at else b""
        if end == at or buffer[end - 1] != 13 or b"\r" in line:
            raise ProtocolViolation(
                "Lines must end with CR LF", "bare-line-end-in-command", code=500, enhanced="5.5.2"
            )
        return line

    def _longest_line(self) -> int:
        limits = self._config.limits
        offered = self._session.tls_active and bool(self._config.auth_mechanisms)
        if offered and (
            self._mode is _Mode.AUTH or self._buffer[self._at : self._at + 5].upper() == b"AUTH "
        ):
            return limits.auth
        return limits.command

    def _long_status(self) -> str:
        return "5.5.6" if self._mode is _Mode.AUTH else "5.5.2"  # RFC 4954 section 6

    def _command(self) -> Event | Signal | None:
        line = self._line()
        if line is None:
            return NEED_DATA
        word, _, argument = line.rstrip(b" ").partition(b" ")
        word = word.upper()
        if word == b"BDAT":
            return self._bdat(argument)
        known = VERBS.get(word)
        try:
            if _CONTROL.search(line):
                raise CommandError(500, "5.5.2", "Control character in a command", "control-character")
            if known is None:
                return self._unknown(word)
            verb, act = known
            if verb in ("MAIL", "RCPT") and len(line) + 2 > self._config.limits.envelope:
                raise CommandError(500, "5.5.2", "Line too long", "envelope-line-too-long")
            self._session.check(verb)
            event = act(self._session, argument)
        except CommandError as error:
            return self._refuse(known[0] if known else "?", error)
        if event is None:
            return None
        if isinstance(event, Quit):
            self._shut()
        elif isinstance(event, _Waiting):
            self._waiting = event
            if isinstance(event, StartTls) and self.buffered:
                self._waiting = None
                raise ProtocolViolation("Nothing may follow STARTTLS", "starttls-injection", code=503)
        return event

    def _unknown(self, word: bytes) -> Event:
        if word in FOREIGN_VERBS:
            raise ProtocolViolation("This is SMTP", "foreign-protocol", code=554, enhanced="5.5.1")
        raise CommandError(500, "5.5.1", "Command not recognised", "unknown-command")

    def _refuse(self, verb: str, error: CommandError) -> Event:
        """Answer a refused command; too many of them end the session."""
        reply = Reply(error.code, error.enhanced, error.public)
        reason = error.reason
        session = self._session
        if error.code >= 500:
            session.bad_commands += 1
            if session.bad_commands > self._config.limits.bad_commands:
                reply, reason = Reply(421, "4.7.0", "Too many errors"), "too-many-bad-commands"
                self._shut()
        session.say(reply)
        return Refused(verb, reply, reason)

    def _auth_line(self) -> Event | Signal:
        line = self._line()
        if line is None:
            return NEED_DATA
        self._mode = _Mode.COMMAND
        try:
            if line == b"*":
                raise CommandError(501, "5.0.0", "Authentication cancelled", "auth-cancelled")
            response = AuthResponse(decode_base64(line))
        except CommandError as error:
            self._refuse("AUTH", error)
            return AuthCancelled()
        self._waiting = response
        return response

    def _before_handshake(self) -> Signal:
        if self.buffered:
            raise ProtocolViolation("Nothing may follow STARTTLS", "starttls-injection", code=503)
        return NEED_DATA

    # Content.

    def _open_content(self, mode: _Mode) -> None:
        self._mode = mode
        self._size = 0
        self._dropped = None

    def _data(self) -> Event | Signal | None:
        dots = self._dots
        assert dots is not None
        if dots.done:
            self._mode = _Mode.COMMAND
            self._dots = None
            return self._end_content(dots.flaw)
        if self._at == len(self._buffer):
            return NEED_DATA
        piece, after = dots.read(self._buffer, self._at)
        stuck = after == self._at
        self._at = after
        if piece and self._keep(len(piece)) and dots.flaw is None:
            return DataChunk(piece)
        return NEED_DATA if stuck else None

    def _keep(self, octets: int) -> bool:
        """Count content in; False when the message is refused and its octets are only swallowed."""
        self._size += octets
        if self._size > self._config.max_size and self._dropped is None:
            self._dropped = too_big()
        return self._dropped is None

    def _end_content(self, flaw: str | None) -> Event:
        if self._dropped is None and flaw is not None:
            self._dropped = flawed(flaw)
        if self._dropped is None:
            self._waiting = end = DataEnd(self._size)
            return end
        reply, reason = self._dropped
        self._session.say(reply)
        self._session.end_transaction()
        return DataDropped(reply, reason)

    def _bdat(self, argument: bytes) -> Event | None:
        """Read a BDAT line; whatever the answer, its octets are content and never commands.

        A line that does not say how many octets follow leaves no way to tell: the session ends.
        """
        found = _BDAT.match(argument)
        if not found:
            raise ProtocolViolation("Syntax: BDAT size [LAST]", "bdat-syntax", code=501, enhanced="5.5.4")
        self._chunk_size = self._chunk_left = int(found[1])
        if self._chunk_left > self._config.limits.chunk:
            raise ProtocolViolation("Chunk too big", "chunk-too-big", code=552, enhanced="5.3.4")
        self._last = found[2] is not None
        self._mode = _Mode.CHUNK
        self._chunk_refusal = None
        session = self._session
        try:
            session.check("BDAT")
            if not session.recipients:
                raise CommandError(554, "5.5.1", "No valid recipients", "no-recipients")
        except CommandError as error:
            self._chunk_refusal = error
            return None
        if session.phase is Phase.CHUNKING:
            return None
        self._waiting = start = DataStart(chunking=True)
        return start

    def _open_chunks(self, reply: Reply) -> None:
        if reply.positive:
            self._session.phase = Phase.CHUNKING
            self._chunks = ChunkReader(self._config.limits.content_line, binary=self._session.binary)
            self._open_content(_Mode.CHUNK)
        else:
            self._session.phase = Phase.CHUNKING_FAILED
            self._chunk_refusal = reply

    def _chunk(self) -> Event | Signal | None:
        if not self._chunk_left:
            self._mode = _Mode.COMMAND
            return self._end_chunk()
        piece = self._buffer[self._at : self._at + self._chunk_left]
        if not piece:
            return NEED_DATA
        self._at += len(piece)
        self._chunk_left -= len(piece)
        if self._chunk_refusal is not None:
            return None
        chunks = self._chunks
        assert chunks is not None
        chunks.check(piece)
        if self._keep(len(piece)) and chunks.flaw is None:
            return DataChunk(piece)
        return None

    def _end_chunk(self) -> Event | None:
        session, refusal = self._session, self._chunk_refusal
        if refusal is not None:
            if self._last and session.phase is Phase.CHUNKING_FAILED:
                session.end_transaction()
            if isinstance(refusal, CommandError):
                return self._refuse("BDAT", refusal)
            session.say(refusal)
            return None
        if not self._last:
            session.say(octets_received(self._chunk_size))
            return None
        chunks, self._chunks = self._chunks, None
        assert chunks is not None
        chunks.finish()
        return self._end_content(chunks.flaw)


_STEPS: Final[dict[_Mode, Callable[[SmtpServer], Event | Signal | None]]] = {
    _Mode.COMMAND: SmtpServer._command,
    _Mode.AUTH: SmtpServer._auth_line,
    _Mode.TLS: SmtpServer._before_handshake,
    _Mode.DATA: SmtpServer._data,
    _Mode.CHUNK: SmtpServer._chunk,
}
