"""When the provider is asked: seldom, by one at a time, whatever tokens say; and what holds while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.dev.provider import OpenIdProvider
from mss_gateway.dev.provider_names import SUBJECT
from mss_gateway.dev.provider_tokens import Issuer
from mss_gateway.identity.oidc import OidcBook
from mss_gateway.identity.oidc_fetch import Answer, Fetcher, FetchFailed
from mss_gateway.identity.oidc_jwt import check_claims, read_header
from mss_gateway.identity.oidc_keys import NotAKeySet, read_keys
from mss_gateway.observe.events import Event
from mss_gateway.ops.doctor import Verdict
from mss_gateway.ops.health_login import TokenHealth
from mss_gateway.ports.identity import TokenClaims
from tests.support.tokens import of_a_stranger, options, trust_folder


@dataclass
class Scripted(Fetcher):
    """Answers as the issuer does, without a network; counts, and fails while `down`."""

    issuer: Issuer
    asked: list[str] = field(default_factory=list)
    down: bool = False
    gate: asyncio.Event | None = None

    async def get(self, url: str, bearer: Secret | None = None) -> Answer:
        """One GET."""
        self.asked.append(url.rpartition("/")[2])
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise FetchFailed("provider-unreachable", "it is away")
        told = self.issuer.key_set() if url.endswith("certs") else self.issuer.document()
        return Answer(200, orjson.dumps(told))

    async def close(self) -> None:
        """There is nothing to close."""


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    """A book, its scripted provider, and the time."""

    book: OidcBook
    fetcher: Scripted
    clock: Clock

    async def says(self, token: str = "") -> str:
        """`ok`, or the slug of the refusal."""
        found = await self.book.check(Secret(token or self.good()))
        return found.reason if isinstance(found, Refuse) else "ok"

    def good(self) -> str:
        """A token that needs no userinfo."""
        return self.fetcher.issuer.token(SubjectNameID=SUBJECT)

    @property
    def fetches(self) -> int:
        """Sets of keys that were fetched, or tried to."""
        return self.book.provider.state.fetches


class _Shape:
    """What `options` needs of a provider."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Nothing is known yet."""
    issuer, clock = Issuer("https://provider.example"), Clock()
    fetcher = Scripted(issuer)
    given: Any = _Shape(issuer)
    book = OidcBook(options(given, Path(), ca_files=()), fetcher, clock)
    yield Scene(book, fetcher, clock)
    await book.close()


