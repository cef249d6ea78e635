"""100,000 messages queued for a domain that is dead: what they cost while nothing can be done (QUE-2, QUE-3)."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.records import Delivery, NewBody, OutboxEntry, Part
from mss_gateway.settings import load
from mss_gateway.storage.sqlite import SqliteStore

from .processes import cpu_seconds, pss_mb
from .relay import settled
from .senders import Places, Relay, World
from .systems import GATEWAY, remove

ABOUT = "messages wait for a domain where nobody answers; the gateway is started on them"
MESSAGES = 100_000
SIZE = 4096
IDLE_SECONDS = 30.0
FIRST_PASS_SECONDS = 400.0
AT_ONCE = 256
LIST_AIM = 1.0  # seconds
IDLE_AIM = 0.01  # of a core
COMMANDS = {
    "queue list": ("queue", "list"),
    "queue list --all --json": ("queue", "list", "--all", "--json"),
    "queue stats": ("queue", "stats"),
}


@dataclass(slots=True)
class BacklogFigures:
    """`first_pass_*` is until every message has learnt that it has to wait; `idle_cpu_s` over `IDLE_SECONDS` after it.

    `commands` are seconds of each command from start to end, the median of three; None when it failed.
    """

    messages: int = 0
    fill_s: float = 0.0
    first_pass_s: float = 0.0
    first_pass_cpu_s: float = 0.0
    idle_cpu_s: float = 0.0
    memory_mb: float = 0.0
    empty_memory_mb: float = 0.0
    commands: dict[str, float | None] = field(default_factory=dict)


def _bodies(count: int, domain: str) -> Iterator[NewBody]:
    text = (b"Bonjour,\r\nvoici le document.\r\n" * (SIZE // 30))[:SIZE]
    text_digest = hashlib.sha256(text).digest()
    for number in range(count):
        ident = f"<backlog-{number}@{domain}>"
        header = f"Message-ID: {ident}\r\nSubject: Compte rendu {number}\r\n\r\n".encode()
        yield NewBody(
            header=header,
            text=text,
            size=len(header) + len(text),
            digest=hashlib.sha256(hashlib.sha256(header).digest() + text_digest).digest(),
            envelope=b"()",
            bodystructure=b'("TEXT" "PLAIN")',
            structure=b"\x01",
            message_id=ident,
        )


async def _fill(config: Path, sender: str, recipient: str, count: int) -> None:
    """Write the messages straight into the store of a gateway that does not run."""
    store = SqliteStore(load(config, {}).store)
    await store.open()
    entry = (OutboxEntry(sender, Recipient(parse_address(recipient))),)
    now = time.time()
    try:
        waiting: set[asyncio.Task[object]] = set()
        for new in _bodies(count, sender.rpartition("@")[2]):
            waiting.add(asyncio.create_task(store.accept(Delivery((Part(new, now, outbox=entry),)))))
            if len(waiting) >= AT_ONCE:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
    finally:
        await store.close()


def run(folder: Path, messages: int, say: Callable[[str], None]) -> BacklogFigures:
    """Fill, start, wait for the first pass, then look at what it uses."""
    figures = BacklogFigures(messages)
    world = World(folder, Places.made(1))
    gateway = Relay(folder, world)
    (domain,) = world.places.domains
    try:
        target = gateway.start()
        settled(gateway.roots(), 10.0)
        figures.empty_memory_mb = pss_mb(gateway.roots())
        gateway.stop()
        at = time.perf_counter()
        asyncio.run(_fill(gateway.config, target.sender, f"dr.exemple@{domain}", messages))
        figures.fill_s = time.perf_counter() - at
        say(f"  {messages} messages written in {figures.fill_s:.0f} s")
        gateway.start()
        roots = gateway.roots()
        at, cpu = time.perf_counter(), cpu_seconds(roots)
        settled(roots, FIRST_PASS_SECONDS)
        figures.first_pass_s, figures.first_pass_cpu_s = time.perf_counter() - at, cpu_seconds(roots) - cpu
        say(f"  first pass {figures.first_pass_s:.0f} s, {figures.first_pass_cpu_s:.0f} CPU s")
        cpu = cpu_seconds(roots)
        time.sleep(IDLE_SECONDS)
        figures.idle_cpu_s = cpu_seconds(roots) - cpu
        figures.memory_mb = pss_mb(roots)
        for name, words in COMMANDS.items():
            figures.commands[name] = _timed([str(GATEWAY), *words, "--config", str(gateway.config)])
    finally:
        gateway.stop()
        remove(folder)
    return figures


def _timed(command: list[str]) -> float | None:
    """The middle one of three runs, in seconds."""
    found = []
    for _ in range(3):
        at = time.perf_counter()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            return None
        found.append(time.perf_counter() - at)
    return sorted(found)[1]


def table(found: BacklogFigures) -> list[str]:
    """The lines of the case."""
    share = found.idle_cpu_s / IDLE_SECONDS
    lines = [
        f"\nbacklog: {found.messages} {ABOUT}",
        f"  first pass over all: {found.first_pass_s:.0f} s, {found.first_pass_cpu_s:.1f} CPU s",
        f"  {IDLE_SECONDS:.0f} s idle after it: {found.idle_cpu_s:.2f} CPU s ({100 * share:.1f} % of a core)"
        "  about none: " + ("met" if share <= IDLE_AIM else "NOT MET"),
        f"  memory: {found.memory_mb:.0f} MB, with an empty queue {found.empty_memory_mb:.0f} MB",
    ]
    for name, seconds in found.commands.items():
        if seconds is None:
            lines.append(f"  {name}: the command failed")
            continue
        verdict = f"  < {LIST_AIM:g} s " + ("met" if seconds < LIST_AIM else "NOT MET")
        lines.append(f"  {name}: {seconds:.2f} s from start to end of the command{verdict}")
    return lines
