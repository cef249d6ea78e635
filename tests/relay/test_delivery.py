"""Letters to an operator that is not our code, over mutual TLS on real sockets (TRU-5, RTE-7)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.dev.listing import Entry
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import BodyType
from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.protocol.smtp import MailFrom
from tests.support.properties import FOR_EACH_EXAMPLE
from tests.support.relay import (
    HEADER,
    Neighbour,
    Script,
    courier,
    letter,
    neighbour,
    options,
    our_own,
    scripted,
)
from tests.support.trust import FOREIGN, OURS, THEIRS, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


def brief(outcomes: tuple[Outcome, ...]) -> list[tuple[Fate, str, str]]:
    """Fate, reason and status of each."""
    return [(one.fate, one.reason, one.status) for one in outcomes]


SENT = (Fate.SENT, "sent", "2.0.0")


@pytest.mark.req("TRU-5", "RTE-7")
async def test_a_letter_arrives_octet_for_octet(world: World) -> None:
    """aiosmtpd sees our certificate's whole DN, and the stored octets."""
    hooks = Neighbour()
    text = b".dot\r\n..\r\n.\r\n\xe9t\xe9\r\n" + b"x" * 900 + b"\r\n"
    async with neighbour(world, hooks) as port, courier(world, options(port)) as ours:
        outcomes = await ours.deliver(letter(text))
    assert brief(outcomes) == [SENT]
    assert outcomes[0].text == "250 2.0.0 taken"
    assert outcomes[0].remote_mta == "127.0.0.1"
    assert hooks.mail == [("moi@clinique-exemple.mssante.fr", [f"dr@{FOREIGN}"], HEADER + text)]
    assert {"commonName": OURS.cn, "organizationName": OURS.o}.items() <= {
        name: value for ((name, value),) in hooks.subjects[0]
    }.items()


@pytest.mark.req("QUE-2")
async def test_one_connection_serves_many_letters(world: World) -> None:
    """The handshake is paid once; a refused letter does not spoil the session."""
    hooks = Neighbour(refused=("nobody",))
    async with neighbour(world, hooks) as port, courier(world, options(port)) as ours:
        for number in range(6):
            name = "nobody" if number == 2 else "dr"
            (outcome,) = await ours.deliver(letter(b"%d\r\n" % number, name))
            assert outcome.fate is (Fate.FAILED if number == 2 else Fate.SENT)
        assert ours.pool.idle == 1
    assert len(hooks.mail) == 5
    assert hooks.connections == 1


@pytest.mark.req("QUE-2")
async def test_a_connection_ends_after_its_messages(world: World) -> None:
    """`messages` of RelayLimits is kept."""
    hooks = Neighbour()
    async with neighbour(world, hooks) as port, courier(world, options(port), messages=2) as ours:
        for _ in range(5):
            assert brief(await ours.deliver(letter())) == [SENT]
    assert hooks.connections == 3


@pytest.mark.req("QUE-2")
async def test_an_idle_connection_is_ended(world: World) -> None:
    """With QUIT, after its time."""
    parted = asyncio.Event()

    async def play(script: Script) -> None:
        await script.welcome()
        await script.transaction()
        await script.hear("QUIT")
        parted.set()

    async with scripted(world, play) as served, courier(world, options(served.port), idle=0.05) as ours:
        await ours.deliver(letter())
        assert ours.pool.idle == 1
        await asyncio.wait_for(parted.wait(), 30.0)
        assert ours.pool.idle == 0


@pytest.mark.req("QUE-2")
async def test_kept_connections_are_bounded_in_all(world: World) -> None:
    """With room for one, the one used longest ago is ended."""
    other = "clinique-exemple.mssante.fr"
    world.put_list((Entry(FOREIGN, THEIRS.listed()), Entry(other, THEIRS.listed())))
    hooks = Neighbour()
    async with neighbour(world, hooks) as first, neighbour(world, hooks) as second:
        chosen = options(first)
        chosen = replace(chosen, overrides={**chosen.overrides, other: (("127.0.0.1", second),)})
        async with courier(world, chosen, idle_in_all=1) as ours:
            for domain in (FOREIGN, other, other, FOREIGN):
                assert brief(await ours.deliver(letter(domain=domain))) == [SENT]
                assert ours.pool.idle == 1
    assert hooks.connections == 3


@pytest.mark.req("QUE-2")
async def test_an_old_connection_is_not_used_again(world: World) -> None:
    """`age` of RelayLimits is kept."""
    hooks = Neighbour()
    async with neighbour(world, hooks) as port, courier(world, options(port), age=0.0) as ours:
        for _ in range(2):
            assert brief(await ours.deliver(letter())) == [SENT]
        assert ours.pool.idle == 0
    assert hooks.connections == 2


