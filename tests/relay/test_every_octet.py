"""A server that leaves at every octet of a good session, in both directions (QUE-1)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mss_gateway.ports.relay import Fate
from mss_gateway.relay.dialled import Dialled
from tests.support.playback import Player, Step, bare, descriptors, given_back, played, steps
from tests.support.relay import HEADER, PATIENT, courier, letter, options
from tests.support.trust import THEIRS, World

TEXT = b"bonjour\r\n.\r\nfin\r\n"
MODES = {
    "plain": steps(),
    "pipelined": steps(["PIPELINING", "SIZE 1000000", "DSN"]),
    "chunked": steps(["PIPELINING", "CHUNKING"], len(HEADER + TEXT)),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A fresh folder over the shared hierarchy, and sockets that pass for TLS."""
    made = World(tmp_path)
    bare(monkeypatch, made.pki.organisations.issue(THEIRS).certificate.public_bytes(Encoding.DER))
    return made


async def fates(world: World, players: list[Player]) -> list[tuple[Fate, str]]:
    """Deliver one letter to each player; nothing is left open or running afterwards."""
    told = []
    before = descriptors()
    async with played(players) as port, courier(world, options(port), messages=1) as ours:
        for player in players:
            (outcome,) = await ours.deliver(letter(TEXT))
            told.append((outcome.fate, outcome.reason))
            await asyncio.wait_for(player.gone.wait(), 30.0)
    assert await given_back(before)
    return told


async def good(world: World, script: list[Step]) -> Player:
    """The session as it should be."""
    player = Player(script)
    assert await fates(world, [player]) == [(Fate.SENT, "sent")]
    return player


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("leave", ["close", "reset", "half"])
async def test_it_leaves_after_saying_so_many_octets(world: World, mode: str, leave: str) -> None:
    """Nobody knows only when all but the last answer was said; then never anything else."""
    script = MODES[mode]
    whole = await good(world, script)
    last = whole.said - len(script[-1].answer)
    players = [Player(script, says=octets, leave=leave) for octets in range(whole.said)]
    for player, (fate, _) in zip(players, await fates(world, players), strict=True):
        assert player.whole == (player.says >= last)
        assert fate is (Fate.UNCERTAIN if player.whole else Fate.TRY_LATER), player.says


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("leave", ["close", "reset", "half"])
async def test_it_leaves_after_hearing_so_many_octets(world: World, mode: str, leave: str) -> None:
    """What it has heard whole is never tried again as if it had not; before the content nothing is uncertain."""
    script = MODES[mode]
    whole = await good(world, script)
    around = b"BDAT 00 LAST\r\n" if mode == "chunked" else b"..\r\n"  # one dot is a stuffed one
    end = whole.heard - len(b"QUIT\r\n")
    flight = end - len(HEADER + TEXT + around)
    players = [Player(script, hears=octets, leave=leave) for octets in range(1, end)]
    for player, (fate, _) in zip(players, await fates(world, players), strict=True):
        assert not player.whole
        if player.hears < flight:
            assert fate is Fate.TRY_LATER, player.hears
        else:
            assert fate in (Fate.UNCERTAIN, Fate.TRY_LATER)


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("mode", ["plain", "chunked"])
async def test_the_end_of_a_long_letter_waits_until_all_before_it_has_left(
    world: World, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While something is unsent the server has not been given the last octet: nothing is uncertain."""
    text = b"x" * 200_000 + b"\r\n"
    script = steps(["PIPELINING", "CHUNKING"], len(HEADER + text)) if mode == "chunked" else steps()
    sent = Player(script)
    hasty = replace(PATIENT, content=2.0)
    async with (
        played([sent, held := Player(script)]) as port,
        courier(world, options(port, deadlines=hasty), messages=1) as ours,
    ):
        assert [one.fate for one in await ours.deliver(letter(text))] == [Fate.SENT]
        await sent.gone.wait()
        monkeypatch.setattr(Dialled, "_unsent", lambda _: 1)
        (outcome,) = await ours.deliver(letter(text))
        await held.gone.wait()
    assert (outcome.fate, outcome.reason) == (Fate.TRY_LATER, "timeout")
    assert not held.whole
    end = b"\r\n" if mode == "chunked" else b"\r\n.\r\n"
    assert held.heard == sent.heard - len(end + b"QUIT\r\n")
