"""ESEARCH lines, windows, what `$` keeps, and keys settled for one mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.protocol.imap.commands_search import (
    CancelUpdate,
    MailboxFilter,
    MultiSearch,
    Partial,
    Source,
)
from mss_gateway.protocol.imap.cursor import Cursor, Malformed
from mss_gateway.protocol.imap.esearch import Results, changed, correlator, esearch, saved_part
from mss_gateway.protocol.imap.fetchitems import Attribute
from mss_gateway.protocol.imap.grammar_multisearch import cancel_update, multisearch
from mss_gateway.protocol.imap.grammar_search import Returning, return_options, search
from mss_gateway.protocol.imap.searchkeys import (
    AmongUids,
    And,
    ArrivedFrom,
    ArrivedUntil,
    BodyHas,
    InUids,
    Not,
    Or,
    SearchKey,
    walk,
)
from mss_gateway.protocol.imap.sequence import SequenceSet
from mss_gateway.protocol.imap.settling import by_number, keep_saved, runs, settle, shifting, sieve
from mss_gateway.protocol.imap.tracker import SequenceView

HEAD = correlator(b"A2")


def partial(text: bytes) -> Partial:
    """The window of a RETURN list."""
    window = return_options(Cursor([b"(PARTIAL " + text + b")"])).partial
    assert window is not None
    return window


@pytest.mark.parametrize(
    ("results", "returns", "line"),
    [
        (Results([2, 3, 4, 9]), {"MIN", "MAX", "ALL", "COUNT"}, b"UID MIN 2 MAX 9 ALL 2:4,9 COUNT 4"),
        (Results([]), {"ALL", "COUNT", "MIN"}, b"UID COUNT 0"),
        (Results([9, 4, 5, 2]), {"MIN", "MAX", "ALL"}, b"UID MIN 9 MAX 2 ALL 9,4:5,2"),
        (Results([1, 5], scores=[4, 99]), {"RELEVANCY", "ALL"}, b"UID ALL 1,5 RELEVANCY (4 99)"),
        (Results([1, 5, 7], modseqs=[10, 30, 20]), {"MIN", "MAX"}, b"UID MIN 1 MAX 7 MODSEQ 20"),
        (Results([1, 5, 7], modseqs=[10, 30, 20]), {"MIN", "COUNT"}, b"UID MIN 1 COUNT 3 MODSEQ 30"),
    ],
)
def test_answers(results: Results, returns: set[str], line: bytes) -> None:
    """Each return option; sorted results keep their order."""
    assert esearch(HEAD, results, frozenset(returns), uid=True) == b'* ESEARCH (TAG "A2") ' + line + b"\r\n"


def test_answers_for_other_mailboxes_and_updates() -> None:
    """MAILBOX and UIDVALIDITY (RFC 7377); REMOVEFROM before ADDTO (RFC 5267)."""
    head = correlator(b"t", ("Envoyés", 7))
    assert esearch(head, Results([1]), frozenset({"ALL"}), uid=True) == (
        b'* ESEARCH (TAG "t" MAILBOX Envoy&AOk-s UIDVALIDITY 7) UID ALL 1\r\n'
    )
    line = changed(b"t", uid=False, removed=[(3, b"9"), (1, b"4")], added=[(1, b"2:3")])
    assert line == b'* ESEARCH (TAG "t") REMOVEFROM (3 9 1 4) ADDTO (1 2:3)\r\n'


@settings(max_examples=200)
@given(
    st.lists(st.integers(1, 60), unique=True).map(sorted),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
)
def test_a_window_is_what_its_places_name(found: list[int], one: int, other: int, backwards: bool) -> None:
    """Places from 1, both ends included, from the end when negative; `$` keeps just these."""
    sign = b"-" if backwards else b""
    window = partial(b"%b%d:%b%d" % (sign, one, sign, other))
    low, high = min(one, other), max(one, other)
    places = enumerate(reversed(found) if backwards else found, 1)
    expected = sorted(number for place, number in places if low <= place <= high)
    assert found[window.cut(len(found))] == expected
    assert saved_part(found, frozenset(), window) == expected
    assert saved_part(found, frozenset({"COUNT"}), window) == found


@pytest.mark.parametrize(
    "text", [b"0:1", b"1:0", b"-1:1", b"1:-1", b"*:1", b"1", b"4294967296:1", b"1:2:3", b""]
)
def test_windows_that_are_none(text: bytes) -> None:
    """Malformed, never a number that is no place."""
    with pytest.raises(Malformed):
        partial(text)


def test_return_options() -> None:
    """Empty parentheses, and options that show nothing, mean ALL; SAVE alone does not."""
    assert return_options(Cursor([b"()"])) == Returning(frozenset({"ALL"}))
    assert return_options(Cursor([b"(context update)"])).options == {"CONTEXT", "UPDATE", "ALL"}
    assert return_options(Cursor([b"(SAVE)"])).options == {"SAVE"}
    with_items = return_options(Cursor([b"(UPDATE (UID FLAGS) COUNT)"]))
    assert with_items == Returning(frozenset({"UPDATE", "COUNT"}), None, (Attribute.UID, Attribute.FLAGS))


def settled(text: bytes, view: SequenceView) -> SequenceSet:
    """The UIDs that a key of one set names."""
    key = settle(search(Cursor([b" " + text])).key, view, 0)
    assert isinstance(key, InUids)
    return key.uids


def test_numbers_become_uids() -> None:
    """`*`, `$`, numbers out of range, an empty mailbox."""
    view = SequenceView([10, 20, 21, 40])
    view.save([20, 21, 40])
    assert settled(b"2:3", view).ranges == ((20, 21),)
    assert settled(b"3:*", view).ranges == ((21, 40),)
    assert settled(b"9:*", view).ranges == ((40, 40),)
    assert settled(b"7:9", view).ranges == ()
    assert settled(b"$", view).ranges == ((20, 21), (40, 40))
    assert settled(b"UID 50:*", view).ranges == ((40, 40),)
    assert settled(b"1:*", SequenceView()).ranges == ()
    assert runs([]).ranges == ()


_ONE, _OTHER, _TEXT = AmongUids(frozenset({1})), InUids(SequenceSet(((2, 3),))), BodyHas("x")


@pytest.mark.parametrize(
    ("key", "left"),
    [
        (_TEXT, And(())),
        (And((_ONE, _TEXT)), And((_ONE,))),
        (And((And((_ONE, _TEXT)), And((_OTHER, _TEXT)))), And((And((_ONE,)), And((_OTHER,))))),
        (Or(And((_ONE, _TEXT)), _OTHER), Or(And((_ONE,)), _OTHER)),
        (Or(_TEXT, _OTHER), And(())),
        (Not(And((_ONE, _TEXT))), And(())),
        (And((Not(_ONE), Or(_ONE, And((_TEXT, _TEXT))))), And(())),
    ],
)
def test_what_sets_alone_tell(key: SearchKey, left: SearchKey) -> None:
    """Never less than the search finds; nothing from below a NOT."""
    assert sieve(key) == left


def test_intervals_become_moments_and_what_may_change_by_itself() -> None:
    """RFC 5032; a live search with such keys is evaluated whole."""
    key = search(Cursor([b" YOUNGER 60 OLDER 10"])).key
    assert settle(key, SequenceView(), 1000) == And((ArrivedFrom(940), ArrivedUntil(990)))
    assert shifting(key)
    assert shifting(search(Cursor([b" UID *"])).key)
    assert not shifting(search(Cursor([b" UID 1:* SEEN"])).key)
    assert by_number(search(Cursor([b" NOT 1"])).key)
    view = SequenceView([3, 4])
    view.save([4])
    kept = keep_saved(search(Cursor([b" OR $ UID $"])).key, view)
    assert not by_number(kept)
    assert [node.uids.ranges for node in walk(kept) if isinstance(node, InUids)] == [((4, 4),), ((4, 4),)]


def test_sources_of_mailboxes() -> None:
    """RFC 7377 section 2.2, in any case, with one mailbox or several."""
    command = multisearch(Cursor([b' IN (subtree "a" MAILBOXES (b &AOk-) inboxes) RETURN (MIN) SEEN']))
    assert command.filters == (
        MailboxFilter(Source.SUBTREE, ("a",)),
        MailboxFilter(Source.MAILBOXES, ("b", "é")),
        MailboxFilter(Source.INBOXES),
    )
    assert command.returns == {"MIN"}
    plain = multisearch(Cursor([b" ALL"]))
    assert plain == MultiSearch((MailboxFilter(Source.SELECTED),), And(()), frozenset({"ALL"}))
    assert cancel_update(Cursor([b' "a1" "b2"'])) == CancelUpdate((b"a1", b"b2"))
    for wrong in (
        b" IN (subtree) ALL",
        b" IN (mailboxes ()) ALL",
        b" IN personal ALL",
        b" IN (personal (x)) ALL",
    ):
        with pytest.raises(Malformed):
            multisearch(Cursor([wrong]))


def test_a_refused_search_is_still_read_to_its_end() -> None:
    """What gets NO is told by the door, which empties `$` (RFC 5182 section 2.1); literals are passed over."""
    command = search(Cursor([b" RETURN (SAVE) CHARSET KOI8-R SUBJECT ", b" FROM x"], [b"\xc1\xc2"]))
    assert command.refusal == ("Charset not known", b"BADCHARSET (US-ASCII UTF-8)")
    for keys in (b"(" * 30000, b"NOT " * 15000, b"OR ALL " * 9000, b"ALL " * 15000):
        cursor = Cursor([b" " + keys + b"ALL"])
        refusal = search(cursor).refusal
        assert refusal is not None
        assert refusal[1] == b"LIMIT"
        assert cursor.at_end()
