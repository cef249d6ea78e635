"""argon2id in a bounded pool: hashing never blocks the mail, and never takes more than its share (ACC-2)."""

from __future__ import annotations

import asyncio
import hmac
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mss_gateway.base.secret import Secret

T = TypeVar("T")


class Busy(Exception):
    """Too many logins wait already; the client may try again in a moment."""


@dataclass(frozen=True, slots=True)
class PasswordOptions:
    """Cost of one hash (OWASP's argon2id figures) and of the pool. `remember` is in seconds.

    A password that was right is remembered that long, as a keyed hash in memory only, so that mail
    clients that log in every minute do not cost a hash each.
    """

    time_cost: int = 2
    memory_kib: int = 19 * 1024
    workers: int = 1
    waiting: int = 64
    remember: float = 60.0


class Passwords:
    """Hashes and verifies."""

    def __init__(self, options: PasswordOptions | None = None) -> None:
        self._options = options or PasswordOptions()
        self._hasher = PasswordHasher(
            time_cost=self._options.time_cost, memory_cost=self._options.memory_kib, parallelism=1
        )
        self._pool = ThreadPoolExecutor(self._options.workers, thread_name_prefix="argon2")
        self._key = os.urandom(32)
        self._known: dict[bytes, float] = {}
        self._waiting = 0
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    async def hash(self, password: Secret) -> str:
        """The argon2id hash to store."""
        return await self._run(lambda: self._hasher.hash(password.reveal()))

    async def verify(self, stored: str, password: Secret) -> bool:
        """True when the password is right; an empty `stored` costs the same and is never right. Raises `Busy`."""
        mark = hmac.new(self._key, f"{stored}\0{password.reveal()}".encode(), sha256).digest()
        if stored and self._known.get(mark, 0.0) > time.monotonic():
            return True
        right = await self._run(lambda: self._check(stored or self._nobody, password)) and bool(stored)
        if right:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[mark] = time.monotonic() + self._options.remember
        return right

    def _check(self, stored: str, password: Secret) -> bool:
        try:
            return self._hasher.verify(stored, password.reveal())
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._options.waiting:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the pool."""
        self._pool.shutdown(wait=False, cancel_futures=True)
