"""Tells patients outside that something has arrived (PAT-3): in the background, never in a message's way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.alerts import AlertMail, AlertState, DueAlert, Handed, Handing, SettledAlert, Smarthost
from mss_gateway.ports.records import BoxRow, TraceLine
from mss_gateway.ports.store import Alerts, DirectoryRows, StoreError
from mss_gateway.rules.alerts import AlertTimes, Offset, alert_mail, due_at, mask_personal, retry_at
from mss_gateway.rules.facts import BoxType
from mss_gateway.rules.recipients import GONE

from .intake import Clock

PAUSE = 30.0
"""Seconds before a store that failed is asked again."""

LONGEST_SLEEP = 3600.0
"""Seconds after which the clock is looked at again: it may have been set."""

BATCH = 50


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """`mode` is `each` or `daily`, `digest_hour` 0 to 23 in local time; `sender` a plain address, `link` may be empty.

    `at_once` is how many mails are under way at a time.
    """

    mode: str
    sender: str
    link: str = ""
    digest_hour: int = 8
    at_once: int = 4


class AlertStore(Alerts, DirectoryRows, Protocol):
    """What the alerting needs of the store."""


class Alerting:
    """Sends what is due, sleeps until the next moment, and is woken by arrivals."""

    def __init__(
        self,
        store: AlertStore,
        smarthost: Smarthost,
        options: AlertOptions,
        offset: Offset,
        clock: Clock,
        log: Log,
    ) -> None:
        self._store = store
        self._smarthost = smarthost
        self._options = options
        self._times = AlertTimes(options.mode == "daily", options.digest_hour, offset)
        self._clock = clock
        self._log = log
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Something has arrived for a patient who is to be told."""
        self._awake.set()

    async def run(self) -> None:
        """Tell for ever; what a killed gateway left comes first."""
        while True:
            self._awake.clear()
            try:
                await self.tell_due()
                upcoming = await self._store.next_alert()
                wait = LONGEST_SLEEP if upcoming is None else upcoming - self._clock.now()
            except StoreError as error:
                self._log.fault(Event.STORE_FAULT, error)
                wait = PAUSE
            except Exception as error:  # a fault of ours must not end the telling of all others
                self._log.fault(Event.GATEWAY_FAULT, error)
                wait = PAUSE
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), min(max(wait, 0.05), LONGEST_SLEEP))

    async def tell_due(self) -> int:
        """Send everything that is due now; return how many mails the smarthost took. Raises `StoreError`."""
        told = 0
        down: Handed | None = None
        while due := await self._store.due_alerts(self._clock.now(), BATCH):
            for start in range(0, len(due), self._options.at_once):
                group = due[start : start + self._options.at_once]
                outcomes = await asyncio.gather(*(self._tell(alert, down) for alert in group))
                down = next((one for one in outcomes if one and one.handing is Handing.UNREACHABLE), down)
                told += sum(one is not None and one.handing is Handing.TAKEN for one in outcomes)
        return told

    async def _tell(self, alert: DueAlert, down: Handed | None) -> Handed | None:
        """One box; None when nothing was to be sent. What is down for one is down for all."""
        now = self._clock.now()
        due = due_at(alert.first_at, alert.told_at, self._times)
        if due > now:
            await self._settle(alert, AlertState.WAITING, due)
            return None
        box = await self._store.box_by_id(alert.box_id)
        if box is None or box.type is not BoxType.PAT or box.state in GONE or not box.alert_address:
            await self._settle(alert, AlertState.DROPPED, now)
            return None
        handed = down or await self._hand(box, now)
        await self._conclude(alert, box, handed, due)
        return handed

    async def _hand(self, box: BoxRow, now: float) -> Handed:
        domain = self._options.sender.rpartition("@")[2]
        message_id = f"<{self._clock.bits(128):032x}@{domain}>"
        octets = alert_mail(
            self._options.sender,
            box.alert_address,
            self._options.link,
            message_id,
            now,
            self._times.offset(now),
        )
        try:
            return await self._smarthost.hand(AlertMail(self._options.sender, box.alert_address, octets))
        except Exception as error:  # a fault of ours: this alert is tried again
            self._log.fault(Event.GATEWAY_FAULT, error)
            return Handed(Handing.LATER, "fault")

    async def _conclude(self, alert: DueAlert, box: BoxRow, handed: Handed, due: float) -> None:
        """Settle what was handed over, or was not, with its trace line."""
        now = self._clock.now()
        if handed.handing is Handing.TAKEN:
            await self._settle(alert, AlertState.TOLD, now, [self._line("alert-sent", box, now)])
            return
        attempts = alert.attempts + 1
        again = None if handed.handing is Handing.REFUSED else retry_at(attempts, now, due)
        state = AlertState.DROPPED if again is None else AlertState.WAITING
        lines = []
        if (
            again is None or attempts == 1
        ):  # not every retry: a smarthost that is down for days would fill the trace
            lines.append(self._line("alert-failed", box, now, error=handed.detail, outcome=state.value))
        await self._settle(alert, state, now if again is None else again, lines, attempts)

    def _line(self, event: str, box: BoxRow, at: float, **more: str) -> TraceLine:
        detail = {"to": mask_personal(box.alert_address), **more}
        return TraceLine(at, event, "", None, box.id, "gateway", detail)

    async def _settle(
        self,
        alert: DueAlert,
        state: AlertState,
        at: float,
        lines: Sequence[TraceLine] = (),
        attempts: int | None = None,
    ) -> None:
        count = alert.attempts if attempts is None else attempts
        await self._store.settle_alerts([SettledAlert(alert.box_id, alert.arrivals, state, at, count)], lines)
