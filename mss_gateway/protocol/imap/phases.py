"""The phases of one IMAP connection: what the next octets are, and what is made of them.

`CommandReader` turns octets into events and answers what is malformed; `core.ImapServer` adds what a door does.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import ClassVar

from mss_gateway.base.errors import ProtocolViolation

from . import grammar, grammar_append, responses
from .commands import Command, Idle
from .commands_append import Append
from .cursor import Cursor, Malformed
from .events import (
    NEED_DATA,
    AppendAbandoned,
    AppendChunk,
    AppendEnd,
    AppendUrl,
    AuthResponse,
    Ending,
    Event,
    IdleDone,
    NeedData,
    Request,
    State,
)
from .framing import LineBuffer, LiteralSpec, split_literal
from .grammar_append import AppendReader, Next
from .grammar_session import decode_base64
from .options import ImapOptions

_MAX_LITERALS = 64
GO_AHEAD = b"+ OK\r\n"
"""Lets the client send the literal that it has announced."""


class Phase(Enum):
    """What the next octets are."""

    COMMAND = auto()  # a line of a command
    HOLD = auto()  # a small literal, held until it is whole
    SWALLOW = auto()  # a refused literal
    SWALLOW_LINE = auto()  # what follows a refused literal in the same command
    PIECES = auto()  # what a line of an APPEND has told is handed out
    STREAM = auto()  # octets of a message
    HOLD_URL = auto()  # a URL of CATENATE
    STREAM_TAIL = auto()  # the next line of an APPEND
    AUTH = auto()  # a SASL answer
    IDLE = auto()  # DONE
    BUSY = auto()  # nothing is read: the door works on a command
    TLS_WAIT = auto()  # nothing is kept: the handshake is due
    CLOSED = auto()


class CommandReader:
    """The reading half of a connection."""

    def __init__(self, options: ImapOptions | None = None, *, tls: bool = False) -> None:
        self.options = options or ImapOptions()
        self.tls = tls
        self.state = State.NOT_AUTHENTICATED
        self.utf8 = False
        self.mechanisms = self.options.mechanisms
        self.compressed = False
        self._in = LineBuffer()
        self._out: list[bytes] = []
        self._phase = Phase.COMMAND
        self._tag = b""
        self._verb = ""
        self._command: Command | None = None
        self._fragments: list[bytes] = []
        self._literals: list[bytes] = []
        self._held = 0
        self._left = 0
        self._bad = 0
        self._append: AppendReader | None = None
        self._pieces: list[grammar_append.Piece] = []
        self._next = Next.NOTHING
        self._spec: LiteralSpec | None = None

    def _reset(self) -> None:
        self._phase = Phase.COMMAND
        self._command = None
        self._fragments = []
        self._literals = []
        self._held = 0
        self._left = 0
        self._append = None
        self._pieces.clear()
        self._spec = None

    @property
    def _authenticated(self) -> bool:
        return self.state is not State.NOT_AUTHENTICATED

    def _line(self) -> bytes | None:
        options = self.options
        if self._authenticated:
            return self._in.line(options.line)
        limit = options.line_before_login
        if len(self._in) > limit and not self._fragments and self._in.starts_with_verb(b"AUTHENTICATE"):
            limit = options.line_auth
        return self._in.line(limit)

    def _answer(self, error: Malformed) -> None:
        tag = self._tag
        if tag:
            self._out.append(responses.tagged(tag, error.ending, error.text, error.code))
        else:
            self._out.append(responses.bad(error.text))
        if error.ending is Ending.BAD:
            self._bad += 1
            if self._bad >= self.options.bad_commands:
                raise ProtocolViolation("Too many bad commands", "imap-too-many-bad-commands")

    def _split(self, line: bytes) -> tuple[bytes, LiteralSpec | None]:
        text, spec = split_literal(line)
        if spec is not None and not spec.waiting:
            if not self._authenticated and spec.size > self.options.literal_before_login:
                raise ProtocolViolation("Literal too large before login", "imap-literal-before-login")
            if spec.size > max(self.options.swallowed, self.options.max_append):
                raise ProtocolViolation("Literal too large", "imap-literal-too-large")
        return text, spec

    def _refuse(self, spec: LiteralSpec | None, error: Malformed) -> None:
        """Answer now; swallow the literal when it comes whatever we say."""
        self._answer(error)
        self._reset()
        if spec is not None and not spec.waiting:
            self._left = spec.size
            self._phase = Phase.SWALLOW

    # --- readers, one for each phase; None means go on

    def _read_command(self) -> Event | NeedData | None:
        line = self._line()
        if line is None:
            return NEED_DATA
        text, spec = self._split(line)
        first = not self._fragments
        self._fragments.append(text)
        self._held += len(text)
        if first:
            self._tag, self._verb = grammar.split_head(text)
        if spec is not None:
            return self._announced(spec)
        try:
            return self._complete()
        except Malformed as error:
            self._answer(error)
            self._reset()
            return None

    def _check(self) -> tuple[str, Cursor]:
        """The verb, allowed now, and a cursor after it; raises Malformed."""
        tag, verb = self._tag, self._verb
        if not tag:
            raise Malformed("A command starts with a tag")
        grammar.check_state(verb, self.state)
        if verb in ("LOGIN", "AUTHENTICATE") and not (self.tls or self.options.login_without_tls):
            raise Malformed("Use STARTTLS first", Ending.NO, b"PRIVACYREQUIRED")
        if verb == "STARTTLS" and self.tls:
            raise Malformed("TLS is already on")
        if verb == "COMPRESS" and self.compressed:
            raise Malformed("Compression is already on", Ending.NO, b"COMPRESSIONACTIVE")
        cursor = Cursor(self._fragments, self._literals, utf8=self.utf8)
        cursor.pos = len(tag) + 1 + len(verb)
        return verb, cursor

    def _complete(self) -> Event | None:
        verb, cursor = self._check()
        if grammar_append.takes_messages(verb, cursor):
            return self._messages(verb, cursor, None)
        command = grammar.parse(verb, cursor)
        if isinstance(command, Idle):
            self._out.append(b"+ idling\r\n")
        return self._deliver(command, Phase.IDLE if isinstance(command, Idle) else Phase.BUSY)

    def _deliver(self, command: Command, phase: Phase) -> Request:
        self._command = command
        self._phase = phase
        self._fragments = []
        self._literals = []
        self._held = 0
        if self._authenticated:
            self._bad = 0
        return Request(self._tag, command)

    def _announced(self, spec: LiteralSpec) -> Event | None:
        try:
            verb, cursor = self._check()
            if grammar_append.takes_messages(verb, cursor):
                event = self._messages(verb, cursor, spec)
                if event is not None:
                    return event
            self._check_held(spec)
        except Malformed as error:
            self._refuse(spec, error)
            return None
        self._go_on(spec, Phase.HOLD)
        return None

    def _go_on(self, spec: LiteralSpec, phase: Phase) -> None:
        if spec.waiting:
            self._out.append(GO_AHEAD)
        self._left = spec.size
        self._phase = phase

    def _messages(self, verb: str, cursor: Cursor, spec: LiteralSpec | None) -> Event | None:
        """The first line of an APPEND or REPLACE; None when its mailbox is the literal to come."""
        command = grammar_append.head(verb, cursor, spec)
        if command is None:
            return None
        several = isinstance(command, Append)
        self._append = AppendReader(self.options, several=several, utf8=self.utf8)
        text = cursor.text[cursor.pos :]
        self._take_line(text, spec)
        request = self._deliver(command, Phase.BUSY)
        self._held = len(text)
        return request

    def _take_line(self, text: bytes, spec: LiteralSpec | None) -> None:
        assert self._append is not None
        pieces, self._next = self._append.line(text, spec)
        self._pieces.extend(pieces)
        self._spec = spec

    def _check_held(self, spec: LiteralSpec) -> None:
        options = self.options
        if self._verb == "SETMETADATA" and spec.size > options.annotation_size:
            code = b"METADATA MAXSIZE %d" % options.annotation_size
            raise Malformed("The value is too large", Ending.NO, code)
        one, all_together = options.literal, options.command
        if not self._authenticated:
            one, all_together = options.literal_before_login, options.command_before_login
        if spec.size > one or self._held + spec.size > all_together or len(self._literals) >= _MAX_LITERALS:
            raise Malformed("Literal too large", Ending.BAD, b"TOOBIG")
        if spec.binary and self._verb != "SETMETADATA":
            raise Malformed("literal8 is for APPEND and SETMETADATA")

    def _read_held(self) -> NeedData | None:
        if len(self._in) < self._left:
            return NEED_DATA
        self._literals.append(self._in.take(self._left))
        self._held += self._left
        self._phase = Phase.COMMAND
        return None

    def _read_swallowed(self) -> NeedData | None:
        self._left -= self._in.skip(self._left)
        if self._left:
            return NEED_DATA
        self._phase = Phase.SWALLOW_LINE
        return None

    def _read_swallowed_line(self) -> NeedData | None:
        line = self._line()
        if line is None:
            return NEED_DATA
        _, spec = self._split(line)
        self._reset()
        if spec is not None and not spec.waiting:
            self._left = spec.size
            self._phase = Phase.SWALLOW
        return None

    def _read_pieces(self) -> Event | None:
        if self._pieces:
            piece = self._pieces.pop(0)
            if isinstance(piece, AppendEnd):
                self._append = None
                self._held = 0
                self._phase = Phase.BUSY
            return piece
        assert self._spec is not None
        self._held = 0
        self._go_on(self._spec, Phase.STREAM if self._next is Next.OCTETS else Phase.HOLD_URL)
        self._spec = None
        return None

    def _read_stream(self) -> Event | NeedData | None:
        if not self._left:
            self._phase = Phase.STREAM_TAIL
            return None
        chunk = self._in.take(self._left)
        if not chunk:
            return NEED_DATA
        self._left -= len(chunk)
        return AppendChunk(chunk)

    def _read_url(self) -> NeedData | None:
        if len(self._in) < self._left:
            return NEED_DATA
        self._pieces.append(AppendUrl(self._in.take(self._left)))
        self._left = 0
        self._phase = Phase.STREAM_TAIL
        return None

    def _read_stream_tail(self) -> Event | NeedData | None:
        line = self._line()
        if line is None:
            return NEED_DATA
        text, spec = self._split(line)
        try:
            self._take_line(text, spec)
        except Malformed as error:
            self._refuse(spec, error)
            return AppendAbandoned()
        self._held = len(text)
        self._phase = Phase.PIECES
        return None

    def _read_auth(self) -> Event | NeedData:
        line = self._in.line(self.options.line_auth)
        if line is None:
            return NEED_DATA
        self._phase = Phase.BUSY
        if line == b"*":
            return AuthResponse(None)
        try:
            return AuthResponse(decode_base64(line))
        except Malformed:
            return AuthResponse(None)

    def _read_done(self) -> Event | NeedData:
        line = self._in.line(self.options.line_before_login)
        if line is None:
            return NEED_DATA
        self._phase = Phase.BUSY
        return IdleDone(line.upper() == b"DONE")

    _READERS: ClassVar[dict[Phase, Callable[[CommandReader], Event | NeedData | None]]] = {
        Phase.COMMAND: _read_command,
        Phase.HOLD: _read_held,
        Phase.SWALLOW: _read_swallowed,
        Phase.SWALLOW_LINE: _read_swallowed_line,
        Phase.PIECES: _read_pieces,
        Phase.STREAM: _read_stream,
        Phase.HOLD_URL: _read_url,
        Phase.STREAM_TAIL: _read_stream_tail,
        Phase.AUTH: _read_auth,
        Phase.IDLE: _read_done,
    }
