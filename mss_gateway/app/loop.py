"""The event loop: uvloop when it is there, and memory settings that many TLS connections need."""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import contextlib
import ctypes
import gc
from collections.abc import Callable
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
ASYNCIO_TLS_BUFFER = 32 * 1024  # octets; asyncio's own 256 KiB for each connection is too dear for IMAP IDLE


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
