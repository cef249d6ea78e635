"""OAUTHBEARER (RFC 7628) and XOAUTH2: a bearer token instead of a password (ACC-2)."""

from __future__ import annotations

import json

from mss_gateway.base.errors import Refuse
from mss_gateway.ports.identity import Principal, TokenHelp
from mss_gateway.protocol.sasl_oauth import OAUTHBEARER, XOAUTH2, parse_token

from .sasl import Challenge, Visit

NO_TOKEN = Refuse(535, "5.7.8", "The token is not accepted here", "token-missing")
"""A client that asks with an empty token where tokens are given (RFC 7628 section 4.3)."""


class TokenExchange:
    """One token, looked at once.

    A token that will never do is answered with a challenge that holds the error; whatever the client says to that,
    the refusal follows (RFC 7628 section 3.2.3). A temporary refusal comes at once: the client is to keep its token.
    """

    opening = b""

    def __init__(self, mechanism: str, visit: Visit) -> None:
        self._mechanism = mechanism
        self._visit = visit
        self._refuse: Refuse | None = None
        self.login = ""

    async def step(self, data: bytes) -> Challenge | Principal | Refuse:
        """The client's token, or its word on the error."""
        if self._refuse is not None:
            return self._refuse
        credentials = parse_token(self._mechanism, data)
        if isinstance(credentials, Refuse):
            return credentials
        self.login = credentials.login
        outcome: Principal | Refuse = NO_TOKEN
        if credentials.token:
            outcome = await self._visit.accounts.token(credentials.login, credentials.token, self._visit.host)
        if not isinstance(outcome, Refuse) or outcome.temporary:
            return outcome
        self._refuse = outcome
        return Challenge(failure_challenge(self._mechanism, self._visit.accounts.token_help))


class BearerExchange(TokenExchange):
    """OAUTHBEARER."""

    def __init__(self, visit: Visit) -> None:
        super().__init__(OAUTHBEARER, visit)


class XOAuth2Exchange(TokenExchange):
    """XOAUTH2."""

    def __init__(self, visit: Visit) -> None:
        super().__init__(XOAUTH2, visit)


def failure_challenge(mechanism: str, told: TokenHelp) -> bytes:
    """The JSON of a failure, before base64 (RFC 7628 section 3.2.2).

    Nothing in it depends on the token. XOAUTH2 clients know an HTTP status instead of an OAuth error.
    """
    fields = (
        {"status": "invalid_token"} if mechanism == OAUTHBEARER else {"status": "401", "schemes": "bearer"}
    )
    if told.scope:
        fields["scope"] = told.scope
    if told.document and mechanism == OAUTHBEARER:
        fields["openid-configuration"] = told.document
    return json.dumps(fields, separators=(",", ":")).encode()
