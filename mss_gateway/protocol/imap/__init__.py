"""PURE. The server half of IMAP4rev1 and IMAP4rev2: bytes to events and answers to bytes, no socket, no clock.

How a door drives it::

    core = ImapServer(ImapOptions(max_append=...), tls=False)   # tls=True on port 993
    core.send(greeting(core.capabilities()))
    while True:
        transmit(core.data_to_send())
        event = core.next_event()          # may raise ProtocolViolation: a BYE is in data_to_send(); close
        if event is NEED_DATA: core.receive_data(await read()); continue    # receive_eof is just closing

* `Request(tag, command)`: one command of `commands`. Send untagged answers with `core.send(bytes)` (made by
  `responses`), finish with `core.tagged(Ending.OK, "text", code=b"READ-WRITE")`. The core holds back the next
  command until then. `tagged` also moves the state: OK of LOGIN and AUTHENTICATE, of SELECT (a NO of SELECT
  unselects), of CLOSE and UNSELECT, of LOGOUT (send `bye(...)` before it).
* `Append`, `Replace`: call `core.accept_literal()`, then take events until `AppendEnd` (call `tagged`): an
  `AppendMessage` starts each message, `AppendChunk`s and `AppendUrl`s (CATENATE) are what it is made of, in order.
  At any of these, `core.refuse_literal(Ending.NO, "text", code=b"TRYCREATE")` is the tagged answer instead, and
  the rest of the command is dropped. `AppendAbandoned` says that the core has answered. Sizes over the limits, and
  empty messages, are refused before the door hears of them.
* `Compress`: `core.tagged(Ending.OK, ...)`, transmit, then compress; `core.take_rest()` belongs to what is compressed.
* `Idle`: `+ idling` has been queued; `core.send` what changes; at `IdleDone(valid)` call `tagged`.
* `Authenticate`: `core.challenge(bytes)` sends `+ <base64>`; the next event is `AuthResponse(data or None)`.
* `StartTls`: `core.tagged(Ending.OK, ...)`, transmit, do the handshake, then `core.tls_started()`. Bytes that
  came in before `tls_started()` are dropped.
* `Enable`: for IMAP4REV2 and UTF8=ACCEPT call `core.enable_utf8()`; `core.utf8` then says how mailbox names go
  out (`responses.mailbox(name, utf8)`).
* `core.state`, `core.tls`, `core.capabilities()`, `core.bye(text)` serve the door at any time.

Wrong state, syntax errors, unknown commands, refused literals, LOGIN without TLS and floods of bad commands
are answered inside the core. `tracker.SequenceView` keeps sequence numbers, `matching` evaluates SEARCH and LIST.
"""

from .core import ImapServer
from .events import (
    NEED_DATA,
    AppendAbandoned,
    AppendChunk,
    AppendEnd,
    AppendMessage,
    AppendUrl,
    AuthResponse,
    Ending,
    Event,
    IdleDone,
    NeedData,
    Request,
    State,
)
from .options import ImapOptions

__all__ = [
    "NEED_DATA",
    "AppendAbandoned",
    "AppendChunk",
    "AppendEnd",
    "AppendMessage",
    "AppendUrl",
    "AuthResponse",
    "Ending",
    "Event",
    "IdleDone",
    "ImapOptions",
    "ImapServer",
    "NeedData",
    "Request",
    "State",
]
