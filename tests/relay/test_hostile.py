"""Servers that lie, stall and leave: every outcome is definite but one, and nothing leaks (QUE-1, QUE-2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.relay import Fate, Outcome
from tests.support.relay import PATIENT, Neighbour, Script, courier, letter, neighbour, options, scripted
from tests.support.trust import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


def only(outcomes: tuple[Outcome, ...]) -> tuple[Fate, str]:
    """Fate and reason of the one outcome."""
    (one,) = outcomes
    assert len(one.text) <= 400
    assert "\n" not in one.text
    return one.fate, one.reason


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("stage", range(5))
async def test_a_server_that_leaves_before_the_end_has_taken_nothing(world: World, stage: int) -> None:
    """At the greeting, under TLS, after MAIL, after RCPT, after 354: try later."""

    async def play(script: Script) -> None:
        if stage == 0:
            return
        await script.welcome()
        for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go"))[: stage - 1]:
            await script.hear(verb)
            await script.say(answer)

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        fate, reason = only(await ours.deliver(letter(b"x\r\n" * (3_000_000 if stage == 4 else 1))))
        assert (fate, reason) == (Fate.TRY_LATER, "lost")
        await served.all_closed()


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, (Fate.UNCERTAIN, "lost-after-data")),
        ("", (Fate.UNCERTAIN, "timeout")),
        ("what", (Fate.UNCERTAIN, "peer-broke-protocol")),
        ("354 go", (Fate.UNCERTAIN, "peer-broke-protocol")),
        ("250", (Fate.SENT, "sent")),
        ("250-half", (Fate.UNCERTAIN, "timeout")),
        ("421 4.3.2 closing", (Fate.TRY_LATER, "peer-temporary")),
        ("451 4.3.0 later", (Fate.TRY_LATER, "peer-temporary")),
        ("554 5.6.0 never", (Fate.FAILED, "peer-refused")),
    ],
)
async def test_after_the_end_only_an_answer_is_an_answer(
    world: World, last: str | None, expected: tuple[Fate, str]
) -> None:
    """Without one nobody knows whether the peer has the message."""

    async def play(script: Script) -> None:
        await script.welcome()
        for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go")):
            await script.hear(verb)
            await script.say(answer)
        await script.content()
        if last is not None:
            if last:
                await script.say(last)
            await script.reader.read()

    hasty = replace(PATIENT, answer=0.4) if expected[1] == "timeout" else PATIENT
    async with (
        scripted(world, play) as served,
        courier(world, options(served.port, deadlines=hasty)) as ours,
    ):
        assert only(await ours.deliver(letter())) == expected
        await ours.close()
        await served.all_closed()


@pytest.mark.req("QUE-1")
async def test_the_deadline_of_the_letter_does_not_cut_the_wait_for_its_answer(world: World) -> None:
    """An answer that comes late is still the answer."""

    async def play(script: Script) -> None:
        await script.welcome()
        for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go")):
            await script.hear(verb)
            await script.say(answer)
        await script.content()
        await asyncio.sleep(5.2)
        await script.say("250 2.0.0 at last")

    async with scripted(world, play) as served:
        slow = replace(PATIENT, letter=5.0)
        async with courier(world, options(served.port, deadlines=slow)) as ours:
            assert only(await ours.deliver(letter())) == (Fate.SENT, "sent")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "timeout"),
        (b"220-x\r\n" * 100_000, "peer-broke-protocol"),
        (b"x" * 10_000_000, "peer-broke-protocol"),
        (b"220 ok\r\n250 ok\r\n", "peer-broke-protocol"),
        (b"554 5.7.1 go away\r\n", "peer-refused"),
        (b"\x16\x03\x01", "timeout"),
    ],
)
async def test_noise_instead_of_a_greeting_is_temporary(world: World, octets: bytes, reason: str) -> None:
    """Endless lines, endless octets, silence."""

    async def play(script: Script) -> None:
        script.writer.write(octets)
        await script.reader.read()

    hasty = replace(PATIENT, greeting=0.4) if reason == "timeout" else PATIENT
    async with (
        scripted(world, play) as served,
        courier(world, options(served.port, deadlines=hasty)) as ours,
    ):
        assert only(await ours.deliver(letter())) == (Fate.TRY_LATER, reason)
        await served.all_closed()


async def test_a_server_that_drips_octets_meets_the_deadline(world: World) -> None:
    """One octet at a time does not prolong it."""

    async def play(script: Script) -> None:
        for _ in range(1000):
            script.writer.write(b"2")
            await asyncio.sleep(0.05)

    hasty = replace(PATIENT, greeting=0.3)
    async with (
        scripted(world, play) as served,
        courier(world, options(served.port, deadlines=hasty)) as ours,
    ):
        assert only(await ours.deliver(letter())) == (Fate.TRY_LATER, "timeout")


async def test_a_server_that_does_not_read_meets_the_deadline(world: World) -> None:
    """A large letter waits for the peer's window no longer than `content`."""

    async def play(script: Script) -> None:
        await script.welcome()
        for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go")):
            await script.hear(verb)
            await script.say(answer)
        await script.writer.wait_closed()

    hasty = replace(PATIENT, content=0.3)
    async with (
        scripted(world, play) as served,
        courier(world, options(served.port, deadlines=hasty)) as ours,
    ):
        text = (b"x" * 998 + b"\r\n") * 20_000
        assert only(await ours.deliver(letter(text))) == (Fate.TRY_LATER, "timeout")


