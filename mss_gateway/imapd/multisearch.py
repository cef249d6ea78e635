"""ESEARCH over several mailboxes (RFC 7377): an answer for each where something was found; nothing else changes."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import NoSuchFolder
from mss_gateway.protocol.imap import Ending, Request
from mss_gateway.protocol.imap.commands_search import MailboxFilter, MultiSearch, Source
from mss_gateway.protocol.imap.esearch import Results, correlator, esearch, saved_part
from mss_gateway.protocol.imap.matching import uses_modseq
from mss_gateway.protocol.imap.searchkeys import InSequence, InUids, SearchKey, walk
from mss_gateway.protocol.imap.settling import by_number
from mss_gateway.protocol.imap.tracker import SequenceView

from . import contexts
from .finding import find_scored
from .limits import capped, finish
from .listing import Visible, everything
from .progress import Progress
from .searching import SHOWN, check_numbers, results_of, searched
from .session import CommandFailed, Selected, Session
from .sources import chooser
from .sync import sync

MAILBOXES = 2_000  # searched by one command


async def multisearch(session: Session, request: Request) -> None:
    """ESEARCH: mailboxes that are not there, or that one may not read, are passed over in silence."""
    command = request.command
    assert isinstance(command, MultiSearch)
    sources = {item.source for item in command.filters}
    _check(session, request, sources)
    if uses_modseq(command.key):
        session.use_modseq()
    await sync(session, expunges=not by_number(command.key))
    limit = b""
    progress = Progress(session, request.tag)
    for place in await _places(session, command.filters):
        try:
            found = await _search(session, request, place, progress)
        except NoSuchFolder:
            continue  # deleted while we searched the ones before
        limit = limit or found
    await sync(session, expunges=not by_number(command.key))
    finish(session, "searched", limit=limit)


def _check(session: Session, request: Request, sources: set[Source]) -> None:
    """Raise `CommandFailed` BAD for what asks for the selected mailbox where there is none, or beside others."""
    command = request.command
    assert isinstance(command, MultiSearch)
    if session.selected is None and (Source.SELECTED in sources or "UPDATE" in command.returns):
        raise CommandFailed("No mailbox is selected", ending=Ending.BAD)
    if sources != {Source.SELECTED} and (by_number(command.key) or _names_saved(command.key)):
        raise CommandFailed("Only UIDs name messages of several mailboxes", ending=Ending.BAD)
    if command.refusal is not None:
        if "SAVE" in command.returns:
            session.folder.view.save(())  # RFC 5182 section 2.1
        raise CommandFailed(*command.refusal)
    check_numbers(session, command.key)
    if "UPDATE" in command.returns:
        contexts.check_tag(session, request.tag)


def _names_saved(key: SearchKey) -> bool:
    return any(
        (isinstance(node, InSequence) and node.numbers.saved)
        or (isinstance(node, InUids) and node.uids.saved)
        for node in walk(key)
    )


async def _places(session: Session, filters: tuple[MailboxFilter, ...]) -> list[Visible]:
    """The mailboxes named, each once, in the order of LIST."""
    listed = (await everything(session)).mailboxes
    primary = session.who.primary.id
    here = session.selected.folder.id if session.selected is not None else 0
    tests = [chooser(item, primary, here) for item in filters]
    return [place for place in listed if "r" in place.rights and any(test(place) for test in tests)][
        :MAILBOXES
    ]


async def _search(session: Session, request: Request, place: Visible, progress: Progress) -> bytes:
    """Search one mailbox and answer when something was found; returns the MESSAGELIMIT code when it applies."""
    command = request.command
    assert isinstance(command, MultiSearch)
    here = session.selected is not None and session.selected.folder.id == place.folder.id
    selected = session.folder if here else await _looked_into(session, place)
    universe, limit = capped(session, searched(selected, command.key))
    matches = await find_scored(session, selected, command.key, universe, progress)
    if here:
        if "SAVE" in command.returns:
            selected.view.save(saved_part(matches.uids, command.returns, command.partial))
        if "UPDATE" in command.returns:
            contexts.keep(session, request.tag, command.key, matches.uids, uid=True, items=command.items)
    if matches.uids:
        results = await results_of(session, selected, command.key, matches, command.returns, uid=True)
        _answer(session, request.tag, command, place, results)
        await session.flush()
    return limit


def _answer(session: Session, tag: bytes, command: MultiSearch, place: Visible, results: Results) -> None:
    returns = command.returns & SHOWN
    if returns or command.partial:
        head = correlator(tag, (place.name, place.folder.uid_validity), utf8=session.core.utf8)
        session.send(esearch(head, results, returns, uid=True, partial=command.partial))


async def _looked_into(session: Session, place: Visible) -> Selected:
    """A mailbox as SELECT would see it, without any of its effects."""
    viewer = session.viewer(place.box)
    snapshot = await session.mailboxes.snapshot(place.folder.id, viewer)
    return Selected(place.folder, viewer, SequenceView(snapshot.uids), True, snapshot.highest_modseq, set())
