"""Who may look behind the ops door: the administrators' token or certificate; failures are slowed by source (ACC-3)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable
from enum import Enum

from mss_gateway.net.gate import Gate
from mss_gateway.rules.slowdown import Slowdown, SlowdownOptions

from .http_options import HttpOptions

WAIT = 0.3
"""Seconds before a failure is answered."""

SLOWDOWN = SlowdownOptions(free=4, first=2.0, most=60.0, forget=900.0, records=10_000)
"""Three failures of one source cost it only the wait for the answer; from the fourth on it is shut out for a while."""

MAX_CREDENTIALS = 2048
"""Characters of an Authorization field that are looked at."""

CertificateDn = Callable[[bytes], Awaitable[str | None]]
"""The DN key of a client certificate (DER) that the trust space accepts now, else None."""


class Verdict(Enum):
    """What follows from what a visitor shows."""

    LET_IN = "let-in"
    ASK = "ask"  # 401
    WAIT = "wait"  # 429
    CLOSED = "closed"  # 403: no administrator is configured


class Gatekeeper:
    """Judges visitors of the status page and the figures."""

    def __init__(
        self,
        options: HttpOptions,
        dn_of: CertificateDn,
        clock: Callable[[], float] = time.monotonic,
        wait: float = WAIT,
    ) -> None:
        self._options = options
        self._dn_of = dn_of
        self._clock = clock
        self._wait = wait
        self._token: tuple[tuple[int, int, int], bytes] = ((0, 0, 0), b"")
        self._failures = Slowdown(SLOWDOWN)  # by source

    def is_neighbour(self, host: str | None) -> bool:
        """Whether this address reads the figures without a login."""
        if host is None or not self._options.metrics_from:
            return False
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._options.metrics_from)

    async def judge(self, host: str | None, certificate: bytes | None, authorization: str) -> Verdict:
        """A certificate of an administrator, or the token as Bearer or as the password of Basic."""
        options = self._options
        named = await self._dn_of(certificate) if certificate is not None and options.admin_dns else None
        if named is not None and named in options.admin_dns:
            return Verdict.LET_IN
        if options.token_file is None:
            return Verdict.ASK if options.admin_dns else Verdict.CLOSED
        if not authorization:
            return Verdict.ASK
        source = Gate.source(host) if host else ""
        if self._failures.wait(source, self._clock()):
            return Verdict.WAIT
        given, wanted = _token_of(authorization), self._wanted()
        if wanted and hmac.compare_digest(given, wanted):
            self._failures.forget(source)
            return Verdict.LET_IN
        self._failures.failed(source, self._clock())
        await asyncio.sleep(self._wait)
        return Verdict.ASK

    def _wanted(self) -> bytes:
        """The token as its file is now; nothing lets anybody in while it cannot be read."""
        path = self._options.token_file
        assert path is not None
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._token[0]:
                self._token = (stamp, path.read_bytes().strip())
        except OSError:
            return b""
        return self._token[1]


def _token_of(authorization: str) -> bytes:
    """The token in an Authorization field, empty when there is none."""
    scheme, _, rest = authorization[:MAX_CREDENTIALS].partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("utf-8", "replace")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