async def test_an_early_refusal_stops_a_large_letter(world: World) -> None:
    """What the peer says while we send is heard."""

    async def play(script: Script) -> None:
        await script.welcome()
        for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go")):
            await script.hear(verb)
            await script.say(answer)
        await script.reader.read(100)
        await script.say("552 5.3.4 enough")
        while await script.reader.read(65536):
            pass

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        text = (b"x" * 998 + b"\r\n") * 20_000
        assert only(await ours.deliver(letter(text))) == (Fate.FAILED, "peer-refused")
        await served.all_closed()


@pytest.mark.req("QUE-2")
async def test_a_kept_connection_that_has_died_is_replaced(world: World) -> None:
    """The letter goes out at once over a new one: nothing was lost with the old."""

    async def play(script: Script) -> None:
        await script.welcome()
        await script.transaction()
        if served.connections % 2:
            await script.hear("MAIL")  # and leaves without an answer
        else:
            await script.say("421 4.4.2 idle for too long")

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        for _ in range(4):
            assert only(await ours.deliver(letter())) == (Fate.SENT, "sent")
        assert served.connections == 4


@pytest.mark.req("QUE-2")
@pytest.mark.parametrize("stage", ["greeting", "handshake", "mail", "answer"])
async def test_cancelling_leaves_nothing_open(world: World, stage: str) -> None:
    """Wherever the letter is."""
    reached = asyncio.Event()

    async def play(script: Script) -> None:
        if stage == "handshake":
            await script.say("220 mx.test")
            await script.hear("EHLO")
            await script.say("250-mx.test", "250 STARTTLS")
            await script.hear("STARTTLS")
            await script.say("220 go")
            await script.reader.read(1)
        elif stage in ("mail", "answer"):
            await script.welcome()
            for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go")):
                await script.hear(verb)
                if stage == "mail":
                    break
                await script.say(answer)
            else:
                await script.content()
        reached.set()
        while await script.reader.read(1000):
            pass

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        task = asyncio.create_task(ours.deliver(letter()))
        await asyncio.wait_for(reached.wait(), 30.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await served.all_closed()
        assert ours.pool.busy == 0
        assert ours.pool.idle == 0


@pytest.mark.req("QUE-2")
async def test_a_slow_operator_delays_no_other(world: World) -> None:
    """While one stalls with all its slots taken, another takes letters."""

    async def play(script: Script) -> None:
        await script.reader.read()

    hooks = Neighbour()
    other = "clinique-exemple.mssante.fr"
    async with scripted(world, play) as stalled, neighbour(world, hooks) as port:
        slow = replace(PATIENT, slot=0.3)
        chosen = options(port, deadlines=slow)
        chosen = replace(chosen, overrides={**chosen.overrides, other: (("127.0.0.1", stalled.port),)})
        async with courier(world, chosen, per_host=1) as ours:
            waiting = [asyncio.create_task(ours.deliver(letter(domain=other))) for _ in range(3)]
            assert only(await ours.deliver(letter())) == (Fate.SENT, "sent")
            done, left = await asyncio.wait(waiting, timeout=2.0)
            assert [only(task.result()) for task in done] == [(Fate.TRY_LATER, "timeout")] * 2
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
