"""Whether bodies are encrypted as they should be: keys, share, work under way (OPS-2, OPS-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from mss_gateway.ports.encryption import Encrypted, EncryptionStatus

from .doctor import Check, Verdict

COUNTING = 1.0
"""Seconds after which the count of all bodies is given up."""

_STATUS = "`mss-gateway encryption status` counts them"


class EncryptionHealth:
    """Examines keys and bodies. `keys` reads the names of the keys again; it raises with a clause that holds no key."""

    def __init__(self, store: Encrypted, seals: bool, keys: Callable[[], Awaitable[Collection[str]]]) -> None:
        self._store = store
        self._seals = seals
        self._keys = keys

    async def examine(self) -> Sequence[Check]:
        """The keys, then the bodies."""
        keys, names = await self._examine_keys()
        try:
            async with asyncio.timeout(COUNTING):
                status = await self._store.encryption_status()
        except TimeoutError:
            evidence = "there are too many messages to count them within a second"
            return [keys, Check("encryption", Verdict.GOOD, f"{evidence}; {_STATUS}")]
        checks = [keys, self._bodies(status)]
        missing = [one.name for one in status.keys if one.bodies and one.name not in names]
        if names and missing:
            step = "put them back into the ring: the gateway does not start without them"
            evidence = f"messages need keys that are no longer there: {', '.join(missing)}"
            checks[0] = Check("encryption keys", Verdict.BAD, evidence, step)
        elif names and keys.verdict is Verdict.GOOD:
            checks[0] = self._spare(status, names)
        return checks

    async def _examine_keys(self) -> tuple[Check, Collection[str]]:
        try:
            names = await self._keys()
        except (
            Exception
        ) as error:  # a command may fail in any way; its clause is the only text that holds no key
            step = "mend it now: this gateway works on with what it has read, and would not start again"
            clause = str(error) if type(error).__name__ == "UnusableKeys" else type(error).__name__
            return Check("encryption keys", Verdict.BAD, f"cannot be read again: {clause}", step), ()
        return Check("encryption keys", Verdict.GOOD, f"{len(names)} can be read"), names

    def _spare(self, status: EncryptionStatus, names: Collection[str]) -> Check:
        used = {one.name for one in status.keys if one.bodies or one.active}
        spare = sorted(set(names) - used)
        told = f"{len(names)} can be read"
        if spare and status.work is None:
            told += f"; no message needs {', '.join(spare)} any more, older backups may"
        return Check("encryption keys", Verdict.GOOD, told)

    def _bodies(self, status: EncryptionStatus) -> Check:
        sealed = sum(one.bodies for one in status.keys)
        total = sealed + status.clear
        share = f"{sealed} of {total} messages are encrypted"
        if status.work is not None:
            work = status.work
            evidence = f"{share}; {work.goal.value} is at {work.reached} of {work.until}"
            return Check("encryption", Verdict.GOOD, evidence)
        if self._seals and status.clear:
            step = "`mss-gateway encryption encrypt-existing` seals those that came before"
            return Check("encryption", Verdict.DOUBT, share, step)
        if not self._seals and sealed:
            step = "set encryption.mode to on again, or run `mss-gateway encryption decrypt`"
            return Check("encryption", Verdict.DOUBT, f"{share}, new ones are not", step)
        return Check("encryption", Verdict.GOOD, share)
