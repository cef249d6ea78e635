"""Tokens against a real provider on loopback: the good one enters, each bad one is refused under its own slug."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.dev.provider import OpenIdProvider
from mss_gateway.dev.provider_names import CLIENT, SUBJECT
from mss_gateway.dev.provider_tokens import new_signing_key
from mss_gateway.identity.oidc import OidcBook
from mss_gateway.identity.oidc_refusals import LATER, TEXT
from mss_gateway.ports.identity import TokenClaims
from tests.support.tokens import BAD, options, secret_file, trust_folder, weak_key


@pytest.fixture(scope="module")
def listening() -> Iterator[OpenIdProvider]:
    """One listener for the file."""
    with OpenIdProvider(trust_folder()) as found:
        yield found


@pytest.fixture
def provider(listening: OpenIdProvider) -> OpenIdProvider:
    """A provider that signs with ES256."""
    listening.reset()
    return listening


@pytest.fixture
async def book(provider: OpenIdProvider) -> AsyncIterator[OidcBook]:
    """A token book that believes it."""
    found = OidcBook(options(provider))
    yield found
    await found.close()


async def checked(book: OidcBook, token: str) -> TokenClaims | Refuse:
    """What the book says of a token."""
    return await book.check(Secret(token))


@pytest.mark.req("ACC-2")
async def test_a_good_token_names_the_person_through_userinfo_once(
    provider: OpenIdProvider, book: OidcBook
) -> None:
    """The access token does not tell who it is in the national directory: userinfo does, asked once per token."""
    token = provider.issuer.token()
    for _ in range(3):
        claims = await checked(book, token)
        assert isinstance(claims, TokenClaims)
        assert claims.subject == SUBJECT
    assert provider.counts["userinfo"] == 1
    assert provider.counts["certs"] == 1
    await checked(book, provider.issuer.token(jti="autre"))
    assert provider.counts["userinfo"] == 2


async def test_a_token_that_tells_the_person_needs_no_userinfo(
    provider: OpenIdProvider, book: OidcBook
) -> None:
    """`userinfo = "missing"`."""
    claims = await checked(book, provider.issuer.token(SubjectNameID=SUBJECT))
    assert isinstance(claims, TokenClaims)
    assert claims.subject == SUBJECT
    assert provider.counts["userinfo"] == 0


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("what", BAD)
async def test_a_bad_token_is_refused_under_its_own_slug_with_one_text(
    provider: OpenIdProvider, book: OidcBook, what: str
) -> None:
    """The slug is for the log; everybody else reads the same text."""
    make, reason = BAD[what]
    refuse = await checked(book, make(provider.issuer))
    assert isinstance(refuse, Refuse)
    assert refuse.reason == reason
    assert (refuse.code, refuse.enhanced, refuse.public) == (535, "5.7.8", TEXT)


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
async def test_rsa_signatures_and_hs256_with_the_public_key(algorithm: str) -> None:
    """The classic confusion: the verifier's public key taken for a shared secret."""
    with OpenIdProvider(trust_folder(), algorithm=algorithm) as provider:
        book = OidcBook(options(provider))
        assert isinstance(await checked(book, provider.issuer.token()), TokenClaims)
        for what in ("HS256 with the public key", "alg none", "signature changed"):
            make, reason = BAD[what]
            refuse = await checked(book, make(provider.issuer))
            assert isinstance(refuse, Refuse)
            assert refuse.reason == reason
        pinned = OidcBook(options(provider, algorithms=("ES256",)))
        refuse = await checked(pinned, provider.issuer.token())
        assert isinstance(refuse, Refuse)
        assert refuse.reason == "token-algorithm"
        await book.close()
        await pinned.close()


@pytest.mark.req("ACC-2")
async def test_audience_when_it_is_pinned(provider: OpenIdProvider) -> None:
    """`aud` as a text and as a list; a token for somebody else stays outside."""
    book = OidcBook(options(provider, audience=frozenset({"mss"})))
    issuer = provider.issuer
    for audience in ("mss", ["account", "mss"]):
        assert isinstance(await checked(book, issuer.token(aud=audience)), TokenClaims)
    for other in ("account", ["account"], None, 7, {"mss": 1}, [["mss"]]):
        refuse = await checked(book, issuer.token(aud=other))
        assert isinstance(refuse, Refuse)
        assert refuse.reason == "token-audience"
    await book.close()


async def test_two_keys_with_the_same_kid_are_both_tried(provider: OpenIdProvider, book: OidcBook) -> None:
    """A provider's mistake that must lock nobody out, and lets nobody in."""
    twin = new_signing_key(provider.issuer.keys[-1].kid)
    provider.issuer.keys.insert(0, twin)
    for key in provider.issuer.keys:
        token = provider.issuer.signed(provider.issuer.claims(), key=key)
        assert isinstance(await checked(book, token), TokenClaims)


async def test_a_token_without_kid_is_tried_with_the_keys_that_fit(
    provider: OpenIdProvider, book: OidcBook
) -> None:
    """`kid` is optional (RFC 7515 section 4.1.4)."""
    issuer = provider.issuer
    token = issuer.signed(issuer.claims(), key=issuer.keys[-1], kid="")
    assert isinstance(await checked(book, token), TokenClaims)


