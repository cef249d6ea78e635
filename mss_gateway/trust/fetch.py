"""One bounded HTTP GET for what the trust space publishes: the list over HTTPS, CRLs over either (TRU-2, TRU-3).

The publisher is not believed: its size, its speed and its redirections are limited here, and what it gives is
verified by its signature elsewhere. The libraries are loaded when there is something to fetch.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .refusals import TrustProblem

if TYPE_CHECKING:
    from http.client import HTTPResponse

_BLOCK = 64 * 1024
MAX_MARK = 256  # octets of an ETag or a date that are worth sending back
_HOST_MISMATCH = frozenset({62, 63, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, EMAIL, IP_ADDRESS


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an http or https address; `target` is path and query."""

    url: str
    secure: bool
    host: str
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Marks:
    """What a publisher gave to ask later whether anything changed (RFC 9110, section 8.8)."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for everything from the look-up of the host to the last octet, and octets of the body."""

    timeout: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body, or None when the publisher says that nothing changed."""

    data: bytes | None
    marks: Marks


def address_of(url: str, *, plain: bool) -> Address:
    """Take an address apart; `plain` allows http. Raises `TrustProblem` saying what it must look like."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
        parts = urlsplit("")
    schemes = ("https", "http") if plain else ("https",)
    if "@" in parts.netloc:  # and it is not repeated: it may hold a password
        raise TrustProblem(
            "fetch-address", "an address to fetch from must not hold a user name or a password"
        )
    printable = url.isascii() and url.isprintable() and " " not in url
    if not printable or not host or parts.scheme not in schemes:
        wanted = "http:// or https://" if plain else "https://"
        raise TrustProblem("fetch-address", f"{url!r}: not an address to fetch from: write {wanted}host/path")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(url, secure, host, port or (443 if secure else 80), target)


def tls_context(ca_pem: str) -> ssl.SSLContext:
    """A client context that trusts these authorities alone and checks the host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An issuing authority alone may be named: it need not lead to a root.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError):
        raise TrustProblem(
            "fetch-ca",
            "trust.fetch_ca: not PEM files of certificates: install the publisher's authorities again",
        ) from None
    return context


def fetch(address: Address, ca_pem: str, limits: Limits, marks: Marks | None = None) -> Fetched:
    """GET one address; raises `TrustProblem` with a slug `fetch-…` and a sentence that names the address.

    Blocking for at most the timeout, save for the system's own look-up of the host. No proxy, no cookie,
    no redirection, no decoding.
    """
    from http.client import HTTPConnection, HTTPException

    deadline = time.monotonic() + limits.timeout
    cut = threading.Event()
    try:
        with (
            contextlib.closing(_connected(address, deadline)) as plain,
            _guarded(plain, deadline, cut),
            contextlib.closing(_secured(plain, address, ca_pem)) as line,
        ):
            connection = HTTPConnection(address.host, address.port)
            connection.sock = line
            connection.request("GET", address.target, headers=_headers(marks or Marks()))
            with contextlib.closing(connection.getresponse()) as response:
                fetched = _answer(address, response, limits.max_bytes, marks)
        if cut.is_set():  # a body without a length looks complete when the line is cut
            raise TimeoutError
        return fetched
    except TrustProblem:
        if cut.is_set():
            raise _late(address, limits) from None
        raise
    except (OSError, HTTPException, ValueError) as error:
        if cut.is_set() or isinstance(error, TimeoutError):
            raise _late(address, limits) from None
        raise _problem(address, error) from None


def _late(address: Address, limits: Limits) -> TrustProblem:
    return TrustProblem(
        "fetch-timeout",
        f"{address.url}: not fetched within {limits.timeout:g} seconds: it is tried again by itself;"
        " check the network if that goes on",
    )


def _problem(address: Address, error: Exception) -> TrustProblem:
    url = address.url
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _HOST_MISMATCH:
            why = f"its certificate is not for {address.host}: check the address"
        else:
            why = f"its certificate is not trusted ({error.verify_message}): check trust.fetch_ca"
        return TrustProblem("fetch-tls", f"{url}: {why}")
    if isinstance(error, ssl.SSLError):
        fault = (error.reason or "handshake failed").lower().replace("_", " ")
        return TrustProblem("fetch-tls", f"{url}: no TLS 1.2 or later with this server ({fault})")
    if isinstance(error, socket.gaierror):
        return TrustProblem("fetch-address", f"{url}: the host is not known: check the address and the DNS")
    if isinstance(error, OSError):
        text = (error.strerror or "the connection was lost").lower()
        return TrustProblem("fetch-refused", f"{url}: {text}: check the address and the firewall")
    return TrustProblem("fetch-answer", f"{url}: the answer is not HTTP: check the address")


def _connected(address: Address, deadline: float) -> socket.socket:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    fault: OSError = socket.gaierror()
    for family, kind, protocol, _, where in found:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        line = socket.socket(family, kind, protocol)
        try:
            line.settimeout(left / 2 if len(found) > 1 else left)  # a silent address leaves time for the next
            line.connect(where)
        except OSError as error:
            line.close()
            fault = error
            continue
        line.settimeout(max(0.001, deadline - time.monotonic()))
        return line
    raise fault


@contextlib.contextmanager
def _guarded(line: socket.socket, deadline: float, cut: threading.Event) -> Iterator[None]:
    """Cut the line at the deadline: a timeout on the socket alone begins anew with every octet."""
    handle = line.dup()  # TLS takes the first one over

    def end() -> None:
        cut.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        handle.close()


def _secured(line: socket.socket, address: Address, ca_pem: str) -> socket.socket:
    if not address.secure:
        return line
    return tls_context(ca_pem).wrap_socket(line, server_hostname=address.host)


def _headers(marks: Marks) -> dict[str, str]:
    headers = {"User-Agent": "mss-gateway", "Accept": "*/*", "Connection": "close"}
    if marks.etag:
        headers["If-None-Match"] = marks.etag
    if marks.modified:
        headers["If-Modified-Since"] = marks.modified
    return headers


def _answer(address: Address, response: HTTPResponse, max_bytes: int, asked: Marks | None) -> Fetched:
    status = response.status
    marks = Marks(_mark(response.getheader("ETag")), _mark(response.getheader("Last-Modified")))
    if status == 304 and asked not in (None, Marks()):
        return Fetched(None, marks)
    if 300 <= status < 400 and status != 304:
        raise TrustProblem(
            "fetch-redirected",
            f"{address.url}: the server points elsewhere (status {status}), which is never followed:"
            " write the final address if the publisher announced it",
        )
    if status != 200:
        raise TrustProblem(
            "fetch-status", f"{address.url}: the server answers with status {status}: check the address"
        )
    blocks: list[bytes] = []
    size = 0
    while block := response.read(_BLOCK):
        size += len(block)
        if size > max_bytes:
            raise TrustProblem(
                "fetch-too-large",
                f"{address.url}: larger than {max_bytes} octets: not what it should be",
            )
        blocks.append(block)
    if response.length:  # octets that were announced and did not come
        raise TrustProblem("fetch-cut", f"{address.url}: the answer broke off: it is tried again by itself")
    return Fetched(b"".join(blocks), marks)


def _mark(text: str | None) -> str:
    return text if text and len(text) <= MAX_MARK and text.isascii() and text.isprintable() else ""
