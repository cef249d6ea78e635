"""Arguments of the commands about rights and room (RFC 4314 section 7, RFC 9208 section 6)."""

from __future__ import annotations

import unicodedata

from .commands_rights import DeleteAcl, GetAcl, GetQuota, GetQuotaRoot, ListRights, MyRights, SetAcl
from .cursor import Cursor, Malformed

_LONGEST = 320  # characters of an identifier or a root: an address


def _mailbox(cursor: Cursor) -> str:
    cursor.space()
    return cursor.mailbox()


def _identifier(cursor: Cursor) -> str:
    """Who is meant, prepared; raises `Malformed` for what nobody can be called (RFC 4314 section 3)."""
    cursor.space()
    text = unicodedata.normalize("NFKC", cursor.text_string())
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise Malformed("Not an identifier")
    return text


def get_acl(cursor: Cursor) -> GetAcl:
    """GETACL mailbox."""
    return GetAcl(_mailbox(cursor))


def set_acl(cursor: Cursor) -> SetAcl:
    """SETACL mailbox identifier [+-]rights."""
    mailbox = _mailbox(cursor)
    identifier = _identifier(cursor)
    cursor.space()
    letters = cursor.text_string()
    sign = letters[:1] if letters[:1] in ("+", "-") else ""
    return SetAcl(mailbox, identifier, sign, letters[len(sign) :])


def delete_acl(cursor: Cursor) -> DeleteAcl:
    """DELETEACL mailbox identifier."""
    return DeleteAcl(_mailbox(cursor), _identifier(cursor))


def list_rights(cursor: Cursor) -> ListRights:
    """LISTRIGHTS mailbox identifier."""
    return ListRights(_mailbox(cursor), _identifier(cursor))


def my_rights(cursor: Cursor) -> MyRights:
    """MYRIGHTS mailbox."""
    return MyRights(_mailbox(cursor))


def get_quota(cursor: Cursor) -> GetQuota:
    """GETQUOTA root."""
    cursor.space()
    root = cursor.text_string()
    if len(root) > _LONGEST:
        raise Malformed("Not a quota root")
    return GetQuota(root)


def get_quota_root(cursor: Cursor) -> GetQuotaRoot:
    """GETQUOTAROOT mailbox."""
    return GetQuotaRoot(_mailbox(cursor))
