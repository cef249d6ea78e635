"""Questions to the DNS: merged, kept, bounded, and never believed further than they go (TRU-5, QUE-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

import dns.flags
import dns.message
import dns.name
import pytest

from mss_gateway.dev.dns import Mood
from mss_gateway.relay.lookup import LINKS, RECORDS, Names
from mss_gateway.relay.options import DnsOptions, RelayOptions
from mss_gateway.relay.places import Host
from mss_gateway.relay.problems import RelayProblem
from mss_gateway.relay.resolver import Resolver
from tests.support.dns import DnsServer, lying, response
from tests.support.playback import alone

DOMAIN, MX = "voisin.mssante.fr", "mx.voisin.mssante.fr"
PATIENT = DnsOptions(timeout=15.0, lifetime=30.0)
HASTY: dict[str, object] = {"timeout": 1.0, "lifetime": 2.0}


@pytest.fixture
def names() -> Iterator[DnsServer]:
    """A name server that knows one domain."""
    with DnsServer({DOMAIN: {"MX": [f"10 {MX}."]}, MX: {"A": ["127.0.0.1"]}}) as server:
        assert isinstance(server, DnsServer)
        yield server


def asking(*servers: str, **changes: object) -> Resolver:
    """A resolver of these servers, of an operator that is not the neighbour."""
    options = replace(PATIENT, nameservers=servers, **changes)  # type: ignore[arg-type]
    return Resolver(RelayOptions("mx.ici.mssante.fr", dns=options))


async def hosts(resolver: Resolver) -> list[str]:
    """The hosts of the domain in order, or the slug of the problem."""
    try:
        return [one.host.name for one in await resolver.exchangers(DOMAIN)]
    except RelayProblem as problem:
        return [f"{problem.reason} {problem.status}"]


@pytest.mark.req("QUE-2")
async def test_one_question_for_all_who_want_to_know(names: DnsServer) -> None:
    """A waiter who gives up does not take the answer from the others."""
    resolver = asking(names.endpoint)
    waiting = [asyncio.create_task(hosts(resolver)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting[:5]:
        task.cancel()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert told[5:] == [[MX]] * 15
    assert all(isinstance(one, asyncio.CancelledError) for one in told[:5])
    assert len(names.asked) == 1


@pytest.mark.req("QUE-2")
async def test_a_question_that_nobody_waits_for_any_more_ends(names: DnsServer) -> None:
    """And the next who asks begins anew."""
    names.silent(DOMAIN)
    resolver = asking(names.endpoint)
    task = asyncio.create_task(hosts(resolver))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await alone()
    names.moods.clear()
    assert await hosts(resolver) == [MX]


async def test_that_a_name_does_not_exist_is_kept(names: DnsServer) -> None:
    """RFC 2308: by the SOA of the answer, `nothing` at most; then it is asked again."""
    records = names.zone.pop(DOMAIN), names.zone.pop(MX)
    resolver = asking(names.endpoint, shortest=0.0, nothing=1.5)
    for _ in range(3):
        assert await hosts(resolver) == ["no-mx 4.4.4"]
    assert len(names.asked) == 1
    names.zone[DOMAIN], names.zone[MX] = records
    await asyncio.sleep(1.6)
    assert await hosts(resolver) == [MX]


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.REFUSED, Mood.FORGED, Mood.SILENT])
async def test_a_failing_dns_is_temporary_and_kept_for_a_moment(names: DnsServer, mood: Mood) -> None:
    """RFC 9520: a thousand letters make one question; `shortest` later it is asked again."""
    names.moods[DOMAIN] = mood
    resolver = asking(names.endpoint, shortest=1.0, **HASTY)
    assert await hosts(resolver) == ["dns-failure 4.4.3"]
    asked = len(names.asked)
    assert await hosts(resolver) == ["dns-failure 4.4.3"]
    assert len(names.asked) == asked
    names.moods.clear()
    await asyncio.sleep(1.1)
    assert await hosts(resolver) == [MX]


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.REFUSED, Mood.FORGED, Mood.SILENT])
async def test_while_the_dns_fails_the_last_good_answer_stays(names: DnsServer, mood: Mood) -> None:
    """RFC 8767; past `stale` it is forgotten, and what the DNS says is believed at once."""
    resolver = asking(names.endpoint, longest=0.05, retry=0.05, **HASTY)
    assert await hosts(resolver) == [MX]
    names.moods[DOMAIN] = mood
    await asyncio.sleep(0.1)
    assert await hosts(resolver) == [MX]
    names.moods.clear()
    names.put(DOMAIN, MX=["10 other.voisin.mssante.fr."])
    await asyncio.sleep(0.1)
    assert await hosts(resolver) == ["other.voisin.mssante.fr"]


async def test_an_answer_too_old_is_not_used(names: DnsServer) -> None:
    """Nor is any once the DNS says that the domain is gone."""
    resolver = asking(names.endpoint, longest=0.05, stale=0.0)
    assert await hosts(resolver) == [MX]
    names.moods[DOMAIN] = Mood.SERVFAIL
    await asyncio.sleep(0.1)
    assert await hosts(resolver) == ["dns-failure 4.4.3"]
    gone = asking(names.endpoint, longest=0.05)
    names.moods.clear()
    assert await hosts(gone) == [MX]
    names.zone.clear()
    await asyncio.sleep(0.1)
    assert await hosts(gone) == ["no-mx 4.4.4"]


async def test_what_does_not_fit_in_a_datagram_comes_by_tcp(names: DnsServer) -> None:
    """A thousand MX records: the best are kept, each once."""
    names.put(DOMAIN, MX=[f"{number} mx{number}.voisin.mssante.fr." for number in range(1000, 0, -1)])
    found = await hosts(asking(names.endpoint))
    assert found == [f"mx{number}.voisin.mssante.fr" for number in range(1, RECORDS + 1)]
    assert [transport for _, _, transport in names.asked] == ["udp", "tcp"]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["10 192.0.2.1."], ["no-mx 4.4.4"]),
        (["10 192.0.2.1.", f"20 {MX}."], [MX]),
        (
            ["10 a\\000b.example.", r"10 a\.b.example.", "10 -a.example.", "10 a b.example.", f"30 {MX}."],
            [MX],
        ),
        ([f"10 {'a' * 63}.{'b' * 63}.example.", f"5 {MX.upper()}."], [MX, f"{'a' * 63}.{'b' * 63}.example"]),
        (["0 ."], ["null-mx 5.1.10"]),
        (["0 .", f"20 {MX}.", f"10 {MX}."], [MX]),
        (["10 mx.ici.mssante.fr."], ["mail-loop 4.4.6"]),
        (["10 MX.ici.mssante.fr.", "10 a.example.", "20 b.example."], ["mail-loop 4.4.6"]),
        (["5 a.example.", "10 mx.ici.mssante.fr.", "10 b.example.", "20 c.example."], ["a.example"]),
    ],
)
async def test_mx_records_of_every_kind(names: DnsServer, records: list[str], expected: list[str]) -> None:
    """Addresses and what is no host's name are passed over; we and what is no better than we are left out."""
    names.put(DOMAIN, MX=[one for one in records if " b.example" not in one or "a b" not in one])
    assert await hosts(asking(names.endpoint)) == expected


