"""What is known of the provider: its addresses and keys, fetched in time, kept while it is down (ACC-2)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from mss_gateway.base.errors import Refuse
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log

from . import oidc_refusals as refusals
from .oidc_fetch import Answer, Fetcher, FetchFailed
from .oidc_keys import KeySet, NotAKeySet, PublicKey, read_keys
from .oidc_options import OidcOptions

ADDRESSES = {
    "jwks_uri": "jwks_url",
    "introspection_endpoint": "introspection_url",
    "userinfo_endpoint": "userinfo_url",
}
"""Names in the provider's document (OpenID Connect Discovery 1.0 section 3), and those of the settings."""

RETRY = 5.0  # seconds between two tries while nothing is known yet
LOOK = 15.0  # seconds between two looks of an operator
KNOWN_MISSING = 256  # values of `kid` that the set in force is known not to hold


@dataclass(slots=True)
class ProviderState:
    """What operators see: ages in seconds of `clock`, counts, and why the last fetch failed (empty: it did not)."""

    keys: KeySet | None = None
    fetched_at: float = 0.0
    tried_at: float | None = None
    failure: str = ""
    sentence: str = ""
    fetches: int = 0
    addresses: dict[str, str] = field(default_factory=dict)


class Provider:
    """Addresses and keys. One fetch at a time, whoever waits for it; nothing here depends on a token's content
    but its `kid`, and that causes at most one fetch in `keys_pause` seconds."""

    def __init__(
        self,
        options: OidcOptions,
        fetcher: Fetcher,
        clock: Callable[[], float] = time.monotonic,
        log: Log | None = None,
    ) -> None:
        self._options = options
        self._log = log
        self._fetcher = fetcher
        self._clock = clock
        self.state = ProviderState()
        self._fetching: asyncio.Task[None] | None = None
        self._missing: OrderedDict[str, None] = OrderedDict()
        self._asked_at: float | None = None  # when an unknown `kid` last caused a fetch

    @property
    def age(self) -> float | None:
        """Seconds since what is in force was fetched; None when there is nothing."""
        state = self.state
        return self._clock() - state.fetched_at if state.addresses else None

    async def keys(self, kid: str, algorithm: str) -> list[PublicKey] | Refuse:
        """The keys to try a signature with; fetched anew when they are old, or when none fits."""
        fetches = self.state.fetches
        refuse = await self._usable()
        if refuse is not None:
            return refuse
        found = self._candidates(kid, algorithm)
        if found:
            return found
        if kid in self._missing:
            return refusals.KEY_UNKNOWN
        if fetches == self.state.fetches:
            if self._asked_at is not None and self._clock() - self._asked_at < self._options.keys_pause:
                return refusals.KEYS_PAUSED
            self._asked_at = self._clock()
            await self.refresh()
            found = self._candidates(kid, algorithm)
            if found:
                return found
        if self.state.failure:  # the key may be a new one: nothing can be said
            return refusals.PROVIDER_DOWN
        self._missing[kid] = None
        if len(self._missing) > KNOWN_MISSING:
            self._missing.popitem(last=False)
        return refusals.KEY_UNKNOWN

    async def address(self, name: str) -> str | Refuse:
        """One of the addresses of `ADDRESSES`, by the name of its setting."""
        refuse = await self._usable()
        return refuse or self.state.addresses.get(name) or refusals.PROVIDER_NONSENSE

    def _candidates(self, kid: str, algorithm: str) -> list[PublicKey]:
        keys = self.state.keys
        return keys.candidates(kid, algorithm) if keys is not None else []

    async def _usable(self) -> Refuse | None:
        """See to it that something is known and not too old; what is merely old is renewed beside."""
        age = self.age
        if age is None or age > self._options.keys_max_age:
            if not (self.state.failure and self._tried_within(RETRY)):
                await self.refresh()
            age = self.age
            if age is None or age > self._options.keys_max_age:
                nonsense = self.state.failure == "provider-nonsense"
                return refusals.PROVIDER_NONSENSE if nonsense else refusals.PROVIDER_DOWN
        elif age > self._options.keys_every and not self._tried_within(self._options.keys_pause):
            self._begin()
        return None

    def _tried_within(self, seconds: float) -> bool:
        tried = self.state.tried_at
        return tried is not None and self._clock() - tried < seconds

    async def look(self) -> None:
        """Fetch, unless that was tried a moment ago: a status page may ask every second."""
        if not self._tried_within(LOOK):
            await self.refresh()

    async def refresh(self) -> None:
        """Fetch now, or wait for the fetch under way; `state.failure` tells how it ended."""
        # A client that hangs up must not take the fetch away from the others who wait for it.
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        state = self.state
        state.tried_at = self._clock()
        state.fetches += 1
        try:
            addresses = await self._discovered()
            keys = None
            if self._options.mode == "jwks":
                keys = await self._keys_of(addresses.get("jwks_url", ""))
        except FetchFailed as failed:
            if failed.reason != state.failure:
                self._tell(Event.PROVIDER_SILENT, reason=failed.reason, sentence=failed.sentence)
            state.failure, state.sentence = failed.reason, failed.sentence
            return
        if state.failure:
            held = keys or KeySet(())
            self._tell(Event.PROVIDER_BACK, keys=len(held.keys), left_out=held.left_out)
        state.failure = state.sentence = ""
        state.addresses, state.keys, state.fetched_at = addresses, keys, self._clock()
        self._missing.clear()

    def _tell(self, event: Event, **fields: object) -> None:
        if self._log is not None:
            self._log.warning(event, **fields)

    async def _discovered(self) -> dict[str, str]:
        """The addresses of the settings, and where they leave one open that of the provider's document."""
        given = {name: getattr(self._options, name) for name in ADDRESSES.values()}
        addresses = {name: url for name, url in given.items() if url}
        url = self._options.document_url
        if url:
            document = read_object(url, await self._fetcher.get(url))
            if document.get("issuer") != self._options.issuer:
                raise nonsense(url, "its document names another issuer: check oidc.issuer and oidc.document")
            for told, name in ADDRESSES.items():
                found = document.get(told)
                if isinstance(found, str) and _is_https(found):
                    addresses.setdefault(name, found)
        wanted = "jwks_url" if self._options.mode == "jwks" else "introspection_url"
        if wanted not in addresses:
            raise nonsense(
                url, f"its document does not tell the address that oidc.{wanted} would: write it there"
            )
        return addresses

    async def _keys_of(self, url: str) -> KeySet:
        answer = await self._fetcher.get(url)
        try:
            if answer.status != 200:
                raise NotAKeySet
            return read_keys(answer.body)
        except NotAKeySet:
            raise nonsense(
                url, f"no usable set of keys came (status {answer.status}): check oidc.jwks_url"
            ) from None

    async def close(self) -> None:
        """Give up the fetch under way and the connections."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._fetcher.close()


def nonsense(url: str, why: str) -> FetchFailed:
    """The provider has answered with something that cannot be used."""
    return FetchFailed("provider-nonsense", f"{urlsplit(url).hostname}: {why}")


def read_object(url: str, answer: Answer) -> dict[str, object]:
    """The JSON object of an answer; raises `FetchFailed`."""
    try:
        found = orjson.loads(answer.body) if answer.status == 200 else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise nonsense(url, f"no JSON object came (status {answer.status}): check the addresses in [oidc]")
    return found


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme == "https" and named and url.isascii() and url.isprintable()
