"""PURE. The SMTP wire: bytes to events and back, h11's shape (RFC 5321 and its extensions).

How a skin drives `SmtpServer`::

    core = SmtpServer(config)
    core.greet()                          # queues the 220 banner
    while True:
        event = core.next_event()         # ProtocolViolation: 5xx is queued; flush, drop the spool, close
        if event is NEED_DATA:
            write(core.data_to_send())    # one write for a whole pipelined group
            core.receive_data(read())     # at the end of the stream: core.receive_eof()
        elif event is CLOSED:
            write(core.data_to_send())
            break
        else:                             # an event that waits takes exactly one of:
            core.accept()                 #   the standard positive reply (250, 354, 220, 235)
            core.reply(Reply(...))        #   any other reply; 4xx and 5xx refuse, 421 closes
            core.challenge(b"...")        #   Auth and AuthResponse only: 334

Events that wait: Hello, StartTls, Auth, AuthResponse, MailFrom, RcptTo, DataStart, DataEnd.
`core.refuse_message(reply)` between DataStart and DataEnd drops the rest and answers at its end;
`core.close(reply)` says a last word (421) at any time; `core.tls_started()` follows the handshake.

The other side is `client.SmtpClient`, driven as its module tells.
"""

from .client import ClientConfig, SmtpClient
from .client_content import ContentSurvey
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
from .client_fit import Fit, Unfit, Wish, fit
from .client_replies import Capabilities, ReplyLimits
from .config import Limits, ServerConfig
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
    Reset,
    Signal,
    StartTls,
)
from .reply import Reply, ascii_text
from .server import SmtpServer

__all__ = [
    "CLOSED",
    "NEED_DATA",
    "Auth",
    "AuthCancelled",
    "AuthResponse",
    "Capabilities",
    "ClientConfig",
    "ClientEvent",
    "ContentRefused",
    "ContentSurvey",
    "ContentWanted",
    "DataChunk",
    "DataDropped",
    "DataEnd",
    "DataStart",
    "Event",
    "Fit",
    "HandshakeDue",
    "Hello",
    "Limits",
    "MailFrom",
    "MessageAnswered",
    "NothingAccepted",
    "PeerCloses",
    "Quit",
    "RcptTo",
    "Ready",
    "RecipientAnswered",
    "Refused",
    "Reply",
    "ReplyLimits",
    "Reset",
    "SenderAnswered",
    "ServerConfig",
    "Signal",
    "SmtpClient",
    "SmtpServer",
    "StartTls",
    "Unfit",
    "Unwelcome",
    "Wish",
    "ascii_text",
    "fit",
]
