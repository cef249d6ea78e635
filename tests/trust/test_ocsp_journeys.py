"""OCSP over real TLS sockets: who may deliver to us, and whom we deliver to (TRU-2, TRU-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mss_gateway.app import ground
from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.relay import connection
from mss_gateway.relay.courier import RelayCourier
from mss_gateway.settings import Settings
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.ocsp import SILENT
from tests.support.doors import Served, gateway_in_thread
from tests.support.letters import MEDECIN, SENDER, letter
from tests.support.ocsp import REVOKED, UNKNOWN, Responder, Voice, over_http, refusal, responder
from tests.support.pki import Issued
from tests.support.relay import Neighbour, neighbour, options
from tests.support.relay import letter as outgoing
from tests.support.trust import THEIRS, World
from tests.support.wires import Smtp


@dataclass
class Scene:
    """The neighbour's certificate, the responder that knows it, and a clock that is `ahead` seconds fast."""

    world: World
    issued: Issued
    responder: Responder
    voice: Voice
    ahead: float = 0.0

    def clock(self) -> float:
        """Epoch seconds."""
        return time.time() + self.ahead

    def speaks(self, **changes: object) -> None:
        """From now on the responder speaks so."""
        self.responder.speaks(replace(self.voice, **changes), self.issued.certificate)  # type: ignore[arg-type]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A good certificate and a responder that says so."""
    world = World(tmp_path / "space")
    issued = world.pki.organisations.issue(THEIRS)
    voice = Voice(world.pki.organisations)
    with responder(voice, issued.certificate) as one:
        yield Scene(world, issued, one, voice)


# --- inbound


