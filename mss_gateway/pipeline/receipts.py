"""Writes the read receipts that are due: once, whatever happens between the opening and the MDN (RCP-2, RCP-4)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.dsn import OriginalMessage
from mss_gateway.mail.facts import header_facts
from mss_gateway.mail.mdn import build_mdn
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.directory import AddressBook
from mss_gateway.ports.records import Delivery, Opened, TraceLine
from mss_gateway.ports.store import Deliveries, Receipts, StaleReceipt, StoreError
from mss_gateway.rules import texts
from mss_gateway.rules.ins import mask_text

from .letters import Stationery, report_part, untold

RETRY = 30.0  # seconds until the next attempt when the store could not take an MDN
RETRY_FAULT = (
    900.0  # seconds until one that could not be written is tried again, unless something else is opened
)
BATCH = 100
USER_AGENT = "mss-gateway"


class ReceiptStore(Deliveries, Receipts, Protocol):
    """What the writing of receipts needs of the store."""


class ReceiptWriter:
    """Turns openings into MDNs. The opening is durable with `\\Seen`, the MDN with the end of the debt."""

    def __init__(self, store: ReceiptStore, book: AddressBook, stationery: Stationery, log: Log) -> None:
        self._store = store
        self._book = book
        self._stationery = stationery
        self._log = log
        self._awake = asyncio.Event()
        self._unwritten: set[int] = set()  # receipts that the last look could not write

    def wake(self) -> None:
        """A message whose receipt is due has been opened."""
        self._awake.set()

    async def run(self) -> None:
        """Write for ever; what a killed gateway left opened comes first."""
        self._awake.set()
        while True:
            await self._awake.wait()
            self._awake.clear()
            pause = None
            try:
                await self.write_due()
                pause = RETRY_FAULT if self._unwritten else None
            except Exception as error:  # of the store, or of ours: neither may end the writing
                self._log.fault(Event.STORE_FAULT, error)
                pause = RETRY
            if pause is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), pause)
                self._awake.set()

    async def write_due(self) -> int:
        """Write everything that is due now; return how many MDNs were written. Raises `StoreError`.

        One that a fault of ours keeps from being written stays due and holds up no other.
        """
        written = 0
        self._unwritten.clear()
        while due := await self._store.opened(BATCH + len(self._unwritten)):
            due = [one for one in due if one.id not in self._unwritten]
            if not due:
                break
            for opened in due:
                try:
                    written += await self._write(opened)
                except StoreError:
                    raise
                except Exception as error:
                    self._log.fault(Event.GATEWAY_FAULT, error)
                    self._unwritten.add(opened.id)
        return written

    async def _write(self, opened: Opened) -> bool:
        delivery = await self._delivery(opened)
        try:
            await self._store.accept(delivery)
        except StaleReceipt:
            return False  # another writer was first
        return True

    async def _delivery(self, opened: Opened) -> Delivery:
        now = time.time()
        facts = header_facts(opened.header)
        traced = {"recipient": mask_text(opened.recipient), "notify": mask_text(opened.notify)}

        def line(at: float, event: str, **more: str) -> TraceLine:
            return TraceLine(at, event, "", facts.message_id, opened.box_id, "gateway", {**traced, **more})

        lines = [line(opened.opened_at, "receipt-opened")]
        try:
            to = await self._book.party(parse_address(opened.notify))
        except InvalidValue:  # it was an address when it was written down
            return Delivery(
                (), trace=(*lines, line(now, "discarded", reason="receipt-address")), answered=(opened.id,)
            )
        if reason := untold(to):
            withheld = line(now, "report-withheld", reason=reason)
            return Delivery((), trace=(*lines, withheld), answered=(opened.id,))
        subject = texts.RECEIPT_SUBJECT.format(subject=facts.subject)
        head = self._stationery.letterhead(opened.notify, subject, now, facts.message_id)
        zone = timezone(timedelta(minutes=self._stationery.offset(opened.opened_at)))
        when = datetime.fromtimestamp(opened.opened_at, zone).strftime("%d/%m/%Y à %H:%M")
        octets = build_mdn(
            head,
            texts.RECEIPT.format(recipient=opened.recipient, when=when),
            f"{self._stationery.hostname}; {USER_AGENT}",
            opened.recipient,
            (opened.orcpt or "").partition(";")[2] or opened.recipient,
            OriginalMessage(opened.header),
        )
        part = await report_part(octets, to, now, self._stationery)
        lines.append(line(now, "mdn-sent", report=head.message_id))
        return Delivery((part,), trace=tuple(lines), answered=(opened.id,))
