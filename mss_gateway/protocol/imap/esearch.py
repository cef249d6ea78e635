"""ESEARCH responses (RFC 4731, RFC 5267, RFC 6203, RFC 7162, RFC 7377, RFC 9394)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .commands_search import Partial
from .quoting import mailbox
from .responses import number_set


@dataclass(frozen=True, slots=True)
class Results:
    """What a search found, in the order to show: `numbers` are message numbers or UIDs, as the command asked.

    `modseqs` (when the search named MODSEQ) and `scores` (1 to 100, when it was FUZZY) go with `numbers`.
    """

    numbers: Sequence[int]
    modseqs: Sequence[int] | None = None
    scores: Sequence[int] | None = None


def correlator(tag: bytes, place: tuple[str, int] | None = None, *, utf8: bool = False) -> bytes:
    """What an answer belongs to; `place` is the name and UIDVALIDITY of a mailbox (RFC 7377)."""
    if place is None:
        return b'(TAG "%b")' % tag
    return b'(TAG "%b" MAILBOX %b UIDVALIDITY %d)' % (tag, mailbox(place[0], utf8), place[1])


def esearch(
    head: bytes, results: Results, returns: frozenset[str], *, uid: bool, partial: Partial | None = None
) -> bytes:
    """One answer (RFC 4731 section 3.1): MIN, MAX and ALL are left out when nothing matched.

    `returns` holds MIN, MAX, ALL, COUNT, RELEVANCY; sorted results give MIN and MAX by their order (RFC 5267).
    """
    numbers = results.numbers
    parts = [b"* ESEARCH " + head]
    if uid:
        parts.append(b"UID")
    if numbers and "MIN" in returns:
        parts.append(b"MIN %d" % numbers[0])
    if numbers and "MAX" in returns:
        parts.append(b"MAX %d" % numbers[-1])
    if numbers and "ALL" in returns:
        parts.append(b"ALL " + number_set(numbers))
    if "COUNT" in returns:
        parts.append(b"COUNT %d" % len(numbers))
    if partial is not None:
        shown = number_set(numbers[partial.cut(len(numbers))]) or b"NIL"
        parts.append(b"PARTIAL (%b %b)" % (partial.shown, shown))
    if numbers and "RELEVANCY" in returns and results.scores is not None:
        parts.append(b"RELEVANCY (%b)" % b" ".join([b"%d" % score for score in results.scores]))
    if numbers and results.modseqs is not None:
        highest = told_modseq(results.modseqs, returns, partial)
        if highest:
            parts.append(b"MODSEQ %d" % highest)
    return b" ".join(parts) + b"\r\n"


def told_modseq(modseqs: Sequence[int], returns: frozenset[str], partial: Partial | None) -> int:
    """The mod-sequence to tell: of what MIN, MAX and PARTIAL show alone, else of all (RFC 7162 section 3.1.10)."""
    if returns & {"ALL", "COUNT"} or not (returns & {"MIN", "MAX"} or partial):
        return max(modseqs)
    shown = list(modseqs[partial.cut(len(modseqs))]) if partial is not None else []
    shown += [modseqs[at] for at, name in ((0, "MIN"), (-1, "MAX")) if name in returns]
    return max(shown, default=0)


def saved_part(uids: Sequence[int], returns: frozenset[str], partial: Partial | None) -> list[int]:
    """What `$` keeps (RFC 5182 section 2.4, RFC 9394 section 3.2): all, or what MIN, MAX and PARTIAL show alone."""
    if not uids or returns & {"ALL", "COUNT"} or not (returns & {"MIN", "MAX"} or partial):
        return list(uids)
    kept = set(uids[partial.cut(len(uids))]) if partial is not None else set()
    kept.update(uid for uid, name in ((uids[0], "MIN"), (uids[-1], "MAX")) if name in returns)
    return sorted(kept)


def changed(
    tag: bytes,
    *,
    uid: bool,
    removed: Sequence[tuple[int, bytes]] = (),
    added: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """REMOVEFROM, then ADDTO (RFC 5267 section 4.3): pairs of a position and a set; position 0 is mailbox order."""
    parts = [b"* ESEARCH " + correlator(tag)]
    if uid:
        parts.append(b"UID")
    for word, pairs in ((b"REMOVEFROM", removed), (b"ADDTO", added)):
        if pairs:
            parts.append(b"%b (%b)" % (word, b" ".join([b"%d %b" % pair for pair in pairs])))
    return b" ".join(parts) + b"\r\n"
