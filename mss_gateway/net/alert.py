"""What a failed handshake leaves behind: our alert for the peer, and the peer's certificates for us (TRU-1, TRU-8).

A context made by `overhear` takes `AlertingObject` as its `sslobject_class`. Both event loops drop a refused connection
with the alert still unsent; the object hangs what OpenSSL still had to say on the exception, and `Farewell` keeps the
socket open beside the transport and sends it, so that "certificate revoked" reaches the peer's log instead of a
connection reset. Python does not give out a certificate that failed its verification, so the object reads it off the
handshake, for `trust explain`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any

LINGER = 1.0  # seconds that a refused peer has to read its alert before the socket is closed
MAX_MESSAGE = 128 * 1024  # octets of a Certificate message that is looked at
MAX_LINKS = 16  # certificates of a peer that are kept

_HANDSHAKE = 22  # content type (RFC 8446 section 5.1)
_CERTIFICATE, _CERTIFICATE_REQUEST = 11, 13  # message types (RFC 8446 section 4)
_TLS13 = 0x0304
_VERSIONS = {0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", _TLS13: "TLSv1.3"}
# The public way wraps every record in enumerations, which costs more than deciphering it; this is the plain hook.
_CALLBACK: Any = getattr(ssl.SSLContext.__base__, "_msg_callback", None)
_QUIET = {True: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), False: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a peer showed in a handshake that failed: certificates in DER, its own first; what was agreed by then."""

    chain: tuple[bytes, ...] = ()
    version: str = ""
    cipher: str = ""


NOTHING = Shown()
"""The handshake failed before a certificate came, or this Python does not let us see it."""


class AlertingObject(ssl.SSLObject):
    """An SSLObject whose failed handshake leaves `alert` (octets) and `shown` (`Shown`) on the error.

    `asked` tells that the peer, a server, has asked for our certificate; where Python does not let us see it, None.
    """

    asked: bool | None = None if _CALLBACK is None else False
    _outgoing: ssl.MemoryBIO
    _heard: tuple[int, bytes] | None = None  # protocol version, and the peer's Certificate message

    @classmethod
    def _create(cls, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any) -> Any:
        made = super()._create(incoming, outgoing, *args, **named)  # type: ignore[misc]
        made._outgoing = outgoing
        return made

    def do_handshake(self) -> None:
        """As the parent's; raises the same errors."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            error.alert = self._outgoing.read()  # type: ignore[attr-defined]
            error.shown = self._shown()  # type: ignore[attr-defined]
            raise
        if _CALLBACK is not None:
            # The handshake is over: the records of mail need not pass through `_overheard`, nor its octets stay.
            self.context = _QUIET[self.server_side]
            self._heard = None

    def _shown(self) -> Shown:
        if self._heard is None:
            return NOTHING
        version, message = self._heard
        cipher = self.cipher()
        chain = certificates_of(message, tls13=version == _TLS13)
        return Shown(chain, _VERSIONS.get(version, ""), cipher[0] if cipher else "")


def overhear(context: ssl.SSLContext) -> None:
    """Let the objects of a context keep the alert, and read the peer's certificates where this Python allows it.

    Nothing is verified otherwise than before.
    """
    context.sslobject_class = AlertingObject
    if _CALLBACK is not None:
        _CALLBACK.__set__(context, _overheard)


def shown_by(error: BaseException) -> Shown:
    """What the peer showed before this error; `NOTHING` for an error of anything but such a handshake."""
    shown = getattr(error, "shown", None)
    return shown if isinstance(shown, Shown) else NOTHING


def certificates_of(message: bytes, *, tls13: bool) -> tuple[bytes, ...]:
    """Return the certificates of a Certificate message (RFC 5246 section 7.4.2, RFC 8446 section 4.4.2) in DER.

    At most `MAX_LINKS` of them; nothing of a message that is malformed or longer than `MAX_MESSAGE`.
    """
    if not 8 <= len(message) <= MAX_MESSAGE or message[0] != _CERTIFICATE:
        return ()
    at = 5 + message[4] if tls13 else 4  # behind certificate_request_context
    end = at + 3 + int.from_bytes(message[at : at + 3], "big")
    if int.from_bytes(message[1:4], "big") != len(message) - 4 or end != len(message):
        return ()
    at += 3
    found: list[bytes] = []
    while at < end and len(found) < MAX_LINKS:
        start = at + 3
        at = start + int.from_bytes(message[at:start], "big")
        der = message[start:at]
        if tls13:
            at += 2 + int.from_bytes(message[at : at + 2], "big")
        if at > end or not der:
            return ()
        found.append(der)
    return tuple(found)


def _overheard(tls: object, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
    """OpenSSL tells every message of a handshake, deciphered, before it looks at it."""
    if content != _HANDSHAKE or direction != "read" or not isinstance(tls, AlertingObject):
        return
    if kind == _CERTIFICATE and len(data) <= MAX_MESSAGE:
        tls._heard = (version, data)
    elif kind == _CERTIFICATE_REQUEST:
        tls.asked = True


class Farewell:
    """A second descriptor of a connection's socket, held during the handshake alone."""

    def __init__(self, connection: asyncio.Transport | socket.socket | None) -> None:
        self._socket: socket.socket | None = None
        plain = connection
        if connection is not None and not isinstance(connection, socket.socket):
            plain = connection.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            self._socket = socket.socket(fileno=os.dup(plain.fileno()))  # type: ignore[union-attr]

    def tell(self, error: ssl.SSLError) -> None:
        """Send the alert of a failed handshake, then close: at once it might be lost behind a reset."""
        alert: bytes = getattr(error, "alert", b"")
        held, self._socket = self._socket, None
        if held is None:
            return
        with contextlib.suppress(OSError):
            held.setblocking(False)
            held.send(alert)
            held.shutdown(socket.SHUT_WR)
        asyncio.get_running_loop().call_later(LINGER, held.close)

    def close(self) -> None:
        """The handshake is over: let the descriptor go. Closing it does not end the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
