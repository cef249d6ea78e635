"""Figures of the process: memory, CPU, descriptors, disk, version, connections by door (OPS-4)."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mss_gateway import __version__
from mss_gateway.observe.figures import Gauge

_PAGE = resource.getpagesize()


class Door(Protocol):
    """One listener, as it is counted."""

    accepted: int
    turned_away: int

    @property
    def connections(self) -> int:
        """Open now."""


def process_gauges(started_at: float, folder: Path) -> Callable[[], Iterable[Gauge]]:
    """A measure of this process, and of the disk of its store."""

    def measure() -> Iterator[Gauge]:
        yield Gauge("mss_build_info", "Version of this gateway", 1, {"version": __version__})
        yield Gauge("mss_start_time_seconds", "When it started, epoch seconds", started_at)
        yield Gauge("mss_uptime_seconds", "How long it has been running", time.time() - started_at)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = "CPU time of the process, by mode"
        yield Gauge("mss_process_cpu_seconds", cpu, used.ru_utime, {"mode": "user"}, counter=True)
        yield Gauge("mss_process_cpu_seconds", cpu, used.ru_stime, {"mode": "system"}, counter=True)
        with contextlib.suppress(OSError, ValueError, IndexError):
            resident = int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE
            yield Gauge("mss_process_resident_bytes", "Memory of the process in RAM", resident)
            files = len(os.listdir("/proc/self/fd"))
            yield Gauge("mss_process_open_files", "Open descriptors, connections included", files)
        with contextlib.suppress(OSError):
            disk = shutil.disk_usage(folder)
            yield Gauge("mss_disk_free_bytes", "Room left on the disk of the store", disk.free)
            yield Gauge("mss_disk_size_bytes", "Size of the disk of the store", disk.total)

    return measure


def door_gauges(doors: Mapping[str, Sequence[Door]]) -> Callable[[], Iterable[Gauge]]:
    """A measure of the connections of every door."""

    def measure() -> Iterator[Gauge]:
        for name, listeners in doors.items():
            labels = {"door": name}
            opened = sum(one.connections for one in listeners)
            yield Gauge("mss_connections_open", "Connections open now, by door", opened, labels)
        for name, listeners in doors.items():
            taken = sum(one.accepted for one in listeners)
            meaning = "Connections taken, by door"
            yield Gauge("mss_connections", meaning, taken, {"door": name}, counter=True)
        for name, listeners in doors.items():
            refused = sum(one.turned_away for one in listeners)
            meaning = "Connections closed at once because of a cap, by door"
            yield Gauge("mss_connections_refused", meaning, refused, {"door": name}, counter=True)

    return measure