@pytest.mark.req("ACC-2")
async def test_a_weak_rsa_key_is_never_used() -> None:
    """1024 bits: left out of the set, and told to operators."""
    with OpenIdProvider(trust_folder(), algorithm="RS256") as provider:
        weak = weak_key()
        provider.issuer.keys.insert(0, weak)
        book = OidcBook(options(provider))
        token = provider.issuer.signed(provider.issuer.claims(), key=weak)
        refuse = await checked(book, token)
        assert isinstance(refuse, Refuse)
        assert refuse.reason == "token-key-unknown"
        assert (await book.examined()).left_out == 1
        provider.issuer.keys = [weak]
        alone = OidcBook(options(provider))
        refuse = await checked(alone, token)
        assert isinstance(refuse, Refuse)
        assert (refuse.reason, refuse.code) == ("provider-nonsense", 454)
        await book.close()
        await alone.close()


@pytest.mark.req("ACC-2")
async def test_introspection_ends_a_revoked_token_at_once(provider: OpenIdProvider, tmp_path: Path) -> None:
    """RFC 7662 with the client's secret from its file; an opaque token would do as well."""
    book = OidcBook(
        options(provider, mode="introspection", client_id=CLIENT, client_secret_file=secret_file(tmp_path))
    )
    token = provider.issuer.token(SubjectNameID=SUBJECT)
    claims = await checked(book, token)
    assert isinstance(claims, TokenClaims)
    assert claims.subject == SUBJECT
    provider.issuer.revoked.add(token)
    refuse = await checked(book, token)
    assert isinstance(refuse, Refuse)
    assert (refuse.reason, refuse.code) == ("token-revoked", 535)
    other = await checked(book, provider.issuer.token(azp="autre", client_id="autre"))
    assert isinstance(other, Refuse)
    assert other.reason == "token-audience"
    provider.broken["introspect"] = (200, b'{"active": "true"}')
    odd = await checked(book, token)
    assert isinstance(odd, Refuse)
    assert (odd.reason, odd.public) == ("provider-nonsense", LATER)
    await book.close()


async def test_a_wrong_secret_is_the_gateways_fault(provider: OpenIdProvider, tmp_path: Path) -> None:
    """The client may keep its token: it is not what is wrong."""
    (tmp_path / "wrong").write_text("faux")
    book = OidcBook(
        options(provider, mode="introspection", client_id=CLIENT, client_secret_file=tmp_path / "wrong")
    )
    refuse = await checked(book, provider.issuer.token())
    assert isinstance(refuse, Refuse)
    assert refuse.code == 454
    await book.close()


@pytest.mark.req("ACC-2")
async def test_introspection_by_a_client_certificate(provider: OpenIdProvider) -> None:
    """RFC 8705: the TLS handshake proves the gateway; without the certificate it is nobody."""
    space = trust_folder()
    mode: dict[str, Any] = {"mode": "introspection", "client_id": CLIENT}
    shown = {"client_certificate": space / "gateway.pem", "client_key": space / "gateway.key"}
    book, nobody = OidcBook(options(provider, **mode, **shown)), OidcBook(options(provider, **mode))
    token = provider.issuer.token()
    assert isinstance(await checked(book, token), TokenClaims)
    refuse = await checked(nobody, token)
    assert isinstance(refuse, Refuse)
    assert refuse.code == 454
    await book.close()
    await nobody.close()


@pytest.mark.parametrize(
    ("how", "asked", "subject"), [("always", 1, SUBJECT), ("missing", 0, "autre"), ("never", 0, "autre")]
)
async def test_when_userinfo_is_asked(provider: OpenIdProvider, how: str, asked: int, subject: str) -> None:
    """A token that tells somebody itself; with "always" only userinfo counts."""
    book = OidcBook(options(provider, userinfo=how))
    claims = await checked(book, provider.issuer.token(SubjectNameID="autre"))
    assert isinstance(claims, TokenClaims)
    assert (claims.subject, provider.counts["userinfo"]) == (subject, asked)
    silent = await checked(book, provider.issuer.token())
    assert isinstance(silent, Refuse) == (how == "never")
    await book.close()


async def test_userinfo_for_another_subject_is_not_used(provider: OpenIdProvider, book: OidcBook) -> None:
    """OpenID Connect Core 1.0 section 5.3.2."""
    provider.broken["userinfo"] = (200, b'{"sub": "f:essai:autre", "SubjectNameID": "899700366240"}')
    refuse = await checked(book, provider.issuer.token())
    assert isinstance(refuse, Refuse)
    assert refuse.reason == "token-other-subject"


@pytest.mark.req("AUD-5")
async def test_no_part_of_a_token_is_logged_by_any_library(
    provider: OpenIdProvider, book: OidcBook, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the HTTP library writes at DEBUG."""
    caplog.set_level(logging.DEBUG)
    tokens = [provider.issuer.token(), BAD["unknown kid"][0](provider.issuer)]
    for token in tokens:
        await checked(book, token)
        for part in token.split("."):
            assert part not in caplog.text
    assert provider.counts["userinfo"] == 1