Open = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def gateway(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Gives a gateway in the scene's trust space, with this mode."""
    monkeypatch.setattr(ground, "Trust", lambda options: Trust(options, scene.clock))

    @contextmanager
    def start(mode: str, timeout: float = 30.0) -> Iterator[Served]:
        def change(settings: Settings) -> Settings:
            trust = replace(
                scene.world.options,
                ocsp=mode,  # type: ignore[arg-type]
                ocsp_url=scene.responder.url,
                ocsp_timeout=timeout,
            )
            return replace(settings, trust=trust)

        with gateway_in_thread(tmp_path / "gateway", change) as served:
            yield served

    return start


def caller(scene: Scene, served: Served, issued: Issued | None = None) -> Smtp:
    """A session of the neighbour, past EHLO under mutual TLS."""
    wire = Smtp(served.handout.ports.mta)
    wire.hello()
    wire.start_tls(scene.world.peer_context(issued or scene.issued))
    wire.hello()
    return wire


MAIL = f"MAIL FROM:<{SENDER}>"


@pytest.mark.req("TRU-1", "TRU-2")
def test_an_operator_with_a_good_answer_delivers(scene: Scene, gateway: Open) -> None:
    """Trust once, however many letters and connections there are; and not before there is a letter."""
    with gateway("require") as served:
        for _ in range(2):
            wire = caller(scene, served)
            for _ in range(2):
                assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
            wire.close()
        assert len(scene.responder.asked) == 1
        assert served.faults() == 0


@pytest.mark.req("TRU-1", "TRU-2", "TRU-6")
@pytest.mark.parametrize("mode", ["try", "require"])
@pytest.mark.parametrize(
    ("status", "words"), [(REVOKED, "has been revoked"), (UNKNOWN, "does not know the certificate")]
)
def test_an_operator_with_a_bad_answer_is_refused(
    scene: Scene, gateway: Open, mode: str, status: object, words: str
) -> None:
    """Although the CRL knows nothing of it; in words that its operator can act on."""
    scene.speaks(status=status)
    with gateway(mode) as served:
        wire = caller(scene, served)
        reply = wire.command(MAIL)
        assert reply.startswith("550 5.7.1 ")
        assert words in reply
        assert wire.command("NOOP").startswith("250")
        wire.close()


@pytest.mark.req("TRU-1", "TRU-2")
def test_without_an_answer_the_operator_is_put_off_and_comes_back(scene: Scene, gateway: Open) -> None:
    """451 4.7.5 when an answer is required; a letter a little later finds the responder well again."""
    scene.responder.sends(over_http(refusal()))
    with gateway("require") as served:
        wire = caller(scene, served)
        reply = wire.command(MAIL)
        assert reply.startswith("451 4.7.5 ")
        assert "OCSP" in reply
        assert [alarm.reason for alarm in served.parts.trust.alarms()] == ["ocsp-unavailable"]
        scene.speaks()
        scene.ahead = SILENT + 3.0
        assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
        assert served.parts.trust.alarms() == ()
        wire.close()


@pytest.mark.req("TRU-1", "TRU-2")
def test_without_an_answer_the_crl_alone_counts_when_that_is_chosen(scene: Scene, gateway: Open) -> None:
    """And it does count: the one it names stays outside."""
    scene.responder.sends(b"")
    bad = scene.world.pki.organisations.issue(THEIRS)
    with gateway("try") as served:
        wire = caller(scene, served)
        assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
        wire.close()
        wire = caller(scene, served, bad)
        scene.world.put_crls([bad])
        served.parts.trust.reload()
        reply = wire.command(MAIL)
        assert reply.startswith("550 5.7.1 ")
        assert "revoked" in reply
        wire.close()


@pytest.mark.req("TRU-1", "TRU-2")
def test_one_who_waits_for_a_silent_responder_holds_up_nobody(scene: Scene, gateway: Open) -> None:
    """Another operator delivers meanwhile; and the one who waited goes on when the answer comes."""
    other = scene.world.pki.organisations.issue(THEIRS)
    scene.responder.speaks(scene.voice, scene.issued.certificate, other.certificate)
    with gateway("require", timeout=30.0) as served:
        good = caller(scene, served)
        assert good.command(MAIL).startswith("250")
        assert good.command("RSET").startswith("250")
        scene.responder.manner = "held"
        waiting = caller(scene, served, other)
        waiting.send(MAIL.encode() + b"\r\n")
        while len(scene.responder.asked) < 2:
            assert waiting.quiet(0.01)
        assert good.deliver(SENDER, MEDECIN, letter()).startswith("250")
        assert waiting.quiet(0.01)
        scene.responder.release.set()
        assert waiting.reply().startswith("250")
        good.close()
        waiting.close()
        assert served.faults() == 0


@pytest.mark.req("TRU-1", "TRU-2")
def test_a_peer_that_leaves_while_it_is_asked_about_does_no_harm(scene: Scene, gateway: Open) -> None:
    """The gateway serves on, and stops in good order."""
    scene.responder.manner = "silent"
    with gateway("require", timeout=1.0) as served:
        wire = caller(scene, served)
        wire.send(MAIL.encode() + b"\r\n")
        assert scene.responder.met.wait(60)
        wire.close()
        wire = caller(scene, served)
        assert wire.command(MAIL).startswith("451")
        wire.close()
        assert served.faults() == 0


@pytest.mark.req("BAL-4", "TRU-2")
@pytest.mark.parametrize(("status", "code"), [(REVOKED, "535 5.7.8"), (None, "454 4.7.0")])
def test_a_login_by_certificate_is_asked_about_as_well(
    scene: Scene, gateway: Open, status: object, code: str
) -> None:
    """On the submission port: revoked for good, or put off."""
    if status is None:
        scene.responder.sends(b"")
    else:
        scene.speaks(status=status)
    with gateway("require") as served:
        wire = Smtp(served.handout.ports.submission)
        wire.hello()
        wire.start_tls(scene.world.peer_context(scene.issued))
        wire.hello()
        assert wire.command("AUTH EXTERNAL =").startswith(code)
        assert len(scene.responder.asked) == 1
        wire.close()


# --- outbound


def only(outcomes: tuple[Outcome, ...]) -> tuple[Fate, str, str]:
    """Fate, reason and status of the one outcome."""
    (one,) = outcomes
    return one.fate, one.reason, one.status


class Carrying:
    """A courier that asks about the neighbour's server."""

    def __init__(self, scene: Scene, port: int, mode: str) -> None:
        chosen = replace(scene.world.options, ocsp=mode, ocsp_url=scene.responder.url)  # type: ignore[arg-type]
        self.trust = Trust(chosen, scene.clock)
        self.courier = RelayCourier(options(port), self.trust)

    async def carry(self) -> tuple[Fate, str, str]:
        """One letter."""
        return only(await self.courier.deliver(outgoing()))


@asynccontextmanager
async def carrying(scene: Scene, mode: str, hooks: Neighbour) -> AsyncIterator[Carrying]:
    """Ends with nothing left open."""
    async with neighbour(scene.world, hooks, issued=scene.issued) as port:
        made = Carrying(scene, port, mode)
        yield made
        assert made.courier.pool.busy == 0
        await made.courier.close()


@pytest.mark.req("TRU-2", "TRU-5")
async def test_letters_go_to_a_server_with_a_good_answer(scene: Scene) -> None:
    """Trust once for all letters over the connection."""
    hooks = Neighbour()
    async with carrying(scene, "require", hooks) as ours:
        for _ in range(3):
            assert (await ours.carry())[0] is Fate.SENT
    assert len(hooks.mail) == 3
    assert hooks.connections == 1
    assert len(scene.responder.asked) == 1


@pytest.mark.req("TRU-2", "TRU-5", "TRU-6")
@pytest.mark.parametrize("mode", ["try", "require"])
@pytest.mark.parametrize(
    ("status", "reason"), [(REVOKED, "certificate-revoked"), (UNKNOWN, "certificate-unknown")]
)
async def test_no_letter_goes_to_a_server_with_a_bad_answer(
    scene: Scene, mode: str, status: object, reason: str
) -> None:
    """Tried later, as every trust reason; no connection is kept."""
    scene.speaks(status=status)
    hooks = Neighbour()
    async with carrying(scene, mode, hooks) as ours:
        assert await ours.carry() == (Fate.TRY_LATER, reason, "4.7.5")
        assert ours.courier.pool.idle == 0
    assert hooks.mail == []


@pytest.mark.req("TRU-2", "TRU-5")
async def test_without_an_answer_letters_wait_or_go_by_the_crl(scene: Scene) -> None:
    """As chosen; and they go once the responder is well again."""
    scene.responder.sends(b"")
    hooks = Neighbour()
    async with carrying(scene, "try", hooks) as ours:
        assert (await ours.carry())[0] is Fate.SENT
    async with carrying(scene, "require", hooks) as ours:
        assert await ours.carry() == (Fate.TRY_LATER, "ocsp-unavailable", "4.7.5")
        scene.speaks()
        scene.ahead += SILENT + 3.0
        assert (await ours.carry())[0] is Fate.SENT
    assert len(hooks.mail) == 2


@pytest.mark.req("TRU-2", "TRU-5")
@pytest.mark.parametrize("mode", ["try", "require"])
async def test_a_kept_connection_is_asked_about_when_its_answer_has_run_out(
    scene: Scene, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server revoked meanwhile gets nothing more, a good one goes on; the hours between pass at once here."""
    monkeypatch.setattr(connection, "_MOMENT", 0.0)
    hooks = Neighbour()
    async with carrying(scene, mode, hooks) as ours:
        assert (await ours.carry())[0] is Fate.SENT
        scene.ahead += 3700
        scene.speaks(next_update=10.0)
        assert (await ours.carry())[0] is Fate.SENT
        assert len(scene.responder.asked) == 2
        scene.ahead += 9 * 3600
        scene.speaks(status=REVOKED, this_update=0.0, next_update=20.0)
        assert await ours.carry() == (Fate.TRY_LATER, "certificate-revoked", "4.7.5")
    assert len(hooks.mail) == 2


@pytest.mark.req("QUE-2", "TRU-2")
async def test_a_letter_that_waits_for_a_silent_responder_holds_up_no_other(scene: Scene) -> None:
    """Another operator's letter goes meanwhile, and one question serves all who wait."""
    hooks = Neighbour()
    other = scene.world.pki.organisations.issue(THEIRS)
    async with (
        carrying(scene, "require", hooks) as ours,
        neighbour(scene.world, hooks, issued=other) as port,
    ):
        scene.responder.manner = "held"
        waiting = [asyncio.create_task(ours.carry()) for _ in range(3)]
        await scene.responder.reached()
        asked = len(scene.responder.asked)
        scene.responder.speaks(scene.voice, scene.issued.certificate, other.certificate)
        elsewhere = RelayCourier(options(port), ours.trust)
        assert only(await elsewhere.deliver(outgoing()))[0] is Fate.SENT
        assert not any(task.done() for task in waiting)
        scene.responder.release.set()
        assert [fate for fate, _, _ in await asyncio.gather(*waiting)] == [Fate.SENT] * 3
        await elsewhere.close()
        assert (asked, len(scene.responder.asked)) == (1, 2)
