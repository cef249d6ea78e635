"""argon2id in a bounded pool: hashing never blocks the mail, and never takes more than its share (ACC-2)."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mss_gateway.base.secret import Secret
from mss_gateway.protocol.saslprep import saslprep

from .scramkeys import ScramVault

T = TypeVar("T")

NICENESS = 19
"""How far the hashing threads stand back behind those that carry mail (setpriority, 0 to 19).

All the way: at 10 they still held up one message in a thousand twice as long. Below it, in SCHED_IDLE, nobody could
log in any more on a machine that is busy with something else.
"""

SAVED_UP = 1.0
"""Seconds of hashing that strangers may have at once, after nobody has asked for a while."""

REMEMBERED = 10_000
"""Good passwords that are remembered at most, as keyed hashes."""


class Busy(Exception):
    """Too many logins wait already; the client may try again in a moment."""


@dataclass(frozen=True, slots=True)
class PasswordOptions:
    """Cost of one hash (OWASP's argon2id figures) and of the pool. `remember` is in seconds.

    A password that was right is remembered that long, as a keyed hash in memory only, so that mail
    clients that log in every minute do not cost a hash each. `share` of one core is what logins may take
    from addresses where nobody has logged in before.
    """

    time_cost: int = 2
    memory_kib: int = 19 * 1024
    workers: int = 1
    waiting: int = 64
    remember: float = 60.0
    share: float = 0.25


class Allowance:
    """What strangers may still take of a core, in seconds; it fills with time, and an ended hash tells its price."""

    __slots__ = ("_at", "_clock", "_left", "_price", "_share")

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._left = SAVED_UP
        self._price = 0.0
        self._at = clock()

    def take(self) -> bool:
        """Pay for one hash; False when there is not enough left."""
        now = self._clock()
        self._left = min(SAVED_UP, self._left + (now - self._at) * self._share)
        self._at = now
        # A hash that costs more than can be saved up is paid with all of it.
        if self._left < min(self._price, SAVED_UP):
            return False
        self._left -= self._price
        return True

    def priced(self, seconds: float) -> None:
        """What a hash has cost in CPU seconds."""
        self._price = seconds


class Passwords:
    """Hashes and verifies; with a `vault` it makes SCRAM keys as well."""

    def __init__(self, options: PasswordOptions | None = None, vault: ScramVault | None = None) -> None:
        self._options = options or PasswordOptions()
        self.vault = vault
        self._hasher = PasswordHasher(
            time_cost=self._options.time_cost, memory_cost=self._options.memory_kib, parallelism=1
        )
        self._pool = ThreadPoolExecutor(
            self._options.workers, thread_name_prefix="argon2", initializer=_stand_back
        )
        self._key = os.urandom(32)
        self._known: dict[bytes, float] = {}
        self._waiting = 0
        self._allowance = Allowance(self._options.share)
        self._nobody = ""

    async def hash(self, password: Secret, login: str = "") -> str:
        """The record to store: the hash, and behind a line feed the sealed SCRAM keys. Raises `Busy`."""
        return await self._run(lambda: self._record(password.reveal(), login))

    async def keys(self, password: Secret, login: str, password_hash: str) -> str:
        """Sealed SCRAM keys of a password whose hash is stored already; empty when there can be none. Raises `Busy`."""
        return await self._run(lambda: self._sealed(password.reveal(), login, password_hash))

    async def verify(self, stored: str, password: Secret, *, stranger: bool = False) -> bool:
        """True when the password is right; an empty `stored` costs the same and is never right. Raises `Busy`.

        A `stranger` comes from where nobody has logged in before, and is heard only within the allowance of such.
        """
        text = password.reveal()
        mark = hmac.new(self._key, f"{stored}\0{text}".encode(), sha256).digest()
        if stored and self._known.get(mark, 0.0) > time.monotonic():
            return True
        if stranger and not self._allowance.take():
            raise Busy
        right = await self._run(lambda: self._check(stored, text)) and bool(stored)
        if right and self._options.remember > 0:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[mark] = time.monotonic() + self._options.remember
        return right

    def _record(self, password: str, login: str) -> str:
        hashed = self._hasher.hash(_prepared(password))
        sealed = self._sealed(password, login, hashed) if login else ""
        return f"{hashed}\n{sealed}" if sealed else hashed

    def _sealed(self, password: str, login: str, password_hash: str) -> str:
        if self.vault is None:
            return ""
        keys = self.vault.make(password, login)
        return self.vault.seal(keys, password_hash) if keys is not None else ""

    def _check(self, stored: str, password: str) -> bool:
        if not self._nobody:  # by the first login of all, whoever it is of: how long it takes tells nothing
            self._nobody = self._hasher.hash(os.urandom(16).hex())
        began = time.thread_time()
        try:
            return self._hasher.verify(stored or self._nobody, _prepared(password))
        except (VerificationError, InvalidHashError):
            return False
        finally:
            self._allowance.priced(time.thread_time() - began)

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


def _prepared(password: str) -> str:
    """One spelling (RFC 4616 section 2); what SASLprep forbids is taken as it is, so that nobody is locked out."""
    return saslprep(password) or password


def _stand_back() -> None:
    # On Linux a priority belongs to a thread, so that two cores busy with hashes still carry mail first.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
