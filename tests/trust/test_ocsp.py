"""Answers remembered: who is asked, how often, and what a silent responder means (TRU-2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mss_gateway.trust import ocsp as module
from mss_gateway.trust.guard import Trust
from tests.support.ocsp import (
    REVOKED,
    UNKNOWN,
    Responder,
    Voice,
    delegated,
    naming,
    over_http,
    refusal,
    responder,
)
from tests.support.pki import Issued, new_pki
from tests.support.trust import THEIRS, World, reason_of


@dataclass
class Clock:
    """The moment at which the test began; it may be turned forward."""

    began: float = field(default_factory=time.time)
    ahead: float = 0.0

    def __call__(self) -> float:
        """Epoch seconds."""
        return self.began + self.ahead


@dataclass
class Scene:
    """A trust space, a peer's certificate, and the responder that knows it."""

    world: World
    issued: Issued
    responder: Responder
    voice: Voice
    clock: Clock

    def trust(self, mode: str = "require", **changes: object) -> Trust:
        """The trust space with this mode."""
        options = replace(
            self.world.options,
            ocsp=mode,  # type: ignore[arg-type]
            ocsp_url=self.responder.url,
            ocsp_timeout=30.0,
        )
        return Trust(replace(options, **changes), self.clock)  # type: ignore[arg-type]

    def speaks(self, **changes: object) -> None:
        """From now on the responder speaks so."""
        self.responder.speaks(replace(self.voice, **changes), self.issued.certificate)  # type: ignore[arg-type]

    async def judged(self, trust: Trust) -> str:
        """The slug after asking, empty when the peer is in."""
        await trust.ask_status(self.issued.der)
        return reason_of(trust.identify(self.issued.der))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A good certificate and a responder that says so."""
    world = World(tmp_path)
    issued = world.pki.organisations.issue(THEIRS)
    voice = Voice(world.pki.organisations)
    with responder(voice, issued.certificate) as one:
        yield Scene(world, issued, one, voice, Clock())


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize("mode", ["try", "require"])
@pytest.mark.parametrize(
    ("status", "reason"), [(None, ""), (REVOKED, "certificate-revoked"), (UNKNOWN, "certificate-unknown")]
)
async def test_an_answer_decides(scene: Scene, mode: str, status: object, reason: str) -> None:
    """In both modes alike; the client and the server side of a certificate are one."""
    if status is not None:
        scene.speaks(status=status)
    trust = scene.trust(mode)
    assert await scene.judged(trust) == reason
    assert reason_of(trust.identify_server(scene.issued.der)) == reason
    refused = trust.check_operator(scene.issued.der)
    assert ((refused.code, refused.enhanced) if refused else None) == ((550, "5.7.1") if reason else None)
    assert trust.alarms() == ()
    assert len(scene.responder.asked) == 1


@pytest.mark.req("TRU-2")
async def test_off_asks_nobody(scene: Scene) -> None:
    """The default."""
    scene.speaks(status=REVOKED)
    assert await scene.judged(scene.trust("off")) == ""
    assert scene.responder.asked == []


@pytest.mark.req("TRU-2")
async def test_the_question_is_a_plain_post(scene: Scene) -> None:
    """RFC 6960 appendix A.1; the address may have a path and a query."""
    trust = scene.trust(ocsp_url=f"{scene.responder.url}/a?b=c#d")
    assert await scene.judged(trust) == ""
    (head,) = scene.responder.heads
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /ocsp/a?b=c http/1.1"
    assert "content-type: application/ocsp-request" in lines
    assert f"host: {scene.responder.url.split('/')[2]}" in lines


@pytest.mark.req("TRU-2")
async def test_the_certificate_names_its_responder(scene: Scene) -> None:
    """Where no address is configured; one that names none is passed over or put off."""
    named = naming(scene.world.pki.organisations, scene.issued, scene.responder.url)
    trust = scene.trust(ocsp_url="")
    await trust.ask_status(named.der)
    assert reason_of(trust.identify(named.der)) == ""
    assert len(scene.responder.asked) == 1
    assert await scene.judged(scene.trust("try", ocsp_url="")) == ""
    nameless = scene.trust(ocsp_url="")
    assert await scene.judged(nameless) == "ocsp-unavailable"
    (alarm,) = nameless.alarms()
    assert "set ocsp_url" in alarm.sentence


BAD: dict[str, bytes] = {
    "garbage": over_http(b"\x30\x03\x0a\x01\x00\x00"),
    "no-http": b"HELO\r\n\r\n",
    "hangs-up": b"",
    "cut-off": over_http(b"x" * 100)[:-50],
    "web-page": over_http(b"<html>", kind="text/html"),
    "redirect": over_http(b"", status="302 Found\r\nLocation: http://127.0.0.1:1/"),
    "server-fault": over_http(b"", status="500 no"),
    "try-later": over_http(refusal()),
    "huge-announced": over_http(b"x" * 70_000),
    "huge-unannounced": b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n"
    + b"x" * 100_000,
    "huge-header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
}


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize("octets", BAD.values(), ids=BAD)
async def test_what_is_no_answer_counts_as_none(scene: Scene, octets: bytes) -> None:
    """`try` goes on with the CRL alone, `require` puts the peer off; either way an alarm tells."""
    scene.responder.sends(octets)
    assert await scene.judged(scene.trust("try")) == ""
    required = scene.trust()
    assert await scene.judged(required) == "ocsp-unavailable"
    refused = required.check_operator(scene.issued.der)
    assert refused is not None
    assert (refused.code, refused.enhanced, refused.temporary) == (451, "4.7.5", True)
    (alarm,) = required.alarms()
    assert alarm.reason == "ocsp-unavailable"
    assert scene.responder.url in alarm.sentence


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize("manner", ["silent", "drip"])
async def test_a_responder_that_never_ends_is_given_up(scene: Scene, manner: str) -> None:
    """Whatever it sends meanwhile; it is not asked again at once."""
    scene.responder.manner = manner
    tried, required = scene.trust("try", ocsp_timeout=1.0), scene.trust(ocsp_timeout=1.0)
    assert await scene.judged(tried) == ""
    assert await scene.judged(required) == "ocsp-unavailable"
    assert await scene.judged(required) == "ocsp-unavailable"
    assert len(scene.responder.asked) == 2
    assert [alarm.reason for alarm in required.alarms()] == ["ocsp-unavailable"]


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize(
    "changes",
    [
        {"next_update": -0.1, "this_update": -2.0},
        {"this_update": 0.5},
        {"signer": new_pki(label="AUTRE").organisations.issued},
    ],
    ids=["expired", "future", "foreign"],
)
async def test_a_good_answer_that_does_not_count_lets_nobody_in(
    scene: Scene, changes: dict[str, object]
) -> None:
    """It is as if nothing had been said."""
    scene.speaks(**changes)
    assert await scene.judged(scene.trust()) == "ocsp-unavailable"


@pytest.mark.req("TRU-2")
async def test_a_revocation_by_an_impostor_shuts_nobody_out(scene: Scene) -> None:
    """Neither a foreign signer nor a delegate without the usage can say so."""
    signer = delegated(scene.world.pki.organisations, usage=False)
    scene.speaks(status=REVOKED, signer=signer, sent=[signer.certificate])
    assert await scene.judged(scene.trust("try")) == ""


@pytest.mark.req("TRU-2")
async def test_the_crl_stays_in_force(scene: Scene) -> None:
    """A good answer does not lift a revocation, nor does it make up for a CRL out of date."""
    trust = scene.trust()
    assert await scene.judged(trust) == ""
    scene.world.put_crls([scene.issued])
    trust.reload()
    assert await scene.judged(trust) == "certificate-revoked"
    scene.world.put_crl_files(scene.world.pki.organisations.stale_crl(), scene.world.pki.root.crl())
    assert await scene.judged(scene.trust()) == "crl-stale"


@pytest.mark.req("TRU-2")
async def test_a_revocation_by_ocsp_tells_more_than_a_stale_crl(scene: Scene) -> None:
    """Both refuse; the peer's operator must learn the one that a new CRL does not mend."""
    scene.speaks(status=REVOKED)
    scene.world.put_crl_files(scene.world.pki.organisations.stale_crl(), scene.world.pki.root.crl())
    assert await scene.judged(scene.trust()) == "certificate-revoked"


