"""How people write the size of a mailbox (BAL-9)."""

from __future__ import annotations

import re

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
