"""Ids that sort by time. Clock and dice are arguments: this room has neither."""

from __future__ import annotations

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def sortable_id(now: float, random_bits: int) -> str:
    """Return a 22-character id: 48 bits of milliseconds since the epoch, then 62 random bits, base 32.

    Ids made later sort after ids made a millisecond or more earlier. `now` is in seconds.
    """
    value = (int(now * 1000) & (1 << 48) - 1) << 62 | random_bits & (1 << 62) - 1
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(105, -1, -5))


def message_id(unique: str, domain: str) -> str:
    """Return a Message-ID with its angle brackets (RFC 5322 section 3.6.4)."""
    return f"<{unique}@{domain}>"
