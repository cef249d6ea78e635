"""SORT and UID SORT (RFC 5256, RFC 5957), with the answers of ESORT and live results (RFC 5267)."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping, Sequence

from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Search
from mss_gateway.protocol.imap.commands_sort import Sort, Thread
from mss_gateway.protocol.imap.esearch import Results, correlator, esearch, saved_part
from mss_gateway.protocol.imap.sorting import Key, key_maker, reads_addresses

from . import contexts
from .finding import Matches, find_scored
from .limits import check_limit
from .progress import Progress
from .searching import SHOWN, check_search, results_of, searched
from .session import CommandFailed, Selected, Session
from .sync import sync

BATCH = 5_000  # messages of one hop
MERGED = 20_000  # messages put in order between two turns of the loop


async def sort(session: Session, request: Request) -> None:
    """Find, put in order, keep for `$`, answer, and go on watching when UPDATE asks for it."""
    command = request.command
    assert isinstance(command, Sort)
    selected = session.folder
    if "UPDATE" in command.returns:
        contexts.check_tag(session, request.tag)
    try:
        matches = await found(session, request)
    except CommandFailed as failure:
        if "SAVE" in command.returns and failure.ending is Ending.NO:
            selected.view.save(())  # RFC 5182 section 2.1
        raise
    uids = await ordered(session, selected, command, matches.uids, matches.scores)
    if "SAVE" in command.returns:
        selected.view.save(sorted(saved_part(uids, command.returns, command.partial)))
    results = await _results(session, selected, command, Matches(uids, matches.scores))
    if "UPDATE" in command.returns:
        _watch(session, request, selected, uids)
    _answer(session, request.tag, command, results)
    await sync(session, expunges=command.uid)
    session.core.tagged(Ending.OK, "sorted")


async def found(session: Session, request: Request) -> Matches:
    """What SORT or THREAD works on. It does all or nothing: too many messages are NO [MESSAGELIMIT] (RFC 9738)."""
    command = request.command
    assert isinstance(command, Sort | Thread)
    selected = session.folder
    check_search(session, Search(command.key, command.uid, refusal=command.refusal))
    # What others have expunged by now is left out, though the client may not hear of it yet.
    await sync(session, expunges=command.uid)
    universe = searched(selected, command.key)
    check_limit(session, len(universe))
    matches = await find_scored(session, selected, command.key, universe, Progress(session, request.tag))
    session.did("mailbox-searched", type(command).__name__.upper(), count=len(matches.uids))
    return matches


async def ordered(
    session: Session, selected: Selected, command: Sort, uids: Sequence[int], scores: Mapping[int, int]
) -> list[int]:
    """UIDs in the order that a command asks for; without those that have gone meanwhile."""
    key = key_maker(command.criteria, scores)
    envelopes = reads_addresses(command.criteria)
    runs: list[list[Key]] = []
    for at in range(0, len(uids), BATCH):
        part = uids[at : at + BATCH]
        rows = await session.mailboxes.sort_rows(selected.folder.id, part, envelopes=envelopes)
        runs.append(sorted(map(key, rows)))
    if len(runs) == 1:
        return [_uid(one) for one in runs[0]]
    result: list[int] = []
    for one in heapq.merge(*runs):
        result.append(_uid(one))
        if not len(result) % MERGED:
            await asyncio.sleep(0)
    return result


def _uid(key: Key) -> int:
    uid = key[-1]
    assert isinstance(uid, int)
    return uid


async def _results(session: Session, selected: Selected, command: Sort, matches: Matches) -> Results:
    """What the answer shows, in its order."""
    ascending = Matches(sorted(matches.uids), matches.scores)
    plain = await results_of(session, selected, command.key, ascending, command.returns, uid=command.uid)
    place = {uid: at for at, uid in enumerate(ascending.uids)}
    order = [place[uid] for uid in matches.uids]
    return Results(
        [plain.numbers[at] for at in order],
        None if plain.modseqs is None else [plain.modseqs[at] for at in order],
        None if plain.scores is None else [plain.scores[at] for at in order],
    )


def _watch(session: Session, request: Request, selected: Selected, uids: list[int]) -> None:
    command = request.command
    assert isinstance(command, Sort)

    async def ordering(some: Sequence[int]) -> list[int]:
        scores = {}
        if any(one.key.value == "RELEVANCY" for one in command.criteria):
            scores = (await find_scored(session, selected, command.key, sorted(some))).scores
        return await ordered(session, selected, command, sorted(some), scores)

    contexts.keep(
        session, request.tag, command.key, uids, uid=command.uid, ordering=ordering, items=command.items
    )


def _answer(session: Session, tag: bytes, command: Sort, results: Results) -> None:
    """SORT, or ESEARCH when RETURN was said; nothing when only SAVE was asked."""
    if not command.extended:
        highest = max(results.modseqs, default=0) if results.modseqs is not None else None
        session.send(responses.search(results.numbers, highest, b"SORT"))
        return
    returns = command.returns & SHOWN
    if returns or command.partial:
        head = correlator(tag)
        session.send(esearch(head, results, returns, uid=command.uid, partial=command.partial))
