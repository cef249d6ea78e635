"""Parenthesised IMAP values read into lists, and the part numbers that a BODYSTRUCTURE names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_ITEM = re.compile(
    rb'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|~?\{(\d+)\}\r\n|((?:\[[^\]]*\]|[^() "\[])+))', re.DOTALL
)


def read_value(data: bytes) -> Any:
    """The first value: a list, octets, or None for NIL; numbers and atoms are octets too."""
    stack: list[list[Any]] = [[]]
    at = 0
    while at < len(data):
        match = _ITEM.match(data, at)
        if match is None:
            break
        at = match.end()
        bracket, text, size, atom = match.groups()
        if bracket == b"(":
            stack.append([])
        elif bracket == b")":
            done = stack.pop()
            stack[-1].append(done)
        elif text is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", text, flags=re.DOTALL))
        elif size is not None:
            stack[-1].append(data[at : at + int(size)])
            at += int(size)
        else:
            stack[-1].append(None if atom.upper() == b"NIL" else atom)
        if len(stack) == 1:
            break
    return stack[0][0]


def is_multipart(body: Any) -> bool:
    """Whether a BODYSTRUCTURE is of parts."""
    return isinstance(body[0], list)


def is_message(body: Any) -> bool:
    """Whether a BODYSTRUCTURE is of one message."""
    return (
        not is_multipart(body)
        and body[0].lower() == b"message"
        and body[1].lower() in (b"rfc822", b"global")
        and len(body) > 8
        and isinstance(body[8], list)
    )


def part_numbers(body: Any, prefix: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """All part numbers below a BODYSTRUCTURE with what it says of each."""
    if not is_multipart(body):
        yield from _one((*prefix, 1), body)
        return
    for number, child in enumerate(item for item in body if isinstance(item, list) and _is_body(item)):
        if is_multipart(child):
            yield (*prefix, number + 1), child
            yield from part_numbers(child, (*prefix, number + 1))
        else:
            yield from _one((*prefix, number + 1), child)


def _is_body(item: list[Any]) -> bool:
    return isinstance(item[0], list) or (len(item) >= 7 and item[0] is not None)


def _one(path: tuple[int, ...], body: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    yield path, body
    if is_message(body):
        yield from part_numbers(body[8], path)
