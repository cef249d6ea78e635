"""Object identifiers as IMAP writes them (RFC 8474 section 5): a letter, then hexadecimal digits."""

from __future__ import annotations

_DIGEST_OCTETS = 16  # enough of a SHA-256 that no two messages share them


def email_id(digest: bytes) -> bytes:
    """EMAILID of a message by the digest of its octets: the same for every copy, in whatever folder."""
    return b"M" + digest[:_DIGEST_OCTETS].hex().encode("ascii")


def thread_id(thread: int) -> bytes:
    """THREADID of a conversation by its number of 64 bits, signed or not."""
    return b"T%016x" % (thread & 0xFFFFFFFFFFFFFFFF)


def mailbox_id(folder_id: int, uid_validity: int) -> bytes:
    """MAILBOXID of a folder: kept through RENAME, another one whenever UIDVALIDITY is another (RFC 8474 section 4)."""
    return b"F%d-%d" % (folder_id, uid_validity)
