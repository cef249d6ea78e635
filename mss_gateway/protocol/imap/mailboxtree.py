"""LIST over the mailboxes of one box: patterns, children, what a client is shown (RFC 9051 section 6.3.9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .cursor import inbox_folded

_RUNS = re.compile(r"[*%]{2,}")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox, or with `exists` false a name that is only subscribed to (RFC 5258 section 3.1).

    `special_use` is an attribute such as `\\Sent`, or empty.
    """

    name: str
    special_use: str = ""
    subscribed: bool = False
    exists: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of LIST: attributes with their backslash, and CHILDINFO when a child brought the name in."""

    name: str
    attributes: tuple[str, ...]
    child_info: tuple[str, ...] = ()
    exists: bool = True


def pattern_matcher(reference: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return whether a name matches a pattern under the reference: `*` anything, `%` anything but `/`.

    Time is at most the product of the lengths of name and pattern, whatever the wildcards.
    """
    compiled = [_Pattern(inbox_folded(reference + pattern)) for pattern in patterns]
    return lambda name: any(pattern.matches(name) for pattern in compiled)


class _Pattern:
    """One pattern as a row of states: which prefixes of it the name read so far can have used up."""

    __slots__ = ("_literal", "_text")

    def __init__(self, text: str) -> None:
        # Runs of wildcards mean the same as one: `*` if there is any, else `%`.
        self._text = _RUNS.sub(lambda run: "*" if "*" in run.group() else "%", text)
        self._literal = "*" not in text and "%" not in text

    def matches(self, name: str) -> bool:
        """Is the whole name used up by the whole pattern?"""
        text = self._text
        if self._literal or text == "*":
            return self._literal is False or text == name
        width = len(text)
        states = self._closure({0})
        for char in name:
            after = set()
            for at in states:
                if at == width:
                    continue
                wanted = text[at]
                if wanted == "*" or (wanted == "%" and char != "/"):
                    after.add(at)
                elif wanted == char and wanted != "%":
                    after.add(at + 1)
            states = self._closure(after)
            if not states:
                return False
        return width in states

    def _closure(self, states: set[int]) -> set[int]:
        text = self._text
        found = set(states)
        for at in states:
            while at < len(text) and text[at] in "*%":
                at += 1
                found.add(at)
        return found


def parents(name: str) -> list[str]:
    """The superior names of a mailbox, nearest last: `a/b/c` gives `a`, `a/b`."""
    levels = name.split("/")
    return ["/".join(levels[:depth]) for depth in range(1, len(levels))]


def list_mailboxes(
    mailboxes: Iterable[Mailbox],
    matches: Callable[[str], bool],
    *,
    selection: frozenset[str] = frozenset(),
    returns: frozenset[str] = frozenset(),
) -> list[Listed]:
    """The lines of LIST in the order given, names that exist only as parents (`\\NonExistent`) after them.

    A name without a mailbox is listed where subscribed names are selected. CHILDINFO tells of children that are not
    listed themselves (RFC 5258 section 3.5). Attributes hold the special use always, `\\HasChildren` or
    `\\HasNoChildren` always, `\\Subscribed` when selected or asked for.
    """
    subscribed_only = "SUBSCRIBED" in selection
    known = {mailbox.name: mailbox for mailbox in mailboxes if mailbox.exists or subscribed_only}
    superior: dict[str, bool] = {}  # whether a child is selected that is not listed itself
    children: set[str] = set()
    for mailbox in known.values():
        above = parents(mailbox.name)
        if mailbox.exists:
            children.update(above)
        unseen = bool(above) and _selected(mailbox, selection) and not matches(mailbox.name)
        for parent in above:
            superior[parent] = superior.get(parent, False) or unseen
    show_subscribed = "SUBSCRIBED" in selection or "SUBSCRIBED" in returns
    recursive = "RECURSIVEMATCH" in selection
    lines: list[Listed] = []
    for name in [*known, *(parent for parent in superior if parent not in known)]:
        if not matches(name):
            continue
        found = known.get(name)
        chosen = found is not None and _selected(found, selection)
        by_child = recursive and superior.get(name, False)
        if not (chosen or by_child or (found is None and not selection and name in children)):
            continue
        attributes = _attributes(found, name in children, show_subscribed)
        child_info = tuple(sorted(selection & {"SUBSCRIBED", "SPECIAL-USE"})) if by_child else ()
        lines.append(Listed(name, attributes, child_info, found is not None and found.exists))
    return lines


def _selected(mailbox: Mailbox, selection: frozenset[str]) -> bool:
    if "SUBSCRIBED" in selection and not mailbox.subscribed:
        return False
    return "SPECIAL-USE" not in selection or bool(mailbox.special_use)


def _attributes(mailbox: Mailbox | None, has_children: bool, show_subscribed: bool) -> tuple[str, ...]:
    shown = ["\\HasChildren" if has_children else "\\HasNoChildren"]
    if mailbox is None or not mailbox.exists:
        shown.insert(0, "\\NonExistent")
    if mailbox is None:
        return tuple(shown)
    if show_subscribed and mailbox.subscribed:
        shown.append("\\Subscribed")
    if mailbox.special_use:
        shown.append(mailbox.special_use)
    return tuple(shown)
