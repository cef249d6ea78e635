"""The server side of one IMAP connection as a pure state machine; see the package docstring for how to drive it."""

from __future__ import annotations

from binascii import b2a_base64
from enum import Enum, auto

from mss_gateway.base.errors import ProtocolViolation

from . import grammar, responses
from .commands import (
    Append,
    Authenticate,
    Close,
    Command,
    Idle,
    Login,
    Logout,
    Select,
    StartTls,
    Unselect,
)
from .cursor import Cursor, Malformed
from .events import (
    NEED_DATA,
    AppendAbandoned,
    AppendChunk,
    AppendEnd,
    AuthResponse,
    Ending,
    Event,
    IdleDone,
    NeedData,
    Request,
    State,
)
from .framing import LineBuffer, LiteralSpec, split_literal
from .grammar_mailbox import append_head
from .grammar_session import decode_base64
from .options import ImapOptions, capability_list

_MAX_LITERALS = 64
_MOVING = frozenset({StartTls, Logout, Login, Authenticate, Select, Close, Unselect})
_GO_AHEAD = b"+ OK\r\n"


class _Phase(Enum):
    """What the next octets are."""

    COMMAND = auto()  # a line of a command
    HOLD = auto()  # a small literal, held until it is whole
    SWALLOW = auto()  # a refused literal
    SWALLOW_LINE = auto()  # what follows a refused literal in the same command
    STREAM = auto()  # the message of an APPEND
    STREAM_TAIL = auto()  # the end of the APPEND line
    AUTH = auto()  # a SASL answer
    IDLE = auto()  # DONE
    BUSY = auto()  # nothing is read: the door works on a command
    TLS_WAIT = auto()  # nothing is kept: the handshake is due
    CLOSED = auto()


