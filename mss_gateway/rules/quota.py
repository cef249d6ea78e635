"""How people write the size of a mailbox (BAL-9)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mss_gateway.base.errors import InvalidValue

_SIZE = re.compile(r"([0-9]{1,15})([KMGT]?)", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_MOST = 2**60
DEFAULT = "default"
"""The word for no limit of the box's own."""


def parse_octets(text: str) -> int:
    """`10G`, `512M`, `1048576` or `default` (0) in octets, by powers of 1024; raises `InvalidValue`."""
    if text.lower() == DEFAULT:
        return 0
    found = _SIZE.fullmatch(text.strip())
    octets = int(found[1]) * 1024 ** _POWERS[found[2].upper()] if found is not None else 0
    if not 0 < octets <= _MOST:
        raise InvalidValue("a size is written like 10G, 512M or 1048576, or default", "quota-size")
    return octets


def parse_messages(text: str) -> int:
    """A number of messages, or `default` (0); raises `InvalidValue`."""
    if text.lower() == DEFAULT:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not int(text):
        raise InvalidValue("a number of messages is written like 50000, or default", "quota-messages")
    return int(text)


MARGIN = 5
"""Percentage points below a threshold at which it is armed again: a box that lies on it is not warned each hour."""


def warning(before: int, used: float, thresholds: Sequence[int]) -> tuple[int, int | None]:
    """The threshold that counts as told from now on (0 for none), and the one to tell now, None for none (BAL-9).

    `before` is what was told, `used` the fuller of octets and messages in percent, thresholds ascend. A box that
    passes several at once is told the highest alone.
    """
    reached = max((one for one in thresholds if used >= one), default=0)
    if reached > before:
        return reached, reached
    kept = max((one for one in thresholds if one <= before and used > one - MARGIN), default=0)
    return kept, None