@pytest.mark.req("TRU-2")
async def test_nothing_is_asked_about_a_certificate_refused_anyway(scene: Scene) -> None:
    """A certificate of nobody must not send us to an address of its choice."""
    world = scene.world
    stranger = new_pki(label="AUTRE").organisations
    trust = scene.trust(ocsp_url="")
    ours = world.pki.organisations
    for authority, issued in ((stranger, stranger.issue(THEIRS)), (ours, ours.issue(THEIRS, key="weak"))):
        assert not await trust.ask_status(naming(authority, issued, scene.responder.url).der)
    world.put_crls([scene.issued])
    assert await scene.judged(scene.trust()) == "certificate-revoked"
    assert not await trust.ask_status(b"\x30\x00")
    assert scene.responder.asked == []


@pytest.mark.req("TRU-2")
async def test_who_was_not_asked_is_not_known(scene: Scene) -> None:
    """A judgement without a question is put off in both modes, so that no path can forget to ask."""
    for mode in ("try", "require"):
        assert reason_of(scene.trust(mode).identify(scene.issued.der)) == "ocsp-unavailable"


@pytest.mark.req("TRU-2")
async def test_simultaneous_questions_become_one(scene: Scene) -> None:
    """All of them learn the answer, and all of them that it changed the judgement."""
    scene.responder.manner = "held"
    trust = scene.trust()
    tasks = [asyncio.create_task(trust.ask_status(scene.issued.der)) for _ in range(20)]
    await scene.responder.reached()
    scene.responder.release.set()
    assert await asyncio.gather(*tasks) == [True] * 20
    assert len(scene.responder.asked) == 1
    assert not await trust.ask_status(scene.issued.der)


