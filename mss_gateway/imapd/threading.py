"""THREAD and UID THREAD (RFC 5256)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mss_gateway.protocol.imap import Ending, Request
from mss_gateway.protocol.imap.collation import casemap
from mss_gateway.protocol.imap.commands_sort import Algorithm, Thread
from mss_gateway.protocol.imap.sorting import sent_date
from mss_gateway.protocol.imap.threads import Letter, by_references, by_subject, identify, thread_line

from .searching import numbers_of
from .session import Selected, Session
from .sorting import found
from .sync import sync

BATCH = 500  # messages of one hop, for their headers
HEAVY = 20_000  # messages; more of them are threaded beside the loop


async def thread(session: Session, request: Request) -> None:
    """Find, put together, answer."""
    command = request.command
    assert isinstance(command, Thread)
    selected = session.folder
    matches = await found(session, request)
    letters = await _letters(session, selected, command, matches.uids)
    if len(letters) > HEAVY:
        session.send(await asyncio.to_thread(_line, command.algorithm, letters))
    else:
        session.send(_line(command.algorithm, letters))
    await sync(session, expunges=command.uid)
    session.core.tagged(Ending.OK, "threaded")


def _line(algorithm: Algorithm, letters: list[Letter]) -> bytes:
    tree = by_references(letters) if algorithm is Algorithm.REFERENCES else by_subject(letters)
    return thread_line(tree, letters)


async def _letters(session: Session, selected: Selected, command: Thread, uids: list[int]) -> list[Letter]:
    """What threads are made of, by sequence number; without messages that have gone meanwhile."""
    folder, mailboxes = selected.folder.id, session.mailboxes
    numbers: Sequence[int] = uids if command.uid else numbers_of(selected.view, uids)
    letters: list[Letter] = []
    for at in range(0, len(uids), BATCH):
        part = uids[at : at + BATCH]
        shown = dict(zip(part, numbers[at : at + BATCH], strict=True))
        rows = await mailboxes.sort_rows(folder, part, envelopes=False)
        if command.algorithm is Algorithm.ORDEREDSUBJECT:
            letters += [Letter(shown[row.uid], sent_date(row), casemap(row.subject)) for row in rows]
            continue
        headers = dict(await mailboxes.headers(folder, part))
        letters += [
            Letter(shown[row.uid], sent_date(row), casemap(row.subject), *identify(headers[row.uid]))
            for row in rows
            if row.uid in headers
        ]
    return letters
