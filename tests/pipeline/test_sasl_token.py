"""OAUTHBEARER and XOAUTH2 as an exchange: token, error challenge, the client's word on it, refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.pipeline.sasl import Challenge, Visit
from mss_gateway.pipeline.sasl_token import BearerExchange, TokenExchange, XOAuth2Exchange, failure_challenge
from mss_gateway.ports.identity import Principal, TokenHelp
from mss_gateway.protocol.sasl_oauth import OAUTHBEARER, XOAUTH2
from mss_gateway.rules.facts import CallerKind

WRONG = Refuse(535, "5.7.8", "The token is not accepted here", "token-expired")
LATER = Refuse(454, "4.7.0", "Later", "provider-unreachable")
HELP = TokenHelp("openid scope_all", "https://provider.example/document")
SOMEBODY = Principal(1, "medecin", "Médecin", CallerKind.PERSON, "token", ())
SENT = {
    BearerExchange: b"n,a=medecin,\x01host=mx\x01port=587\x01auth=Bearer abc\x01\x01",
    XOAuth2Exchange: b"user=medecin\x01auth=Bearer abc\x01\x01",
}


@dataclass
class Book:
    """Accounts that answer what the test says."""

    answer: Principal | Refuse
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    token_help: TokenHelp = HELP

    async def token(self, login: str, token: Secret, host: str) -> Principal | Refuse:
        """One look at one token."""
        self.asked.append((login, token.reveal(), host))
        return self.answer


def exchange(kind: type[BearerExchange] | type[XOAuth2Exchange], book: Book) -> TokenExchange:
    """One exchange with a client at 192.0.2.7."""
    stream = SimpleNamespace(host="192.0.2.7", tls=None)
    return kind(Visit(cast(Any, book), cast(Any, None), cast(Any, stream)))


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", SENT)
async def test_a_good_token_enters_with_one_response(kind: type[BearerExchange]) -> None:
    """The login and the client's address go along."""
    book = Book(SOMEBODY)
    one = exchange(kind, book)
    assert one.opening == b""
    assert await one.step(SENT[kind]) is SOMEBODY
    assert book.asked == [("medecin", "abc", "192.0.2.7")]
    assert one.login == "medecin"


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize("word", [b"\x01", b"", b"n,a=medecin,\x01auth=Bearer abd\x01\x01"])
async def test_a_bad_token_is_told_why_before_it_is_refused(kind: type[BearerExchange], word: bytes) -> None:
    """RFC 7628 section 3.2.3; whatever the client answers is no second try."""
    book = Book(WRONG)
    one = exchange(kind, book)
    told = await one.step(SENT[kind])
    assert isinstance(told, Challenge)
    said = json.loads(told.data)
    assert said["status"] == ("invalid_token" if kind is BearerExchange else "401")
    assert said["scope"] == "openid scope_all"
    assert await one.step(word) is WRONG
    assert len(book.asked) == 1


@pytest.mark.parametrize("kind", SENT)
async def test_a_temporary_refusal_comes_at_once(kind: type[BearerExchange]) -> None:
    """A client that is told `invalid_token` would throw its token away."""
    assert await exchange(kind, Book(LATER)).step(SENT[kind]) is LATER


async def test_what_cannot_be_read_never_reaches_the_book() -> None:
    """Nor does an empty token, which asks where tokens are given."""
    book = Book(SOMEBODY)
    malformed = await exchange(BearerExchange, book).step(b"n,,\x01auth=Bearer a b\x01\x01")
    assert isinstance(malformed, Refuse)
    assert malformed.reason == "sasl-malformed"
    asking = exchange(BearerExchange, book)
    assert isinstance(await asking.step(b"n,,\x01auth=\x01\x01"), Challenge)
    refuse = await asking.step(b"\x01")
    assert isinstance(refuse, Refuse)
    assert refuse.reason == "token-missing"
    assert book.asked == []


def test_the_failure_challenge_tells_what_is_needed() -> None:
    """RFC 7628 section 3.2.2, and the form that clients of XOAUTH2 know."""
    scope, document = "openid scope_all", "https://provider.example/.well-known/openid-configuration"
    assert json.loads(failure_challenge(OAUTHBEARER, TokenHelp(scope, document))) == {
        "status": "invalid_token",
        "scope": scope,
        "openid-configuration": document,
    }
    assert json.loads(failure_challenge(OAUTHBEARER, TokenHelp())) == {"status": "invalid_token"}
    told = json.loads(failure_challenge(XOAUTH2, TokenHelp(scope, document)))
    assert told == {"status": "401", "schemes": "bearer", "scope": scope}
