"""One question to an OCSP responder: HTTP POST, no redirects, bounded answer (RFC 6960 appendix A.1).

The address comes from a certificate that a configured authority has signed, or from the settings; the answer is
signed, so plain HTTP is what responders speak. Raises `Unanswered` and nothing else.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from .ocsp_question import MAX_URL, Unanswered

MAX_ANSWER = 64 * 1024  # octets
MAX_HEADER = 16 * 1024  # octets
MAX_ADDRESSES = 4
_ADDRESS = re.compile(r"http://[!-~]+", re.IGNORECASE)
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")
_DIGITS = re.compile(rb"[0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Responder:
    """Where to ask: host and port to connect to, authority and target to name in the request."""

    host: str
    port: int
    authority: str
    target: str


def responder_at(url: str) -> Responder:
    """Read a responder's address; raises `Unanswered` for one that is not plain HTTP."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or len(url) > MAX_URL or _ADDRESS.fullmatch(url) is None or "@" in parts.netloc:
        raise Unanswered("no http address of a responder is known: set ocsp_url")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Responder(host, port or 80, parts.netloc, target)


class Wire:
    """Sends questions; a name that the system resolves slowly holds up nobody but those who ask there."""

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def ask(self, url: str, question: bytes, due: float) -> bytes:
        """Return the body of the answer, all of it before the loop time `due`; raises `Unanswered`."""
        try:
            async with asyncio.timeout_at(due):
                responder = responder_at(url)
                reader, writer = await self._connected(responder, due)
                try:
                    writer.write(_request(responder, question))
                    return await read_body(reader)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise Unanswered("no answer in time") from None
        except asyncio.LimitOverrunError:
            raise Unanswered("the answer is too large") from None
        except (OSError, EOFError) as error:
            raise Unanswered(f"the connection failed ({type(error).__name__})") from None

    async def _connected(
        self, responder: Responder, due: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address that answers; one that swallows everything takes only its share of the time."""
        addresses = (await self._addresses(responder.host, responder.port))[:MAX_ADDRESSES]
        loop = asyncio.get_running_loop()
        fault: OSError = OSError("no address")
        for more, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            now = loop.time()
            try:
                async with asyncio.timeout_at(now + (due - now) / (more + 1)):
                    return await asyncio.open_connection(address, responder.port, limit=MAX_HEADER)
            except OSError as error:  # TimeoutError is one
                fault = error
        raise fault

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Addresses of a host, looked up once for all who ask at the same time.

        In a thread of its own: the loop's own pool is the store's, and must not fill with names that nobody answers.
        """
        place = host, port
        found = self._lookups.get(place)
        if found is None:
            loop = asyncio.get_running_loop()
            found = self._lookups[place] = loop.create_future()
            found.add_done_callback(lambda _: self._lookups.pop(place, None))
            threading.Thread(
                target=_look_up, args=(loop, found, host, port), name="ocsp-lookup", daemon=True
            ).start()
        return await asyncio.shield(found)


def _look_up(loop: asyncio.AbstractEventLoop, found: asyncio.Future[list[str]], host: str, port: int) -> None:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(info[4][0]) for info in infos]
    except (OSError, UnicodeError):
        addresses = []  # no address, whatever the cause
    try:
        loop.call_soon_threadsafe(found.set_result, list(dict.fromkeys(addresses)))
    except RuntimeError:
        return  # the gateway has stopped meanwhile


def _request(responder: Responder, question: bytes) -> bytes:
    head = (
        f"POST {responder.target} HTTP/1.1\r\n"
        f"Host: {responder.authority}\r\n"
        "Content-Type: application/ocsp-request\r\n"
        "Accept: application/ocsp-response\r\n"
        f"Content-Length: {len(question)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + question


async def read_body(reader: asyncio.StreamReader) -> bytes:
    """The body of an HTTP answer of the right type; raises `Unanswered`, `EOFError` or `LimitOverrunError`."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1."):
        raise Unanswered("what came is not HTTP")
    if words[1] != b"200":
        raise Unanswered(f"the responder's web server said {words[1][:3].decode('ascii', 'replace')}")
    fields = {}
    for line in rest.split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/ocsp-response":
        raise Unanswered("what came is not of the type application/ocsp-response")
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        return await _chunks(reader)
    return await _sized(reader, fields.get(b"content-length"))


async def _sized(reader: asyncio.StreamReader, length: bytes | None) -> bytes:
    if length is not None:
        return await reader.readexactly(_bounded(length, 10, 0))
    body = bytearray()
    while data := await reader.read(MAX_ANSWER):
        body += data
        _room(len(body))
    return bytes(body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := _bounded((await reader.readuntil(b"\r\n")).partition(b";")[0].strip(), 16, len(body)):
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise Unanswered("the answer is not well chunked")
    return bytes(body)


def _bounded(text: bytes, base: int, held: int) -> int:
    """A number of octets to come, which with those held must have room; raises `Unanswered`."""
    if (_HEX if base == 16 else _DIGITS).fullmatch(text) is None:
        raise Unanswered("the size of the answer is not a number")
    size = int(text, base)
    _room(held + size)
    return size


def _room(size: int) -> None:
    if size > MAX_ANSWER:
        raise Unanswered("the answer is too large")