class ImapServer:
    """One connection. `tls` says whether it is already encrypted.

    Only `ProtocolViolation` leaves `next_event`; after it `data_to_send` holds the BYE and the connection is over.
    Calling a method that does not fit the command in hand is a fault of the door and raises RuntimeError.
    """

    def __init__(self, options: ImapOptions | None = None, *, tls: bool = False) -> None:
        self.options = options or ImapOptions()
        self.tls = tls
        self.state = State.NOT_AUTHENTICATED
        self.utf8 = False
        self.mechanisms = self.options.mechanisms
        self._in = LineBuffer()
        self._out: list[bytes] = []
        self._phase = _Phase.COMMAND
        self._tag = b""
        self._verb = ""
        self._command: Command | None = None
        self._fragments: list[bytes] = []
        self._literals: list[bytes] = []
        self._held = 0
        self._left = 0
        self._bad = 0
        self._violation: ProtocolViolation | None = None
        self._readers = {
            _Phase.COMMAND: self._read_command,
            _Phase.HOLD: self._read_held,
            _Phase.SWALLOW: self._read_swallowed,
            _Phase.SWALLOW_LINE: self._read_swallowed_line,
            _Phase.STREAM: self._read_stream,
            _Phase.STREAM_TAIL: self._read_stream_tail,
            _Phase.AUTH: self._read_auth,
            _Phase.IDLE: self._read_done,
        }

    # --- bytes in, events out

    def receive_data(self, data: bytes) -> None:
        """Take octets from the peer. Feed only after NEED_DATA: that bounds what is held."""
        if self._phase not in (_Phase.TLS_WAIT, _Phase.CLOSED):
            self._in.feed(data)

    def next_event(self) -> Event | NeedData:
        """Return the next event, or NEED_DATA; raises ProtocolViolation when the peer must be cut off."""
        if self._violation is not None:
            raise self._violation
        try:
            while True:
                reader = self._readers.get(self._phase)
                if reader is None:
                    return NEED_DATA
                event = reader()
                if event is not None:
                    return event
        except ProtocolViolation as violation:
            self._violation = violation
            self.bye(violation.public)
            raise

    def data_to_send(self) -> bytes:
        """Take what is to be sent to the peer."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def buffered(self) -> int:
        """Octets held of the peer: unread input and the command being collected."""
        return len(self._in) + self._held

    # --- answers

    def send(self, data: bytes) -> None:
        """Queue untagged answers made by `responses` and `fetching`."""
        self._out.append(data)

    def tagged(self, ending: Ending, text: str, code: bytes = b"") -> None:
        """Finish the command in hand; raises RuntimeError when there is none."""
        command = self._command
        if command is None or self._phase not in (_Phase.BUSY, _Phase.IDLE):
            raise RuntimeError("no command to finish")
        self._out.append(responses.tagged(self._tag, ending, text, code))
        self._reset()
        if type(command) in _MOVING:
            self._move_state(command, ending)

    def challenge(self, data: bytes = b"") -> None:
        """Ask for the next SASL answer; `AuthResponse` follows."""
        if not isinstance(self._command, Authenticate) or self._phase is not _Phase.BUSY:
            raise RuntimeError("no AUTHENTICATE in hand")
        self._out.append(b"+ %b\r\n" % b2a_base64(data, newline=False))
        self._phase = _Phase.AUTH

    def accept_literal(self) -> None:
        """Let the message of the APPEND in hand come: chunks follow."""
        command = self._append_in_hand()
        if command.waiting:
            self._out.append(_GO_AHEAD)
        self._phase = _Phase.STREAM

    def refuse_literal(self, ending: Ending, text: str, code: bytes = b"") -> None:
        """Answer the APPEND in hand at once, before its message; what comes of it anyway is dropped."""
        command = self._append_in_hand()
        self._refuse(
            LiteralSpec(command.size, command.waiting, command.binary), Malformed(text, ending, code)
        )

    def bye(self, text: str, code: bytes = b"") -> None:
        """Queue BYE and read nothing more; in LOGOUT, `tagged` may still follow."""
        self._out.append(responses.bye(text, code))
        if not isinstance(self._command, Logout):
            self._close()

    def tls_started(self) -> None:
        """The handshake is done: start again with nothing remembered (RFC 9051 section 6.2.1)."""
        self._bad = 0
        self.tls = True
        self._phase = _Phase.COMMAND

    def enable_utf8(self) -> None:
        """From now on mailbox names are UTF-8 both ways (RFC 6855, RFC 9051 section 5.1)."""
        self.utf8 = True

    def capabilities(self, *, authenticated: bool = False) -> bytes:
        """The capabilities to announce now, separated by spaces.

        `authenticated` gives those after login, for the CAPABILITY code of the OK that is about to be sent.
        """
        state = State.AUTHENTICATED if authenticated else self.state
        return capability_list(self.options, state, tls=self.tls, mechanisms=self.mechanisms)

    # --- state

    def _append_in_hand(self) -> Append:
        if not isinstance(self._command, Append) or self._phase is not _Phase.BUSY or not self._left:
            raise RuntimeError("no literal to decide on")
        return self._command

    def _close(self) -> None:
        self.state = State.LOGOUT
        self._reset()
        self._phase = _Phase.CLOSED
        self._in.clear()

    def _reset(self) -> None:
        self._phase = _Phase.COMMAND
        self._command = None
        self._fragments = []
        self._literals = []
        self._held = 0
        self._left = 0

    def _move_state(self, command: Command, ending: Ending) -> None:
        well = ending is Ending.OK
        match command:
            case StartTls() if well:
                self._in.clear()
                self._phase = _Phase.TLS_WAIT
            case Logout() if well:
                self._close()
            case Login() | Authenticate() if well:
                self.state = State.AUTHENTICATED
                self._bad = 0
            case Select() if ending is not Ending.BAD:
                self.state = State.SELECTED if well else State.AUTHENTICATED
            case Close() | Unselect() if well:
                self.state = State.AUTHENTICATED
            case _:
                return

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
            if self._bad > self.options.bad_commands:
                raise ProtocolViolation("Too many bad commands", "imap-too-many-bad-commands")

    def _refuse(self, spec: LiteralSpec, error: Malformed) -> None:
        """Answer now; swallow the literal when it comes whatever we say."""
        self._answer(error)
        self._reset()
        if not spec.waiting:
            self._left = spec.size
            self._phase = _Phase.SWALLOW

    # --- readers, one for each phase; None means go on

    def _read_command(self) -> Event | NeedData | None:
        line = self._line()
        if line is None:
            return NEED_DATA
        text, spec = split_literal(line)
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
        cursor = Cursor(self._fragments, self._literals, utf8=self.utf8)
        cursor.pos = len(tag) + 1 + len(verb)
        return verb, cursor

    def _complete(self) -> Event | None:
        verb, cursor = self._check()
        command = grammar.parse(verb, cursor)
        if isinstance(command, Idle):
            self._out.append(b"+ idling\r\n")
        return self._deliver(command, _Phase.IDLE if isinstance(command, Idle) else _Phase.BUSY)

    def _deliver(self, command: Command, phase: _Phase) -> Request:
        self._command = command
        self._phase = phase
        self._fragments = []
        self._literals = []
        self._held = 0
        if self._authenticated:
            self._bad = 0
        return Request(self._tag, command)

    def _announced(self, spec: LiteralSpec) -> Event | None:
        options = self.options
        if not self._authenticated and not spec.waiting and spec.size > options.literal_before_login:
            raise ProtocolViolation("Literal too large before login", "imap-literal-before-login")
        try:
            verb, cursor = self._check()
            if verb == "APPEND" and (self._literals or cursor.text[cursor.pos :].strip(b" ")):
                return self._append(append_head(cursor, spec))
            self._check_held(spec)
        except Malformed as error:
            self._refuse(spec, error)
            return None
        if spec.waiting:
            self._out.append(_GO_AHEAD)
        self._left = spec.size
        self._phase = _Phase.HOLD
        return None

    def _append(self, command: Append) -> Event:
        if command.size > self.options.max_append:
            raise Malformed("Message too large", Ending.NO, b"TOOBIG")
        if not command.size:
            raise Malformed("An empty message cannot be stored", Ending.NO)
        self._left = command.size
        return self._deliver(command, _Phase.BUSY)

    def _check_held(self, spec: LiteralSpec) -> None:
        options = self.options
        one, all_together = options.literal, options.command
        if not self._authenticated:
            one, all_together = options.literal_before_login, options.command_before_login
        if spec.size > one or self._held + spec.size > all_together or len(self._literals) >= _MAX_LITERALS:
            raise Malformed("Literal too large", Ending.BAD, b"TOOBIG")
        if spec.binary:
            raise Malformed("literal8 is for APPEND")

    def _read_held(self) -> NeedData | None:
        if len(self._in) < self._left:
            return NEED_DATA
        self._literals.append(self._in.take(self._left))
        self._held += self._left
        self._phase = _Phase.COMMAND
        return None

    def _read_swallowed(self) -> NeedData | None:
        self._left -= self._in.skip(self._left)
        if self._left:
            return NEED_DATA
        self._phase = _Phase.SWALLOW_LINE
        return None

    def _read_swallowed_line(self) -> NeedData | None:
        line = self._line()
        if line is None:
            return NEED_DATA
        _, spec = split_literal(line)
        self._reset()
        if spec is not None and not spec.waiting:
            self._left = spec.size
            self._phase = _Phase.SWALLOW
        return None

    def _read_stream(self) -> Event | NeedData | None:
        if not self._left:
            self._phase = _Phase.STREAM_TAIL
            return None
        chunk = self._in.take(self._left)
        if not chunk:
            return NEED_DATA
        self._left -= len(chunk)
        return AppendChunk(chunk)

    def _read_stream_tail(self) -> Event | NeedData:
        line = self._line()
        if line is None:
            return NEED_DATA
        command = self._command
        if line == (b")" if isinstance(command, Append) and command.utf8 else b""):
            self._phase = _Phase.BUSY
            return AppendEnd()
        _, spec = split_literal(line)
        self._refuse(spec or LiteralSpec(0, True, False), Malformed("One message for each APPEND"))
        return AppendAbandoned()

    def _read_auth(self) -> Event | NeedData:
        line = self._in.line(self.options.line_auth)
        if line is None:
            return NEED_DATA
        self._phase = _Phase.BUSY
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
        self._phase = _Phase.BUSY
        return IdleDone(line.upper() == b"DONE")
