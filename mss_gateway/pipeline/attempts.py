"""Hands letters to the courier, small ones read from the store together (TRU-5, QUE-1)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.trace import without_return_path
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.mailboxes import Mailboxes
from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.queue import Queue, Selection
from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.relay import Courier, Fate, Letter, Outcome
from mss_gateway.ports.store import DamagedBody

AT_ONCE = 32 * 1024
"""Octets: texts up to this size are read when their letters are claimed, larger ones in pieces while they are sent."""

_FAULT = "internal fault, tried again later"


class LetterStore(Mailboxes, Queue, Protocol):
    """What attempts need of the store."""


class Attempts:
    """Makes attempts. Texts that were read for letters at hand are kept until these begin, or are given up."""

    def __init__(self, store: LetterStore, courier: Courier, log: Log) -> None:
        self._store = store
        self._courier = courier
        self._log = log
        self._texts: dict[int, bytes] = {}  # by the id of the first row

    async def read(self, letters: Sequence[Claimed]) -> None:
        """Read small texts in one go; what cannot be read now is asked for again by the courier."""
        small = [letter for letter in letters if letter.text_size <= AT_ONCE]
        if not small:
            return
        try:
            found = await self._store.read_texts([letter.body_id for letter in small], AT_ONCE)
        except Exception as error:  # of the store: the attempt meets it again, and counts as one
            self._log.fault(Event.STORE_FAULT, error)
            return
        for letter in small:
            text = found.get(letter.body_id)
            if text is not None:
                self._texts[letter.rows[0].id] = text

    def forget(self, letter: Claimed) -> None:
        """It does not begin."""
        self._texts.pop(letter.rows[0].id, None)

    async def make(self, letter: Claimed) -> tuple[Outcome, ...]:
        """One attempt; a fault of ours is an outcome too: the message stays, and is tried again."""
        try:
            with self._log.spans.span("relay", domain=letter.domain, recipients=len(letter.rows)) as span:
                outcomes = await self._courier.deliver(self._letter(letter))
                if len(outcomes) != len(letter.rows):
                    raise ValueError("one outcome for each recipient")
                for outcome in outcomes:
                    if outcome.fate is not Fate.SENT:
                        span.refuse(outcome.reason)
            return outcomes
        except DamagedBody as damaged:
            self._log.fault(Event.STORE_FAULT, damaged, body=damaged.body_id)
            rows = Selection(ids=tuple(row.id for row in letter.rows))
            # Time does not mend it: it waits for a person, not for its next attempt.
            detail = {"reason": str(damaged)}
            line = TraceLine(time.time(), "held", "", letter.message_id, actor="gateway", detail=detail)
            await self._store.hold_rows(rows, line)
            return tuple(Outcome(row.recipient, Fate.TRY_LATER, "fault", str(damaged)) for row in letter.rows)
        except Exception as error:
            self._log.fault(Event.GATEWAY_FAULT, error)
            return tuple(Outcome(row.recipient, Fate.TRY_LATER, "fault", _FAULT) for row in letter.rows)

    def _letter(self, letter: Claimed) -> Letter:
        text = self._texts.pop(letter.rows[0].id, None)
        stored = partial(self._store.read_text, letter.body_id)
        return Letter(
            domain=letter.domain,
            sender=parse_address(letter.sender) if letter.sender else None,
            recipients=tuple(row.recipient for row in letter.rows),
            header=without_return_path(letter.header),
            text_size=letter.text_size,
            read_text=stored if text is None else partial(_slice, text),
            ret=letter.ret,
            envid=letter.envid,
        )


async def _slice(text: bytes, offset: int, size: int) -> bytes:
    return text[offset : offset + size]
