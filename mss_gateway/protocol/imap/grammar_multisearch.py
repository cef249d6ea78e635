"""ESEARCH over several mailboxes (RFC 7377 section 2), and CANCELUPDATE (RFC 5267 section 4.3.5)."""

from __future__ import annotations

from .commands_search import CancelUpdate, MailboxFilter, MultiSearch, Source
from .cursor import Cursor, Malformed
from .grammar_search import Returning, program_or_refusal, returning

_MAX_FILTERS = 50
_MAX_NAMES = 500
_NAMED = frozenset({Source.SUBTREE, Source.SUBTREE_ONE, Source.MAILBOXES})
_SELECTED = (MailboxFilter(Source.SELECTED),)


def _filter(cursor: Cursor) -> MailboxFilter:
    try:
        source = Source(cursor.word())
    except ValueError:
        # `selected-delayed` too: it belongs to NOTIFY alone (RFC 7377 section 2.2).
        raise Malformed("Unknown source of mailboxes") from None
    if source not in _NAMED:
        return MailboxFilter(source)
    cursor.space()
    if cursor.peek() == b"(":
        return MailboxFilter(source, tuple(cursor.items(cursor.mailbox, _MAX_NAMES)))
    return MailboxFilter(source, (cursor.mailbox(),))


def _sources(cursor: Cursor) -> tuple[MailboxFilter, ...]:
    found = tuple(cursor.items(lambda: _filter(cursor), _MAX_FILTERS))
    cursor.space()
    return found


def multisearch(cursor: Cursor) -> MultiSearch:
    """ESEARCH: IN, RETURN and CHARSET may each be left out; keys by number and `$` need the selected mailbox alone."""
    cursor.space()
    filters: tuple[MailboxFilter, ...] = _SELECTED
    if cursor.text[cursor.pos : cursor.pos + 3].upper() == b"IN ":
        cursor.pos += 3
        filters = _sources(cursor)
    said = returning(cursor) or Returning(frozenset({"ALL"}))
    returns = said.options
    key, refusal = program_or_refusal(cursor, returns)
    if "SAVE" in returns and any(item.source is not Source.SELECTED for item in filters):
        raise Malformed("SAVE is for the selected mailbox alone")
    return MultiSearch(filters, key, returns, said.partial, refusal, said.items)


def cancel_update(cursor: Cursor) -> CancelUpdate:
    """CANCELUPDATE with at least one tag."""
    cursor.space()
    tags = [cursor.string()]
    while not cursor.at_end():
        cursor.space()
        tags.append(cursor.string())
        if len(tags) > _MAX_NAMES:
            raise Malformed("Too many tags")
    return CancelUpdate(tuple(tags))
