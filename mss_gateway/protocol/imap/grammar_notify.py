"""NOTIFY (RFC 5465 section 8)."""

from __future__ import annotations

from .commands_notify import ABOUT_MESSAGES, NOTHING, EventGroup, Notify, Occasion
from .commands_search import MailboxFilter, Source
from .cursor import Cursor, Malformed
from .events import Ending
from .fetchitems import FetchItem
from .grammar_fetch import fetch_attributes

_MAX_GROUPS = 50
_MAX_NAMES = 500
_MAX_EVENTS = 16
_NAMED = frozenset({Source.SUBTREE, Source.SUBTREE_ONE, Source.MAILBOXES})
_OCCASIONS = {occasion.value.upper(): occasion for occasion in Occasion}
_BADEVENT = b"BADEVENT (%b)" % " ".join(occasion.value for occasion in Occasion).encode("ascii")


def notify(cursor: Cursor) -> Notify:
    """NOTIFY NONE, or NOTIFY SET with groups of events."""
    cursor.space()
    word = cursor.word()
    if word == "NONE":
        return Notify()
    if word != "SET":
        raise Malformed("Expected SET or NONE")
    cursor.space()
    status = cursor.peek() != b"("
    if status:
        if cursor.word() != "STATUS":
            raise Malformed("Expected STATUS or a group of events")
        cursor.space()
    groups = [_group(cursor)]
    while cursor.skip(b" "):
        if len(groups) >= _MAX_GROUPS:
            raise Malformed("Too many groups of events", Ending.NO, b"NOTIFICATIONOVERFLOW")
        groups.append(_group(cursor))
    if sum(group.selected for group in groups) > 1:
        raise Malformed("SELECTED and SELECTED-DELAYED come once")
    return Notify(tuple(groups), status)


def _group(cursor: Cursor) -> EventGroup:
    cursor.expect(b"(", "a group of events")
    which, delayed = _filter(cursor)
    cursor.space()
    occasions: frozenset[Occasion] = NOTHING
    items: tuple[FetchItem, ...] = ()
    if cursor.peek() != b"(":
        if cursor.word() != "NONE":
            raise Malformed("Expected events or NONE")
    else:
        told: dict[Occasion, tuple[FetchItem, ...]] = dict(cursor.items(lambda: _event(cursor), _MAX_EVENTS))
        occasions, items = frozenset(told), told.get(Occasion.MESSAGE_NEW, ())
    cursor.expect(b")", "a closing parenthesis")
    group = EventGroup(which, occasions, items, delayed)
    _check(group)
    return group


def _filter(cursor: Cursor) -> tuple[MailboxFilter, bool]:
    """Which mailboxes; True for SELECTED-DELAYED."""
    word = cursor.word()
    if word == "SELECTED-DELAYED":
        return MailboxFilter(Source.SELECTED), True
    try:
        source = Source(word)
    except ValueError:
        raise Malformed("Unknown source of mailboxes") from None
    if source not in _NAMED:
        return MailboxFilter(source), False
    cursor.space()
    if cursor.peek() == b"(":
        return MailboxFilter(source, tuple(cursor.items(cursor.mailbox, _MAX_NAMES))), False
    return MailboxFilter(source, (cursor.mailbox(),)), False


def _event(cursor: Cursor) -> tuple[Occasion, tuple[FetchItem, ...]]:
    name = cursor.word()
    if name not in _OCCASIONS:
        raise Malformed("Of this event nothing is told here", Ending.NO, _BADEVENT)
    occasion = _OCCASIONS[name]
    if occasion is Occasion.MESSAGE_NEW and cursor.text[cursor.pos : cursor.pos + 2] == b" (":
        cursor.space()
        return occasion, fetch_attributes(cursor)
    return occasion, ()


def _check(group: EventGroup) -> None:
    """The conditions of RFC 5465 sections 5, 6.1 and 8."""
    occasions = group.occasions
    new = Occasion.MESSAGE_NEW in occasions
    if new != (Occasion.MESSAGE_EXPUNGE in occasions):
        raise Malformed("MessageNew and MessageExpunge come together")
    if Occasion.FLAG_CHANGE in occasions and not new:
        raise Malformed("FlagChange needs MessageNew and MessageExpunge")
    if group.selected and not occasions <= ABOUT_MESSAGES:
        raise Malformed("The selected mailbox has events of messages alone")
    if group.items and not group.selected:
        raise Malformed("FETCH items are sent of the selected mailbox alone")
