"""The name server of the trust space, asked by dnspython's own resolver."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.resolver
import pytest

from mss_gateway.dev.dns import Mood, NameServer, mail_zone

ZONE = {
    **mail_zone({"mx.operateur.example": ("127.0.0.2", ("operateur.example", "autre.example"))}),
    "alias.example": {"CNAME": ["mx.operateur.example."]},
    "six.example": {"AAAA": ["::1"], "TXT": ['"un texte"']},
    "large.example": {"TXT": [f'"{number} {"x" * 200}"' for number in range(40)]},
}


@pytest.fixture
def server() -> Iterator[NameServer]:
    """A server on a free port."""
    with NameServer(ZONE) as running:
        yield running


def resolver(server: NameServer, lifetime: float = 30.0) -> dns.resolver.Resolver:
    """A resolver that knows this server only, and asks it three times in all."""
    found = dns.resolver.Resolver(configure=False)
    found.nameservers, found.port = [server.host], server.port
    found.lifetime, found.timeout = lifetime, lifetime / 3
    return found


def texts(answer: dns.resolver.Answer) -> list[str]:
    """Records as a zone file writes them, in small letters."""
    return sorted(record.to_text().lower() for record in answer)


def test_mail_domains_lead_to_addresses(server: NameServer) -> None:
    """MX, A, AAAA, TXT, and a CNAME that is followed; names are compared without case."""
    ask = resolver(server).resolve
    assert texts(ask("Operateur.EXAMPLE", "MX")) == ["10 mx.operateur.example."]
    assert texts(ask("autre.example", "MX")) == ["10 mx.operateur.example."]
    assert texts(ask("mx.operateur.example", "A")) == ["127.0.0.2"]
    assert texts(ask("alias.example", "A")) == ["127.0.0.2"]
    assert texts(ask("six.example", "AAAA")) == ["::1"]
    assert texts(ask("six.example", "TXT")) == ['"un texte"']
    assert server.asked[0] == ("operateur.example", "MX", "udp")


def test_what_is_not_there_is_said_so(server: NameServer) -> None:
    """NXDOMAIN for a name, an empty answer for a type and for a name that only has names below it."""
    ask = resolver(server).resolve
    with pytest.raises(dns.resolver.NXDOMAIN):
        ask("inconnu.example", "MX")
    for name in ("six.example", "example"):
        with pytest.raises(dns.resolver.NoAnswer):
            ask(name, "MX")


def test_large_answers_come_over_tcp(server: NameServer) -> None:
    """An answer too large for UDP is cut there and whole over TCP."""
    assert len(resolver(server).resolve("large.example", "TXT")) == 40
    assert [transport for _, _, transport in server.asked] == ["udp", "tcp"]


@pytest.mark.parametrize("mood", [Mood.SILENT, Mood.SERVFAIL, Mood.REFUSED, Mood.FORGED])
def test_moods_keep_the_truth_from_a_careful_resolver(server: NameServer, mood: Mood) -> None:
    """No answer, a failure, or an answer to another question: never a record."""
    server.moods["operateur.example"] = mood
    with pytest.raises((dns.resolver.NoNameservers, dns.resolver.LifetimeTimeout)):
        resolver(server, 0.6).resolve("operateur.example", "MX")
    assert texts(resolver(server).resolve("autre.example", "MX")) == ["10 mx.operateur.example."]


def test_a_truncated_name_is_whole_over_tcp(server: NameServer) -> None:
    """The mood TRUNCATED forces the second question."""
    server.moods["operateur.example"] = Mood.TRUNCATED
    query = dns.message.make_query("operateur.example", "MX")
    cut = dns.query.udp(query, server.host, 30.0, server.port)
    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert dns.query.tcp(query, server.host, 30.0, server.port).answer


def test_what_is_no_query_gets_no_answer(server: NameServer) -> None:
    """Noise and an empty question are left alone, and the server lives on."""
    for noise in (b"", b"\x00" * 12, b"\xff" * 40):
        assert server.answer(noise, "udp") is None
    assert resolver(server).resolve("operateur.example", "MX")


def test_a_chain_of_aliases_ends() -> None:
    """A name that leads to itself is answered without an end record, not for ever."""
    circle = NameServer({"rond.example": {"CNAME": ["rond.example."]}})
    with circle as server, pytest.raises(dns.exception.DNSException):
        resolver(server).resolve("rond.example", "A")
