"""The national API: mailboxes asked for one question at a time, page after page (domain 15.3).

The server is not believed: its sizes, its speed, its pages and where they point to are bounded here. The key is
read anew for each question and is told to nobody else.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import orjson

from .entry import Record
from .fhir_reading import mailboxes, next_link, resources
from .options import FhirOptions
from .problems import DirectoryProblem

if TYPE_CHECKING:
    import httpx2

PAGE = 50
"""Results of one page."""

MAX_PAGES = 20
"""Pages that one question may have; a thousand mailboxes are enough for a person to read."""

MAX_PAGE = 8 * 1024 * 1024
"""Octets of one page."""

TRIES = 4
"""Times that a page is asked for."""

FIRST_WAIT = 0.5  # seconds before the second time; doubled each time
MOST_WAIT = 20.0  # seconds; a server that wants a longer pause is left alone
PATIENCE = 50.0  # seconds for a whole question: the control socket waits a little longer
KINDS = ("Practitioner", "PractitionerRole", "Organization")
"""Resources that carry mailboxes."""


class FhirClient:
    """Asks for mailboxes; raises `DirectoryProblem` with a slug `fhir-…`. Nothing is kept between questions."""

    def __init__(self, options: FhirOptions, *, first_wait: float = FIRST_WAIT) -> None:
        self._options = options
        self._base = options.url.rstrip("/")
        self._first_wait = first_wait

    async def of_address(self, address: str) -> list[Record]:
        """Rows of exactly this address."""
        found = await self._asked({"mailbox-mss:exact": address}, PAGE)
        return [one for one in found if one["address"].lower() == address.lower()]

    async def search(self, part: str, limit: int) -> list[Record]:
        """Rows of mailboxes whose address holds this part, such as a name or a domain."""
        return await self._asked({"mailbox-mss:contains": part}, limit)

    async def _asked(self, question: dict[str, str], limit: int) -> list[Record]:
        import httpx2

        key = await asyncio.to_thread(_key, self._options.key_file)
        context = await asyncio.to_thread(_context, self._options.ca_files)
        found: dict[tuple[tuple[str, str], ...], Record] = {}
        try:
            async with asyncio.timeout(PATIENCE), self._client(key, context) as client:
                for kind in KINDS:
                    url = str(httpx2.URL(f"{self._base}/{kind}", params={**question, "_count": str(PAGE)}))
                    async for page in self._pages(client, url):
                        for one in page:
                            found.setdefault(tuple(sorted(one.items())), one)
                        if len(found) >= limit:
                            return list(found.values())[:limit]
        except TimeoutError:
            raise self._problem("fhir-timeout", "does not answer in time: ask again later") from None
        return list(found.values())

    def _client(self, key: str, context: ssl.SSLContext) -> httpx2.AsyncClient:
        import httpx2

        return httpx2.AsyncClient(
            verify=context,
            timeout=self._options.timeout,
            follow_redirects=False,
            trust_env=False,
            headers={
                "ESANTE-API-KEY": key,
                "Accept": "application/fhir+json",
                "Accept-Encoding": "identity",
                "User-Agent": "mss-gateway",
            },
        )

    async def _pages(self, client: httpx2.AsyncClient, url: str) -> AsyncIterator[list[Record]]:
        seen: set[str] = set()
        while url and len(seen) < MAX_PAGES:
            if url in seen:
                raise self._problem("fhir-loop", "gives the same page again and again: report it to the ANS")
            seen.add(url)
            octets = await self._page(client, url)
            try:
                page, link = await asyncio.to_thread(_read, octets)
            except (ValueError, RecursionError):
                raise self._problem("fhir-answer", "answers with something that is no FHIR Bundle") from None
            yield page
            url = self._next(url, link)

    def _next(self, url: str, link: str) -> str:
        """The next page, at the same place only: the key must not go elsewhere."""
        if not link:
            return ""
        try:
            target = urljoin(url, link)
            same = _origin(target) == _origin(self._base)
        except ValueError:
            same = False
        if not same:
            raise self._problem(
                "fhir-elsewhere", "points to another server for its next page, which is never followed"
            )
        return target

    async def _page(self, client: httpx2.AsyncClient, url: str) -> bytes:
        wait = self._first_wait
        for tried in range(1, TRIES + 1):
            status, told, octets = await self._once(client, url)
            if status == 200:
                return octets
            if status in (401, 403):
                raise self._problem(
                    "fhir-key", f"refuses the key (status {status}): check directory.fhir_key_file"
                )
            if status != 429 and status < 500:
                raise self._problem("fhir-status", f"answers with status {status}: check directory.fhir_url")
            pause = max(wait, told)
            if tried == TRIES or pause > MOST_WAIT:
                slug = "fhir-busy" if status == 429 else "fhir-status"
                raise self._problem(slug, f"answers with status {status}: ask again later")
            await asyncio.sleep(pause * (1.0 + 0.1 * random.random()))
            wait *= 2
        raise AssertionError

    async def _once(self, client: httpx2.AsyncClient, url: str) -> tuple[int, float, bytes]:
        """Status, seconds that the server asks to wait, and body; a line that fails is a status of 599."""
        import httpx2

        try:
            async with client.stream("GET", url) as response:
                octets = bytearray()
                # As it comes: what is packed could unpack to a thousand times its size before anybody counts.
                async for block in response.aiter_raw():
                    octets += block
                    if len(octets) > MAX_PAGE:
                        raise self._problem("fhir-too-large", f"gives a page of more than {MAX_PAGE} octets")
                return response.status_code, _pause(response.headers.get("Retry-After", "")), bytes(octets)
        except httpx2.ConnectError as error:
            raise self._unreachable(error) from None
        except httpx2.TimeoutException:
            raise self._problem("fhir-timeout", "does not answer in time: ask again later") from None
        except httpx2.TransportError:
            return 599, 0.0, b""

    def _unreachable(self, error: Exception) -> DirectoryProblem:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return self._problem(
                    "fhir-tls",
                    f"has a certificate that is not trusted ({cause.verify_message}): check directory.fhir_ca",
                )
            cause = cause.__cause__ or cause.__context__
        return self._problem(
            "fhir-unreachable", "cannot be reached: check directory.fhir_url and the firewall"
        )

    def _problem(self, reason: str, what: str) -> DirectoryProblem:
        return DirectoryProblem(reason, f"{self._base}: the national API {what}")


def _read(octets: bytes) -> tuple[list[Record], str]:
    """The rows of a page and the link to the next; a large one takes seconds. Raises ValueError, RecursionError."""
    bundle = orjson.loads(octets)
    return [row for resource in resources(bundle) for row in mailboxes(resource)], next_link(bundle)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _pause(text: str) -> float:
    """Retry-After in seconds, as a number or a date (RFC 9110 section 10.2.3); 0 when there is none."""
    if text.isascii() and text.isdecimal() and len(text) < 7:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _key(path: Path) -> str:
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key or len(key) > 1000 or not key.isprintable() or " " in key:
        raise DirectoryProblem("fhir-key", f"{path}: not a file that holds the key of the national API alone")
    return key


def _context(ca_files: Sequence[Path]) -> ssl.SSLContext:
    """A client context that trusts these authorities alone, or those of this machine when there are none."""
    try:
        context = ssl.create_default_context()
        if ca_files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
            for path in ca_files:
                context.load_verify_locations(cafile=path)
    except (OSError, ValueError):
        raise DirectoryProblem("fhir-tls", "directory.fhir_ca: not PEM files of certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
