"""A small authoritative name server on loopback, with the faults that a resolver meets, for the demo and for tests."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Mapping, Sequence
from enum import Enum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

LOOPBACK = "127.0.0.1"
TTL = 60  # seconds
LINKS = 8  # CNAMEs followed in one answer
_SOA = "ns.essai.invalid. admin.essai.invalid. 1 3600 600 86400 5"

Zone = Mapping[str, Mapping[str, Sequence[str]]]
"""Host name (without the last dot) → record type (`MX`, `A`, …) → values as a zone file writes them."""


class Mood(Enum):
    """How one name is answered when it is not answered as it should be."""

    SILENT = "silent"  # no answer at all
    SERVFAIL = "servfail"  # the server cannot say
    REFUSED = "refused"  # the server does not want to say
    FORGED = "forged"  # an answer to another question, as a blind attacker sends it
    TRUNCATED = "truncated"  # whole over TCP only


class NameServer:
    """Answers UDP and TCP on one port of loopback; `port` 0 takes a free one.

    `zone` and `moods` (by lower-case host name) may be changed while it runs; `asked` records each question as
    (name, type, transport). A name that is not in the zone is NXDOMAIN, a type it has not is an empty answer.
    """

    def __init__(self, zone: Zone, host: str = LOOPBACK, port: int = 0) -> None:
        self.zone: dict[str, dict[str, list[str]]] = {
            name.lower(): {kind.upper(): list(values) for kind, values in records.items()}
            for name, records in zone.items()
        }
        self.moods: dict[str, Mood] = {}
        self.asked: list[tuple[str, str, str]] = []
        self._udp, self._tcp = _bound(self, host, port)
        self.host, self.port = host, int(self._udp.server_address[1])
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), name="name-server", daemon=True)
            for server in (self._udp, self._tcp)
        ]

    @property
    def endpoint(self) -> str:
        """`host:port`, as [relay] nameservers wants it."""
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Answer from now on, in threads of its own."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close both sockets."""
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def __enter__(self) -> NameServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        """The answer to one query, None for silence; what is no query gets none."""
        try:
            query = dns.message.from_wire(wire)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, transport))
        mood = self.moods.get(name)
        if mood is Mood.SILENT:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if mood in (Mood.SERVFAIL, Mood.REFUSED):
            response.set_rcode(dns.rcode.SERVFAIL if mood is Mood.SERVFAIL else dns.rcode.REFUSED)
        elif mood is Mood.TRUNCATED and transport == "udp":
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind)
        if mood is Mood.FORGED:
            response.id = (response.id + 1) % 65536
        size = 65535 if transport == "tcp" else max(query.payload, 512)
        return response.to_wire(max_size=size, prefer_truncation=True)

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(LINKS):
            records = self.zone.get(name)
            if records is None:
                if not any(known.endswith(f".{name}") for known in self.zone):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                break
            if kind in records:
                response.answer.append(_rrset(name, kind, records[kind]))
                return
            if "CNAME" not in records:
                break
            response.answer.append(_rrset(name, "CNAME", records["CNAME"]))
            name = records["CNAME"][0].rstrip(".").lower()
        response.authority.append(_rrset("", "SOA", [_SOA]))


def _rrset(name: str, kind: str, values: Sequence[str]) -> dns.rrset.RRset:
    owner = dns.name.from_text(name)
    return dns.rrset.from_text_list(
        owner, TTL, dns.rdataclass.IN, dns.rdatatype.from_text(kind), list(values)
    )


def mail_zone(operators: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, dict[str, list[str]]]:
    """A zone in which each operator's domains have one MX.

    `operators` maps an MX host name to its address and the domains it serves.
    """
    zone: dict[str, dict[str, list[str]]] = {}
    for host, (address, domains) in operators.items():
        zone[host] = {"A": [address]}
        for domain in domains:
            zone.setdefault(domain, {})["MX"] = [f"10 {host}."]
    return zone


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    source: NameServer


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    source: NameServer


class _UdpQuestion(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Udp)
        answer = self.server.source.answer(self.rfile.read(), "udp")
        if answer is not None:
            self.wfile.write(answer)


class _TcpQuestion(socketserver.StreamRequestHandler):
    timeout = 10.0

    def handle(self) -> None:
        assert isinstance(self.server, _Tcp)
        while len(head := self.rfile.read(2)) == 2:
            answer = self.server.source.answer(self.rfile.read(*struct.unpack("!H", head)), "tcp")
            if answer is None:
                return
            self.wfile.write(struct.pack("!H", len(answer)) + answer)


def _bound(source: NameServer, host: str, port: int) -> tuple[_Udp, _Tcp]:
    """Both sockets on one port; a port that is free for one transport only is given back."""
    while True:
        udp = _Udp((host, port), _UdpQuestion)
        try:
            tcp = _Tcp((host, int(udp.server_address[1])), _TcpQuestion)
        except OSError:
            udp.server_close()
            if port:
                raise
            continue
        udp.source = tcp.source = source
        return udp, tcp
