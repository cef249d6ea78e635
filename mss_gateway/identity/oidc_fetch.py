"""Bounded HTTPS requests to the provider: verified TLS, no redirection, no proxy, limits on size and time (ACC-2).

The provider's answers are not believed before they are looked at; tokens go into the request alone.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2

from mss_gateway.base.secret import Secret

from .oidc_options import OidcOptions

MAX_ANSWER = 256 * 1024
"""Octets of any answer; a set of keys has a few thousand."""

MAX_SECRET = 4096
"""Octets of the file with the client's secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer within the limits."""

    status: int
    body: bytes


class FetchFailed(Exception):
    """Nothing usable came; `reason` is a slug `provider-…`, `sentence` names the host and says what to look at."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


def client_context(options: OidcOptions) -> ssl.SSLContext:
    """TLS 1.2 or later against the given authorities, or the system's; raises OSError and `ssl.SSLError`. Blocking."""
    context = ssl.create_default_context() if not options.ca_files else _own_context(options.ca_files)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.client_certificate is not None:
        context.load_cert_chain(options.client_certificate, options.client_key)
    return context


def _own_context(files: tuple[Path, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # An issuing authority alone may be named: it need not lead to a root.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    for file in files:
        context.load_verify_locations(file)
    return context


class Fetcher:
    """Asks one provider; connections are kept between requests. Belongs to the loop that first uses it."""

    def __init__(self, options: OidcOptions) -> None:
        self._options = options
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def get(self, url: str, bearer: Secret | None = None) -> Answer:
        """GET, as the holder of a token when one is given; raises `FetchFailed`."""
        headers = {"Authorization": f"Bearer {bearer.reveal()}"} if bearer is not None else {}
        return await self._request("GET", url, headers, None)

    async def introspect(self, url: str, token: Secret) -> Answer:
        """RFC 7662: what the provider knows of this token; raises `FetchFailed`."""
        options = self._options
        form = {"token": token.reveal(), "token_type_hint": "access_token"}
        headers: dict[str, str] = {}
        if options.client_secret_file is not None:
            secret = await asyncio.to_thread(_secret, options.client_secret_file)
            # RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
            pair = f"{quote(options.client_id, safe='')}:{quote(secret.reveal(), safe='')}".encode()
            headers["Authorization"] = f"Basic {_base64(pair)}"
        else:
            form["client_id"] = options.client_id  # the TLS certificate proves the rest (RFC 8705 section 2)
        return await self._request("POST", url, headers, form)

    async def close(self) -> None:
        """End the connections that are kept."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _request(
        self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None
    ) -> Answer:
        host = urlsplit(url).hostname or ""
        try:
            async with asyncio.timeout(self._options.timeout):
                client = await self._opened()
                async with client.stream(method, url, headers=headers, data=form) as response:
                    return await _whole(host, response)
        except (TimeoutError, httpx2.TimeoutException):
            raise FetchFailed(
                "provider-timeout",
                f"{host} did not answer within {self._options.timeout:g} s: check the network and the provider's state",
            ) from None
        except httpx2.ConnectError as error:
            raise _unconnected(host, error) from None
        except (httpx2.InvalidURL, ValueError, OverflowError):  # a host name or a port that there cannot be
            raise FetchFailed(
                "provider-nonsense", f"{host!r} is no host to ask: check the addresses in [oidc]"
            ) from None
        except (httpx2.HTTPError, httpx2.StreamError):
            raise FetchFailed(
                "provider-unreachable", f"{host}: the connection broke off: it is tried again by itself"
            ) from None
        except (OSError, ssl.SSLError) as error:
            raise FetchFailed(
                "provider-files",
                f"a file of [oidc] cannot be used ({type(error).__name__}): check oidc.ca, the client's certificate"
                " and its secret",
            ) from None

    async def _opened(self) -> httpx2.AsyncClient:
        async with self._opening:
            if self._client is None:
                context = await asyncio.to_thread(client_context, self._options)
                self._client = httpx2.AsyncClient(
                    verify=context,
                    trust_env=False,
                    follow_redirects=False,
                    timeout=self._options.timeout,
                    headers={
                        "User-Agent": "mss-gateway",
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                    },
                )
            return self._client


async def _whole(host: str, response: httpx2.Response) -> Answer:
    if response.is_redirect or 300 <= response.status_code < 400:
        raise FetchFailed(
            "provider-redirected",
            f"{host} points elsewhere (status {response.status_code}), which is never followed: write the final"
            " address into [oidc]",
        )
    body = bytearray()
    async for block in response.aiter_raw():
        body += block
        if len(body) > MAX_ANSWER:
            raise FetchFailed(
                "provider-too-large",
                f"{host} answers with more than {MAX_ANSWER} octets: check the addresses in [oidc]",
            )
    return Answer(response.status_code, bytes(body))


def _unconnected(host: str, error: httpx2.ConnectError) -> FetchFailed:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return FetchFailed(
            "provider-unreachable",
            f"{host} cannot be reached: check the firewall, the DNS and the provider's state",
        )
    why = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else cause.reason
    return FetchFailed("provider-tls", f"{host}: no trusted TLS connection ({why}): check oidc.ca")


def _secret(path: Path) -> Secret:
    with path.open("rb") as file:
        return Secret(file.read(MAX_SECRET).decode("utf-8", "replace").strip())


def _base64(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode()
