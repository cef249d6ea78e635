"""IDLE (RFC 2177), and the silence between the commands of a client that has said NOTIFY (RFC 5465): news at once."""

from __future__ import annotations

import asyncio

from mss_gateway.net.stream import DeadlinePassed
from mss_gateway.protocol.imap import Ending, IdleDone

from .metadata import tell_changes
from .notify import tell
from .rights import still_admitted
from .session import Session
from .sync import sync

RECHECK = 30.0
"""Seconds after which a client that hears nothing is asked for again: a person may have been disabled (BAL-5)."""


async def wait(session: Session, deadline: float, *, idle: bool) -> None:
    """Wait for the client; send news. Returns when the client has said something, or may no longer listen.

    The client may be silent for `deadline` seconds in all, whatever it is told meanwhile. `idle` is IDLE, in which
    EXPUNGE may be sent. Raises `DeadlinePassed`, `Draining` and `StreamClosed`.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + deadline
    notices = session.parts.hub.notices

    def news() -> bool:
        selected, notifier = session.selected, session.notifier
        return (
            (selected is not None and selected.dirty)
            or session.outdated
            or notices.waiting(session)
            or (notifier is not None and notifier.waiting())
        )

    while True:
        if not await still_admitted(session):
            return
        await _tell(session, idle=idle)
        await session.flush()
        left = max(0.0, until - loop.time())
        try:
            if await session.stream.wait_input(min(left, RECHECK), news):
                return
        except DeadlinePassed:
            if left <= RECHECK:
                raise


async def _tell(session: Session, *, idle: bool) -> None:
    selected = session.selected
    expunges = idle or session.notifier is None or not session.notifier.delayed
    if selected is not None and (selected.dirty or (expunges and selected.held)):
        await sync(session, expunges=expunges)
    await tell(session)
    await tell_changes(session)


def done(session: Session, event: IdleDone) -> None:
    """End IDLE."""
    if event.valid:
        session.core.tagged(Ending.OK, "idle ended")
    else:
        session.core.tagged(Ending.BAD, "DONE was expected")
