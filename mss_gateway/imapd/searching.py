"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4, RFC 4731, 5032, 5182, 5267, 6203, 7162, 9394)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Search
from mss_gateway.protocol.imap.esearch import Results, correlator, esearch, saved_part
from mss_gateway.protocol.imap.matching import uses_modseq
from mss_gateway.protocol.imap.searchkeys import And, InUids, SearchKey
from mss_gateway.protocol.imap.settling import by_number, settle
from mss_gateway.protocol.imap.tracker import SequenceView

from . import contexts
from .finding import Matches, find_scored
from .limits import capped, finish
from .numbers import UIDREQUIRED, check_uids
from .progress import Progress
from .session import CommandFailed, Selected, Session
from .sync import sync

ROWS = 5_000  # messages of one hop when their mod-sequences are asked
SCORE = 50  # relevancy of a match that the index has not scored (RFC 6203)
SHOWN = frozenset({"ALL", "MIN", "MAX", "COUNT", "RELEVANCY"})
"""Return options that put something into the answer."""


async def search(session: Session, request: Request) -> None:
    """Find, keep for `$`, answer, and go on watching when UPDATE asks for it."""
    command = request.command
    assert isinstance(command, Search)
    selected = session.folder
    if "UPDATE" in command.returns:
        contexts.check_tag(session, request.tag)
    try:
        check_search(session, command)
        # What others have expunged by now is not found, though the client may not hear of it yet.
        await sync(session, expunges=command.uid)
        universe, limit = capped(session, searched(selected, command.key))
        matches = await find_scored(session, selected, command.key, universe, Progress(session, request.tag))
    except CommandFailed as failure:
        if "SAVE" in command.returns and failure.ending is Ending.NO:
            selected.view.save(())  # RFC 5182 section 2.1
        raise
    uids = matches.uids
    session.did("mailbox-searched", "SEARCH", count=len(uids))
    results = await results_of(session, selected, command.key, matches, command.returns, uid=command.uid)
    if "SAVE" in command.returns:
        selected.view.save(saved_part(uids, command.returns, command.partial))
    if "UPDATE" in command.returns:
        contexts.keep(session, request.tag, command.key, uids, uid=command.uid, items=command.items)
    answer(session, request.tag, command, results)
    await sync(session, expunges=command.uid)
    finish(session, "searched", limit=limit)


def check_search(session: Session, command: Search) -> None:
    """Raise `CommandFailed` for a search refused before it begins; note that the client knows mod-sequences."""
    if command.refusal is not None:
        raise CommandFailed(*command.refusal)
    check_uids(session, uid=command.uid)
    check_numbers(session, command.key)
    if uses_modseq(command.key):
        session.use_modseq()


def check_numbers(session: Session, key: SearchKey) -> None:
    """Raise `CommandFailed` BAD [UIDREQUIRED] for keys by message number under UIDONLY (RFC 9586)."""
    if session.uidonly and by_number(key):
        raise CommandFailed("Messages have no numbers here, use UID keys", UIDREQUIRED, Ending.BAD)


def answer(session: Session, tag: bytes, command: Search, results: Results) -> None:
    """SEARCH to those who know nothing newer, ESEARCH to all others; nothing when only SAVE was asked."""
    if not (command.extended or session.rev2):
        highest = max(results.modseqs, default=0) if results.modseqs is not None else None
        session.send(responses.search(results.numbers, highest))
        return
    returns = command.returns & SHOWN if command.extended else frozenset({"ALL"})
    if returns or command.partial:
        head = correlator(tag)
        session.send(esearch(head, results, returns, uid=command.uid, partial=command.partial))


def searched(selected: Selected, key: SearchKey) -> Sequence[int]:
    """The UIDs that the sets of a search leave to be searched, ascending (RFC 9738 section 3.1)."""
    universe: Sequence[int] = selected.view.uids
    keys = key.keys if isinstance(key, And) else (key,)
    for node in keys:
        settled = settle(node, selected.view, 0)
        if isinstance(settled, InUids):
            kept: list[int] = []
            for low, high in settled.uids.ranges:
                kept += universe[bisect_left(universe, low) : bisect_right(universe, high)]
            universe = kept
    return universe


async def results_of(
    session: Session,
    selected: Selected,
    key: SearchKey,
    matches: Matches,
    returns: frozenset[str],
    *,
    uid: bool,
) -> Results:
    """What an answer shows of matches, mod-sequences and relevancy only where they are asked."""
    modseqs = scores = None
    if uses_modseq(key):
        modseqs = await _modseqs(session, selected, matches.uids)
    if "RELEVANCY" in returns:
        scores = [matches.scores.get(found, SCORE) for found in matches.uids]
    return Results(matches.uids if uid else numbers_of(selected.view, matches.uids), modseqs, scores)


def numbers_of(view: SequenceView, uids: list[int]) -> Sequence[int]:
    """The sequence numbers of ascending UIDs that are all in view."""
    if len(uids) == len(view):
        return range(1, len(uids) + 1)
    if len(uids) * 8 < len(view):
        known = view.uids
        return [bisect_left(known, uid) + 1 for uid in uids]
    wanted = set(uids)
    return [number for number, uid in enumerate(view.uids, 1) if uid in wanted]


async def _modseqs(session: Session, selected: Selected, uids: list[int]) -> list[int]:
    found: dict[int, int] = {}
    for at in range(0, len(uids), ROWS):
        rows = await session.mailboxes.rows(
            selected.folder.id, selected.viewer, uids[at : at + ROWS], frozenset()
        )
        found.update({row.uid: row.modseq for row in rows})
    return [found.get(uid, 0) for uid in uids]