@pytest.mark.req("INS-7")
async def test_each_recipient_has_its_own_outcome_and_no_ins_is_told(world: World) -> None:
    """In the order of the letter; the peer's words are masked."""
    hooks = Neighbour(refused=("b",))
    async with neighbour(world, hooks) as port, courier(world, options(port)) as ours:
        outcomes = await ours.deliver(letter(b"x\r\n", "a", "b", "c"))
    assert brief(outcomes) == [SENT, (Fate.FAILED, "peer-refused", "5.1.1"), SENT]
    assert [one.recipient.address.local for one in outcomes] == ["a", "b", "c"]
    assert "2 85 03 ** *** *** **" in outcomes[1].text
    assert "116" not in outcomes[1].text
    assert hooks.mail[0][1] == [f"a@{FOREIGN}", f"c@{FOREIGN}"]


async def test_many_recipients_go_in_several_transactions(world: World) -> None:
    """At most `recipients` of RelayLimits in one, as RFC 5321 section 4.5.3.1.8 lets servers expect."""
    hooks = Neighbour()
    names = [f"p{number}" for number in range(25)]
    async with neighbour(world, hooks) as port, courier(world, options(port), recipients=10) as ours:
        outcomes = await ours.deliver(letter(b"x\r\n", *names))
    assert brief(outcomes) == [SENT] * 25
    assert [len(mail[1]) for mail in hooks.mail] == [10, 10, 5]
    assert hooks.connections == 1


@pytest.mark.req("QUE-2")
async def test_concurrent_letters_stay_within_the_limit(world: World) -> None:
    """Twelve at once over three connections."""
    hooks = Neighbour()
    async with neighbour(world, hooks) as port, courier(world, options(port), per_host=3) as ours:
        told = await asyncio.gather(*(ours.deliver(letter(b"%d\r\n" % number)) for number in range(12)))
        assert ours.pool.idle <= 3
    assert [brief(outcomes) for outcomes in told] == [[SENT]] * 12
    assert hooks.connections <= 3


async def test_a_large_letter_is_read_in_pieces(world: World) -> None:
    """Several times the piece size, dots at the borders."""
    hooks = Neighbour()
    text = (b"." * 126 + b"\r\n") * 5000
    async with neighbour(world, hooks, data_size_limit=None) as port, courier(world, options(port)) as ours:
        assert brief(await ours.deliver(letter(text))) == [SENT]
    assert hooks.mail[0][2] == HEADER + text


async def test_a_letter_too_large_for_the_peer_fails_for_good(world: World) -> None:
    """By the SIZE offered, without sending it."""
    hooks = Neighbour()
    async with neighbour(world, hooks, data_size_limit=1000) as port, courier(world, options(port)) as ours:
        assert brief(await ours.deliver(letter(b"x" * 1000))) == [
            (Fate.FAILED, "too-large-for-peer", "5.3.4")
        ]


async def test_an_address_outside_ascii_fails_without_smtputf8(world: World) -> None:
    """Permanent, 5.6.7; with SMTPUTF8 it passes."""
    to = letter(sender=parse_address("rené@clinique-exemple.mssante.fr"))
    hooks = Neighbour()
    async with neighbour(world, hooks) as port, courier(world, options(port)) as ours:
        assert brief(await ours.deliver(to)) == [(Fate.FAILED, "peer-needs-smtputf8", "5.6.7")]
    async with neighbour(world, hooks, enable_SMTPUTF8=True) as port, courier(world, options(port)) as ours:
        assert brief(await ours.deliver(to)) == [SENT]
    assert hooks.mail[0][0] == "rené@clinique-exemple.mssante.fr"


@pytest.mark.parametrize("text", [b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"end\r"])
async def test_a_bare_line_end_is_never_relayed(world: World, text: bytes) -> None:
    """Where the peer has no BINARYMIME the letter fails with its reason."""
    hooks = Neighbour()
    async with neighbour(world, hooks) as port, courier(world, options(port)) as ours:
        assert brief(await ours.deliver(letter(text))) == [(Fate.FAILED, "bare-line-end", "5.6.1")]
    assert hooks.mail == []


