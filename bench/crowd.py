"""Many mail clients at once: each logs in, opens INBOX, fetches the newest messages and leaves, again and again."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.synchronize import Barrier

from .imap import Mailbox
from .messages import Target

CLIENTS = 50
SECONDS = 6.0
NEWEST = 20


def _client(target: Target, start: Barrier, done: multiprocessing.Queue[int]) -> None:
    start.wait()
    until = time.perf_counter() + SECONDS
    count = 0
    while time.perf_counter() < until:
        with Mailbox(target) as box:
            exists = box.exists("INBOX")
            box.command(f"FETCH {max(1, exists - NEWEST + 1)}:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
            box.command("LOGOUT")
        count += 1
    done.put(count)


def run(target: Target) -> float:
    """Sessions per second of all clients together; each one is a process of its own."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(CLIENTS + 1)
    done = context.Queue()
    clients = [context.Process(target=_client, args=(target, start, done)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    start.wait()
    began = time.perf_counter()
    counts: list[int] = [done.get(timeout=SECONDS + 60) for _ in clients]
    taken = time.perf_counter() - began
    for client in clients:
        client.join()
    return sum(counts) / taken
