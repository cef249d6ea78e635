"""COMPARATOR (RFC 5255 section 4.7), and the searches that go by the comparator chosen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from mss_gateway.protocol.imap import Ending, Request
from mss_gateway.protocol.imap.commands import MultiSearch, Search, Sort, Thread
from mss_gateway.protocol.imap.commands_comparator import ChooseComparator
from mss_gateway.protocol.imap.comparators import DEFAULT, compared, matching
from mss_gateway.protocol.imap.grammar_comparator import comparator_line

from .session import CommandFailed, Session

Family = Callable[[Session, Request], Awaitable[None]]


async def choose(session: Session, request: Request) -> None:
    """COMPARATOR: tell which is active, after making active the one that the client prefers."""
    command = request.command
    assert isinstance(command, ChooseComparator)
    found = matching(command.patterns)
    if command.patterns:
        if not found:
            raise CommandFailed("No such comparator", b"BADCOMPARATOR")
        session.comparator = found[0]
    session.send(comparator_line(session.comparator, found))
    session.core.tagged(Ending.OK, "texts are compared so")


def by_comparator(family: Family) -> Family:
    """A search that understands its texts as the active comparator does; live results keep the one they began with."""

    async def search(session: Session, request: Request) -> None:
        command = request.command
        assert isinstance(command, Search | MultiSearch | Sort | Thread)
        if session.comparator is not DEFAULT:
            key = compared(command.key, session.comparator)
            request = replace(request, command=replace(command, key=key))
        await family(session, request)

    return search