async def test_a_fault_of_the_store_goes_through_and_delivers_nothing(world: World) -> None:
    """A letter that is shorter than it says is tried later; an exception is the caller's."""

    async def broken(offset: int, size: int) -> bytes:
        raise OSError("disk")

    hooks = Neighbour()
    async with neighbour(world, hooks) as port, courier(world, options(port)) as ours:
        short = replace(letter(), text_size=1000)
        assert brief(await ours.deliver(short)) == [(Fate.TRY_LATER, "letter-incomplete", "4.3.0")]
        with pytest.raises(OSError):
            await ours.deliver(replace(letter(), read_text=broken))
    assert hooks.mail == []


@pytest.mark.req("QUE-1")
async def test_a_fault_of_the_store_between_transactions_forgets_no_outcome(world: World) -> None:
    """Those who have it keep their `SENT`; only the others are tried again."""
    text, reads = b"x" * 98 + b"\r\n", 0

    async def read(offset: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads > 5:  # the survey, and the first transaction
            raise OSError("disk")
        return (text * 3000)[offset : offset + size]

    hooks = Neighbour()
    given = replace(letter(b"", "a", "b", "c"), text_size=3000 * len(text), read_text=read)
    async with (
        neighbour(world, hooks, data_size_limit=None) as port,
        courier(world, options(port), recipients=2) as ours,
    ):
        told = brief(await ours.deliver(given))
    assert told == [SENT, SENT, (Fate.TRY_LATER, "letter-incomplete", "4.3.0")]
    assert [mail[1] for mail in hooks.mail] == [[f"a@{FOREIGN}", f"b@{FOREIGN}"]]


@pytest.mark.req("RCP-1")
@pytest.mark.parametrize("keywords", [(), ("DSN",)])
async def test_whether_the_peer_promised_reports_is_told(world: World, keywords: tuple[str, ...]) -> None:
    """The sender of a NOTIFY=SUCCESS then gets our report or theirs (RFC 3461 section 5.2.2)."""

    async def play(script: Script) -> None:
        await script.welcome(*keywords)
        await script.transaction()
        await script.hear("QUIT")

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        (outcome,) = await ours.deliver(letter())
        assert outcome.fate is Fate.SENT
        assert outcome.relays_dsn == bool(keywords)


@pytest.mark.req("RTE-7")
@pytest.mark.parametrize("use_chunking", [False, True])
async def test_two_of_our_own_exchange_by_chunks_and_by_dots(world: World, use_chunking: bool) -> None:
    """Pipelined, on one session; what holds bare line ends goes as BINARYMIME, by chunks whatever the option."""
    texts = [b"x\r\n", b".\r\n..\r\n.\r\n", b"bare\nend\0", (b"." * 70 + b"\r\n") * 9000, b"no end"]
    received: list[tuple[MailFrom, bytes]] = []
    async with (
        our_own(world, received) as port,
        courier(world, options(port, use_chunking=use_chunking)) as ours,
    ):
        for text in texts:
            (outcome,) = await ours.deliver(letter(text, envid="id-1", ret="HDRS"))
            assert outcome.fate is Fate.SENT
            assert outcome.relays_dsn
        assert ours.pool.idle == 1
    last = HEADER + texts[-1] + (b"" if use_chunking else b"\r\n")
    assert [content for _, content in received] == [*(HEADER + text for text in texts[:-1]), last]
    assert [mail.body for mail, _ in received][2] is BodyType.BINARY
    assert {(mail.envid, mail.ret) for mail, _ in received} == {("id-1", "HDRS")}


@pytest.mark.req("RTE-7")
@settings(max_examples=15, deadline=None, suppress_health_check=FOR_EACH_EXAMPLE)
@given(st.lists(st.sampled_from([b".", b"..", b"", b"x", b". ", b"\xff"]), max_size=30))
def test_any_lines_arrive_as_they_were(world: World, lines: list[bytes]) -> None:
    """Through aiosmtpd's own reading of dots."""
    text = b"".join(line + b"\r\n" for line in lines)
    hooks = Neighbour()

    async def run() -> None:
        async with neighbour(world, hooks) as port, courier(world, options(port)) as ours:
            assert brief(await ours.deliver(letter(text))) == [SENT]

    asyncio.run(run())
    assert hooks.mail[0][2] == HEADER + text


@pytest.mark.req("TRU-5")
def test_under_uvloop_as_well(world: World) -> None:
    """Its TLS is another implementation."""
    hooks = Neighbour()

    async def run() -> None:
        async with (
            neighbour(world, hooks, data_size_limit=None) as port,
            courier(world, options(port)) as ours,
        ):
            for text in (b"bonjour\r\n", (b"x" * 98 + b"\r\n") * 9000, b"bonjour\r\n"):
                assert brief(await ours.deliver(letter(text))) == [SENT]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert hooks.connections == 1
