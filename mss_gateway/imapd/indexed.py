"""What the full-text index knows of a search: its text keys become sets of UIDs, and some messages stay to be read."""

from __future__ import annotations

from dataclasses import dataclass, field

from mss_gateway.mail.searchtext import fold
from mss_gateway.ports.mailboxes import Mailboxes
from mss_gateway.ports.textsearch import BODY, TEXT
from mss_gateway.protocol.imap.casemapped import folded_part
from mss_gateway.protocol.imap.matching import fold_needle, loose
from mss_gateway.protocol.imap.searchkeys import (
    AmongUids,
    And,
    BodyHas,
    Fuzzy,
    HeaderHas,
    SearchKey,
    TextHas,
    rewrite,
    walk,
)

LOOKUPS = 64  # texts of one search that the index is asked for; with more of them, messages are read


@dataclass(slots=True)
class Indexed:
    """A search with its text keys answered for the messages that the index knows; `scores` by UID (RFC 6203)."""

    key: SearchKey
    decided: int = 0
    undecided: frozenset[int] = frozenset()
    scores: dict[int, int] = field(default_factory=dict)

    def split(self, universe: list[int]) -> tuple[list[int], list[int]]:
        """The UIDs that the index knows, and those that it does not."""
        known = [uid for uid in universe if uid <= self.decided and uid not in self.undecided]
        if len(known) == len(universe):
            return universe, []
        return known, [uid for uid in universe if uid > self.decided or uid in self.undecided]


async def look_up(mailboxes: Mailboxes, folder_id: int, key: SearchKey) -> Indexed | None:
    """Ask the index for every text of a search; None when it decides nothing, or there is nothing to ask."""
    texts = [node for node in walk(key) if isinstance(node, HeaderHas | BodyHas | TextHas)]
    if not 0 < len(texts) <= LOOKUPS:
        return None
    found = Indexed(key, decided=1 << 62)
    answers: dict[SearchKey, SearchKey] = {}
    for node in walk(key):
        if isinstance(node, Fuzzy) and node not in answers:
            await _fuzzy(mailboxes, folder_id, node, found, answers)
    exact = rewrite(key, lambda node: answers.get(node, node))
    for leaf in {node for node in walk(exact) if isinstance(node, HeaderHas | BodyHas | TextHas)}:
        if not found.decided:
            return None
        answers[leaf] = await _exact(mailboxes, folder_id, leaf, found)
    found.key = rewrite(exact, lambda node: answers.get(node, node))
    return found if found.decided else None


async def _exact(
    mailboxes: Mailboxes, folder_id: int, leaf: HeaderHas | BodyHas | TextHas, found: Indexed
) -> SearchKey:
    needle = folded_part(leaf.text) if leaf.accents else fold_needle(leaf.text)
    if not needle:
        return leaf if leaf.accents or isinstance(leaf, HeaderHas) else And(())
    name = leaf.field if isinstance(leaf, HeaderHas) else BODY if isinstance(leaf, BodyHas) else TEXT
    hits = await mailboxes.find_text(folder_id, name, needle)
    found.decided = min(found.decided, hits.decided)
    found.undecided |= hits.undecided
    known = AmongUids(hits.uids)
    # Without accents the index finds more: which of that is meant, reading tells.
    return And((known, leaf)) if leaf.accents else known


async def _fuzzy(
    mailboxes: Mailboxes, folder_id: int, node: Fuzzy, found: Indexed, answers: dict[SearchKey, SearchKey]
) -> None:
    """Score by all words under a FUZZY; a text of the whole message is answered by the index's own judgement."""
    texts = [leaf for leaf in walk(node) if isinstance(leaf, HeaderHas | BodyHas | TextHas)]
    words = [word for leaf in texts for word in fold(leaf.text).split()]
    if not words:
        answers[node] = node.key  # FUZZY means nothing to other keys (RFC 6203 section 3)
        return
    hits = await mailboxes.find_fuzzy(folder_id, words)
    found.decided = min(found.decided, hits.decided)
    for uid, score in hits.scores.items():
        found.scores[uid] = max(score, found.scores.get(uid, 0))
    whole = isinstance(node.key, TextHas | BodyHas)
    answers[node] = AmongUids(frozenset(hits.scores)) if whole else loose(node.key)