@pytest.mark.req("TRU-2")
async def test_one_who_leaves_while_asking_takes_nobody_along(scene: Scene) -> None:
    """The next one asks in its place."""
    scene.responder.manner = "held"
    trust = scene.trust()
    first = asyncio.create_task(trust.ask_status(scene.issued.der))
    await scene.responder.reached()
    second = asyncio.create_task(trust.ask_status(scene.issued.der))
    await asyncio.sleep(0)
    first.cancel()
    scene.responder.release.set()
    assert await second
    assert reason_of(trust.identify(scene.issued.der)) == ""
    assert len(scene.responder.asked) == 2


@pytest.mark.req("TRU-2")
async def test_a_silent_responder_holds_up_nobody_else(scene: Scene) -> None:
    """Other certificates are judged meanwhile, and whoever waits for the same one waits no longer than the first."""
    scene.responder.manner = "silent"
    trust = scene.trust("try", ocsp_timeout=4.0)
    waiting = [asyncio.create_task(scene.judged(trust)) for _ in range(3)]
    await scene.responder.reached()
    other = scene.world.pki.organisations.issue(THEIRS)
    scene.responder.speaks(scene.voice, other.certificate)
    await trust.ask_status(other.der)
    assert reason_of(trust.identify(other.der)) == ""
    assert not any(task.done() for task in waiting)
    assert await asyncio.gather(*waiting) == [""] * 3


