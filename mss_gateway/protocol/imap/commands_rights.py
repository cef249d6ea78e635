"""Commands about rights and room: ACL (RFC 4314 section 3), QUOTA (RFC 9208 section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GetAcl:
    """GETACL."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class SetAcl:
    """SETACL; `sign` is `+`, `-` or empty (the letters replace), `letters` as the client wrote them."""

    mailbox: str
    identifier: str
    sign: str
    letters: str


@dataclass(frozen=True, slots=True)
class DeleteAcl:
    """DELETEACL."""

    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class ListRights:
    """LISTRIGHTS."""

    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class MyRights:
    """MYRIGHTS."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA of a quota root."""

    root: str


@dataclass(frozen=True, slots=True)
class GetQuotaRoot:
    """GETQUOTAROOT of a mailbox."""

    mailbox: str