@pytest.mark.req("TRU-5")
async def test_a_domain_that_is_an_alias(names: DnsServer) -> None:
    """Its target is treated as if it were the domain (RFC 5321 section 5.1), told in one answer or in several."""
    names.put("real.example", MX=[f"10 {MX}."])
    names.put(DOMAIN, CNAME=["real.example."])
    assert await hosts(asking(names.endpoint)) == [MX]

    def tell(question: dns.message.Message) -> Iterable[bytes]:
        """Only one link of the chain at a time."""
        name = question.question[0].name
        if name == dns.name.from_text(DOMAIN):
            return [response(question, f"{DOMAIN}. 60 CNAME real.example.").to_wire()]
        return [response(question, f"real.example. 60 MX 10 {MX}.").to_wire()]

    async with lying(tell) as (_, server):
        assert await hosts(asking(server)) == [MX]


async def test_aliases_without_end_are_followed_no_further(names: DnsServer) -> None:
    """In a ring within the zone, and a new one in each answer."""
    names.put(DOMAIN, CNAME=["b.example."])
    names.put("b.example", CNAME=[f"{DOMAIN}."])
    assert await hosts(asking(names.endpoint)) == ["dns-failure 4.4.3"]

    def tell(question: dns.message.Message) -> Iterable[bytes]:
        name = question.question[0].name.to_text()
        return [response(question, f"{name} 60 CNAME {len(liar.asked)}.example.").to_wire()]

    async with lying(tell) as (liar, server):
        assert await hosts(asking(server)) == ["dns-failure 4.4.3"]
        assert len(liar.asked) == LINKS


