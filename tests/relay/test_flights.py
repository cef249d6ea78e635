"""Letters in one flight behind others on the same connection: when, and what a loss makes of them (QUE-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.relay import flights
from tests.support.playback import Player, Step, bare, descriptors, played, steps
from tests.support.relay import HEADER, courier, letter, options
from tests.support.trust import THEIRS, World

TEXT = b"bonjour\r\n.\r\nfin\r\n"
OFFERS = ("PIPELINING", "CHUNKING", "DSN")
SENT, LATER, FAILED, UNCERTAIN = Fate.SENT, Fate.TRY_LATER, Fate.FAILED, Fate.UNCERTAIN
MAIL, RCPT, TAKEN = b"250 2.1.0 OK\r\n", b"250 2.1.5 OK\r\n", b"250 2.0.0 taken\r\n"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A fresh folder over the shared hierarchy, and sockets that pass for TLS."""
    made = World(tmp_path)
    bare(monkeypatch, made.pki.organisations.issue(THEIRS).certificate.public_bytes(Encoding.DER))
    return made


@dataclass
class Ear(Player):
    """Keeps what comes in, as it comes."""

    pieces: list[bytes] = field(default_factory=list)

    def data_received(self, data: bytes) -> None:
        """Keep it, then play."""
        self.pieces.append(data)
        super().data_received(data)

    @property
    def flights(self) -> list[bool]:
        """For each MAIL, whether the content came with it."""
        heard = [piece for piece in self.pieces if b"MAIL FROM" in piece]
        return [b"BDAT" in piece for piece in heard]


def one(
    text: bytes = TEXT, *, mail: bytes = MAIL, rcpt: Sequence[bytes] = (RCPT,), end: bytes = TAKEN
) -> list[Step]:
    """One letter of a session that pipelines and takes chunks; `END` is the end of its content."""
    size = len(HEADER + text)
    people = [Step("RCPT", answer) for answer in rcpt]
    return [Step("MAIL", mail), *people, Step("BDAT", b""), Step("END", end, octets=size)]


def session(*letters: list[Step], offers: Sequence[str] = OFFERS) -> list[Step]:
    """From the greeting on, with these letters."""
    return [*steps(offers)[:4], *(step for each in letters for step in each)]


def proved(*letters: list[Step], offers: Sequence[str] = OFFERS) -> list[Step]:
    """Two letters that are taken, whose ends do not count, then these."""
    before = [
        step if step.name != "END" else Step("TAKEN", step.answer, octets=step.octets) for step in one()
    ]
    return session(before, before, *letters, offers=offers)


