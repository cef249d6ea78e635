"""IDLE (RFC 2177): tell what changes, at once, until DONE."""

from __future__ import annotations

from mss_gateway.protocol.imap import Ending, IdleDone

from .session import Session
from .sync import sync


async def wait(session: Session) -> None:
    """Wait for the client or for news; send the news. Returns when the client has said something."""
    selected = session.selected
    deadline = session.parts.options.deadlines.idle
    while True:
        await sync(session)
        await session.flush()
        if await session.stream.wait_input(deadline, lambda: selected is not None and selected.dirty):
            return


def done(session: Session, event: IdleDone) -> None:
    """End IDLE."""
    if event.valid:
        session.core.tagged(Ending.OK, "idle ended")
    else:
        session.core.tagged(Ending.BAD, "DONE was expected")
