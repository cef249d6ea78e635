"""Name servers for one test: the demo's own on a free port of loopback, and one that lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast

import dns.message
import dns.rrset

from mss_gateway.dev.dns import Mood, NameServer, Zone


class DnsServer(NameServer):
    """`zone` (name → type → values as in a zone file) and `moods` may change while it runs.

    A name outside the zone is NXDOMAIN; `silent` makes one name get no answer at all.
    """

    def __init__(self, zone: Zone | None = None) -> None:
        super().__init__(zone or {})

    def put(self, name: str, **records: list[str]) -> None:
        """Set the records of a name, such as `put("x.fr", MX=["10 mx.x.fr."])`."""
        self.zone[name] = {kind: list(values) for kind, values in records.items()}

    def silent(self, name: str) -> None:
        """Give no answer for this name from now on."""
        self.moods[name] = Mood.SILENT


class Liar(asyncio.DatagramProtocol):
    """A name server of one datagram port that answers what `tell` makes of a question; counts them.

    `tell` gets the question and gives datagrams, in the order in which they are sent.
    """

    def __init__(self, tell: Callable[[dns.message.Message], Iterable[bytes]]) -> None:
        self.asked: list[str] = []
        self._tell = tell

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._link = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer, or not."""
        question = dns.message.from_wire(data)
        self.asked.append(question.question[0].to_text())
        for datagram in self._tell(question):
            self._link.sendto(datagram, addr)


@asynccontextmanager
async def lying(tell: Callable[[dns.message.Message], Iterable[bytes]]) -> AsyncIterator[tuple[Liar, str]]:
    """A `Liar` on loopback, and where it is asked (`host:port`)."""
    made = Liar(tell)
    link, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, ("127.0.0.1", 0))
    host, port = link.get_extra_info("sockname")
    try:
        yield made, f"{host}:{port}"
    finally:
        link.close()


def response(question: dns.message.Message, *records: str) -> dns.message.Message:
    """A good answer: records as in a zone file, `owner ttl type value`."""
    made = dns.message.make_response(question)
    for record in records:
        owner, ttl, kind, value = record.split(" ", 3)
        made.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, value))
    return made
