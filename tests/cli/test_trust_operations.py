"""What the operations of the trust space bear: wrong arguments, a list that bursts, hosts that never answer (TRU-8)."""

from __future__ import annotations

import asyncio
import base64
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mss_gateway.base.errors import GatewayError
from mss_gateway.ops import trust
from mss_gateway.ops.operation import NOT_FOUND, UNAVAILABLE, USAGE, OperationRefused
from mss_gateway.ops.trust import MAX_LIST, TrustOperations, packed
from tests.support.trust import FOREIGN


class Problem(GatewayError):
    """A refusal of the trust space, or of the relay."""

    reason = "no-mx"
    sentence = "the domain 285037728417346.example has no host"


@dataclass
class Desk:
    """Answers at once, but for hosts named `slow`, which wait for `go`."""

    asked: list[Any] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def apply(self, data: bytes | None, *, removals: bool) -> dict[str, Any]:
        """Keep what was given."""
        self.asked.append((data, removals))
        return {"domains": 1}

    def look(self, host: str, address: str, port: int, *, tls: bool) -> Any:
        """A look without a certificate."""
        self.asked.append((host, tls))
        if host == "slow":
            self.go.wait(60)
        return type("Seen", (), {"chain": ()})()

    def judge(self, host: str, address: str, port: int, sight: Any, domain: str | None) -> dict[str, Any]:
        """Its host."""
        return {"host": host, "accepted": True, "steps": [], "meetings": []}

    def sessions(self, limit: int) -> list[dict[str, Any]]:
        """None."""
        return []

    def diff(self, data: bytes | None, limit: int) -> dict[str, Any]:
        """No difference."""
        return {}

    def show(self, domain: str) -> None:
        """No domain is known."""

    async def ask(self, chain: Sequence[bytes]) -> None:
        """No responder."""

    def session_chain(self, session: str) -> Sequence[bytes]:
        """No session is known."""
        return ()

    def explain_session(self, session: str, domain: str | None) -> None:
        """No session is known."""


async def nowhere(domain: str) -> list[tuple[str, str, int]]:
    """A domain without hosts."""
    raise Problem


def operations(desk: Desk, exchangers: Any = nowhere, changed: Any = lambda: None) -> TrustOperations:
    """The operations at this desk."""
    return TrustOperations(desk, exchangers, changed)  # type: ignore[arg-type]


async def refused(answer: Any) -> OperationRefused:
    """The refusal that an operation ends with."""
    with pytest.raises(OperationRefused) as met:
        await answer
    return met.value


async def test_wrong_arguments_are_told() -> None:
    """A sentence and the exit code of a wrong usage, whatever stands there."""
    table = operations(Desk()).table()
    for name, arguments in (
        ("trust.explain", {}),
        ("trust.explain", {"certificates": ["!"]}),
        ("trust.explain", {"certificates": 5}),
        ("trust.explain", {"certificates": ["AAAA"], "role": "both"}),
        ("trust.explain", {"host": "x.example", "port": 70000}),
        ("trust.explain", {"host": "x.example", "port": True}),
        ("trust.explain", {"domain": "pas un domaine"}),
        ("trust.sessions", {"limit": 0}),
        ("trust.diff", {"limit": "many"}),
        ("trust.diff", {"list": "!"}),
        ("trust.diff", {"list": base64.b64encode(b"not packed").decode()}),
        ("trust.diff", {"list": packed(b"x" * 100)[:-12]}),
        ("trust.show", {}),
    ):
        assert (await refused(table[name](arguments))).exit_code == USAGE, arguments
    assert (await refused(table["trust.explain"]({"session": "x"}))).exit_code == NOT_FOUND


async def test_a_list_that_bursts_is_refused_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 MiB are enough for any list; a thousand times that from a small line are not unpacked."""
    desk = Desk()
    table = operations(desk).table()
    burst = base64.b64encode(zlib.compress(bytes(MAX_LIST + 1), 9)).decode()
    assert "larger" in (await refused(table["trust.apply"]({"list": burst}))).sentence
    assert desk.asked == []


async def test_a_change_of_the_list_is_told_once_it_is_in_force() -> None:
    """So that the line looks up what it remembers anew."""
    desk, told = Desk(), []
    table = operations(desk, changed=lambda: told.append(len(desk.asked))).table()
    await table["trust.apply"]({"list": packed(b"<x/>"), "removals": True})
    assert desk.asked == [(b"<x/>", True)]
    assert told == [1]


@pytest.mark.req("INS-7")
async def test_the_refusal_of_a_domain_without_hosts_holds_no_ins() -> None:
    """The sentence comes from below, and may name what was asked."""
    found = await refused(operations(Desk()).table()["trust.explain"]({"domain": FOREIGN}))
    assert (found.exit_code, found.reason) == (UNAVAILABLE, "no-mx")
    assert "285037728417346" not in found.sentence


@pytest.mark.req("TRU-8")
async def test_a_slow_host_delays_neither_the_loop_nor_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as too slow, the other one as it was found; the loop went on meanwhile."""
    monkeypatch.setattr(trust, "PATIENCE", 2.0)
    desk = Desk()

    async def two(domain: str) -> list[tuple[str, str, int]]:
        return [("slow", "192.0.2.1", 25), ("quick", "192.0.2.2", 25)]

    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    counting = asyncio.create_task(count())
    found = await operations(desk, two).table()["trust.explain"]({"domain": FOREIGN})
    counting.cancel()
    desk.go.set()
    assert [(one["host"], one["accepted"]) for one in found["peers"]] == [("slow", False), ("quick", True)]
    assert found["peers"][0]["steps"][0]["reason"] == "timeout"
    assert turns > 3


async def test_a_dns_that_is_silent_ends_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own sentence."""
    monkeypatch.setattr(trust, "LOOKUP", 0.05)

    async def never(domain: str) -> list[tuple[str, str, int]]:
        await asyncio.sleep(60)
        return []

    found = await refused(operations(Desk(), never).table()["trust.explain"]({"domain": FOREIGN}))
    assert found.reason == "dns-failure"
