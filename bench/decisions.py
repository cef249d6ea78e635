"""CPU of single decisions on a store with 100,000 channels and 100,000 identities, in this process."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mss_gateway.base.errors import Refuse
from mss_gateway.directory.book import Book, BookOptions
from mss_gateway.mail.address import Address, parse_address
from mss_gateway.pipeline.gather import Gather
from mss_gateway.ports.records import ChannelChange, Delivery, Identity, NewBox, TraceLine
from mss_gateway.rules.facts import (
    BoxType,
    Caller,
    CallerKind,
    ChannelState,
    House,
    IdentityStatus,
    MessageFacts,
    Party,
)
from mss_gateway.rules.policy import decide
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from tests.support.identities import NIR, number

ABOUT = "gathering facts and deciding, RCPT and end of data, one by one in this process"
AIM_MS = 1.0
"""CPU milliseconds of one decision, at most."""
CHANNELS = 100_000
BALS = 100
PATIENTS = 2_000  # of the 100,000, drawn by lot: those who have a mailbox here and are decided on
BATCH = 5_000
ROUNDS = 5
HOSTED, PATIENT_DOMAIN = "clinique-exemple.mssante.fr", "patient.mssante.fr"
NOW = 1_790_000_000.0
LINE = TraceLine(NOW, "bench", "")
COLD, WARM = "address not cached", "address cached"


@dataclass(slots=True)
class DecisionFigures:
    """CPU milliseconds of one decision (all threads), by moment: the mean of each round."""

    channels: int = 0
    identities: int = 0
    cpu_ms: dict[str, list[float]] = field(default_factory=dict)


class _Nobody:
    """A trusted list without domains."""

    def knows(self, domain: str) -> bool:
        return False

    def domains_of(self, dn_key: str) -> frozenset[str]:
        return frozenset()


def matricule(index: int) -> str:
    """A made-up INS with its key; its month is one of those kept for fictitious numbers (domain 14.1)."""
    department, order = index // 990 % 90 + 1, index % 990 + 1
    return number(
        "12"[index % 2], date(1950 + index // 89_100, 1, 1), f"{department:02}001", order, 50 + index % 40
    )


def _bal(index: int) -> Address:
    return parse_address(f"professionnel.{index % BALS}@{HOSTED}")


def _patient(index: int) -> Address:
    return parse_address(f"{matricule(index)}@{PATIENT_DOMAIN}")


async def _fill(store: SqliteStore, drawn: list[int]) -> None:
    """Each patient has one identity, all qualified, and one open channel; those drawn and the BALs have boxes."""
    for start in range(0, CHANNELS, BATCH):
        span = range(start, min(start + BATCH, CHANNELS))
        await store.put_identities(
            [
                Identity(
                    matricule(i), NIR, "ESSAI", "PATIENTE", "F", "1950-01-01", "01001", IdentityStatus.QUAL
                )
                for i in span
            ],
            LINE,
        )
        changes = (ChannelChange(_patient(i).key, _bal(i).key, ChannelState.OPEN, "message") for i in span)
        await store.accept(Delivery((), tuple(changes), trace=(LINE,)))
    boxes = [NewBox(str(_bal(i)), BoxType.PER) for i in range(BALS)]
    boxes += [NewBox(str(_patient(i)), BoxType.PAT) for i in drawn]
    await asyncio.gather(*(store.add_box(box, LINE) for box in boxes))


@dataclass(frozen=True, slots=True)
class _Pair:
    """A patient and the BAL of its channel, each ready to write to the other."""

    patient: Party
    bal: Party

    @property
    def answers(self) -> Caller:
        """The patient's login."""
        key = self.patient.address.key
        return Caller(CallerKind.PATIENT, key, key, "plain", frozenset({key}))

    @property
    def writes(self) -> Caller:
        """The professional's login."""
        key = self.bal.address.key
        return Caller(CallerKind.PERSON, key, key, "plain", frozenset({key}))


