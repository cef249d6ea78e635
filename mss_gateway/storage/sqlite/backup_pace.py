"""How a backup or an examination stays behind the mail: last in line for processor and disk, with pauses."""

from __future__ import annotations

import contextlib
import os
import platform
import time

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IDLE_CLASS = 3 << 13
_WHO_PROCESS = 1
_LONGEST = 1.0  # seconds of one pause
_SHARE = 3.0  # pauses three times as long as the work took


def step_back() -> None:
    """Let this process have what others leave; where the system does not allow it, it goes on as it is."""
    with contextlib.suppress(OSError):
        os.nice(19)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        # A hardened system may forbid what ctypes needs: then the disk is shared evenly.
        with contextlib.suppress(OSError, AttributeError, ImportError, MemoryError):
            import ctypes

            ctypes.CDLL(None, use_errno=True).syscall(number, _WHO_PROCESS, 0, _IDLE_CLASS)


class Pace:
    """`rate` octets in a second; 0 rests three times as long as each piece of work took, for the sake of the mail."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._since = time.monotonic()

    def rest(self, octets: int) -> None:
        """After so many octets."""
        now = time.monotonic()
        took = now - self._since
        pause = octets / self._rate - took if self._rate else took * _SHARE
        if pause > 0:
            time.sleep(min(pause, _LONGEST))
        self._since = time.monotonic()
