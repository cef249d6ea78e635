"""The gatekeeper of the ops door on a clock of its own (ACC-3, OPS-4)."""

import base64
import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ops import http_auth
from mss_gateway.ops.http_auth import SLOWDOWN, Gatekeeper, Verdict, _token_of
from mss_gateway.ops.http_options import HttpOptions, MailServices

FREE = 3  # failures that cost a source nothing but the wait for their answers
TOKEN = "un-jeton-de-vingt-signes-ou-plus"
HERE = "192.0.2.1"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def options(tmp_path: Path) -> HttpOptions:
    """An administrator's token, and a DN."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n", encoding="ascii")
    return HttpOptions((), MailServices("i", "s"), frozenset(), token, token, token, frozenset({"cn=ops"}))


async def dn_of(certificate: bytes) -> str | None:
    """Whom a certificate speaks for, None when it is not accepted."""
    return {b"ops": "cn=ops", b"other": "cn=other"}.get(certificate)


def basic(password: str) -> str:
    """The field of a browser."""
    return "Basic " + base64.b64encode(f"ops:{password}".encode()).decode()


@pytest.mark.req("ACC-3", "OPS-4")
async def test_waits_double_end_and_are_forgotten(options: HttpOptions) -> None:
    """A source that fails waits longer each time, others do not; success and time wipe it out."""
    clock = Clock()
    gate = Gatekeeper(options, dn_of, clock, wait=0)
    for _ in range(FREE + 1):
        assert await gate.judge(HERE, None, basic("wrong")) is Verdict.ASK
    assert await gate.judge(HERE, None, basic(TOKEN)) is Verdict.WAIT
    assert await gate.judge("192.0.2.2", None, basic(TOKEN)) is Verdict.LET_IN
    clock.now += 2.0
    assert await gate.judge(HERE, None, basic("wrong")) is Verdict.ASK
    clock.now += 3.0
    assert await gate.judge(HERE, None, basic(TOKEN)) is Verdict.WAIT
    clock.now += SLOWDOWN.most
    assert await gate.judge(HERE, None, basic(TOKEN)) is Verdict.LET_IN
    assert await gate.judge(HERE, None, basic("wrong")) is Verdict.ASK
    assert await gate.judge(HERE, None, basic(TOKEN)) is Verdict.LET_IN
    for _ in range(FREE):
        assert await gate.judge(HERE, None, basic("wrong")) is Verdict.ASK
    clock.now += SLOWDOWN.forget + 1
    assert await gate.judge(HERE, None, basic("wrong")) is Verdict.ASK
    assert await gate.judge(HERE, None, basic(TOKEN)) is Verdict.LET_IN


@pytest.mark.req("ACC-3")
async def test_sources_are_networks_and_bounded(
    options: HttpOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An IPv6 /64 is one guesser; many guessers cost bounded memory."""
    monkeypatch.setattr(http_auth, "SLOWDOWN", replace(SLOWDOWN, records=10))
    gate = Gatekeeper(options, dn_of, Clock(), wait=0)
    for number in range(FREE + 1):
        await gate.judge(f"2001:db8::{number:x}", None, basic("wrong"))
    assert await gate.judge("2001:db8::ffff", None, basic(TOKEN)) is Verdict.WAIT
    for number in range(50):
        await gate.judge(f"198.51.100.{number}", None, basic("wrong"))
    assert len(gate._failures) == 10


@pytest.mark.req("OPS-4")
async def test_certificates_tokens_and_nothing(options: HttpOptions) -> None:
    """A listed DN needs no token; without the file nobody comes in; no administrator at all closes the page."""
    gate = Gatekeeper(options, dn_of, wait=0)
    assert await gate.judge(HERE, b"ops", "") is Verdict.LET_IN
    assert await gate.judge(HERE, b"other", "") is Verdict.ASK
    assert await gate.judge(None, b"revoked", f"bearer {TOKEN}") is Verdict.LET_IN
    assert options.token_file is not None
    options.token_file.unlink()
    for empty in ("Bearer ", basic(""), basic(TOKEN)):
        assert await gate.judge("192.0.2.9", None, empty) is Verdict.ASK
    closed = Gatekeeper(replace(options, token_file=None, admin_dns=frozenset()), dn_of, wait=0)
    assert await closed.judge(HERE, b"ops", basic(TOKEN)) is Verdict.CLOSED


@pytest.mark.req("OPS-4")
def test_neighbours(options: HttpOptions) -> None:
    """Networks in both families, mapped addresses, and what is no address."""
    networks = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))
    gate = Gatekeeper(replace(options, metrics_from=networks), dn_of)
    for inside in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"):
        assert gate.is_neighbour(inside)
    for outside in ("198.51.100.1", "fe80::1%eth0", "unix", "", None):
        assert not gate.is_neighbour(outside)


@settings(max_examples=100)
@given(
    st.text(max_size=80)
    | st.text(max_size=60).map("Basic {}".format)
    | st.text(max_size=60).map("Bearer {}".format)
)
def test_any_field_is_a_token_or_none(field: str) -> None:
    """Never an exception."""
    assert isinstance(_token_of(field), bytes)
