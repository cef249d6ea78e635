"""`login …`: who must wait after failed logins, and letting them try again (ACC-3)."""

from __future__ import annotations

import time
from dataclasses import asdict

from mss_gateway.ports.identity import LockDesk
from mss_gateway.ports.store import Trace

from .operation import NOT_FOUND, USAGE, Arguments, Operation, OperationRefused, Result, limit_of, text
from .tracing import traced

LIMIT = 200
"""Counts that are shown when nothing else is asked for."""

MAX_LIMIT = 5000
"""Counts that one answer may hold: it still fits into one line of the control socket."""


class LoginOperations:
    """`login locks` and `login unlock`."""

    def __init__(self, desk: LockDesk, trace: Trace) -> None:
        self._desk = desk
        self._trace = trace

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"login.locks": self.locks, "login.unlock": self.unlock}

    async def locks(self, arguments: Arguments) -> Result:
        """The counts of failed logins, longest waits first; `more` when the limit has cut the answer."""
        limit = limit_of(arguments, LIMIT, MAX_LIMIT)
        found = await self._desk.locked()
        now = time.time()
        rows = [
            {
                **{name: value for name, value in asdict(one).items() if name not in ("last", "wait")},
                "last_at": one.last,
                "wait_seconds": round(one.wait),
                "heard_at": now + one.wait if one.wait else None,
            }
            for one in found[:limit]
        ]
        return {"locks": rows, "total": len(found), "more": len(found) > limit}

    async def unlock(self, arguments: Arguments) -> Result:
        """Forget the failures of `who`: a login, the address of a mailbox, or an IP address."""
        who = text(arguments, "who").strip()
        if not who or len(who) > 1024:
            raise OperationRefused(
                "Say whom to unlock: a login, a mailbox or an IP address", "bad-argument", USAGE
            )
        count = await self._desk.unlock(who)
        if not count:
            raise OperationRefused(
                f"No failed login of {who} is counted: see `login locks`", "not-locked", NOT_FOUND
            )
        await self._trace.write_trace([traced("login-unlock", arguments, None, who=who)])
        return {"who": who, "forgotten": count}
