"""The token book of one OpenID provider, shaped for Pro Santé Connect: from a token to a national id (ACC-2)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.observe.log import Log
from mss_gateway.ports.identity import TokenClaims, TokenHelp
from mss_gateway.ports.provider import ProviderStatus

from . import oidc_refusals as refusals
from .oidc_fetch import Fetcher, FetchFailed
from .oidc_jwt import MAX_TOKEN, Claims, check_claims, read_header, verified
from .oidc_options import OidcOptions
from .oidc_provider import Provider, nonsense, read_object

REMEMBERED = 10_000
"""Tokens whose userinfo is remembered, by digest alone."""

REMEMBER = 300.0
"""Seconds that this is remembered of a token which tells no end."""

WARM, COLD = 60.0, 10.0  # seconds between two looks at whether the keys are due, and while there are none


class OidcBook:
    """Checks access tokens. Of a token nothing is kept but the digest of those whose userinfo was asked."""

    def __init__(
        self,
        options: OidcOptions,
        fetcher: Fetcher | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        log: Log | None = None,
    ) -> None:
        self._options = options
        self.help = TokenHelp(options.scope, options.document_url)
        self._fetcher = fetcher or Fetcher(options)
        self.provider = Provider(options, self._fetcher, clock, log)
        self._wall = wall
        self._subjects: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    async def check(self, token: Secret) -> TokenClaims | Refuse:
        """Who the token is for, and when it ends; the reason of a refusal is one of `oidc_refusals`."""
        try:
            claims = await self._claims(token)
            if isinstance(claims, Refuse):
                return claims
            subject = await self._subject(token, claims)
        except FetchFailed as failed:
            silent = failed.reason != "provider-nonsense"
            return refusals.PROVIDER_DOWN if silent else refusals.PROVIDER_NONSENSE
        if isinstance(subject, Refuse):
            return subject
        until = self._until(claims)
        return TokenClaims(subject, float(claims.get("exp") or until), until, self._options.issuer)

    def _until(self, claims: Claims) -> float:
        """When the session ends that this token opens, epoch seconds (ECO.1.2.6).

        The refresh token that renews it stays with the client, so that its end is not known here: a length stands
        for it. An introspection need not tell the token's end.
        """
        if self._options.session == "token" and claims.get("exp") is not None:
            return float(claims["exp"]) + self._options.skew
        return self._wall() + self._options.session_seconds

    async def _claims(self, token: Secret) -> Claims | Refuse:
        text = token.reveal()
        if len(text) > MAX_TOKEN:
            return refusals.TOO_LONG
        if self._options.mode == "introspection":
            return await self._introspected(token)
        header = read_header(text, self._options.algorithms)
        if isinstance(header, Refuse):
            return header
        keys = await self.provider.keys(header.kid, header.algorithm)
        if isinstance(keys, Refuse):
            return keys
        claims = verified(text, header, keys)
        if isinstance(claims, Refuse):
            return claims
        return check_claims(claims, self._options, self._wall(), signed=True) or claims

    async def _introspected(self, token: Secret) -> Claims | Refuse:
        """RFC 7662: anything but `active: true` is a refusal."""
        url = await self.provider.address("introspection_url")
        if isinstance(url, Refuse):
            return url
        claims = read_object(url, await self._fetcher.introspect(url, token))
        active = claims.get("active")
        if not isinstance(active, bool):
            raise nonsense(url, "the introspection tells no `active`")
        if not active:
            return refusals.REVOKED
        return check_claims(claims, self._options, self._wall(), signed=False) or claims

    async def _subject(self, token: Secret, claims: Claims) -> str | Refuse:
        name, how = self._options.subject_claim, self._options.userinfo
        told = claims.get(name)
        if how == "never" or (how == "missing" and told is not None):
            return _identifier(told)
        digest = sha256(token.reveal().encode()).digest()
        known = self._subjects.get(digest)
        if known is not None and known[0] > self._wall():
            return known[1]
        userinfo = await self._userinfo(token)
        if isinstance(userinfo, Refuse):
            return userinfo
        # OpenID Connect Core 1.0 section 5.3.2: who answers for another subject is not to be used.
        if userinfo.get("sub") != claims.get("sub") or not isinstance(userinfo.get("sub"), str):
            return refusals.OTHER_SUBJECT
        subject = _identifier(userinfo.get(name))
        if isinstance(subject, str):
            self._subjects[digest] = (float(claims.get("exp") or self._wall() + REMEMBER), subject)
            while len(self._subjects) > REMEMBERED:
                self._subjects.popitem(last=False)
        return subject

    async def _userinfo(self, token: Secret) -> dict[str, Any] | Refuse:
        url = await self.provider.address("userinfo_url")
        if isinstance(url, Refuse):
            return url
        answer = await self._fetcher.get(url, token)
        if answer.status in (401, 403):
            return refusals.REVOKED
        return read_object(url, answer)

    async def run(self) -> None:
        """Background: keep the keys fresh, so that a login seldom waits; closes the connections in the end."""
        try:
            while True:
                age = self.provider.age
                if age is None or age > self._options.keys_every:
                    await self.provider.refresh()
                await asyncio.sleep(WARM if self.provider.age is not None else COLD)
        finally:
            await self.close()

    async def examined(self) -> ProviderStatus:
        """Ask the provider, unless that was just done, and tell how it went."""
        await self.provider.look()
        state = self.provider.state
        keys = state.keys
        return ProviderStatus(
            self._options.mode,
            self._options.issuer,
            self.provider.age,
            self._options.keys_max_age,
            len(keys.keys) if keys is not None else 0,
            keys.left_out if keys is not None else 0,
            state.failure,
            state.sentence,
        )

    async def close(self) -> None:
        """End what is under way."""
        await self.provider.close()


def _identifier(told: object) -> str | Refuse:
    """A national identifier as the directory keeps it."""
    if not isinstance(told, str) or not told.strip() or len(told) > 64:
        return refusals.NO_SUBJECT
    return told.strip()
