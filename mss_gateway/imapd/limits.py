"""MESSAGELIMIT (RFC 9738): how many messages one command works on, and how the rest is announced."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.protocol.imap import Ending, responses

from .session import CommandFailed, Session


def limit_code(session: Session, lowest: int = 0) -> bytes:
    """The MESSAGELIMIT response code; `lowest` is the lowest UID that was worked on."""
    limit = session.parts.options.message_limit
    return b"MESSAGELIMIT %d %d" % (limit, lowest) if lowest else b"MESSAGELIMIT %d" % limit


def capped(session: Session, uids: Sequence[int]) -> tuple[Sequence[int], bytes]:
    """The highest of ascending UIDs that one command may work on, and the code to end with, empty when all fit.

    With a code, RFC 9738 section 3.1 wants the messages worked on from the highest UID down.
    """
    limit = session.parts.options.message_limit
    if not limit or len(uids) <= limit:
        return uids, b""
    kept = uids[-limit:]
    return kept, limit_code(session, kept[0])


def check_limit(session: Session, count: int) -> None:
    """Raise `CommandFailed` NO [MESSAGELIMIT n] where a command does all or nothing: COPY, APPEND, SORT, THREAD."""
    limit = session.parts.options.message_limit
    if limit and count > limit:
        raise CommandFailed(f"At most {limit} messages at a time", limit_code(session))


def finish(session: Session, text: str, code: bytes = b"", limit: bytes = b"") -> None:
    """The tagged OK; where it has another code already, MESSAGELIMIT goes ahead in an untagged NO."""
    if code and limit:
        session.send(responses.no("not all messages were worked on", limit))
    session.core.tagged(Ending.OK, text, code=code or limit)
