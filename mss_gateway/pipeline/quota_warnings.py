"""Tells mailboxes that they fill up: one mail for each threshold that is passed (BAL-9)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.compose import notice
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.directory import AddressBook
from mss_gateway.ports.quota import QuotaRows, Usage
from mss_gateway.ports.records import Delivery, TraceLine
from mss_gateway.rules.facts import BoxType
from mss_gateway.rules.quota import warning
from mss_gateway.rules.quota_texts import WARNING_SUBJECT, warning_text

from .letters import Stationery, report_part

PAUSE = 5.0  # seconds between two looks: what arrives meanwhile is counted once
BATCH = 200  # boxes of one question to the store


class QuotaWarner:
    """Looks at the boxes whose folders have changed, never in the way of a message.

    Nothing is kept here that a restart could lose: what was told stands in the store, and the first look is at all
    boxes that have a limit.
    """

    def __init__(
        self,
        rows: QuotaRows,
        book: AddressBook,
        stationery: Stationery,
        log: Log,
        thresholds: Sequence[int],
        pause: float = PAUSE,
    ) -> None:
        self._rows = rows
        self._book = book
        self._stationery = stationery
        self._log = log
        self._thresholds = tuple(sorted(thresholds))
        self._pause = pause
        self._awake = asyncio.Event()
        self._folders: set[int] = set()
        self._on = bool(thresholds)  # a limit may be in force somewhere
        self._all = True  # every box is to be looked at

    def changed(self, folder_id: int, modseq: int) -> None:
        """A commit changed a folder; all that the way of a message pays for the warnings."""
        if self._on:
            self._folders.add(folder_id)
            self._awake.set()

    def directory_changed(self) -> None:
        """A quota may have been set, or a box taken up again."""
        if self._thresholds:
            self._all = True
            self._awake.set()

    async def run(self) -> None:
        """Look for ever; every box first."""
        self.directory_changed()
        while True:
            await self._awake.wait()
            self._awake.clear()
            try:
                await self.look()
            except Exception as error:  # of the store, or of ours: the next look is for all of them
                self._log.fault(Event.STORE_FAULT, error)
                self.directory_changed()
            await asyncio.sleep(self._pause)

    async def look(self) -> int:
        """Look at what has changed since the last time; return how many boxes were told. Raises `StoreError`."""
        folders, self._folders = self._folders, set()
        if self._all:
            self._all = False
            self._on = await self._rows.any_quota()
            return await self._look_at_all() if self._on else 0
        waiting = sorted(folders)
        told = 0
        for start in range(0, len(waiting), BATCH):
            told += await self._tell(await self._rows.usage(waiting[start : start + BATCH]))
        return told

    async def _look_at_all(self) -> int:
        told = last = 0
        while found := await self._rows.usage_of_all(last, BATCH):
            told += await self._tell(found)
            last = found[-1].box_id
        return told

    async def _tell(self, found: Sequence[Usage]) -> int:
        told = 0
        for one in found:
            after, due = warning(one.told, one.percent, self._thresholds)
            if due is not None:
                told += await self._warn(one, due)
            elif after != one.told:
                await self._rows.note_told(one.box_id, after)
        return told

    async def _warn(self, one: Usage, percent: int) -> bool:
        now = time.time()
        subject = WARNING_SUBJECT.format(percent=percent)
        head = self._stationery.letterhead(one.address, subject, now)
        room = (one.octets, one.octets_limit, one.messages, one.messages_limit)
        patient = one.type is BoxType.PAT
        octets = notice(
            head, warning_text(one.address, percent, room, patient=patient), kind="auto-generated"
        )
        party = await self._book.party(parse_address(one.address))
        if party.box is None:
            return False
        part = await report_part(octets, party, now, self._stationery)
        detail: dict[str, str | int] = {"percent": percent}
        line = TraceLine(now, "quota-warned", "", head.message_id, one.box_id, actor="gateway", detail=detail)
        return await self._rows.tell_usage(one.box_id, one.told, percent, Delivery((part,), trace=(line,)))
