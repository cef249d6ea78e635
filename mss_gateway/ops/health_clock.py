"""Whether the clock can be believed: certificates, lists and traces all rest on it (OPS-2)."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .doctor import Check, Verdict

SKEW = 300.0
"""Seconds that something signed may lie ahead of our clock."""

_UNSYNCHRONISED = 0x0040  # STA_UNSYNC of adjtimex(2)
_ERROR = 5  # TIME_ERROR, what adjtimex(2) answers while nobody steers the clock
_STEP = "start chrony or systemd-timesyncd, then look with `timedatectl`"


@dataclass(frozen=True, slots=True)
class Steering:
    """What the kernel says of its clock: whether somebody steers it, and its largest error in seconds."""

    synchronised: bool
    error: float


def kernel_clock() -> Steering | None:
    """What adjtimex(2) says, or None where there is no such call."""
    fields = (
        ctypes.c_long * 64
    )()  # struct timex of 64-bit Linux, with room to spare; modes = 0 changes nothing
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(fields))
    except (OSError, AttributeError):
        return None
    if state < 0 or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    # modes, offset, freq, maxerror (microseconds), esterror, status
    return Steering(state != _ERROR and not fields[5] & _UNSYNCHRONISED, fields[3] / 1e6)


class ClockHealth:
    """Examines the clock. `newest` gives the time of the latest thing that others have signed, epoch seconds."""

    def __init__(
        self,
        newest: Callable[[], Awaitable[float]],
        steering: Callable[[], Steering | None] = kernel_clock,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._newest = newest
        self._steering = steering
        self._now = now

    async def examine(self) -> Sequence[Check]:
        """The kernel's own opinion, and that of who signs lists."""
        now = self._now()
        local = datetime.fromtimestamp(now, UTC).astimezone()
        evidence = f"{local:%Y-%m-%d %H:%M:%S %z} ({local.tzname()})"
        behind = await self._newest() - now
        if behind > SKEW:
            told = f"{evidence}: behind by at least {behind:.0f} s, for others have signed since"
            return [Check("clock", Verdict.BAD, told, _STEP)]
        steering = self._steering()
        if steering is None:
            return [Check("clock", Verdict.GOOD, f"{evidence}, not known whether it is steered")]
        if not steering.synchronised:
            return [Check("clock", Verdict.DOUBT, f"{evidence}, steered by nobody", _STEP)]
        return [Check("clock", Verdict.GOOD, f"{evidence}, steered, error at most {steering.error:.3f} s")]
