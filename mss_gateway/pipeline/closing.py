"""Ends exchanges by themselves after days of silence, and by hand (CHN-8, CHN-10)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

from mss_gateway.mail.address import Address, parse_address
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.directory import AddressBook
from mss_gateway.ports.records import (
    Channel,
    ChannelChange,
    ChannelGuard,
    Delivery,
    Part,
    TraceLine,
)
from mss_gateway.ports.store import Channels, Deliveries, DirectoryRows, StaleChannel, StoreError
from mss_gateway.rules.actions import SayClosed
from mss_gateway.rules.boxes import silence_of
from mss_gateway.rules.exchange import end_of
from mss_gateway.rules.facts import Box, ChannelState

from .letters import Occasion, Stationery, closing, end_exchange
from .timeline import patient_detail

PAUSE = 3600.0  # seconds between two looks for exchanges that have fallen silent
BATCH = 100
DAY = 86400.0


class ClosingStore(Deliveries, Channels, DirectoryRows, Protocol):
    """What the closing needs of the store."""


@dataclass(frozen=True, slots=True)
class Closer:
    """Ends an exchange on behalf of a BAL; the patient reads why no answer is possible any more."""

    store: ClosingStore
    book: AddressBook
    stationery: Stationery
    log: Log

    async def run(self) -> None:
        """Look for silent exchanges for ever."""
        while True:
            try:
                await self.close_silent(time.time())
            except Exception as error:  # of the store, or of ours: the next look is for all of them
                self.log.fault(Event.STORE_FAULT, error)
            await asyncio.sleep(PAUSE)

    async def close_silent(self, now: float) -> int:
        """End every exchange that has been silent for the days its BAL allows; return how many. Raises `StoreError`."""
        closed = 0
        for row in await self.store.boxes(["PER", "ORG", "APP", "CAB"]):
            days = silence_of(row.auto_close)
            if days is None:
                continue
            bal = parse_address(row.address)
            party = await self.book.party(bal)
            if party.box is None:
                continue
            while silent := await self.store.silent_channels(bal.key, now - days * DAY, BATCH):
                done = sum([await self._ended(channel, party.box, now) for channel in silent])
                closed += done
                if done < len(silent):
                    break  # somebody wrote meanwhile; the next look sees it
        return closed

    async def _end(self, channel: Channel, box: Box, now: float) -> bool:
        patient = await self.book.party(parse_address(channel.patient))
        end = end_of(patient, box, (channel.bal,), "auto-silence")
        parts = await end_exchange(end, Occasion(now), self.stationery)
        detail = patient_detail(channel.patient, self.stationery.correlation_key)
        line = TraceLine(
            now,
            "auto-closed",
            "",
            box_id=box.id,
            actor="gateway",
            detail={"cause": end.cause, "bal": channel.bal, **detail},
        )
        delivery = Delivery(
            tuple(parts),
            channels=(ChannelChange(channel.patient, channel.bal, ChannelState.CLOSED, end.cause),),
            guards=(ChannelGuard(channel.patient, channel.bal, channel.version),),
            trace=(line,),
        )
        try:
            await self.store.accept(delivery)
        except StaleChannel:
            return False  # written to in this moment: not silent any more
        return True

    async def _ended(self, channel: Channel, box: Box, now: float) -> bool:
        """End one; a fault of ours with it is no reason to leave the others open. Raises `StoreError`."""
        try:
            return await self._end(channel, box, now)
        except StoreError:
            raise
        except Exception as error:
            self.log.fault(Event.GATEWAY_FAULT, error)
            return False

    async def close_by_hand(self, patient: Address, bal: Address, trace: TraceLine) -> Channel:
        """CHN-10: ops end an exchange; the patient is told, here or with the `[FIN]` that the other operator knows.

        Raises `StoreError`.
        """
        while True:
            now = time.time()
            found = await self.store.channels(patient.key, bal.key, 1)
            before = found[0] if found else None
            parts = await self._told(patient, bal, before, now)
            version = before.version if before is not None else 0
            delivery = Delivery(
                tuple(parts),
                channels=(ChannelChange(patient.key, bal.key, ChannelState.CLOSED, "ops"),),
                guards=(ChannelGuard(patient.key, bal.key, version),),
                trace=(trace,),
            )
            try:
                await self.store.accept(delivery)
            except StaleChannel:
                continue
            return (await self.store.channels(patient.key, bal.key, 1))[0]

    async def _told(self, patient: Address, bal: Address, before: Channel | None, now: float) -> list[Part]:
        if before is None or before.state is not ChannelState.OPEN:
            return []
        party = await self.book.party(patient)
        here = party.box
        box = (await self.book.party(bal)).box
        if box is not None and here is None:
            end = end_of(party, box, (bal.key,), "ops")
            return await end_exchange(end, Occasion(now), self.stationery)
        if here is None:
            return []
        name = before.name or (box.display if box is not None else "") or str(bal)
        say = SayClosed(here.id, patient.key, bal.key, name)
        return [await closing(say, str(patient), Occasion(now), self.stationery)]
