"""Every wrong word at every step of a session: a fate with a reason, `SENT` for a 2xx to the end only (QUE-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.relay import Fate, Outcome
from tests.support.playback import Player, Step, bare, descriptors, given_back, played, steps
from tests.support.properties import FOR_EACH_EXAMPLE
from tests.support.relay import HEADER, PATIENT, courier, letter, options
from tests.support.trust import THEIRS, World

TEXT = b"bonjour\r\n"
PLAIN = steps()
CHUNKED = steps(["PIPELINING", "CHUNKING"], len(HEADER + TEXT))
PIPELINED = steps(["PIPELINING"])
ANSWERED = [at for at, step in enumerate(PLAIN) if step.answer]
WORDS = [
    b"000 x\r\n", b"199 x\r\n", b"200 x\r\n", b"211 x\r\n", b"220 x\r\n", b"221 x\r\n", b"250 x\r\n", b"251 x\r\n",
    b"252 x\r\n", b"299\r\n", b"300 x\r\n", b"334 x\r\n", b"354 x\r\n", b"399 x\r\n", b"400 x\r\n", b"421 x\r\n",
    b"450 4.2.0 x\r\n", b"454 x\r\n", b"499 x\r\n", b"500 x\r\n", b"502 x\r\n", b"530 5.7.0 x\r\n",
    b"550 5.7.1 x\r\n", b"554 x\r\n", b"599 x\r\n", b"600 x\r\n", b"999 x\r\n", b"25 x\r\n", b"2500 x\r\n",
    b"250x\r\n", b" 250 x\r\n", b"\r\n", b"x\r\n", b"250 \0\xff\x80\r\n", b"550 \0\xff\x80\r\n", b"250 x\n",
    b"250-x\r\n550 y\r\n", b"250-x\r\n" * 101, b"250 " + b"x" * 3000 + b"\r\n", b"-250 x\r\n", b"\x16\x03\x01\x02\x00",
]  # fmt: skip
HASTY = replace(PATIENT, greeting=0.3, command=0.3, answer=0.3)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A fresh folder over the shared hierarchy, and sockets that pass for TLS."""
    made = World(tmp_path)
    bare(monkeypatch, made.pki.organisations.issue(THEIRS).certificate.public_bytes(Encoding.DER))
    return made


async def outcomes(world: World, scripts: Sequence[Sequence[Step]], **changes: object) -> list[Outcome]:
    """Deliver one letter to each script; nothing is left open or running afterwards."""
    told = []
    before = descriptors()
    players = [Player(script) for script in scripts]
    async with (
        played(players) as port,
        courier(world, options(port, **changes), messages=1) as ours,
    ):
        for player in players:
            (outcome,) = await ours.deliver(letter(TEXT))
            told.append(outcome)
            await asyncio.wait_for(player.gone.wait(), 30.0)
    assert await given_back(before)
    return told


def _spoilt(script: Sequence[Step], place: int, answer: bytes) -> list[Step]:
    """The script with one answer replaced; a server that has said such a thing says no more of it."""
    return [*script[:place], replace(script[place], answer=answer), *script[place + 1 :]]


def _taken(word: bytes) -> bool:
    """Whether this is a whole 2xx reply."""
    return (
        word[:1] == b"2"
        and word[1:3].isdigit()
        and word[3:4] in (b" ", b"\r")
        and len(word) < 2000
        and word.endswith(b"\r\n")
    )


@pytest.mark.req("QUE-1", "TRU-5")
@pytest.mark.parametrize("place", range(len(PLAIN)), ids=[step.name for step in PLAIN])
async def test_a_wrong_word_at_each_step(world: World, place: int) -> None:
    """Before the end of the content nothing is uncertain; after it only a whole reply says anything."""
    words = [word for word in WORDS if word != b"\x16\x03\x01\x02\x00"]
    told = await outcomes(world, [_spoilt(PLAIN, place, word) for word in words])
    last = place == len(PLAIN) - 1
    for word, outcome in zip(words, told, strict=True):
        assert outcome.reason, word
        assert outcome.text.isprintable()
        if last:
            definite = (
                word[:3].isdigit() and word[:1] in b"245" and word[3:4] in (b" ", b"\r") and len(word) < 2000
            )
            if not (definite and word.endswith(b"\r\n")):
                assert (outcome.fate, outcome.reason) == (Fate.UNCERTAIN, "peer-broke-protocol"), word
            elif word[:1] == b"2":
                assert outcome.fate is Fate.SENT, word
            else:
                assert outcome.fate is (Fate.FAILED if word[:1] == b"5" else Fate.TRY_LATER), word
        elif PLAIN[place].name in ("MAIL", "RCPT") and _taken(word):
            assert outcome.fate is Fate.SENT, word
        elif outcome.fate is Fate.SENT:
            assert word[:3] in (PLAIN[place].answer[:3],), word
        else:
            assert outcome.fate in (Fate.TRY_LATER, Fate.FAILED), word


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("script", [PLAIN, PIPELINED, CHUNKED], ids=["plain", "pipelined", "chunked"])
async def test_silence_at_each_step(world: World, script: list[Step]) -> None:
    """Accept and say nothing: the deadline of the step, and no fate but these."""
    places = [at for at, step in enumerate(script) if step.answer]
    mute = [replace(step, answer=b"") for step in script]
    told = await outcomes(world, [[*script[:place], *mute[place:]] for place in places], deadlines=HASTY)
    assert [(one.fate, one.reason) for one in told] == [
        *[(Fate.TRY_LATER, "timeout")] * (len(places) - 1),
        (Fate.UNCERTAIN, "timeout"),
    ]


@pytest.mark.parametrize("script", [PLAIN, PIPELINED, CHUNKED], ids=["plain", "pipelined", "chunked"])
async def test_an_answer_too_many_at_each_step(world: World, script: list[Step]) -> None:
    """More replies than commands: never taken for the answer to what comes next."""
    places = [at for at, step in enumerate(script[:-1]) if step.answer]
    told = await outcomes(
        world, [_spoilt(script, at, script[at].answer + b"250 2.0.0 more\r\n") for at in places]
    )
    assert {(one.fate, one.reason) for one in told} == {(Fate.TRY_LATER, "peer-broke-protocol")}


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("script", [PLAIN, CHUNKED], ids=["plain", "chunked"])
@settings(max_examples=60, deadline=None, suppress_health_check=FOR_EACH_EXAMPLE)
@given(st.data())
def test_any_words_at_any_steps(world: World, script: list[Step], data: st.DataObject) -> None:
    """`SENT` only when a whole 2xx came after the end of the content, and the content had come whole."""
    spoilt = [
        replace(step, answer=data.draw(st.sampled_from([step.answer, step.answer, step.answer, *WORDS, b""])))
        for step in script
    ]
    player = Player(spoilt)
    hasty = replace(PATIENT, greeting=0.05, command=0.05, answer=0.05)

    async def run() -> Outcome:
        async with played([player]) as port, courier(world, options(port, deadlines=hasty)) as ours:
            (outcome,) = await ours.deliver(letter(TEXT))
            return outcome

    outcome = asyncio.run(run())
    if outcome.fate is Fate.SENT:
        assert player.whole
        assert _taken(spoilt[-1].answer)
    if player.whole and spoilt[-1].answer == script[-1].answer:
        assert outcome.fate in (Fate.SENT, Fate.UNCERTAIN)
    if outcome.fate is Fate.UNCERTAIN:
        assert player.heard >= len(HEADER + TEXT)
