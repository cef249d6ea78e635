"""`directory search|show|status|refresh|rollback`: the national directory for people and programs (OPS-1)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from mss_gateway.base.errors import GatewayError

from .operation import (
    CONFLICT,
    NOT_FOUND,
    UNAVAILABLE,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    limit_of,
    text,
)

MAX_ROWS = 1000
"""Rows of one answer."""

MAX_TEXT = 300
"""Characters of one word or filter."""

TYPES = ("PER", "ORG", "APP", "CAB")
"""What `--type` may be."""

_FILTERS = ("profession", "department", "place", "number")
_NOTHING_TO_DO = frozenset({"directory-no-previous", "directory-busy", "directory-absent", "fhir-absent"})
T = TypeVar("T")


class Desk(Protocol):
    """What is asked of the directory (`directory.desk`); raises `GatewayError` with `reason` and one sentence."""

    async def search(self, question: Result, *, online: bool) -> Result:
        """Rows that fit."""

    async def show(self, address: str, *, online: bool) -> Result | None:
        """Every row of an address."""

    async def status(self) -> Result:
        """What is in force and what was tried."""

    async def rollback(self) -> Result:
        """Go back to the copy before."""

    async def refresh(self) -> Result:
        """Take up what is in force now."""


class AnnuaireOperations:
    """`directory …`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "directory.search": self.search,
            "directory.show": self.show,
            "directory.status": self.status,
            "directory.rollback": self.rollback,
            "directory.refresh": self.refresh,
        }

    async def search(self, arguments: Arguments) -> Result:
        """Rows that have all the `words` and fit the filters."""
        question: dict[str, Any] = {"words": _text(arguments, "words")}
        question |= {name: _text(arguments, name) for name in _FILTERS}
        question["type"] = _text(arguments, "type").upper()
        if question["type"] not in ("", *TYPES):
            raise OperationRefused(f"The type is one of {', '.join(TYPES)}", "bad-argument", USAGE)
        question["limit"] = limit_of(arguments, 50, MAX_ROWS)
        return await told(self._desk.search(question, online=flag(arguments, "online")))

    async def show(self, arguments: Arguments) -> Result:
        """Every row of an address."""
        address = _text(arguments, "address")
        found = await told(self._desk.show(address, online=flag(arguments, "online")))
        if found is None:
            sentence = (
                "The directory does not know this address: it may be on the red list, or too new (--online)"
            )
            raise OperationRefused(sentence, "directory-unknown", NOT_FOUND)
        return found

    async def status(self, arguments: Arguments) -> Result:
        """What is in force and what was tried."""
        return await told(self._desk.status())

    async def rollback(self, arguments: Arguments) -> Result:
        """Go back to the copy before."""
        return await told(self._desk.rollback())

    async def refresh(self, arguments: Arguments) -> Result:
        """Take up a copy that another process has put in force."""
        return await told(self._desk.refresh())


def _text(arguments: Arguments, name: str) -> str:
    found = text(arguments, name, "")
    if len(found) > MAX_TEXT:
        raise OperationRefused(
            f"The argument {name} is longer than {MAX_TEXT} characters", "bad-argument", USAGE
        )
    return found


async def told(answer: Awaitable[T]) -> T:
    """The answer of a desk; what the directory refuses is a refusal of the operation: raises `OperationRefused`."""
    try:
        return await answer
    except GatewayError as problem:
        reason = str(getattr(problem, "reason", "directory"))
        sentence = str(getattr(problem, "sentence", "") or problem)
        exit_code = CONFLICT if reason in _NOTHING_TO_DO else UNAVAILABLE
        exit_code = USAGE if reason == "directory-question" else exit_code
        raise OperationRefused(sentence, reason, exit_code) from None
