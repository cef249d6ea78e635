"""What the embedded store may be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mss_gateway.rules.access import MEMBERS

from .keys import EncryptionOptions


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """`path` is the store's own folder. Sizes are in octets.

    Texts up to `inline_limit` live in the database, larger ones in segment files; a spool file of
    `adopt_from` octets or more becomes a segment of its own without being copied. `max_pages` bounds the
    database (4 KiB each), 0 leaves it to the disk. `quota_bytes` and `quota_messages` are what a box may hold for
    which nothing else was set, 0 without limit (BAL-9); `member_rights` what a member may
    do in a shared box where nothing was set (RFC 4314).
    `trace_waiting` is how many lines of the trace are found one by one before they get their entries.
    `audit_key` is the key file of the hash chain over the trace (AUD-1), `audit.key` in the store's folder when None.
    `encryption` says how bodies are sealed, None when no keys are named (OPS-5).
    `keep_deleted` is how many seconds a removed message can be brought back, 0 not at all (OPS-5).
    `index` keeps full-text indexes, with at most `index_cap` characters of one message's text.
    """

    path: Path
    inline_limit: int = 32 * 1024
    segment_limit: int = 64 * 1024 * 1024
    adopt_from: int = 512 * 1024
    cache_kib: int = 4 * 1024
    max_batch: int = 256
    max_pages: int = 0
    quota_bytes: int = 0
    quota_messages: int = 0
    member_rights: frozenset[str] = MEMBERS
    keep_deleted: float = 0.0
    index: bool = True
    index_cap: int = 256 * 1024
    encryption: EncryptionOptions | None = None
    audit_key: Path | None = None
    trace_waiting: int = 1024

    @property
    def seals(self) -> bool:
        """Are new bodies encrypted at rest?"""
        return self.encryption is not None and self.encryption.seals
