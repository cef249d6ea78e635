"""Commands that name mailboxes: SELECT to STATUS, LIST, the head of APPEND (RFC 9051 section 6.3)."""

from __future__ import annotations

from .commands import (
    STATUS_ITEMS,
    Create,
    Delete,
    List,
    Lsub,
    QResync,
    Rename,
    Select,
    Status,
    Subscribe,
    Unsubscribe,
)
from .cursor import Cursor, Malformed
from .events import Ending
from .grammar_metadata import return_entries

_SPECIAL_USES = {
    name.upper(): name
    for name in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}
_SELECTION = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
_RETURNS = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "MYRIGHTS"})
_MAX_PATTERNS = 16


def _mailbox(cursor: Cursor) -> str:
    cursor.space()
    return cursor.mailbox()


def _qresync(cursor: Cursor) -> QResync:
    cursor.space()
    cursor.expect(b"(", "the QRESYNC parameters")
    validity = cursor.number()
    cursor.space()
    modseq = cursor.number()
    known, matched = None, False
    if cursor.skip(b" ") and cursor.peek() != b"(":
        known = cursor.known_set()
        cursor.skip(b" ")
    if cursor.skip(b"("):
        matched = True
        numbers = cursor.known_set()
        cursor.space()
        if cursor.known_set().count != numbers.count:
            raise Malformed("Match data are two sets of one length")
        cursor.expect(b")", "a closing parenthesis")
    cursor.expect(b")", "a closing parenthesis")
    return QResync(validity, modseq, known, matched)


def _select(cursor: Cursor, read_only: bool) -> Select:
    mailbox = _mailbox(cursor)
    condstore, qresync = False, None
    if cursor.skip(b" "):
        cursor.expect(b"(", "the parameters")
        while True:
            name = cursor.word()
            if name == "CONDSTORE":
                condstore = True
            elif name == "QRESYNC":
                qresync = _qresync(cursor)
            else:
                raise Malformed("Unknown SELECT parameter")
            if not cursor.skip(b" "):
                break
        cursor.expect(b")", "a closing parenthesis")
    return Select(mailbox, read_only, condstore or qresync is not None, qresync)


def select(cursor: Cursor) -> Select:
    """SELECT, with CONDSTORE or QRESYNC."""
    return _select(cursor, False)


def examine(cursor: Cursor) -> Select:
    """EXAMINE."""
    return _select(cursor, True)


def _new_name(cursor: Cursor) -> str:
    name = _mailbox(cursor).removesuffix("/")
    if not name or name.startswith("/") or "//" in name or name.endswith("/"):
        raise Malformed("Empty level in a mailbox name", Ending.NO, b"CANNOT")
    if "*" in name or "%" in name:
        raise Malformed("A mailbox name holds no wildcard", Ending.NO, b"CANNOT")
    return name


def create(cursor: Cursor) -> Create:
    """CREATE, with USE and one attribute (RFC 6154 section 5.2)."""
    name = _new_name(cursor)
    use = ""
    if cursor.skip(b" "):
        cursor.expect(b"(USE (", "(USE (...))")
        cursor.expect(b"\\", "a special use")
        use = _SPECIAL_USES.get("\\" + cursor.word(), "")
        if not use or not cursor.skip(b"))"):
            raise Malformed("One known special use, please", Ending.NO, b"USEATTR")
    return Create(name, use)


def delete(cursor: Cursor) -> Delete:
    """DELETE."""
    return Delete(_mailbox(cursor))


def rename(cursor: Cursor) -> Rename:
    """RENAME."""
    return Rename(_mailbox(cursor), _new_name(cursor))


def subscribe(cursor: Cursor) -> Subscribe:
    """SUBSCRIBE."""
    return Subscribe(_mailbox(cursor))


def unsubscribe(cursor: Cursor) -> Unsubscribe:
    """UNSUBSCRIBE."""
    return Unsubscribe(_mailbox(cursor))


def _status_items(cursor: Cursor) -> tuple[str, ...]:
    cursor.space()
    items = tuple(dict.fromkeys(cursor.items(cursor.word, 2 * len(STATUS_ITEMS))))
    if not STATUS_ITEMS.issuperset(items):
        raise Malformed("Unknown STATUS item")
    return items


def status(cursor: Cursor) -> Status:
    """STATUS mailbox (items)."""
    return Status(_mailbox(cursor), _status_items(cursor))


def list_mailboxes(cursor: Cursor) -> List:
    """LIST in its plain and extended forms."""
    cursor.space()
    selection: frozenset[str] = frozenset()
    extended = cursor.peek() == b"("
    if extended:
        selection = frozenset(cursor.items(cursor.word, 8, empty=True))
        alone = selection <= {"RECURSIVEMATCH", "REMOTE"}  # RECURSIVEMATCH needs something to match on
        if not selection <= _SELECTION or ("RECURSIVEMATCH" in selection and alone):
            raise Malformed("LIST selection options not understood")
        cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    if cursor.peek() == b"(":
        extended = True
        patterns = tuple(dict.fromkeys(cursor.items(cursor.list_mailbox, _MAX_PATTERNS)))
    else:
        patterns = (cursor.list_mailbox(),)
    returns: set[str] = set()
    items: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    if cursor.skip(b" "):
        extended = True
        items, entries = _list_returns(cursor, returns)
    return List(reference, patterns, selection, frozenset(returns), items, extended, entries)


def _list_returns(cursor: Cursor, returns: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The items of STATUS and the entries of METADATA; all else goes into `returns`."""
    if cursor.word() != "RETURN":
        raise Malformed("Expected RETURN")
    cursor.space()
    items: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    cursor.expect(b"(", "the return options")
    while not cursor.skip(b")"):
        name = cursor.word()
        if name == "STATUS":
            items = _status_items(cursor)
        elif name == "METADATA":
            entries = return_entries(cursor)
        elif name in _RETURNS:
            returns.add(name)
        else:
            raise Malformed("Unknown LIST return option")
        if not cursor.skip(b" ") and cursor.peek() != b")":
            raise Malformed("Expected a closing parenthesis")
    return items, entries


def lsub(cursor: Cursor) -> Lsub:
    """LSUB reference pattern."""
    cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    return Lsub(reference, cursor.list_mailbox())