def _message(author: Address) -> MessageFacts:
    return MessageFacts(
        from_=(author,), from_local=True, subject="Compte rendu", message_id="<b@x>", size=4096
    )


async def _answer_rcpt(gather: Gather, pair: _Pair) -> None:
    _passed(decide(await gather.recipient(NOW, pair.answers, pair.patient, pair.bal.address)))


async def _answer_data(gather: Gather, pair: _Pair) -> None:
    message = _message(pair.patient.address)
    _passed(decide(await gather.message(NOW, pair.answers, pair.patient, pair.bal, message)))


async def _write_rcpt(gather: Gather, pair: _Pair) -> None:
    _passed(decide(await gather.recipient(NOW, pair.writes, pair.bal, pair.patient.address)))


async def _write_data(gather: Gather, pair: _Pair) -> None:
    message = _message(pair.bal.address)
    _passed(decide(await gather.message(NOW, pair.writes, pair.bal, pair.patient, message, patients=1)))


def _passed(decision: object) -> None:
    if isinstance(decision, Refuse):
        raise OSError(f"the bench is refused: {decision.reason}")


MOMENTS: dict[str, Callable[[Gather, _Pair], Awaitable[None]]] = {
    "patient answers, RCPT": _answer_rcpt,
    "patient answers, end of data": _answer_data,
    "professional writes, RCPT, registry asked": _write_rcpt,
    "professional writes, end of data, registry asked": _write_data,
}
"""Gathering and deciding; the registry is asked with `require_qualified` = enforce."""


def run(folder: Path, say: Callable[[str], None]) -> DecisionFigures:
    """Fill a store of its own and measure."""
    folder.mkdir(parents=True)
    return asyncio.run(_run(folder, say))


async def _run(folder: Path, say: Callable[[str], None]) -> DecisionFigures:
    store = SqliteStore(SqliteOptions(folder / "store"))
    await store.open()
    try:
        drawn = random.Random("patients").sample(range(CHANNELS), PATIENTS)
        say(f"decisions: {CHANNELS} channels and identities are being written")
        await _fill(store, drawn)
        figures = DecisionFigures(CHANNELS, sum((await store.count_identities()).values()))
        book = Book(store, _Nobody(), BookOptions(frozenset({HOSTED}), PATIENT_DOMAIN, patient_hosted=True))
        gather = Gather(book, store, House(require_qualified="enforce"), store, store)
        pairs = [_Pair(await book.party(_patient(i)), await book.party(_bal(i))) for i in drawn]
        for _ in range(ROUNDS):
            for name, decided in MOMENTS.items():
                book.forget()
                for temper in (COLD, WARM):
                    spent = await _spent(gather, pairs, decided)
                    figures.cpu_ms.setdefault(f"{name}, {temper}", []).append(spent)
        return figures
    finally:
        await store.close()


async def _spent(
    gather: Gather, pairs: list[_Pair], decided: Callable[[Gather, _Pair], Awaitable[None]]
) -> float:
    """CPU milliseconds of all threads for one decision."""
    before = time.process_time()
    for pair in pairs:
        await decided(gather, pair)
    return 1000 * (time.process_time() - before) / len(pairs)


def table(name: str, about: str, figures: DecisionFigures) -> list[str]:
    """The lines of the case."""
    lines = [
        f"\n{name}: {about}",
        f"  store: {figures.channels} channels, {figures.identities} identities; {PATIENTS} patients drawn by lot",
        f"  {'CPU ms of one decision':70}{'best':>8}{'median':>8}",
    ]
    for moment, found in figures.cpu_ms.items():
        lines.append(f"  {moment:70}{min(found):>8.3f}{statistics.median(found):>8.3f}")
    if figures.cpu_ms:
        worst = max(statistics.median(found) for found in figures.cpu_ms.values())
        lines.append(
            f"  aim < {AIM_MS:g} ms, worst median {worst:.3f}: {'met' if worst < AIM_MS else 'NOT MET'}"
        )
    return lines
