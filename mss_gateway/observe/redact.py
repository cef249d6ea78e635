"""The last gate before anything is written: INS masked, secrets dropped (INS-7, AUD-5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mss_gateway.base.secret import Secret
from mss_gateway.rules.ins import mask_text

SHORTEST_INS = 10**12
"""The smallest number of 13 digits, as long as a matricule."""

_OBEYED = re.compile("[\x0b\x0c\x1c-\x1e\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON does not escape and a reader of the log obeys: ends of lines, commands of terminals, turned writing."""


_DIGEST = re.compile(r"[0-9a-f]{64}")


class Digest(str):
    """64 hexadecimal digits that stand in the log as they are: one in sixty holds what looks like an INS.

    Raises ValueError for any other text.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:
        """Only what has the shape of an HMAC-SHA256."""
        if _DIGEST.fullmatch(text) is None:
            raise ValueError("this is no digest")
        return super().__new__(cls, text)


def clean(value: object) -> str | int | float | bool | None:
    """A field fit for the log: numbers as they are, texts masked, bytes and secrets never shown."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < SHORTEST_INS:
        return value
    if isinstance(value, Digest):
        return str(value)
    if isinstance(value, Secret | bytes | bytearray | memoryview):
        return "***"
    if isinstance(value, tuple | list | set | frozenset):
        return " ".join([str(clean(item)) for item in value])
    if isinstance(value, Mapping):
        return " ".join([f"{clean(name)}={clean(item)}" for name, item in value.items()])
    # Looking for an INS costs more than writing the line; a text without 13 digits in it cannot hold one.
    text = value if isinstance(value, str) else str(value)
    if not text.isprintable():
        text = _OBEYED.sub(" ", text)
    return mask_text(text) if len(text) >= 13 else text


def where(error: BaseException) -> str:
    """The innermost place of an exception as `file:line`, without its text, which may hold anything."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('mss_gateway/')[2]}:{trace.tb_lineno} {code.co_name}"
