"""NOTIFY as the grammar reads it (RFC 5465 section 8)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.protocol.imap.commands_notify import EventGroup, Notify, Occasion
from mss_gateway.protocol.imap.commands_search import MailboxFilter, Source
from mss_gateway.protocol.imap.cursor import Cursor, Malformed
from mss_gateway.protocol.imap.events import Ending
from mss_gateway.protocol.imap.fetchitems import Attribute, BodySection
from mss_gateway.protocol.imap.grammar import parse

pytestmark = pytest.mark.req("IMP-1")

NEW = frozenset({Occasion.MESSAGE_NEW, Occasion.MESSAGE_EXPUNGE})


def read(text: str) -> Notify:
    """The command behind its verb."""
    found = parse("NOTIFY", Cursor([text.encode()]))
    assert isinstance(found, Notify)
    return found


def test_none_and_status() -> None:
    """Both forms; words in any case."""
    assert read(" none") == Notify()
    assert read(" set status (personal (messageNEW messageexpunge))") == Notify(
        (EventGroup(MailboxFilter(Source.PERSONAL), NEW),), True
    )


def test_filters() -> None:
    """One name, several, and each group on its own."""
    both = "(MessageNew MessageExpunge)"
    found = read(f" SET (mailboxes INBOX NONE) (subtree (a inbox) {both}) (selected-delayed {both})")
    assert [group.filter for group in found.groups] == [
        MailboxFilter(Source.MAILBOXES, ("INBOX",)),
        MailboxFilter(Source.SUBTREE, ("a", "INBOX")),
        MailboxFilter(Source.SELECTED),
    ]
    assert [group.occasions for group in found.groups] == [frozenset(), NEW, NEW]
    assert [group.delayed for group in found.groups] == [False, False, True]


def test_items_of_new_messages_never_mark_them() -> None:
    """BODY[...] is taken as BODY.PEEK[...]: nobody has read what is told unasked."""
    (group,) = read(" SET (selected (MessageNew (UID BODY[TEXT] FLAGS UID) MessageExpunge))").groups
    assert [item for item in group.items if isinstance(item, Attribute)] == [Attribute.UID, Attribute.FLAGS]
    (section,) = [item for item in group.items if isinstance(item, BodySection)]
    assert section.peek
    assert section.label == b"BODY[TEXT]"


def test_what_is_not_known_is_named() -> None:
    """NO with BADEVENT, and NO when there are too many groups."""
    with pytest.raises(Malformed) as caught:
        read(" SET (personal (MessageNew MessageExpunge AnnotationChange))")
    assert caught.value.ending is Ending.NO
    assert caught.value.code.startswith(b"BADEVENT (MessageNew ")
    with pytest.raises(Malformed) as caught:
        read(" SET" + " (personal NONE)" * 51)
    assert (caught.value.ending, caught.value.code) == (Ending.NO, b"NOTIFICATIONOVERFLOW")
    with pytest.raises(Malformed) as caught:
        read(f" SET (mailboxes ({' '.join(['a'] * 1000)}) NONE)")
    assert caught.value.ending is Ending.NO


WORDS = st.sampled_from(
    [b"SET", b"NONE", b"STATUS", b"(", b")", b" ", b"selected", b"selected-delayed", b"mailboxes", b"INBOX"]
    + [occasion.value.encode() for occasion in Occasion]
    + [b"UID", b"BODY[TEXT]", b"subtree", b"AnnotationChange", b"\xff", b'"']
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=30))
def test_nothing_but_malformed_is_raised(words: list[bytes]) -> None:
    """Any words in any order are either read or refused."""
    try:
        parse("NOTIFY", Cursor([b" " + b"".join(words)]))
    except Malformed:
        return
