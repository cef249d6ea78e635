"""Steps 3 to 7 of the line: identify, gather, decide, route, accept. What a door calls, and nothing more."""

from __future__ import annotations

import asyncio
import errno
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from mss_gateway.base.errors import Refuse
from mss_gateway.base.ids import sortable_id
from mss_gateway.mail.envelope import Envelope, Recipient
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.records import Delivery
from mss_gateway.ports.store import Deliveries, StaleChannel, StoreError, StoreFull
from mss_gateway.rules.facts import Caller, MessageFacts
from mss_gateway.rules.policy import Accept, decide

from .delivery import Draft, build
from .gather import Gather
from .letters import Stationery
from .notes import Notes
from .reading import Reader
from .spool import Spool, Spooled
from .timeline import refusal_line
from .transaction import Accepted, PeerSession, Transaction

STALE_RETRIES = 5  # decisions made again because a channel moved meanwhile

FULL = Refuse(452, "4.3.1", "No room to keep the message now; try again later", "store-full")
TROUBLE = Refuse(451, "4.3.0", "The message could not be kept now; try again later", "store-error")


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and dice of the line, so that tests can hold both."""

    now: Callable[[], float] = time.time
    bits: Callable[[int], int] = random.getrandbits  # ids must be unique, they need not be secret


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """`hostname` goes into trace headers, reports and Message-IDs; `spool` is on the store's own file system.

    `correlation_key` makes the marks that stand for patients in traces (INS-7).
    """

    hostname: str
    spool: Path
    correlation_key: bytes
    sealed: bool = False  # what lies in the spool is encrypted


class Intake:
    """Takes a transaction step by step; every answer is None, `Accepted` or a `Refuse`, never an exception of rules."""

    def __init__(
        self,
        gather: Gather,
        reader: Reader,
        store: Deliveries,
        notes: Notes,
        log: Log,
        executor: Executor,
        options: IntakeOptions,
        clock: Clock | None = None,
    ) -> None:
        self._gather = gather
        self._reader = reader
        self._store = store
        self._notes = notes
        self._log = log
        self._executor = executor
        self._options = options
        self._clock = clock or Clock()
        self._under_way: set[asyncio.Task[Accepted | Refuse]] = set()
        self.stationery = Stationery(options.hostname, options.correlation_key, executor, self.new_id)

    def new_id(self) -> str:
        """A new transaction id, sortable by time."""
        return sortable_id(self._clock.now(), self._clock.bits(62))

    def new_spool(self) -> Spool:
        """An empty body for the message that comes now."""
        return Spool(self._options.spool / self.new_id(), self._executor, sealed=self._options.sealed)

    async def begin(
        self, caller: Caller, session: PeerSession, envelope: Envelope
    ) -> tuple[Transaction, Refuse | None]:
        """Decide on MAIL FROM (BAL-5..7, TRU-7)."""
        facts = await self._gather.sender(self._clock.now(), caller, envelope.sender)
        transaction = Transaction(self.new_id(), caller, session, envelope, facts.sender)
        decision = decide(facts)
        if isinstance(decision, Refuse):
            transaction.refused = facts
            self.note_refusal(transaction, session.host, decision)
            return transaction, decision
        return transaction, None

    async def recipient(self, transaction: Transaction, recipient: Recipient) -> Refuse | None:
        """Decide on one RCPT TO (RTE-1..3, RTE-5, INS-1, CHN-6) and take it into the transaction."""
        facts = await self._gather.recipient(
            self._clock.now(), transaction.caller, transaction.sender, recipient.address
        )
        decision = decide(facts)
        if isinstance(decision, Refuse):
            transaction.refused = facts
            self.note_refusal(transaction, transaction.session.host, decision)
            return decision
        assert facts.recipient is not None
        # The same address twice is one copy (RTE-4); the first RCPT's wishes hold.
        if all(known.address.key != recipient.address.key for known, _ in transaction.recipients):
            transaction.recipients.append((recipient, facts.recipient))
        return None

    async def message(self, transaction: Transaction, spool: Spool) -> Accepted | Refuse:
        """Decide on the whole message and commit it; `Accepted` means durable (RTE-4).

        The commit goes on when the caller is cancelled: a client that leaves never undoes it.
        """
        task = asyncio.ensure_future(self._message(transaction, spool))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for the commits whose clients have left; a stopping gateway calls it before it closes the store."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _message(self, transaction: Transaction, spool: Spool) -> Accepted | Refuse:
        kind = transaction.caller.kind.value
        with self._log.spans.span("message", transaction=transaction.id, caller=kind) as span:
            outcome = await self._settled(transaction, spool)
            if isinstance(outcome, Refuse):
                span.refuse(outcome.reason)
            else:
                span.put(placed=outcome.placed, queued=outcome.queued)
        return outcome

    async def _settled(self, transaction: Transaction, spool: Spool) -> Accepted | Refuse:
        started = time.perf_counter()
        try:
            spooled = await spool.finish()
            outcome = spooled if isinstance(spooled, Refuse) else await self._accept(transaction, spooled)
        except StoreFull:
            outcome = FULL
        except OSError as error:
            self._log.fault(Event.STORE_FAULT, error, transaction=transaction.id)
            outcome = FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else TROUBLE
        except StoreError as error:
            self._log.fault(Event.STORE_FAULT, error, transaction=transaction.id)
            outcome = TROUBLE
        finally:
            await spool.discard()
        if isinstance(outcome, Refuse):
            self.note_refusal(transaction, transaction.session.host, outcome)
        else:
            self._log.figures.accept_seconds.observe(time.perf_counter() - started)
        return outcome

    async def _accept(self, transaction: Transaction, spooled: Spooled) -> Accepted | Refuse:
        spans, patients = self._log.spans, transaction.patients()
        with spans.span("read", size=spooled.size):
            null_sender = transaction.envelope.sender is None
            reading = await self._reader.read(spooled, patients=patients, null_sender=null_sender)
        facts = reading.facts
        for _ in range(STALE_RETRIES):
            now = self._clock.now()
            with spans.span("decide", recipients=len(transaction.recipients)):
                decided = await self._decide(now, transaction, facts)
            if isinstance(decided, Refuse):
                return decided
            draft = Draft(transaction, spooled, reading, tuple(decided), now)
            delivery = await build(draft, self.stationery)
            try:
                with spans.span("commit"):
                    placed = await self._store.accept(delivery)
            except StaleChannel:
                continue
            return self._accepted(draft, delivery, len(placed))
        return TROUBLE

    async def _decide(
        self, now: float, transaction: Transaction, message: MessageFacts
    ) -> list[tuple[Recipient, Accept]] | Refuse:
        """One answer for all (RTE-5): the first refusal refuses the message."""
        decided: list[tuple[Recipient, Accept]] = []
        patients = transaction.patients()
        for recipient, party in transaction.recipients:
            facts = await self._gather.message(
                now, transaction.caller, transaction.sender, party, message, patients
            )
            decision = decide(facts)
            if isinstance(decision, Refuse):
                transaction.refused = facts
                return decision
            decided.append((recipient, decision))
        return decided

    def _accepted(self, draft: Draft, delivery: Delivery, placed: int) -> Accepted:
        queued = sum(len(part.outbox) for part in delivery.parts)
        self._log.info(
            Event.MESSAGE_ACCEPTED,
            transaction=draft.transaction.id,
            caller=draft.transaction.caller.kind.value,
            size=draft.spooled.size,
            placed=placed,
            queued=queued,
        )
        return Accepted(draft.transaction.id, placed, queued)

    def note_refusal(self, transaction: Transaction | None, host: str, refuse: Refuse | str) -> None:
        """Write a refusal, or its reason alone, into log, figures and timeline; the peer does not wait for it."""
        reason = refuse if isinstance(refuse, str) else refuse.reason
        self._log.info(
            Event.MESSAGE_REFUSED,
            transaction=transaction.id if transaction else "",
            peer=host,
            reason=reason,
        )
        self._notes.add(
            refusal_line(transaction, host, refuse, self._clock.now(), self._options.correlation_key)
        )
