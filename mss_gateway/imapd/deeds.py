"""What somebody does in a mailbox, gathered by session and minute into few lines of the functional trace (AUD-1)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mss_gateway.pipeline.auditing import Reads
from mss_gateway.pipeline.notes import Notes
from mss_gateway.ports.identity import Principal
from mss_gateway.ports.records import TraceLine
from mss_gateway.rules.audit import CONSULTING

MINUTE = 60.0
"""Seconds for which readings of one kind in one folder are gathered."""

AT_ONCE = 1.0
"""Seconds for which changes are: they are durable before the client hears of them, their lines soon after."""


@dataclass(slots=True)
class _Deed:
    """One line that grows: messages so far, and between which UIDs."""

    at: float
    due: float  # on the monotonic clock
    count: int = 0
    low: int = 0
    high: int = 0

    def add(self, uids: Sequence[int], count: int) -> None:
        """More messages, by UID or only by their number."""
        self.count += count or len(uids)
        if len(uids):
            low, high = sorted((uids[0], uids[-1]))  # they come in order, from either end
            self.low = min(self.low, low) if self.low else low
            self.high = max(self.high, high)


class Deeds:
    """Gathers the deeds of one session. `request` is the kind of a command, never an argument of the client's."""

    def __init__(self, notes: Notes | None, reads: Reads, host: str) -> None:
        self._notes = notes
        self._reads = reads
        self._host = host
        self._deeds: dict[tuple[str, int, int, str, str], _Deed] = {}
        self._who: Principal | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def did(
        self,
        who: Principal,
        place: tuple[int, int, bool],
        event: str,
        request: str,
        uids: Sequence[int] = (),
        *,
        count: int = 0,
        reason: str = "",
    ) -> None:
        """Somebody did this with messages, or `count` of them; `place` is box, folder, and whether it is shared."""
        if self._notes is None:
            return
        consulting = event in CONSULTING
        if consulting and (self._reads == "off" or (self._reads == "shared" and not place[2])):
            return
        if self._who is not who:
            self.flush()
            self._who = who
        key = (event, place[0], place[1], request, reason)
        deed = self._deeds.get(key)
        if deed is None:
            wait = MINUTE if consulting or reason else AT_ONCE
            deed = self._deeds[key] = _Deed(time.time(), time.monotonic() + wait)
            self._wake(deed.due)
        deed.add(uids, count)

    def _wake(self, due: float) -> None:
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = asyncio.get_running_loop().call_later(due - time.monotonic(), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._hand_over(time.monotonic() + 0.01)
        if self._deeds:
            self._wake(min(deed.due for deed in self._deeds.values()))

    def flush(self) -> None:
        """Hand over what was gathered; also at the end of the session."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hand_over(float("inf"))

    def _hand_over(self, until: float) -> None:
        if self._notes is None or self._who is None:
            return
        for key in [key for key, deed in self._deeds.items() if deed.due <= until]:
            event, box_id, folder_id, request, reason = key
            deed = self._deeds.pop(key)
            detail: dict[str, str | int] = {"request": request, "peer": self._host, "messages": deed.count}
            if folder_id:
                detail["folder"] = folder_id
            if deed.high:
                detail["uids"] = f"{deed.low}:{deed.high}"
            if reason:
                detail["reason"] = reason
            self._notes.add(TraceLine(deed.at, event, "", None, box_id, self._who.login, detail))
