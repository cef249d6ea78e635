"""Answers about rights and room (RFC 4314 section 3.6 to 3.8, RFC 9208 section 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .quoting import astring, flag, mailbox


def acl(name: str, people: Iterable[tuple[str, str]], *, utf8: bool = False) -> bytes:
    """ACL: pairs of an identifier and its rights."""
    pairs = b"".join([b" %b %b" % (_text(who), _text(rights)) for who, rights in people])
    return b"* ACL %b%b\r\n" % (mailbox(name, utf8), pairs)


def list_rights(
    name: str, identifier: str, required: str, optional: Iterable[str], *, utf8: bool = False
) -> bytes:
    """LISTRIGHTS: the rights always granted together, then each that can be granted."""
    rest = b"".join([b" " + _text(letters) for letters in optional])
    return b"* LISTRIGHTS %b %b %b%b\r\n" % (mailbox(name, utf8), _text(identifier), _text(required), rest)


def my_rights(name: str, rights: str, *, utf8: bool = False) -> bytes:
    """MYRIGHTS."""
    return b"* MYRIGHTS %b %b\r\n" % (mailbox(name, utf8), _text(rights))


def quota(root: str, resources: Mapping[str, tuple[int, int]]) -> bytes:
    """QUOTA: for each limited resource what is used and what may be; STORAGE counts 1024 octets."""
    triples = b" ".join([b"%b %d %d" % (flag(name), *pair) for name, pair in resources.items()])
    return b"* QUOTA %b (%b)\r\n" % (_text(root), triples)


def quota_root(name: str, roots: Iterable[str], *, utf8: bool = False) -> bytes:
    """QUOTAROOT: the roots of a mailbox."""
    listed = b"".join([b" " + _text(root) for root in roots])
    return b"* QUOTAROOT %b%b\r\n" % (mailbox(name, utf8), listed)


def _text(text: str) -> bytes:
    return astring(text.encode("utf-8"))