@pytest.mark.req("ACC-2")
async def test_many_logins_at_once_cause_one_fetch(scene: Scene) -> None:
    """And a client that hangs up does not take it away from the others."""
    scene.fetcher.gate = asyncio.Event()
    waiting = [asyncio.create_task(scene.says()) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    scene.fetcher.gate.set()
    assert await asyncio.gather(*waiting[1:]) == ["ok"] * 49
    assert scene.fetches == 1


@pytest.mark.req("ACC-2")
async def test_unknown_kids_cause_no_storm(scene: Scene) -> None:
    """A thousand invented keys within the pause: one fetch; a known invention is refused for good."""
    assert await scene.says() == "ok"
    inventions = [of_a_stranger(scene.fetcher.issuer, f"inventée-{number}") for number in range(20)]
    said = [await scene.says(inventions[number % 20]) for number in range(1000)]
    assert scene.fetches == 2
    assert said[0] == "token-key-unknown"
    assert said[20] == "token-key-unknown"
    assert said[1] == "token-key-not-asked"
    assert await scene.says() == "ok"
    scene.clock.now += 31
    assert await scene.says(inventions[1]) == "token-key-unknown"
    assert scene.fetches == 3


@pytest.mark.req("ACC-2")
async def test_a_rotation_loses_no_login(scene: Scene) -> None:
    """A new key is fetched when its first token comes; tokens under the old one go on while it is published."""
    before = scene.good()
    assert await scene.says(before) == "ok"
    scene.fetcher.issuer.rotate()
    assert await scene.says(scene.good()) == "ok"
    assert await scene.says(before) == "ok"
    assert scene.fetches == 2
    scene.fetcher.issuer.rotate(keep=0)
    # Within the pause nothing can be said: the client is to try again, and then enters.
    assert await scene.says(scene.good()) == "token-key-not-asked"
    scene.clock.now += 31
    assert await scene.says(scene.good()) == "ok"
    scene.clock.now += 31
    assert await scene.says(before) == "token-key-unknown"


@pytest.mark.req("ACC-2")
async def test_the_last_good_keys_hold_while_the_provider_is_away_and_not_for_ever(scene: Scene) -> None:
    """24 hours by the setting; a new key cannot be judged meanwhile; then it comes back."""
    assert await scene.says() == "ok"
    scene.fetcher.down = True
    scene.clock.now += 23 * 3600
    assert await scene.says() == "ok"
    await asyncio.sleep(0)
    assert await scene.says(of_a_stranger(scene.fetcher.issuer)) == "provider-unreachable"
    scene.clock.now += 2 * 3600
    assert await scene.says() == "provider-unreachable"
    scene.fetcher.down = False
    scene.clock.now += 6
    assert await scene.says() == "ok"


async def test_cold_and_away_it_is_not_asked_at_every_login(scene: Scene) -> None:
    """A few seconds lie between two tries, so that logins do not wait for a timeout one after the other."""
    scene.fetcher.down = True
    for _ in range(10):
        assert await scene.says() == "provider-unreachable"
    assert scene.fetches == 1
    scene.fetcher.down = False
    scene.clock.now += 6
    assert await scene.says() == "ok"


async def test_old_keys_are_renewed_beside_the_login(scene: Scene) -> None:
    """After an hour the login does not wait for the fetch that it causes."""
    assert await scene.says() == "ok"
    scene.clock.now += 3601
    scene.fetcher.gate = asyncio.Event()
    assert await scene.says() == "ok"
    assert scene.fetches == 1
    await asyncio.sleep(0)
    assert scene.fetches == 2
    scene.fetcher.gate.set()


@pytest.mark.req("ACC-2")
async def test_a_document_of_another_issuer_is_not_believed(scene: Scene) -> None:
    """OpenID Connect Discovery 1.0 section 4.3."""
    document = {**scene.fetcher.issuer.document(), "issuer": "https://autre.example"}
    scene.fetcher.issuer.document = lambda: document  # type: ignore[method-assign]
    assert await scene.says() == "provider-nonsense"
    document = {
        **document,
        "issuer": scene.fetcher.issuer.issuer,
        "jwks_uri": "http://provider.example/certs",
    }
    scene.clock.now += 6
    assert await scene.says() == "provider-nonsense"
    assert "certs" not in scene.fetcher.asked


@pytest.mark.req("OPS-2")
async def test_the_doctor_tells_age_failure_and_next_step(scene: Scene) -> None:
    """Good, then doubtful while old keys hold, then bad."""
    health = TokenHealth(scene.book.examined)
    good, *rest = await health.examine()
    assert (good.verdict, rest) == (Verdict.GOOD, [])
    assert "1 keys, fetched 0 min ago" in good.evidence
    scene.fetcher.down = True
    scene.clock.now += 16
    doubt = (await health.examine())[0]
    assert doubt.verdict is Verdict.DOUBT
    assert "logins go on with 1 keys" in doubt.evidence
    scene.clock.now += 25 * 3600
    bad = (await health.examine())[0]
    assert bad.verdict is Verdict.BAD
    assert "firewall" in bad.next_step
    assert scene.fetches == 3
    await health.examine()
    assert scene.fetches == 3


@pytest.mark.req("AUD-4")
async def test_the_log_tells_once_that_it_is_away_and_once_that_it_is_back(scene: Scene) -> None:
    """Not at every try."""
    told: list[tuple[str, dict[str, object]]] = []

    class Heard:
        def warning(self, event: Event, **fields: object) -> None:
            told.append((event.value, fields))

    given: Any = Heard()
    scene.book.provider._log = given
    assert await scene.says() == "ok"
    scene.fetcher.down = True
    for _ in range(3):
        await scene.book.provider.refresh()
    scene.fetcher.down = False
    for _ in range(2):
        await scene.book.provider.refresh()
    assert told == [
        ("provider-silent", {"reason": "provider-unreachable", "sentence": "it is away"}),
        ("provider-back", {"keys": 1, "left_out": 0}),
    ]


# --- over the network


@pytest.fixture(scope="module")
def listening() -> Iterator[OpenIdProvider]:
    """One listener for the file."""
    with OpenIdProvider(trust_folder()) as found:
        yield found


@pytest.fixture
def provider(listening: OpenIdProvider) -> OpenIdProvider:
    """A real one, over TLS."""
    listening.reset()
    return listening


BROKEN: dict[str, tuple[Callable[[OpenIdProvider], None], str]] = {
    "error page": (lambda p: p.broken.update(certs=(500, b"<html>")), "provider-nonsense"),
    "no JSON": (lambda p: p.broken.update(certs=(200, b"<html>")), "provider-nonsense"),
    "no keys": (lambda p: p.broken.update(certs=(200, b'{"keys": []}')), "provider-nonsense"),
    "keys of text": (
        lambda p: p.broken.update(certs=(200, b'{"keys": ["a", 1, null]}')),
        "provider-nonsense",
    ),
    "deep": (lambda p: p.broken.update(certs=(200, b"[" * 100_000)), "provider-nonsense"),
    "huge": (lambda p: p.broken.update(certs=(200, b" " * 300_000)), "provider-too-large"),
    "elsewhere": (
        lambda p: p.broken.update(document=(302, b"https://localhost:1/certs")),
        "provider-redirected",
    ),
    "slow": (lambda p: setattr(p, "delay", 10.0), "provider-timeout"),
}


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("what", BROKEN)
async def test_a_provider_that_misbehaves_is_survived(provider: OpenIdProvider, what: str) -> None:
    """A temporary refusal, a slug for operators, and everything is right again afterwards."""
    disturb, failure = BROKEN[what]
    book = OidcBook(options(provider, timeout=2.0 if what == "slow" else 30.0))
    disturb(provider)
    refuse = await book.check(Secret(provider.issuer.token()))
    assert isinstance(refuse, Refuse)
    assert refuse.code == 454
    assert book.provider.state.failure == failure
    assert "localhost" in book.provider.state.sentence
    provider.broken.clear()
    provider.delay = 0.0
    await book.provider.refresh()
    assert isinstance(await book.check(Secret(provider.issuer.token())), TokenClaims)
    await book.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:99999/certs",
        "https://localhost:0/certs",
        "https://[::1/certs",
        "https://xn--/certs",
        "https://a..b/certs",
        "https://" + "a" * 300 + "/certs",
        "https://localhost:8443:1/certs",
        "https://%00/certs",
        "https://\u00e9.example/certs",
        "file:///etc/passwd",
        "http://localhost/certs",
        7,
        None,
    ],
)
async def test_a_document_with_an_odd_address_is_survived(provider: OpenIdProvider, url: object) -> None:
    """Whatever stands there: a temporary refusal."""
    document = {**provider.issuer.document(), "jwks_uri": url}
    provider.broken["document"] = (200, orjson.dumps(document))
    book = OidcBook(options(provider, timeout=2.0))
    refuse = await book.check(Secret(provider.issuer.token()))
    assert isinstance(refuse, Refuse)
    assert refuse.code == 454
    await book.close()


