"""The event loop: uvloop when it is there, and memory settings that many TLS connections need."""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import contextlib
import ctypes
import gc
import resource
import signal
from collections.abc import Callable
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
ASYNCIO_TLS_BUFFER = 32 * 1024  # octets; asyncio's own 256 KiB for each connection is too dear for IMAP IDLE

FILES = 65_536
"""Open files that a gateway asks for; every connection is one, and the usual limit of a shell is 1,024."""


def settle_process() -> None:
    """Before anything is opened: room for the connections of every door, and no end by a reload that comes early.

    Strangers who hold connections open must not take the files from the store.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    with contextlib.suppress(ValueError):  # not the main thread: the signals are somebody else's
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What `asyncio.Runner` should make its loop with."""
    try:
        import uvloop
    except ImportError:
        sslproto: Any = asyncio.sslproto
        sslproto.SSLProtocol.max_size = ASYNCIO_TLS_BUFFER
        return asyncio.new_event_loop
    tune_malloc()
    return uvloop.new_event_loop


def settle_memory() -> None:
    """Called once everything stands: what lives as long as the process is not looked at by each collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def tune_malloc() -> None:
    """Keep uvloop's read buffers on the heap: a fresh mapping for every TLS read costs a third of the CPU."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 4 * 1024 * 1024)
        libc.mallopt(_M_TRIM_THRESHOLD, 16 * 1024 * 1024)
        libc.mallopt(_M_ARENA_MAX, 2)  # one heap for each thread would cost more than the lock they share
