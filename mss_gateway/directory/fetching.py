"""One bounded fetch of the extraction over HTTPS, streamed to disk (domain 15.1).

The file is public and unsigned: it is believed because of the server's certificate. Blocking; the process that does
it is ended by who started it when it takes too long.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from .options import DirectoryOptions
from .problems import DirectoryProblem

if TYPE_CHECKING:
    import httpx2

MAX_MARK = 256  # octets of an ETag or a date that are worth sending back
SILENCE = 60.0  # seconds without an octet
_FILE_NAME = re.compile(r'filename="?([^";/\\]{1,200})"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: the file's name and date (epoch seconds), and the publisher's marks for the next time."""

    name: str
    dated: float
    etag: str
    modified: str


def fetch(options: DirectoryOptions, into: Path, etag: str, modified: str) -> Fetched | None:
    """GET the address into a file; None when nothing changed since the marks. Raises `DirectoryProblem`."""
    import httpx2

    deadline = time.monotonic() + options.timeout
    headers = {"User-Agent": "mss-gateway", "Accept-Encoding": "identity"}
    headers |= {"If-None-Match": etag} if etag else {}
    headers |= {"If-Modified-Since": modified} if modified else {}
    url = options.url
    try:
        with (
            httpx2.Client(
                verify=_context(options),
                timeout=min(SILENCE, options.timeout),
                follow_redirects=False,
                trust_env=False,
            ) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code == 304 and (etag or modified):
                return None
            _check_status(url, response.status_code)
            _keep(url, response.iter_raw(), into, options.max_bytes, deadline)
            return _fetched(url, response.headers)
    except httpx2.TimeoutException:
        raise _late(url, options.timeout) from None
    except httpx2.ConnectError as error:
        raise _unreachable(url, error) from None
    except httpx2.HTTPError:
        sentence = f"{url}: the answer broke off: it is tried again by itself"
        raise DirectoryProblem("directory-fetch-cut", sentence) from None
    except OSError as error:
        why = (error.strerror or "error").lower()
        sentence = f"{into}: what is fetched cannot be kept ({why}): make room, or check the folder"
        raise DirectoryProblem("directory-disk", sentence) from None


def _check_status(url: str, status: int) -> None:
    if 300 <= status < 400:
        sentence = (
            f"{url}: the server points elsewhere (status {status}), never followed: write the final address"
        )
        raise DirectoryProblem("directory-fetch-redirected", sentence)
    if status != 200:
        sentence = (
            f"{url}: the server answers with status {status}: it is tried again by itself; check the address"
        )
        raise DirectoryProblem("directory-fetch-status", sentence)


def _keep(url: str, blocks: Iterator[bytes], into: Path, most: int, deadline: float) -> None:
    size = 0
    part = into.with_name(f".{into.name}.part")
    into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            for block in blocks:
                size += len(block)
                if size > most:
                    sentence = (
                        f"{url}: larger than {most} octets (directory.max_bytes): not the published file"
                    )
                    raise DirectoryProblem("directory-too-large", sentence)
                if time.monotonic() > deadline:
                    raise _late(url, 0)
                file.write(block)
        part.replace(into)
    finally:
        part.unlink(missing_ok=True)


def _fetched(url: str, headers: httpx2.Headers) -> Fetched:
    named = _FILE_NAME.search(headers.get("Content-Disposition", "")[:1000])
    modified = _mark(headers.get("Last-Modified", ""))
    try:
        dated = parsedate_to_datetime(modified).timestamp()
    except (ValueError, TypeError, OverflowError):
        dated = time.time()
    name = named[1] if named else unquote(urlsplit(url).path.rpartition("/")[2]) or "extraction"
    return Fetched(name, dated, _mark(headers.get("ETag", "")), modified)


def _mark(text: str) -> str:
    return text if len(text) <= MAX_MARK and text.isascii() and text.isprintable() else ""


def _context(options: DirectoryOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An issuing authority alone may be named: it need not lead to a root.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        for path in options.ca_files:
            context.load_verify_locations(cafile=path)
    except (OSError, ValueError):
        sentence = (
            "directory.ca: not PEM files of certificates: install the authorities of the publisher again"
        )
        raise DirectoryProblem("directory-fetch-tls", sentence) from None
    return context


def _late(url: str, seconds: float) -> DirectoryProblem:
    within = f" within {seconds:g} seconds" if seconds else " in time"
    return DirectoryProblem(
        "directory-fetch-timeout", f"{url}: not fetched{within}: it is tried again by itself"
    )


def _unreachable(url: str, error: BaseException) -> DirectoryProblem:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({cause.verify_message}): check directory.ca"
            return DirectoryProblem("directory-fetch-tls", f"{url}: {why}")
        cause = cause.__cause__ or cause.__context__
    sentence = f"{url}: cannot be reached: it is tried again; check address, DNS and firewall if that goes on"
    return DirectoryProblem("directory-fetch-unreachable", sentence)
