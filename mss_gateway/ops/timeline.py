"""`trace`: one message from submission to receipt, or the lines of a transaction or of a mailbox (AUD-2)."""

from __future__ import annotations

from typing import Protocol

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.facts import read_message_id
from mss_gateway.ports.records import BoxRow, TraceLine
from mss_gateway.ports.store import Trace
from mss_gateway.rules.ins import mask_text
from mss_gateway.rules.meanings import meaning
from mss_gateway.rules.telling import told, words

from .operation import NOT_FOUND, USAGE, Arguments, Operation, OperationRefused, Result, limit_of, local, text

LIMIT = 200
"""Lines that are shown when nothing else is asked for."""

MAX_LIMIT = 400
"""Lines that one answer may hold: with ids as long as a line may be, it still fits into one of the control socket."""


class Traced(Trace, Protocol):
    """What the timeline needs of the store."""

    async def box(self, key: str) -> BoxRow | None:
        """The box of an address key, closed ones included."""


class TimelineOperations:
    """`trace Message-ID`, `trace --transaction`, `trace --box`."""

    def __init__(self, store: Traced) -> None:
        self._store = store

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"trace": self.trace}

    async def trace(self, arguments: Arguments) -> Result:
        """The lines asked for, oldest first, each with its words; `more` when the limit has cut the answer.

        Raises `OperationRefused`: usage, or nothing known of it.
        """
        limit = limit_of(arguments, LIMIT, MAX_LIMIT)
        given = [name for name in ("message_id", "transaction", "box") if arguments.get(name)]
        if len(given) != 1:
            raise OperationRefused(
                "Give a Message-ID, or --transaction, or --box: one of them", "bad-argument", USAGE
            )
        # A terminal may send octets that are no text; the store takes texts only.
        asked = text(arguments, given[0]).encode("utf-8", "replace").decode().strip()
        find = {"message_id": self._of_message, "transaction": self._of_transaction, "box": self._of_box}
        own, lines = await find[given[0]](asked, limit + 1)
        more = len(lines) > limit
        # Of a mailbox the latest lines count, of a message the first.
        lines = lines[-limit:] if given[0] == "box" else lines[:limit]
        lines.sort(key=lambda line: line.at)  # refusals are written down a little after they were said
        return {"message_id": own, "lines": [_record(line, own) for line in lines], "more": more}

    async def _of_message(self, asked: str, limit: int) -> tuple[str, list[TraceLine]]:
        for candidate in _spellings(asked):
            lines = await self._store.trace(candidate, limit)
            if lines:
                return mask_text(candidate), lines
        raise _unknown(
            f"the Message-ID {asked} here: it was never offered to this gateway, or is spelled otherwise"
        )

    async def _of_transaction(self, asked: str, limit: int) -> tuple[str, list[TraceLine]]:
        lines = await self._store.trace(transaction=asked.lower(), limit=limit)
        if not lines:
            raise _unknown(f"the transaction {asked} here")
        return next((line.message_id for line in lines if line.message_id), ""), lines

    async def _of_box(self, asked: str, limit: int) -> tuple[str, list[TraceLine]]:
        try:
            box = await self._store.box(parse_address(asked).key)
        except InvalidValue as invalid:
            raise OperationRefused(f"box: {invalid.public}", invalid.reason, USAGE) from None
        lines = [] if box is None else await self._store.trace(box_id=box.id, limit=limit)
        if not lines:
            raise _unknown(f"the mailbox {asked} here")
        return "", lines


def _unknown(what: str) -> OperationRefused:
    return OperationRefused(f"Nothing is known of {what}", "unknown", NOT_FOUND)


def _spellings(asked: str) -> list[str]:
    """How the store may hold it: as a header reader keeps it, with brackets or without, or masked and copied."""
    bare = asked.removeprefix("Message-ID:").strip()
    inner = bare.removeprefix("<").removesuffix(">")
    read = read_message_id(f"<{inner}>".encode())
    return list(dict.fromkeys(one for one in (read, f"<{inner}>", inner) if one))


def _record(line: TraceLine, own: str) -> Result:
    """A line as JSON. `message_id` is there when the line is about another message: a report that came in."""
    shown = words(line.event, line.detail)
    record: Result = {
        "at": line.at,
        "when": local(line.at).isoformat(timespec="milliseconds"),
        "event": line.event,
        "title": shown.title,
        "tone": shown.tone.value,
        "actor": line.actor,
        "transaction": line.transaction,
        "detail": dict(line.detail),
        "rules": [
            {"name": rule.name, "ids": rule.ids, "outcome": rule.outcome}
            for rule in told(line.event, line.detail)
        ],
    }
    sentence = meaning(line.event, line.detail)
    if sentence:
        record["meaning"] = sentence
    if shown.remedy:
        record["remedy"] = shown.remedy
    if line.message_id and line.message_id != own:
        record["message_id"] = line.message_id
    return record
