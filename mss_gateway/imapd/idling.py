"""IDLE (RFC 2177): tell what changes, at once, until DONE."""

from __future__ import annotations

from mss_gateway.protocol.imap import Ending, IdleDone

from .metadata import tell_changes
from .rights import still_reads
from .session import Session
from .sync import sync


async def wait(session: Session) -> None:
    """Wait for the client or for news; send the news. Returns when the client has said something, or may no longer listen."""
    selected, notices = session.selected, session.parts.hub.notices
    deadline = session.parts.options.deadlines.idle

    def news() -> bool:
        return (selected is not None and selected.dirty) or notices.waiting(session)

    while True:
        if not (await session.admitted() and await still_reads(session)):
            session.core.bye("your access to a mailbox has changed, log in again")
            return
        await sync(session)
        await tell_changes(session)
        await session.flush()
        if await session.stream.wait_input(deadline, news):
            return


def done(session: Session, event: IdleDone) -> None:
    """End IDLE."""
    if event.valid:
        session.core.tagged(Ending.OK, "idle ended")
    else:
        session.core.tagged(Ending.BAD, "DONE was expected")