async def told(
    world: World, players: Sequence[Player], texts: Sequence[bytes], people: Sequence[str] = ("dr",)
) -> list[tuple[Outcome, ...]]:
    """Deliver letters with these texts, the last one to `people`; nothing is left open or running afterwards."""
    before = descriptors()
    async with played(players) as port, courier(world, options(port)) as ours:
        found = [await ours.deliver(letter(text)) for text in texts[:-1]]
        found.append(await ours.deliver(letter(texts[-1], *people)))
    for player in players:
        await asyncio.wait_for(player.gone.wait(), 60.0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert descriptors() == before
    return found


def fates(found: Sequence[tuple[Outcome, ...]]) -> list[Fate]:
    """All fates, in order."""
    return [outcome.fate for outcomes in found for outcome in outcomes]


@pytest.mark.req("QUE-1", "RTE-7")
async def test_a_letter_right_behind_two_others_goes_in_one_flight(world: World) -> None:
    """Octet for octet; those that prove the connection do not."""
    ear = Ear(proved(one(), one()))
    found = await told(world, [ear], [TEXT] * 4)
    assert fates(found) == [SENT] * 4
    assert ear.flights == [False, False, True, True]
    (flight,) = [piece for piece in ear.pieces if b"MAIL" in piece and b"BDAT" in piece][:1]
    assert flight.endswith(b"BDAT %d LAST\r\n" % len(HEADER + TEXT) + HEADER + TEXT)


async def spoilt(world: World, players: Sequence[Player]) -> None:
    """To each player two letters that arrive, and a third one that is uncertain."""
    before = descriptors()
    async with played(players) as port, courier(world, options(port)) as ours:
        for number, player in enumerate(players):
            found = [await ours.deliver(letter(TEXT)) for _ in range(3)]
            assert fates(found) == [SENT, SENT, UNCERTAIN], number
            await asyncio.wait_for(player.gone.wait(), 60.0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert descriptors() == before


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("leave", ["close", "reset", "half"])
async def test_it_leaves_at_every_octet_of_a_flight(
    world: World, leave: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the letter of the flight is uncertain, until the last octet of the last answer; never the ones before.

    What it may have heard whole is never told as if it had not been sent.
    """
    monkeypatch.setattr(flights, "CAREFUL", -1.0)  # so that every connection comes to a flight
    script = proved(one())
    good = Ear(script)
    assert fates(await told(world, [good], [TEXT] * 3)) == [SENT] * 3
    answers = sum(len(step.answer) for step in one())
    flight = next(len(piece) for piece in good.pieces if b"MAIL" in piece and b"BDAT" in piece)
    end = good.heard - len(b"QUIT\r\n")
    mute = [Player(script, says=octets, leave=leave) for octets in range(good.said - answers, good.said)]
    deaf = [Player(script, hears=octets, leave=leave) for octets in range(end - flight + 1, end)]
    await spoilt(world, [*mute, *deaf])
    assert not any(player.whole for player in deaf)


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("at", ["MAIL", "RCPT"])
async def test_a_server_that_closes_before_the_content_has_not_taken_it(world: World, at: str) -> None:
    """421 answers MAIL or RCPT: what follows is not looked at, and the letter goes over a new connection at once."""
    gone = b"421 4.3.2 closing\r\n"
    last = one(mail=gone)[:1] if at == "MAIL" else one(rcpt=(gone,))[:2]
    second = Ear(session(one()))
    assert fates(await told(world, [Ear(proved(last)), second], [TEXT] * 3)) == [SENT] * 3
    assert second.flights == [False]


@pytest.mark.req("QUE-1")
async def test_after_a_loss_the_host_gets_the_envelope_first(world: World) -> None:
    """However many letters its connections have carried since."""
    lost = proved(one())
    first = Ear(lost, says=sum(len(step.answer) for step in lost) - 1)
    second = Ear(session(*[one()] * 4))
    found = await told(world, [first, second], [TEXT] * 7)
    assert fates(found) == [SENT, SENT, UNCERTAIN, SENT, SENT, SENT, SENT]
    assert first.flights == [False, False, True]
    assert second.flights == [False] * 4


LARGE = b"x" * 78 + b"\r\n"


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("text", [LARGE * 200, b"Rcpt to:<a@b.example>\r\n", b"=?x?q?\r\n rcPT\r\n"])
async def test_large_letters_and_those_with_the_word_of_a_command_wait(world: World, text: bytes) -> None:
    """A server that takes a content it should pass over for commands must find none."""
    ear = Ear(proved(one(text)))
    assert fates(await told(world, [ear], [TEXT, TEXT, text])) == [SENT] * 3
    assert ear.flights == [False] * 3


@pytest.mark.parametrize("offers", [("CHUNKING",), ("PIPELINING",)])
async def test_a_server_that_does_not_offer_both_gets_the_envelope_first(
    world: World, offers: Sequence[str]
) -> None:
    """PIPELINING and CHUNKING are what allows it."""
    letters = [steps(offers, len(HEADER + TEXT))[4:]] * 4
    ear = Ear([*steps(offers)[:4], *(step for each in letters for step in each)])
    assert fates(await told(world, [ear], [TEXT] * 4)) == [SENT] * 4
    assert ear.flights == [False] * 4


async def test_a_connection_that_has_rested_is_not_trusted_with_a_flight(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be stale."""
    monkeypatch.setattr(flights, "FRESH", -1.0)
    ear = Ear(proved(one()))
    assert fates(await told(world, [ear], [TEXT] * 3)) == [SENT] * 3
    assert ear.flights == [False] * 3


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (one(rcpt=(RCPT, b"550 5.1.1 no\r\n")), [SENT, FAILED]),
        (one(rcpt=(RCPT, RCPT), end=b"451 4.3.0 later\r\n"), [LATER, LATER]),
        (one(rcpt=(b"450 4.2.0 x\r\n", RCPT), end=b"554 5.6.0 no\r\n"), [LATER, FAILED]),
        (
            one(rcpt=(b"550 5.1.1 no\r\n", b"450 4.2.0 x\r\n"), end=b"554 5.5.1 nobody\r\n"),
            [FAILED, LATER],
        ),
        (
            one(mail=b"550 5.7.1 no\r\n", rcpt=[b"503 5.5.1 x\r\n"] * 2, end=b"503 5.5.1 x\r\n"),
            [LATER, LATER],
        ),
        (one(rcpt=(RCPT, RCPT), end=b"421 4.3.2 closing\r\n"), [LATER, LATER]),
        (one(rcpt=(RCPT, b"354 what\r\n"))[:3], [UNCERTAIN, UNCERTAIN]),
        (one(rcpt=(b"550 5.1.1 no\r\n", b"what\r\n"))[:3], [FAILED, UNCERTAIN]),
        (one(rcpt=[b"550 5.1.1 no\r\n"] * 2), [FAILED, FAILED]),
    ],
)
async def test_each_recipient_of_a_flight_has_its_own_answer(
    world: World, last: list[Step], expected: list[Fate]
) -> None:
    """What was refused stays refused whatever is said of the content; a content taken for nobody ends the session."""
    found = await told(world, [Ear(proved(last))], [TEXT] * 3, ("a", "b"))
    assert fates(found) == [SENT, SENT, *expected]


async def test_after_a_letter_for_nobody_the_session_goes_on_carefully(world: World) -> None:
    """With RSET, and the envelope first."""
    refused = one(rcpt=(b"550 5.1.1 no\r\n",), end=b"554 5.5.1 nobody\r\n")
    ear = Ear(proved(refused, [Step("RSET", b"250 2.0.0 OK\r\n"), *one()]))
    assert fates(await told(world, [ear], [TEXT] * 4)) == [SENT, SENT, FAILED, SENT]
    assert ear.flights == [False, False, True, False]
