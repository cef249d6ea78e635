"""Sections of a message by the names that people write."""

from __future__ import annotations

from mss_gateway.mail.parttable import PartTable, Span, locate_path


def locate(table: PartTable, section: str) -> tuple[Span, ...] | None:
    """Return the spans of a section as IMAP writes it (`1.2.MIME`, `HEADER`, empty for all), or None.

    HEADER.FIELDS and its opposite are the HEADER span, filtered by `message.select_fields`.
    """
    words = section.upper().split(".") if section else []
    path: list[int] = []
    while words and words[0].isascii() and words[0].isdigit() and len(words[0]) < 7:
        path.append(int(words.pop(0)))
    return locate_path(table, path, ".".join(words))