@pytest.mark.req("TRU-2")
async def test_an_answer_is_believed_until_its_end(scene: Scene) -> None:
    """Then it is asked anew, and a responder that has fallen silent meanwhile does not prolong it."""
    trust = scene.trust()
    assert await scene.judged(trust) == ""
    scene.responder.sends(b"")
    scene.clock.ahead += 3000
    assert await scene.judged(trust) == ""
    assert len(scene.responder.asked) == 1
    scene.clock.ahead += 700
    assert reason_of(trust.identify(scene.issued.der)) == "ocsp-unavailable"
    assert await scene.judged(trust) == "ocsp-unavailable"
    assert len(scene.responder.asked) == 2
    scene.speaks(next_update=3.0)
    assert await scene.judged(trust) == "ocsp-unavailable"
    scene.clock.ahead += module.SILENT + module.AHEAD
    assert await scene.judged(trust) == ""
    assert trust.alarms() == ()
    assert len(scene.responder.asked) == 3


@pytest.mark.req("TRU-2")
@pytest.mark.parametrize(
    ("changes", "life"),
    [
        ({"next_update": 24.0 * 30}, 24 * 3600),
        ({"next_update": 0.001}, 60),
        ({"next_update": None}, 300),
        ({"next_update": 24.0, "status": UNKNOWN}, 600),
    ],
    ids=["a-month", "seconds", "no-end", "unknown"],
)
async def test_an_answer_is_believed_neither_too_long_nor_too_short(
    scene: Scene, changes: dict[str, object], life: int
) -> None:
    """At most a day, at least a minute, five minutes without an end, ten when the certificate is too new."""
    scene.speaks(**changes)
    trust = scene.trust()
    first = await scene.judged(trust)
    scene.clock.ahead += life - 10
    assert await scene.judged(trust) == first
    assert len(scene.responder.asked) == 1
    scene.clock.ahead += 20
    assert reason_of(trust.identify(scene.issued.der)) == "ocsp-unavailable"
    await scene.judged(trust)
    assert len(scene.responder.asked) == 2


@pytest.mark.req("TRU-2")
async def test_a_revocation_holds_until_a_newer_answer_lifts_it(scene: Scene) -> None:
    """Silence does not, nor does an older good answer that is played again."""
    scene.speaks(status=REVOKED, this_update=-0.5)
    trust = scene.trust("try")
    assert await scene.judged(trust) == "certificate-revoked"
    scene.clock.ahead += 2 * 3600
    scene.responder.sends(b"")
    assert await scene.judged(trust) == "certificate-revoked"
    scene.clock.ahead += 100
    scene.speaks(this_update=-1.0, next_update=10.0)
    assert await scene.judged(trust) == "certificate-revoked"
    assert "older than the revocation" in trust.alarms()[0].sentence
    scene.clock.ahead += 100
    scene.speaks(this_update=-0.1, next_update=10.0)
    assert await scene.judged(trust) == ""


@pytest.mark.req("TRU-2")
async def test_what_is_remembered_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate used longest ago is forgotten, and asked about again."""
    monkeypatch.setattr(module, "KEPT", 2)
    others = [scene.world.pki.organisations.issue(THEIRS) for _ in range(2)]
    everyone = (scene.issued, *others)
    scene.responder.speaks(scene.voice, *(one.certificate for one in everyone))
    trust = scene.trust()
    for one in (*everyone[:2], scene.issued, others[1], scene.issued):
        await trust.ask_status(one.der)
        assert reason_of(trust.identify(one.der)) == ""
    assert len(scene.responder.asked) == 3
    assert reason_of(trust.identify(others[0].der)) == "ocsp-unavailable"


@pytest.mark.req("TRU-2")
async def test_alarms_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses certificates may name."""
    monkeypatch.setattr(module, "MAX_ALARMS", 2)
    trust = scene.trust(ocsp_url="")
    for number in range(4):
        issued = scene.world.pki.organisations.issue(THEIRS)
        named = naming(scene.world.pki.organisations, issued, f"ldap://127.0.0.1/{number}")
        await trust.ask_status(named.der)
    assert len(trust.alarms()) == 2