def _forged(question: dns.message.Message) -> dns.message.Message:
    return response(question, f"{DOMAIN}. 60 MX 10 evil.example.")


def _wrong_id(question: dns.message.Message) -> bytes:
    forged = _forged(question)
    forged.id = (forged.id + 1) % 65536
    return forged.to_wire()


def _wrong_question(question: dns.message.Message) -> bytes:
    other = dns.message.make_query("other.example", "MX", id=question.id)
    return response(other, "other.example. 60 MX 10 evil.example.").to_wire()


def _wrong_owner(question: dns.message.Message) -> bytes:
    return response(question, "other.example. 60 MX 10 evil.example.").to_wire()


def _no_response(question: dns.message.Message) -> bytes:
    forged = _forged(question)
    forged.flags &= ~dns.flags.QR
    return forged.to_wire()


def _cut(question: dns.message.Message) -> bytes:
    return _forged(question).to_wire()[:-3]


def _noise(question: dns.message.Message) -> bytes:
    return question.id.to_bytes(2, "big") + b"\xff" * 40


@pytest.mark.req("TRU-5")
@pytest.mark.parametrize("lie", [_wrong_id, _wrong_question, _no_response, _cut, _noise])
async def test_what_is_no_answer_to_the_question_is_not_believed(lie) -> None:  # type: ignore[no-untyped-def]
    """Alone it is a failure; before the true answer it is passed over."""
    async with lying(lambda question: [lie(question)]) as (_, server):
        assert await hosts(asking(server, **HASTY)) == ["dns-failure 4.4.3"]

    def true(question: dns.message.Message) -> list[bytes]:
        return [lie(question), response(question, f"{DOMAIN}. 60 MX 10 {MX}.").to_wire()]

    async with lying(true) as (_, server):
        assert "evil.example" not in await hosts(asking(server, **HASTY))


async def test_a_record_of_another_owner_says_nothing_about_this_one() -> None:
    """The domain has no MX then, and is its own host."""
    async with lying(lambda question: [_wrong_owner(question)]) as (_, server):
        assert await hosts(asking(server)) == [DOMAIN]


@pytest.mark.parametrize(("ttl", "asked"), [(0, 2), (2**31 - 1, 2), (2**32 - 1, 2)])
async def test_no_ttl_makes_an_answer_stay_for_ever_or_not_at_all(ttl: int, asked: int) -> None:
    """Between `shortest` and `longest`."""

    def tell(question: dns.message.Message) -> Iterable[bytes]:
        return [response(question, f"{DOMAIN}. {ttl} MX 10 {MX}.").to_wire()]

    async with lying(tell) as (liar, server):
        resolver = asking(server, shortest=1.0, longest=1.0)
        for _ in range(5):
            assert await hosts(resolver) == [MX]
        assert len(liar.asked) == 1
        await asyncio.sleep(1.1)
        assert await hosts(resolver) == [MX]
        assert len(liar.asked) == asked


async def test_addresses_by_turns_ipv6_first_and_bounded(names: DnsServer) -> None:
    """RFC 8305 section 4."""
    names.put(MX, A=["192.0.2.1", "192.0.2.2"], AAAA=["2001:db8::1", "2001:db8::2", "2001:db8::3"])
    found = await asking(names.endpoint).addresses(Host(MX, 25))
    assert [":" in address for address in found] == [True, False, True, False]
    assert len(set(found)) == 4


async def test_a_family_that_nobody_answers_for_is_not_waited_for() -> None:
    """Many name servers drop questions for AAAA: a quarter of a second, not the whole lifetime."""

    def tell(question: dns.message.Message) -> Iterable[bytes]:
        if question.question[0].rdtype == dns.rdatatype.AAAA:
            return []
        return [response(question, f"{MX}. 60 A 192.0.2.1").to_wire()]

    async with lying(tell) as (_, server):
        resolver = asking(server, timeout=60.0, lifetime=60.0)
        assert await resolver.addresses(Host(MX, 25)) == ("192.0.2.1",)
        assert await alone()


async def test_what_is_kept_is_bounded(names: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer used longest ago is forgotten first."""
    monkeypatch.setattr("mss_gateway.relay.lookup.KEPT", 3)
    asked = Names(replace(PATIENT, nameservers=(names.endpoint,)))
    for name in ("a", "b", "c", "a", "d", "a", "b"):
        names.put(f"{name}.example", A=["192.0.2.1"])
        await asked.addresses(f"{name}.example", six=False)
    assert [name for name, _, _ in names.asked] == [f"{name}.example" for name in "abcdb"]
