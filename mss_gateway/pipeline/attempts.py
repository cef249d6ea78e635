"""Hands letters to the courier, small ones read from the store together (TRU-5, QUE-1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.trace import without_return_path
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.mailboxes import Mailboxes
from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.relay import Courier, Fate, Letter, Outcome

AT_ONCE = 32 * 1024
"""Octets: texts up to this size are read when their letters are claimed, larger ones in pieces while they are sent."""

_FAULT = "internal fault, tried again later"


class Attempts:
    """Makes attempts. Texts that were read for letters at hand are kept until these begin, or are given up."""

    def __init__(self, store: Mailboxes, courier: Courier, log: Log) -> None:
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
            outcomes = await self._courier.deliver(self._letter(letter))
            if len(outcomes) != len(letter.rows):
                raise ValueError("one outcome for each recipient")
            return outcomes
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
