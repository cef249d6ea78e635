"""What SEARCH asks of the full-text index: one leaf of the search tree at a time (RFC 9051 section 6.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

TEXT = "text"
"""The whole header and the body, attachment names included."""

BODY = "body"
"""The body: text parts and attachment names."""


@dataclass(frozen=True, slots=True)
class TextHits:
    """The answer to one leaf. `uids` match, exactly.

    A UID above `decided` or in `undecided`, and not in `uids`, is not known to the index: the caller reads that
    message. Every other UID of the folder does not match. UIDs may have been expunged since: the caller holds
    them against its own view.
    """

    uids: frozenset[int] = frozenset()
    decided: int = 0
    undecided: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class FuzzyHits:
    """UIDs with their relevancy, 1 to 100 (RFC 6203 section 4); messages above `decided` were not looked at."""

    scores: dict[int, int]
    decided: int = 0


class TextSearch(Protocol):
    """The index of one mailbox. Without one (switched off, not made yet) nothing is decided, and no call fails."""

    async def find_text(self, folder_id: int, field: str, needle: str) -> TextHits:
        """Messages of a folder that contain `needle`, folded as `mail.searchtext.fold` does and not empty.

        `field` is `TEXT`, `BODY` or the name of a header field in lower case. The first call for a box has
        its index made, in the background.
        """

    async def find_fuzzy(self, folder_id: int, words: Sequence[str]) -> FuzzyHits:
        """Messages of a folder in which most of the folded words occur, also as plural, feminine or beginning."""

    def reading_texts(self) -> AbstractContextManager[None]:
        """Inside, messages are read for a search that no index has answered: the making of indexes lets it go first,
        for some seconds at a time."""

    async def reindex(self, box_id: int) -> int:
        """Make the index of a box anew, whole; return how many messages it holds, 0 when it is switched off."""
