"""What processes cost: CPU seconds and memory of whole process trees, from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.foreign import descendants

_TICK = os.sysconf("SC_CLK_TCK")
_SCHED = 2  # the kind of clock, as clock_getcpuclockid(3) puts it together


def tree(roots: Iterable[int]) -> list[int]:
    """All living processes below and including these."""
    return sorted({pid for root in roots for pid in descendants(root)})


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system seconds of the trees so far, ended and waited-for children included."""
    total = 0.0
    for pid in tree(roots):
        try:
            stat = Path("/proc", str(pid), "stat").read_bytes()
        except OSError:
            continue
        fields = stat[stat.rindex(b")") + 2 :].split()
        total += _own_seconds(pid, fields) + (int(fields[13]) + int(fields[14])) / _TICK  # and cutime, cstime
    return total


def _own_seconds(pid: int, fields: list[bytes]) -> float:
    """Of one process alone, by its clock, which counts nanoseconds where /proc counts ticks of 10 ms."""
    try:
        return time.clock_gettime((~pid << 3) | _SCHED)
    except OSError:
        return (int(fields[11]) + int(fields[12])) / _TICK  # utime stime


def busy_seconds() -> float:
    """CPU seconds that the whole machine has spent working since it started, waiting for disks left out."""
    fields = Path("/proc/stat").read_bytes().split(b"\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft = (int(value) for value in fields[:7])
    return (user + nice + system + irq + soft) / _TICK


def pss_mb(roots: Iterable[int]) -> float:
    """Proportional set size of the trees in MB (10**6 octets): shared pages count by their share."""
    total = 0
    for pid in tree(roots):
        try:
            text = Path("/proc", str(pid), "smaps_rollup").read_bytes()
        except OSError:
            continue
        at = text.find(b"\nPss:")
        total += int(text[at + 5 :].split(None, 1)[0]) if at >= 0 else 0
    return total * 1024 / 1e6


def alone_mb(roots: Iterable[int]) -> float:
    """Memory of the trees as if nothing else ran, in MB: private pages, and each shared file part once.

    The load generator runs on the same Python as the gateway and takes a share of its library pages out
    of the PSS; this figure puts them back.
    """
    files: dict[tuple[str, str], int] = {}
    own = 0
    for pid in tree(roots):
        for mapping in _mappings(pid):
            if mapping.place is None:
                own += mapping.pss
            else:
                own += mapping.dirty
                files[mapping.place] = max(files.get(mapping.place, 0), mapping.rss - mapping.dirty)
    return (own + sum(files.values())) * 1024 / 1e6


@dataclass(slots=True)
class Mapping:
    """One mapping of a process in kB. `place` is (file, offset), None for memory without a file."""

    place: tuple[str, str] | None
    rss: int = 0
    pss: int = 0
    dirty: int = 0  # private and written to: the process's own, even in a file mapping


def _mappings(pid: int) -> list[Mapping]:
    try:
        lines = Path("/proc", str(pid), "smaps").read_text(errors="replace").splitlines()
    except OSError:
        return []
    found: list[Mapping] = []
    for line in lines:
        head, _, rest = line.partition(" ")
        if not head.endswith(":"):
            parts = rest.split(None, 4)
            named = len(parts) == 5 and parts[4].startswith("/")
            found.append(Mapping((parts[4], parts[1]) if named else None))
        elif head == "Rss:":
            found[-1].rss = int(rest.split()[0])
        elif head == "Pss:":
            found[-1].pss = int(rest.split()[0])
        elif head == "Private_Dirty:":
            found[-1].dirty = int(rest.split()[0])
    return found
