"""Which letters go in one flight: MAIL, RCPT and the whole content, before anything is answered (RFC 2920, RFC 3030).

That saves a turn with the peer and makes the letter uncertain when the connection is lost (QUE-1). So it is done only
where a loss is unlikely: right behind letters that the same connection has carried, never on one that was opened or
fetched out of rest for this letter, and not to a host that has lost such a letter lately.
"""

from __future__ import annotations

import asyncio

from mss_gateway.protocol.smtp import Fit

from .connection import Connection
from .content import Content
from .places import Host

AT_ONCE = 15 * 1024
"""Octets of content that go out together with their end: with the command before they fit in one TLS record."""
PROVED = 2
"""Letters that a connection must have carried in a row: of them one at least followed another one."""
FRESH = 1.0
"""Seconds since the last answer within which a connection counts as proved."""
CAREFUL = 3600.0
"""Seconds for which a host that has lost such a letter gets the envelope first."""

_KEPT = 1000  # hosts remembered
_VERB = b"RCPT"


def may_go_whole(connection: Connection, chosen: Fit, content: Content) -> bool:
    """True when this letter may go in one flight over this connection, now.

    A server must pass over the content when it has accepted nobody (RFC 3030 section 2). One that took it for
    commands instead would let a writer speak SMTP in our name, which needs a RCPT: what holds that word waits for
    the answers.
    """
    return (
        chosen.chunking
        and content.size <= AT_ONCE
        and connection.capabilities.offers("PIPELINING")
        and connection.flows(PROVED, FRESH)
        and _VERB not in content.first.upper()
    )


class Losses:
    """Hosts that have lost a letter sent in one flight; bounded, the oldest are forgotten first."""

    def __init__(self) -> None:
        self._until: dict[Host, float] = {}

    def note(self, host: Host) -> None:
        """It has lost one now."""
        self._until.pop(host, None)
        self._until[host] = asyncio.get_running_loop().time() + CAREFUL
        if len(self._until) > _KEPT:
            del self._until[next(iter(self._until))]

    def __contains__(self, host: Host) -> bool:
        until = self._until.get(host)
        if until is None:
            return False
        if until > asyncio.get_running_loop().time():
            return True
        del self._until[host]
        return False
