"""The outbound line on a real store, with a clock, an address book and a courier in the hands of the test."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import io
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from mss_gateway.directory.book import Book, BookOptions
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Notify, Recipient
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline.intake import Clock
from mss_gateway.pipeline.letters import Stationery
from mss_gateway.pipeline.outbound import Outbound, OutboundOptions
from mss_gateway.ports.mailboxes import Want
from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import BoxRow, Delivery, NewBody, OutboxEntry, Part, Queued
from mss_gateway.ports.store import Store, StoreError
from tests.support.couriers import FakeCourier
from tests.support.store import ANYONE, BACK_ENDS, NOW, add_box, body, inbox, uids

SENDER = "accueil@hopital.example"
"""The mailbox of ours that the messages come from."""

TRUSTED = frozenset({"nord.example", "sud.example", "est.example"})
"""Domains of other operators."""


class Listed:
    """A trusted list of these domains."""

    def knows(self, domain: str) -> bool:
        """On the list or not."""
        return domain in TRUSTED

    def domains_of(self, dn_key: str) -> frozenset[str]:
        """Nobody asks here."""
        return frozenset()


@dataclass
class Hands:
    """A clock that only the test moves, and dice that always fall in the middle."""

    at: float = NOW
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def clock(self) -> Clock:
        """What the line gets."""
        return Clock(lambda: self.at, lambda bits: 1 << bits - 1)

    def new_id(self) -> str:
        """Ids in order."""
        return f"id{next(self.numbers)}"


@dataclass
class Line:
    """One outbound line that runs; `box` is the sender's mailbox."""

    store: Store
    courier: FakeCourier
    outbound: Outbound
    hands: Hands
    box: BoxRow
    log: Log

    async def queue(
        self,
        *recipients: str,
        notify: frozenset[Notify] = frozenset(),
        orcpt: str | None = None,
        sender: str = SENDER,
        ret: str | None = None,
        envid: str | None = None,
        new: NewBody | None = None,
    ) -> NewBody:
        """Accept a message for other operators."""
        new = new or body()
        entries = tuple(
            OutboxEntry(sender, Recipient(parse_address(address), notify, orcpt), ret, envid)
            for address in recipients
        )
        await self.store.accept(Delivery((Part(new, self.hands.at, outbox=entries),)))
        return new

    async def quiet(self) -> list[Queued]:
        """Wait until nothing is due or leased, and return what waits."""
        found: list[Queued] = []

        async def still() -> bool:
            nonlocal found
            found = await self.store.queued(EVERYTHING)
            return all(row.state != "leased" and row.next_attempt > self.hands.at for row in found)

        await until(still)
        return found

    async def pass_time(self, seconds: float) -> list[Queued]:
        """Move the clock and wait until all that became due is settled."""
        self.hands.at += seconds
        self.outbound.wake()
        return await self.quiet()

    async def events(self, message_id: str | None) -> list[str]:
        """The timeline of one message, without its acceptance."""
        return [line.event for line in await self.store.trace(message_id)]

    async def reports(self) -> list[EmailMessage]:
        """What lies in the sender's INBOX."""
        return await inbox_of(self.store, self.box)

    def faults(self) -> float:
        """Faults of ours that were counted."""
        return sum(
            sample.value
            for metric in self.log.figures.registry.collect()
            for sample in metric.samples
            if sample.name == "mss_faults_total"
        )


async def inbox_of(store: Store, box: BoxRow) -> list[EmailMessage]:
    """The messages of an INBOX, parsed by somebody else's parser."""
    folder = await inbox(store, box.id)
    rows = await store.rows(folder, ANYONE, await uids(store, folder), frozenset({Want.HEADER}))
    found = []
    for row in rows:
        assert row.header is not None
        octets = row.header + await store.read_text(row.body_id, 0, row.size)
        message = email.message_from_bytes(octets, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        found.append(message)
    return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds; the test's own timeout is the limit."""
    while not await condition():  # noqa: ASYNC110 what is waited for happens in the store
        await asyncio.sleep(0.005)


async def calm(calls: Counter[str], seconds: float = 0.3) -> None:
    """Wait until nothing was counted for so long: what was begun is over, however busy the machine is."""
    while True:
        before = calls.total()
        await asyncio.sleep(seconds)
        if calls.total() == before:
            return


def human(report: EmailMessage) -> str:
    """The readable part of a report."""
    part = next(part for part in report.walk() if part.get_content_type() == "text/plain")
    content = part.get_content()
    assert isinstance(content, str)
    return content


def machine(report: EmailMessage) -> list[dict[str, str]]:
    """The blocks of a delivery status, the message's first."""
    part = next(part for part in report.walk() if part.get_content_type() == "message/delivery-status")
    blocks = part.get_payload()
    assert isinstance(blocks, list)
    return [dict(block.items()) for block in blocks]  # type: ignore[union-attr]


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    """A store over the data of a folder."""
    store = BACK_ENDS[0].build(folder)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def running(
    store: Store,
    courier: FakeCourier | None = None,
    options: OutboundOptions | None = None,
    hands: Hands | None = None,
    log: Log | None = None,
) -> AsyncIterator[Line]:
    """An outbound line at work on an open store; it is drained in the end."""
    hands = hands or Hands()
    courier = courier or FakeCourier()
    book = Book(store, Listed(), BookOptions(frozenset({"hopital.example"})))
    store.on_directory_change(book.forget)
    log = log or Log(LogOptions(), Figures(), io.BytesIO())
    with ThreadPoolExecutor(1) as executor:
        stationery = Stationery("mss.hopital.example", b"k" * 32, executor, hands.new_id, lambda at: 60)
        options = options or OutboundOptions(drain=5.0)
        outbound = Outbound(store, courier, book, stationery, log, options, hands.clock())
        box = await store.box(SENDER) or await add_box(store)
        task = asyncio.create_task(outbound.run())
        try:
            yield Line(store, courier, outbound, hands, box, log)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, StoreError):
                await task
