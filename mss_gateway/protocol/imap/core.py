"""The server side of one IMAP connection as a pure state machine; see the package docstring for how to drive it."""

from __future__ import annotations

from binascii import b2a_base64

from mss_gateway.base.errors import ProtocolViolation

from . import responses
from .commands import (
    Authenticate,
    Close,
    Command,
    Compress,
    Login,
    Logout,
    Select,
    StartTls,
    Unselect,
)
from .commands_resync import Unauthenticate
from .cursor import Malformed
from .events import NEED_DATA, Ending, Event, NeedData, State
from .framing import LiteralSpec
from .options import ImapOptions, capability_list
from .phases import CommandReader, Phase

_MOVING = frozenset(
    {StartTls, Logout, Login, Authenticate, Unauthenticate, Select, Close, Unselect, Compress}
)


class ImapServer(CommandReader):
    """One connection. `tls` says whether it is already encrypted.

    Only `ProtocolViolation` leaves `next_event`; after it `data_to_send` holds the BYE and the connection is over.
    Calling a method that does not fit the command in hand is a fault of the door and raises RuntimeError.
    """

    def __init__(self, options: ImapOptions | None = None, *, tls: bool = False) -> None:
        super().__init__(options, tls=tls)
        self._violation: ProtocolViolation | None = None
        self.queued = 0
        """Octets of answers that wait in `data_to_send`, refusals of the core itself apart."""

    # --- bytes in, events out

    def receive_data(self, data: bytes) -> None:
        """Take octets from the peer. Feed only after NEED_DATA: that bounds what is held."""
        if self._phase not in (Phase.TLS_WAIT, Phase.CLOSED):
            self._in.feed(data)

    def next_event(self) -> Event | NeedData:
        """Return the next event, or NEED_DATA; raises ProtocolViolation when the peer must be cut off."""
        if self._violation is not None:
            raise self._violation
        try:
            while True:
                reader = self._READERS.get(self._phase)
                if reader is None:
                    return NEED_DATA
                event = reader(self)
                if event is not None:
                    return event
        except ProtocolViolation as violation:
            self._end(violation)
            raise

    def _end(self, violation: ProtocolViolation) -> None:
        self._violation = violation
        self.bye(violation.public)

    def data_to_send(self) -> bytes:
        """Take what is to be sent to the peer."""
        data = b"".join(self._out)
        self._out.clear()
        self.queued = 0
        return data

    @property
    def buffered(self) -> int:
        """Octets held of the peer: unread input and the command being collected."""
        return len(self._in) + self._held

    # --- answers

    def send(self, data: bytes) -> None:
        """Queue untagged answers made by `responses` and `fetching`."""
        self._out.append(data)
        self.queued += len(data)

    def tagged(self, ending: Ending, text: str, code: bytes = b"") -> None:
        """Finish the command in hand; raises RuntimeError when there is none."""
        command = self._command
        if command is None or self._phase not in (Phase.BUSY, Phase.IDLE) or self._append is not None:
            raise RuntimeError("no command to finish")
        self._out.append(responses.tagged(self._tag, ending, text, code))
        self._reset()
        if type(command) in _MOVING:
            self._move_state(command, ending)

    def challenge(self, data: bytes = b"") -> None:
        """Ask for the next SASL answer; `AuthResponse` follows."""
        if not isinstance(self._command, Authenticate) or self._phase is not Phase.BUSY:
            raise RuntimeError("no AUTHENTICATE in hand")
        self._out.append(b"+ %b\r\n" % b2a_base64(data, newline=False))
        self._phase = Phase.AUTH

    @property
    def appending(self) -> bool:
        """Is an APPEND or REPLACE in hand whose messages have not all come?"""
        return self._append is not None

    def accept_literal(self) -> None:
        """Let the messages of the APPEND or REPLACE in hand come."""
        if self._append is None or self._phase is not Phase.BUSY:
            raise RuntimeError("no literal to decide on")
        self._phase = Phase.PIECES

    def refuse_literal(self, ending: Ending, text: str, code: bytes = b"") -> None:
        """Answer the APPEND or REPLACE in hand at once, before its end; what comes of it anyway is dropped."""
        if self._append is None:
            raise RuntimeError("no literal to decide on")
        # In the middle of a literal, its rest comes whatever we say.
        spec = LiteralSpec(self._left, False, False) if self._phase is Phase.STREAM else self._spec
        try:
            self._refuse(spec, Malformed(text, ending, code))
        except ProtocolViolation as violation:
            self._end(violation)  # told by the next `next_event`

    def bye(self, text: str, code: bytes = b"") -> None:
        """Queue BYE and read nothing more; in LOGOUT, `tagged` may still follow."""
        self._out.append(responses.bye(text, code))
        if not isinstance(self._command, Logout):
            self._close()

    def tls_started(self) -> None:
        """The handshake is done: start again with nothing remembered (RFC 9051 section 6.2.1)."""
        self._bad = 0
        self.tls = True
        self._phase = Phase.COMMAND

    def take_rest(self) -> bytes:
        """Take what stands behind COMPRESS: it belongs to the compressed stream (RFC 4978 section 3)."""
        return self._in.take(len(self._in))

    def enable_utf8(self) -> None:
        """From now on mailbox names are UTF-8 both ways (RFC 6855, RFC 9051 section 5.1)."""
        self.utf8 = True

    def capabilities(self, *, authenticated: bool = False) -> bytes:
        """The capabilities to announce now, separated by spaces.

        `authenticated` gives those after login, for the CAPABILITY code of the OK that is about to be sent.
        """
        state = State.AUTHENTICATED if authenticated else self.state
        return capability_list(
            self.options, state, tls=self.tls, mechanisms=self.mechanisms, compressed=self.compressed
        )

    # --- state

    def _close(self) -> None:
        self.state = State.LOGOUT
        self._reset()
        self._phase = Phase.CLOSED
        self._in.clear()

    def _move_state(self, command: Command, ending: Ending) -> None:
        well = ending is Ending.OK
        match command:
            case StartTls() if well:
                self._in.clear()
                self._phase = Phase.TLS_WAIT
            case Logout() if well:
                self._close()
            case Compress() if well:
                self.compressed = True
            case Login() | Authenticate() if well:
                self.state = State.AUTHENTICATED
                self._bad = 0
            case Select() if ending is not Ending.BAD:
                self.state = State.SELECTED if well else State.AUTHENTICATED
            case Close() | Unselect() if well:
                self.state = State.AUTHENTICATED
            case Unauthenticate() if well:
                self.state = State.NOT_AUTHENTICATED
                self.utf8 = self.compressed = False
            case _:
                return
