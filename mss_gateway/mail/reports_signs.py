"""The signs in a header that a machine wrote the message to report on another one (RCP-5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .message import Header
from .mime import parse_content_type
from .reports_words import SubjectMark, subject_mark

_AUTOMATIC_SENDER = re.compile(
    rb"(?i)(?:^|[<\s\"',:])(?:(?:mailer-?daemon|postmaster|mdaemon|(?:no|ne[._-]?pas)[._-]?(?:reply|repondre)"
    rb"|reponse[._-]?automatique)[a-z0-9._-]{0,60}@|[a-z][a-z._-]{2,60}@patient\.)"
)
_REPORT_TYPE = re.compile(rb"(?i)multipart/report|report-type|disposition-notification|delivery-status")


def says_automatic(header: Header) -> bool:
    """Tell whether a field that people's software does not write says so (RFC 3834 section 5, RFC 6522)."""
    kind = header.raw(b"content-type")
    if kind and _REPORT_TYPE.search(kind[:2000]):
        return True
    told = header.first(b"auto-submitted")
    if told is not None:
        # An explicit "no" is the writer's word against what the sender's name looks like.
        return told.partition(b";")[0].partition(b"(")[0].strip().lower() not in (b"", b"no")
    if header.first(b"return-path") == b"<>" or b"x-failed-recipients" in header:
        return True
    sender = header.raw(b"from")
    return sender is not None and _AUTOMATIC_SENDER.search(sender[:1000]) is not None


@dataclass(frozen=True, slots=True)
class Signs:
    """What a header announces: `mark` and `code` by its subject, `report_type` in lower case by its type."""

    mark: SubjectMark
    code: str
    automatic: bool
    report_type: bytes

    @property
    def any(self) -> bool:
        """True when something speaks for a report; without it only well-formed machine parts count."""
        return self.automatic or self.mark not in (SubjectMark.NONE, SubjectMark.REPLY)

    @property
    def personal(self) -> bool:
        """True when a person answers or forwards, whatever the message quotes or holds."""
        return self.mark is SubjectMark.REPLY and not self.automatic


def read_signs(header: Header, sender_null: bool) -> Signs:
    """Return the signs of a header; a null sender counts as automatic."""
    mark, code = subject_mark(header.first(b"subject"))
    value = header.first(b"content-type")
    named = parse_content_type(value).parameter(b"report-type") if value else None
    return Signs(mark, code, sender_null or says_automatic(header), (named or b"").strip().lower())
