"""The threads of THREAD (RFC 5256 section 3), made without recursion and in linear time, whatever messages refer to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from mss_gateway.mail.message import unfold
from mss_gateway.mail.subject import split_subject
from mss_gateway.mail.words import decode_words

from .headeronly import field_values

_ID = re.compile(rb"<[^<>]{1,998}>")
_QUOTED_LOCAL = re.compile(rb'<"((?:[^"\\]|\\.)*+)"@', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_BLANKS = b" \t\r\n"
_MAX_FIELD = 64 * 1024  # octets of References that are read
MAX_REFERENCES = 1000
"""References of one message that are followed: the nearest ones."""

_STEPS = 50  # that looking for loops may take for each message


class Letter(NamedTuple):
    """One message as threads see it: `number` as it is shown, `sent` in epoch seconds, `subject` the compared form
    of its base subject. `raw_subject` is the Subject field, which tells whether it is a reply."""

    number: int
    sent: float
    subject: str
    message_id: bytes | None = None
    references: Sequence[bytes] = ()
    raw_subject: bytes = b""


@dataclass(slots=True)
class Tree:
    """Threads of messages, which are indexes; what is below 0 stands for a message that is not there."""

    roots: list[int]
    children: dict[int, list[int]] = field(default_factory=dict)


def message_ids(value: bytes) -> Iterator[bytes]:
    """The valid Message-IDs of a field in one form each: without blanks, without needless quotes."""
    for found in _ID.finditer(value, 0, _MAX_FIELD):
        one = found[0].translate(None, _BLANKS)
        if b"@" in one:
            yield _QUOTED_LOCAL.sub(_unquoted, one) if b'"' in one else one


def _unquoted(match: re.Match[bytes]) -> bytes:
    return b"<%b@" % _ESCAPE.sub(rb"\1", match[1])


def identify(header: bytes) -> tuple[bytes | None, list[bytes], bytes]:
    """The Message-ID, the references (the oldest first, each once) and the raw Subject of a header block.

    Without a reference, the first Message-ID of In-Reply-To is the only one.
    """
    lowered = header.lower()
    own = next(message_ids(_field(header, lowered, "message-id")), None)
    references = list(dict.fromkeys(message_ids(_field(header, lowered, "references"))))
    if not references:
        references = [*message_ids(_field(header, lowered, "in-reply-to"))][:1]
    return own, references[-MAX_REFERENCES:], _field(header, lowered, "subject")


def _field(header: bytes, lowered: bytes, name: str) -> bytes:
    values = field_values(header, lowered, name)
    return values[0] if values else b""


def by_subject(letters: Sequence[Letter]) -> Tree:
    """THREAD=ORDEREDSUBJECT: one thread for each base subject, all messages below the first one that was sent."""
    threads: dict[str, list[int]] = {}
    for at in sorted(range(len(letters)), key=_by_date(letters)):
        threads.setdefault(letters[at].subject, []).append(at)
    # Threads come in the order of their first messages, as these were met.
    return Tree(
        [thread[0] for thread in threads.values()],
        {thread[0]: thread[1:] for thread in threads.values() if len(thread) > 1},
    )


def _by_date(letters: Sequence[Letter]) -> Callable[[int], tuple[float, int]]:
    return lambda at: (letters[at].sent, at)


def by_references(letters: Sequence[Letter]) -> Tree:
    """THREAD=REFERENCES. `letters` come by sequence number."""
    return _Gathering(letters, _pruned(_linked(letters), len(letters))).gathered()


def _linked(letters: Sequence[Letter]) -> list[int]:
    """The parent of each node, -1 for none (steps 1 and 2): the letters, then those that are only referred to."""
    nodes: dict[bytes, int] = {}
    for at, letter in enumerate(letters):
        if letter.message_id is not None:
            nodes.setdefault(letter.message_id, at)
    chains = []
    count = len(letters)
    for letter in letters:
        chain = []
        for reference in letter.references:
            node = nodes.setdefault(reference, count)
            count += node == count
            chain.append(node)
        chains.append(chain)
    return _Links(count).in_turn(chains) or _Links(count).at_once(chains)


class _Links:
    """Parents of nodes, and which nodes may hang together: what was once linked counts, though it was parted since."""

    __slots__ = ("_parents", "_steps", "_tops")

    def __init__(self, count: int) -> None:
        self._parents = [-1] * count
        self._tops = list(range(count))
        self._steps = _STEPS * count

    def _top(self, node: int) -> int:
        tops = self._tops
        while tops[node] != node:
            tops[node] = tops[tops[node]]
            node = tops[node]
        return node

    def _join(self, parent: int, child: int) -> None:
        self._parents[child] = parent
        self._tops[self._top(child)] = self._top(parent)

    def in_turn(self, chains: Sequence[Sequence[int]]) -> list[int] | None:
        """As the RFC tells it, message by message; None when looking for loops takes longer than fair letters need."""
        parents = self._parents
        for at, chain in enumerate(chains):
            for parent, child in pairwise(chain):
                if parents[child] < 0 and not self._above(child, parent):
                    self._join(parent, child)
                if self._steps < 0:
                    return None
            last = chain[-1] if chain else -1
            if parents[at] != last:
                parents[at] = -1
                if last >= 0 and not self._above(at, last):
                    self._join(last, at)
        return parents

    def _above(self, node: int, other: int) -> bool:
        """Is a node the other one or above it? Walks only where the two may hang together."""
        if self._top(node) != self._top(other):
            return False
        parents, steps = self._parents, 0
        while other not in (node, -1):
            other = parents[other]
            steps += 1
        self._steps -= steps
        return other == node

    def at_once(self, chains: Sequence[Sequence[int]]) -> list[int]:
        """The same for hostile letters, in linear time: the last references first, then what others say.

        Nothing gets a second parent, so that each link joins the top of one tree to another tree, and a loop shows
        as a top that meets itself. Other loops may be left open than message by message.
        """
        for at, chain in enumerate(chains):
            if chain:
                self._link(chain[-1], at)
        for at, chain in enumerate(chains):
            for parent, child in pairwise(chain):
                # What was said of a letter before its own turn would be undone at its turn.
                if self._parents[child] < 0 and (child >= len(chains) or child < at):
                    self._link(parent, child)
        return self._parents

    def _link(self, parent: int, child: int) -> None:
        if self._top(parent) != child:
            self._join(parent, child)


def _pruned(parents: list[int], letters: int) -> Tree:
    """Threads without the messages that are not there (step 3), but those that hold several threads together."""
    below: list[list[int]] = [[] for _ in parents]
    for node, parent in enumerate(parents):
        if parent >= 0:
            below[parent].append(node)
    tree = Tree([])
    for root, parent in enumerate(parents):
        if parent >= 0:
            continue
        first: list[int] = []  # letters with no letter above them
        pending = [(root, first)]
        while pending:
            node, siblings = pending.pop()
            if node < letters:
                siblings.append(node)
                siblings = []
                if below[node]:
                    tree.children[node] = siblings
            pending += [(child, siblings) for child in below[node]]
        if len(first) > 1:
            tree.children[-1 - root] = first
            tree.roots.append(-1 - root)
        else:
            tree.roots += first
    return tree


class _Gathering:
    """Puts threads of one subject together and all siblings in order (steps 4 to 6)."""

    def __init__(self, letters: Sequence[Letter], tree: Tree) -> None:
        self._letters = letters
        self._tree = tree
        self._date = _by_date(letters)
        self._replies: dict[int, bool] = {}
        self._next = min(min(tree.children, default=0), 0) - 1

    def gathered(self) -> Tree:
        """The whole tree."""
        tree = self._tree
        for node, siblings in tree.children.items():
            if node < 0:
                siblings.sort(key=self._date)
        tree.roots.sort(key=self._first_date)
        self._merge(self._subjects())
        for siblings in tree.children.values():
            siblings.sort(key=self._date)
        tree.roots.sort(key=self._first_date)
        return tree

    def _first(self, node: int) -> int:
        return node if node >= 0 else self._tree.children[node][0]

    def _first_date(self, node: int) -> tuple[float, int]:
        return self._date(self._first(node))

    def _subject(self, node: int) -> str:
        return self._letters[self._first(node)].subject

    def _reply(self, at: int) -> bool:
        known = self._replies.get(at)
        if known is None:
            subject = decode_words(unfold(self._letters[at].raw_subject))
            known = self._replies[at] = split_subject(subject)[1]
        return known

    def _subjects(self) -> dict[str, int]:
        """The thread that others of its subject join (step 5B)."""
        table: dict[str, int] = {}
        for root in self._tree.roots:
            subject = self._subject(root)
            if not subject:
                continue
            known = table.setdefault(subject, root)
            if known >= 0 and (root < 0 or (self._reply(known) and not self._reply(root))):
                table[subject] = root
        return table

    def _merge(self, table: dict[str, int]) -> None:
        """Step 5C."""
        children = self._tree.children
        moved: set[int] = set()
        made: list[int] = []
        for root in self._tree.roots:
            subject = self._subject(root)
            if not subject or root in moved or table[subject] == root:
                continue
            head = table[subject]
            moved.add(root)
            if head < 0:
                children[head] += children.pop(root) if root < 0 else [root]
            elif self._reply(root) and not self._reply(head):
                children.setdefault(head, []).append(root)
            else:
                moved.add(head)
                table[subject] = self._next
                children[self._next] = [head, root]
                made.append(self._next)
                self._next -= 1
        self._tree.roots = [root for root in self._tree.roots if root not in moved] + made


def thread_line(tree: Tree, letters: Sequence[Letter]) -> bytes:
    """The THREAD response (RFC 5256 section 4)."""
    out: list[bytes] = []
    pending: list[int | bytes] = []
    for root in tree.roots:
        pending.append(root)
        while pending:
            item = pending.pop()
            if isinstance(item, bytes):
                out.append(item)
                continue
            out.append(b"(")
            node = item
            below = tree.children.get(node, ())
            if node >= 0:
                out.append(b"%d" % letters[node].number)
                while len(below) == 1:
                    node = below[0]
                    out.append(b" %d" % letters[node].number)
                    below = tree.children.get(node, ())
                if below:
                    out.append(b" ")
            pending.append(b")")
            pending.extend(reversed(below))
    return b"* THREAD%b%b\r\n" % (b" " if out else b"", b"".join(out))