async def test_a_file_that_is_gone_is_told(provider: OpenIdProvider, tmp_path: Path) -> None:
    """The settings have seen it; then somebody removed it."""
    book = OidcBook(options(provider, ca_files=(tmp_path / "gone.pem",)))
    assert isinstance(await book.check(Secret(provider.issuer.token())), Refuse)
    assert book.provider.state.failure == "provider-files"
    await book.close()


async def test_its_certificate_and_its_name_are_verified(provider: OpenIdProvider) -> None:
    """Under other authorities, and under another name of the same host, it is a stranger."""
    strange = OidcBook(options(provider, ca_files=()))
    assert isinstance(await strange.check(Secret(provider.issuer.token())), Refuse)
    assert strange.provider.state.failure == "provider-tls"
    assert "oidc.ca" in strange.provider.state.sentence
    await strange.close()


async def test_nobody_there(provider: OpenIdProvider) -> None:
    """A port where nobody listens."""
    book = OidcBook(options(provider, document_url="https://localhost:9/x"))
    assert isinstance(await book.check(Secret(provider.issuer.token())), Refuse)
    assert book.provider.state.failure == "provider-unreachable"
    await book.close()


async def test_the_background_fetches_before_anybody_logs_in(provider: OpenIdProvider) -> None:
    """And closes what it has opened when it is cancelled."""
    book = OidcBook(options(provider))
    running = asyncio.create_task(book.run())
    await asyncio.sleep(0)
    await book.provider.refresh()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert provider.counts["certs"] == 1


# --- whatever comes

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
_CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "aud", "azp", "client_id", "exp", "nbf", "iat", "typ"]), _JSON
)


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    """A header or a refusal, nothing raised."""
    read_header(text, ("ES256",))


@settings(max_examples=100)
@given(_CLAIMS)
def test_no_claims_break_their_check(claims: dict[str, Any]) -> None:
    """Signed claims of any type: without all that is wanted they are refused."""
    given_options = options(_shape())
    assert check_claims(claims, given_options, 0.0, signed=True) is not None or "exp" in claims


_KEY = st.sampled_from(["kty", "kid", "use", "key_ops", "alg", "n", "e", "crv", "x", "y"])


@settings(max_examples=40)
@given(st.lists(st.dictionaries(_KEY, _JSON), max_size=3))
def test_no_key_set_breaks_its_reading(keys: list[dict[str, Any]]) -> None:
    """Keys of any shape: none of them is usable, and nothing is raised but that."""
    with pytest.raises(NotAKeySet):
        read_keys(_dumped({"keys": keys}))


def _dumped(value: object) -> bytes:
    import json

    return json.dumps(value).encode("utf-8", "replace")


def _shape() -> Any:
    return _Shape(_ISSUER)


_ISSUER = Issuer("https://provider.example")
