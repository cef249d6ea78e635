"""Commands about annotations (RFC 5464). Names are in lower case, for they are compared without case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """GETMETADATA of a mailbox, or of the server when its name is empty.

    `depth` is how many levels below each entry are asked for, None for all; `max_size` in octets leaves larger
    values out.
    """

    mailbox: str
    entries: tuple[str, ...]
    depth: int | None = 0
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """SETMETADATA: values by entry, None where one is to be removed."""

    mailbox: str
    values: tuple[tuple[str, bytes | None], ...]
