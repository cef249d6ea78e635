"""What imports have in common: rows with their line numbers, and what is said of the bad ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules.ins import mask_text

from .operation import USAGE, Arguments, OperationRefused, Result

T = TypeVar("T")


def understood(parse: Callable[[str], T], value: str) -> T:
    """What a rule reads in a text; its `InvalidValue` becomes an `OperationRefused`."""
    try:
        return parse(value)
    except InvalidValue as invalid:
        sentence = invalid.public[:1].upper() + invalid.public[1:]
        raise OperationRefused(sentence, invalid.reason, USAGE) from None


def numbered(arguments: Arguments) -> list[tuple[int, Mapping[str, str]]]:
    """The argument `rows` of an import with their line numbers; raises `OperationRefused`."""
    rows: Any = arguments.get("rows") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise OperationRefused("The argument rows is not a list of records", "bad-argument", USAGE)
    found: list[tuple[int, Mapping[str, str]]] = []
    for row in rows:
        line = row.get("line")
        texts = {name: value for name, value in row.items() if name != "line"}
        if not isinstance(line, int) or not all(isinstance(value, str) for value in texts.values()):
            raise OperationRefused("A row has no line number, or is not of texts", "bad-argument", USAGE)
        found.append((line, texts))
    return found


def refused_line(number: int, sentence: str, reason: str) -> Result:
    """What an import says of one line."""
    return {"line": number, "reason": reason, "sentence": mask_text(sentence)}
