"""Commands that put messages into a mailbox, and COMPRESS (RFC 3502, RFC 4469, RFC 8508, RFC 4978)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND up to its first message: answer with `accept_literal` or `refuse_literal`.

    The messages follow as events: `AppendMessage`, then `AppendChunk`s and `AppendUrl`s, for each of them.
    """

    mailbox: str


@dataclass(frozen=True, slots=True)
class Replace:
    """REPLACE and UID REPLACE (RFC 8508): an APPEND of one message that takes the place of another.

    `number` is a sequence number or a UID, `STAR` for the last one.
    """

    number: int
    mailbox: str
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS DEFLATE (RFC 4978); the core has refused other mechanisms and a second one."""
