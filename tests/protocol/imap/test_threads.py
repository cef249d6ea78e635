"""Threads: the steps of RFC 5256 section 3 beside a plain model of them, and hostile references."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.subject import split_subject
from mss_gateway.protocol.imap import threads as threading
from mss_gateway.protocol.imap.collation import casemap
from mss_gateway.protocol.imap.threads import (
    MAX_REFERENCES,
    Letter,
    Tree,
    by_references,
    by_subject,
    identify,
    thread_line,
)


def letter(number: int, name: str = "", refers: str = "", subject: str = "", sent: float = 0.0) -> Letter:
    """A letter named and referring by single words."""
    own = f"<{name}@x>".encode() if name else None
    references = [f"<{word}@x>".encode() for word in refers.split()]
    return Letter(
        number, sent or float(number), casemap(split_subject(subject)[0]), own, references, subject.encode()
    )


def threads(*letters: Letter) -> str:
    """THREAD=REFERENCES as it is sent."""
    return thread_line(by_references(letters), letters).decode().removeprefix("* THREAD").strip()


@pytest.mark.req("IMP-1")
def test_a_tree_by_references() -> None:
    """Answers below what they answer; a chain is one list, a fork nested ones; what is not there holds nothing."""
    assert threads() == ""
    assert threads(letter(1, "a")) == "(1)"
    assert threads(letter(1, "a"), letter(2, "b", "a"), letter(3, "c", "a b")) == "(1 2 3)"
    assert threads(letter(1, "a"), letter(2, "b", "a"), letter(3, "c", "a")) == "(1 (2)(3))"
    assert (
        threads(
            letter(2, "two"),
            letter(3, "three"),
            letter(6, "six", "three"),
            letter(4, "four", "three six"),
            letter(23, "t3", "three six four"),
            letter(44, "f4", "six"),
            letter(7, "seven", "three six f4", sent=45.0),
            letter(96, "n6", "seven"),
        )
        == "(2)(3 6 (4 23)(44 7 96))"
    )
    assert threads(letter(1, "b", "gone"), letter(2, "c", "gone")) == "((1)(2))"
    assert threads(letter(1, "b", "gone")) == "(1)"
    assert threads(letter(1, "b", "a g1 g2"), letter(2, "c", "a g1 g3"), letter(3, "a")) == "(3 (1)(2))"
    assert threads(letter(1, "b", "g1 g2"), letter(2, "c", "g1 g3")) == "((1)(2))"


@pytest.mark.req("IMP-1")
def test_what_a_message_says_of_itself_counts_more() -> None:
    """Truncated References of others do not move it; a later word about one without references does."""
    assert threads(letter(1, "a"), letter(2, "c", "x b"), letter(3, "b", "a")) == "(1 3 2)"
    assert threads(letter(1, "a"), letter(2, "b"), letter(3, "c", "a b")) == "(1 2 3)"
    assert threads(letter(1, "a"), letter(2, "c", "a b"), letter(3, "b")) == "(1)(3 2)"


@pytest.mark.req("IMP-1")
def test_loops_repeats_and_twins() -> None:
    """A loop is not closed, oneself is no parent, the first of twins has the name."""
    assert threads(letter(1, "a", "a")) == "(1)"
    assert threads(letter(1, "a", "b"), letter(2, "b", "a")) == "(2 1)"
    assert threads(letter(1, "a", "c"), letter(2, "b", "a"), letter(3, "c", "b")) == "(3 1 2)"
    assert threads(letter(1, "a"), letter(2, "a"), letter(3, "c", "a")) == "(1 3)(2)"


@pytest.mark.req("IMP-1")
def test_threads_of_one_subject_join() -> None:
    """An answer goes below what is none; two of a kind stand side by side; nothing joins by an empty subject."""
    assert threads(letter(1, "a", "", "bilan"), letter(2, "b", "", "Re: bilan")) == "(1 2)"
    assert threads(letter(1, "a", "", "Re: bilan"), letter(2, "b", "", "BILAN")) == "(2 1)"
    assert threads(letter(1, "a", "", "bilan"), letter(2, "b", "", "bilan")) == "((1)(2))"
    assert threads(*(letter(at, str(at), "", "bilan") for at in (1, 2, 3))) == "((1)(2)(3))"
    assert threads(letter(1, "a"), letter(2, "b", "", "Re:")) == "(1)(2)"
    assert (
        threads(
            letter(1, "a", "g", "x"),
            letter(2, "b", "g", "x"),
            letter(3, "c", "", "Re: x"),
            letter(4, "d", "", "x"),
        )
        == "((1)(2)(3)(4))"
    )
    assert (
        threads(letter(1, "a", "", "Re: x"), letter(2, "b", "", "Re: x"), letter(3, "c", "", "x"))
        == "(3 (1)(2))"
    )


def test_siblings_by_sent_date() -> None:
    """Not by number; a missing parent stands where its first answer stands."""
    assert threads(letter(1, "a", sent=9.0), letter(2, "b", sent=1.0)) == "(2)(1)"
    assert (
        threads(letter(1, "a", "g", sent=9.0), letter(2, "b", sent=5.0), letter(3, "c", "g", sent=2.0))
        == "((3)(1))(2)"
    )


@pytest.mark.req("IMP-1")
def test_ordered_subject() -> None:
    """One level below the first of each subject, threads by their first messages."""
    letters = [
        letter(1, subject="b", sent=5.0),
        letter(2, subject="Re: a", sent=6.0),
        letter(3, subject="[x] B", sent=7.0),
        letter(4, subject="a", sent=1.0),
        letter(5, subject="b (fwd)", sent=8.0),
    ]
    assert thread_line(by_subject(letters), letters) == b"* THREAD (4 2)(1 (3)(5))\r\n"
    assert thread_line(by_subject([]), []) == b"* THREAD\r\n"


def test_identify() -> None:
    """References else In-Reply-To; blanks and needless quotes go; what is no id is passed over."""
    own, references, subject = identify(
        b'Message-ID: <"a b"@x>\r\nReferences: <1@x> junk <no-at> <2@\r\n x> <"q"@x> <1@x>\r\nSubject: Re: x\r\n\r\n'
    )
    assert (own, subject.strip()) == (b"<ab@x>", b"Re: x")
    assert references == [b"<1@x>", b"<2@x>", b"<q@x>"]
    assert identify(b"In-Reply-To: Message of <5@x> and <6@x>\r\n\r\n") == (None, [b"<5@x>"], b"")
    many = b"References: " + b" ".join(b"<%d@x>" % at for at in range(MAX_REFERENCES + 50)) + b"\r\n\r\n"
    assert identify(many)[1][0] == b"<50@x>"


def flattened(tree: Tree) -> list[int]:
    """Every letter of the tree, and no parent without several threads."""
    found, pending = [], list(tree.roots)
    while pending:
        node = pending.pop()
        below = tree.children.get(node, [])
        assert node >= 0 or len(below) > 1
        found += [node] if node >= 0 else []
        pending += below
    return found


LETTERS = st.lists(
    st.tuples(
        st.sampled_from(["", *"abcdefgh"]),
        st.lists(st.sampled_from("abcdefghxyz"), max_size=5, unique=True).map(" ".join),
        st.sampled_from(["", "bilan", "Re: bilan", "avis", "Fwd: avis"]),
        st.sampled_from([1.0, 2.0, 3.0, 4.0]),
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(LETTERS)
def test_each_message_stands_in_one_place(drawn: list[tuple[str, str, str, float]]) -> None:
    """Whatever refers to what, threads hold each message once, and the line has its parentheses in pairs."""
    letters = [letter(at, *one) for at, one in enumerate(drawn, 1)]
    for tree in (by_references(letters), by_subject(letters)):
        assert sorted(flattened(tree)) == list(range(len(letters)))
        line = thread_line(tree, letters).decode()
        assert line.count("(") == line.count(")")
        numbers = line.replace("(", " ").replace(")", " ").split()[2:]
        assert sorted(map(int, numbers)) == list(range(1, len(letters) + 1))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 3)), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
)
def test_a_conversation_is_told_as_it_went(drawn: list[tuple[int, bool, int]], chance: object) -> None:
    """Letters that each answer an earlier one come out as that very tree, in whatever order they lie in the folder."""
    parents = [None if at == 0 else up % at for at, (up, _, _) in enumerate(drawn)]
    chains: list[list[int]] = []
    for parent in parents:
        chains.append([] if parent is None else [*chains[parent], parent])
    places = list(range(len(drawn)))
    chance.shuffle(places)  # type: ignore[attr-defined]
    letters = [
        letter(at + 1, f"m{at}", " ".join(f"m{one}" for one in chains[at]), sent=at + 1.0) for at in places
    ]
    tree = by_references(letters)
    assert [places[root] for root in tree.roots] == [0]
    for node, below in tree.children.items():
        assert [parents[places[child]] for child in below] == [places[node]] * len(below)
        assert [places[child] for child in below] == sorted(places[child] for child in below)


@settings(max_examples=100)
@given(LETTERS)
def test_what_is_linked_at_once_is_whole_too(drawn: list[tuple[str, str, str, float]]) -> None:
    """The linear way for hostile letters loses none and closes no loop either."""
    letters = [letter(at, *one) for at, one in enumerate(drawn, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "_STEPS", -1)
        assert sorted(flattened(by_references(letters))) == list(range(len(letters)))


def test_hostile_references_take_no_time() -> None:
    """A chain as long as the mailbox, rings, stars and everybody referring to everybody: no recursion, no square."""
    count = 10_000
    chain = [letter(at, f"m{at}", f"m{at - 1}") for at in range(1, count + 1)]
    assert threads(*chain).startswith("(1 2 3 ")
    ring = [letter(at, f"m{at}", f"m{at % count + 1}") for at in range(1, count + 1)]
    assert len(flattened(by_references(ring))) == count
    star = [letter(at, f"m{at}", "m1", "Re: x") for at in range(1, count + 1)]
    assert len(flattened(by_references(star))) == count
    ids = [f"<g{at}@x>".encode() for at in range(1000)]
    wild = [Letter(at, 1.0, "", f"<w{at}@x>".encode(), ids[at % 7 :: 1 + at % 3]) for at in range(1, 1000)]
    assert len(flattened(by_references(wild))) == len(wild)
    deep = [Letter(1, 1.0, "", b"<a@x>", ids), Letter(2, 1.0, "", b"<b@x>", ids[:1])]
    assert threads(*deep) == "((1)(2))"
