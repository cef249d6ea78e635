"""Machine facts that stand in readable text, as older software writes its bounces and receipts (RCP-5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .reports_fields import MAX_RECIPIENTS, find_status, message_ids, one_line
from .reports_values import ReportedRecipient
from .reports_words import own_words

_FIELD_LINE = re.compile(
    r"(?im)^(?:disposition|(?:final|original)-recipient|reporting-(?:ua|mta)|original-message-id)[ \t]*+:"
)
_QUOTED_ID = re.compile(r"(?im)^[ \t]{0,8}message-id[ \t]*+:[ \t]*+(<[^<>\r\n]{1,900}>)")
_BOUNCED = re.compile(
    r"^[ \t]{0,8}<([^\s<>@]{1,254}@[^\s<>@]{1,254})>(?: \([^\r\n]{0,200}\))?:[ \t]*+"
    r"([^\r\n]*+(?:\r?\n[ \t]{0,8}[^\s<-][^\r\n]*+){0,4})",
    re.MULTILINE,
)


def loose_fields(texts: Iterable[str]) -> list[bytes]:
    """Return from each text what follows its first line that is a report's field; quoted lines are none."""
    found = ((text, _FIELD_LINE.search(text)) for text in texts)
    return [text[match.start() :].encode("utf-8", "replace") for text, match in found if match]


def quoted_id(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the Message-ID of a header that is copied into a text, as nothing or one id."""
    found = (match[1].encode("utf-8", "replace") for text in texts for match in _QUOTED_ID.finditer(text))
    return message_ids(next(found, None))


def listed_recipients(value: bytes | None) -> tuple[ReportedRecipient, ...]:
    """Return the recipients of an X-Failed-Recipients field."""
    words = (value or b"")[:20_000].decode("latin-1").replace(",", " ").split()
    named = dict.fromkeys(word.strip("<>") for word in words if "@" in word)
    return tuple(ReportedRecipient(one, "failed") for one in list(named)[:MAX_RECIPIENTS])


def bounced_recipients(texts: Iterable[str]) -> tuple[ReportedRecipient, ...]:
    """Return the recipients of paragraphs such as `<a@b.fr>: host said: 550 5.1.1 …`."""
    lines = [match for text in texts for match in _BOUNCED.findall(own_words(text))]
    return tuple(
        ReportedRecipient(address, "failed", find_status(told), one_line(told))
        for address, told in dict(lines[:MAX_RECIPIENTS]).items()
    )
