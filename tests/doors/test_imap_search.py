"""SEARCH and its extensions over real sockets (RFC 9051 section 6.4.4 and the RFCs that the tests name)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mss_gateway.settings import Settings
from tests.support.doors import Served, gateway_in_thread
from tests.support.wires import Imap

_names = itertools.count(1)


def message(
    subject: str = "Bilan", sender: str = "a@example.org", text: str = "Bonjour.", date: str = ""
) -> bytes:
    """A small message."""
    lines = [f"From: {sender}", "To: b@example.org", f"Subject: {subject}"]
    if date:
        lines.append(f"Date: {date}")
    return "\r\n".join(
        [*lines, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "", text, ""]
    ).encode()


def mailbox(imap: Imap, *messages: bytes) -> str:
    """A new mailbox with these messages, selected."""
    name = f"search-{next(_names)}"
    imap.ok(f"CREATE {name}")
    for one in messages:
        assert imap.append(name, one).startswith(b"OK")
    imap.ok(f"SELECT {name}")
    return name


@pytest.fixture
def imap(door: Served) -> Imap:
    """A session of the sample professional."""
    return door.imap(door.account("PER"))


def found(imap: Imap, keys: str | bytes) -> list[int]:
    """The numbers of a plain SEARCH."""
    command = b"SEARCH " + (keys.encode() if isinstance(keys, str) else keys)
    (line,) = [line for line in imap.ok(command) if line.startswith(b"* SEARCH")]
    return [int(number) for number in line.split()[2:]]


def extended(imap: Imap, command: str) -> bytes:
    """The one ESEARCH answer without its correlator, empty when there is none."""
    lines = [line for line in imap.ok(command) if line.startswith(b"* ESEARCH")]
    assert len(lines) <= 1
    return re.sub(rb"^\* ESEARCH \(TAG \"[^\"]*\"\) ?", b"", lines[0]) if lines else b""


@pytest.mark.req("IMP-1")
def test_charsets_literals_and_octets_of_eight_bits(imap: Imap) -> None:
    """UTF-8 in literals, accents folded, BADCHARSET tells what is taken, what is not UTF-8 is BAD."""
    mailbox(
        imap,
        message("=?utf-8?q?R=C3=A9sum=C3=A9_m=C3=A9dical?="),
        message("=?latin1?q?R=E9sum=E9?= court"),
        message("Autre"),
    )
    needle = "résumé".encode()
    assert found(imap, b"CHARSET UTF-8 SUBJECT {%d+}\r\n%b" % (len(needle), needle)) == [1, 2]
    assert found(imap, b"CHARSET US-ASCII SUBJECT resume") == [1, 2]
    assert imap.ending(b"SEARCH CHARSET KOI8-R SUBJECT {2+}\r\n\xc1\xc2") == (
        b"NO [BADCHARSET (US-ASCII UTF-8)] Charset not known"
    )
    assert imap.ending(b"SEARCH CHARSET UTF-8 SUBJECT {2+}\r\n\xc1\xc2").startswith(b"BAD")
    assert found(imap, b'SUBJECT "sume medi"') == [1]


def test_header_keys_substrings_white_space_and_empty_needles(imap: Imap) -> None:
    """Anywhere in the value, across folding, never in another field; an empty needle asks for the field."""
    folded = message().replace(b"Subject: Bilan", b"Subject: compte\r\n   rendu annuel")
    mailbox(imap, message(sender='"Anne Petit" <anne@example.org>'), folded, message("=?utf-8?b?UGV0aXQ=?="))
    assert found(imap, "FROM anne@exam") == [1]
    assert found(imap, 'FROM "Petit\\" <anne"') == [1]
    assert found(imap, "FROM petit") == [1]
    assert found(imap, "SUBJECT petit") == [3]
    assert found(imap, 'SUBJECT "compte rendu"') == [2]
    assert found(imap, 'SUBJECT "rendu  ann"') == [2]
    assert found(imap, 'SUBJECT "annuel "') == []
    assert found(imap, 'HEADER Subject ""') == [1, 2, 3]
    assert found(imap, 'HEADER Date ""') == []
    assert found(imap, 'TEXT ""') == [1, 2, 3]
    assert found(imap, "TEXT bonjour NOT BODY compte OR SUBJECT bilan SUBJECT annuel") == [1, 2]


def test_dates_by_day(imap: Imap) -> None:
    """INTERNALDATE by its day in UTC as FETCH shows it; the Date header by the day as written."""
    name = mailbox(imap)
    for internal, written in (
        ("20-Nov-2026 00:00:00 +0000", "Thu, 19 Nov 2026 23:50:00 -1000"),
        ("20-Nov-2026 23:59:59 +0000", "Fri, 20 Nov 2026 00:10:00 +1200"),
        ("21-Nov-2026 00:30:00 +0200", "Fri, 20 Nov 2026 12:00:00 +0000"),
    ):
        assert imap.append(name, message(date=written), f'"{internal}"').startswith(b"OK")
    assert imap.append(name, message(), '"19-Nov-2026 12:00:00 +0000"').startswith(b"OK")
    imap.ok("NOOP")
    assert found(imap, "ON 20-Nov-2026") == [1, 2, 3]
    assert found(imap, "BEFORE 20-Nov-2026") == [4]
    assert found(imap, "SINCE 20-Nov-2026") == [1, 2, 3]
    assert found(imap, "SENTON 20-Nov-2026") == [2, 3]
    assert found(imap, "SENTBEFORE 20-Nov-2026") == [1]
    assert found(imap, "SENTSINCE 20-Nov-2026") == [2, 3]
    assert found(imap, "NOT SENTSINCE 20-Nov-2026") == [1, 4]
    assert found(imap, "OR SENTON 19-Nov-2026 SUBJECT bilan") == [1, 2, 3, 4]


def test_flags_keywords_and_what_is_never_recent(imap: Imap) -> None:
    """Keywords in any case; NEW and RECENT find nothing, OLD everything."""
    mailbox(imap, message(), message(), message())
    imap.ok("STORE 1 FLAGS (\\Seen $Forwarded)")
    imap.ok("STORE 2 FLAGS ($For \\Draft)")
    assert found(imap, "KEYWORD $forwarded") == [1]
    assert found(imap, "KEYWORD $For") == [2]
    assert found(imap, "UNKEYWORD $For") == [1, 3]
    assert found(imap, "UNSEEN UNDRAFT") == [3]
    assert found(imap, "NEW") == found(imap, "RECENT") == []
    assert found(imap, "OLD") == [1, 2, 3]
    assert imap.ending("SEARCH KEYWORD \\Seen").startswith(b"BAD")


@pytest.mark.req("IMP-1")
def test_within_savedate_and_object_ids(imap: Imap) -> None:
    """RFC 5032, RFC 8514, RFC 8474."""
    name = mailbox(imap)
    now = datetime.now(UTC)
    for age in (10, 7200, 90_000):
        moment = (now - timedelta(seconds=age)).strftime("%d-%b-%Y %H:%M:%S +0000")
        assert imap.append(name, message(f"age {age}"), f'"{moment}"').startswith(b"OK")
    imap.ok("NOOP")
    assert found(imap, "YOUNGER 3600") == [1]
    assert found(imap, "OLDER 3600") == [2, 3]
    assert found(imap, "OLDER 3600 YOUNGER 86400") == [2]
    assert found(imap, "NOT YOUNGER 86400") == [3]
    for wrong in ("YOUNGER 0", "OLDER -1", "YOUNGER x", "OLDER 4294967296"):
        assert imap.ending(f"SEARCH {wrong}").startswith(b"BAD")
    yesterday = (now - timedelta(days=1)).strftime("%d-%b-%Y")
    assert found(imap, f"SAVEDSINCE {yesterday}") == [1, 2, 3]
    assert found(imap, f"SAVEDBEFORE {yesterday}") == []
    assert found(imap, "SAVEDATESUPPORTED") == [1, 2, 3]
    (line,) = imap.ok("FETCH 2 (EMAILID THREADID)")
    email, thread = re.findall(rb"ID \(([^)]+)\)", line)
    assert found(imap, b"EMAILID " + email) == [2]
    assert found(imap, b"THREADID " + thread) == [2]
    assert found(imap, b"EMAILID " + email.lower()) == []
    assert found(imap, "EMAILID nothing") == []
    assert found(imap, b"OR EMAILID %b SUBJECT 90000" % email) == [2, 3]


@pytest.mark.req("IMP-1")
def test_esearch_and_its_modseq(imap: Imap) -> None:
    """RFC 4731 section 3; RFC 7162 section 3.1.5: MODSEQ of what is shown."""
    mailbox(imap, *[message() for _ in range(5)])
    for number in (5, 1, 3):
        imap.ok(f"STORE {number} +FLAGS (\\Flagged)")
    assert extended(imap, "SEARCH RETURN (MIN MAX COUNT ALL) FLAGGED") == b"MIN 1 MAX 5 ALL 1,3,5 COUNT 3"
    assert extended(imap, "SEARCH RETURN () FLAGGED") == b"ALL 1,3,5"
    assert extended(imap, "UID SEARCH RETURN (MIN COUNT) DELETED") == b"UID COUNT 0"
    assert extended(imap, "UID SEARCH RETURN (MIN) DELETED") == b"UID"
    imap.ok("ENABLE CONDSTORE")
    rows = imap.ok("FETCH 1:5 (MODSEQ)")
    modseq = {int(line.split()[1]): int(re.findall(rb"MODSEQ \((\d+)", line)[0]) for line in rows}
    assert modseq[3] > modseq[1] > modseq[5]
    assert extended(imap, "SEARCH RETURN (MIN) FLAGGED MODSEQ 1") == b"MIN 1 MODSEQ %d" % modseq[1]
    assert extended(imap, "SEARCH RETURN (MAX) FLAGGED MODSEQ 1") == b"MAX 5 MODSEQ %d" % modseq[5]
    assert extended(imap, "SEARCH RETURN (MIN MAX) FLAGGED MODSEQ 1") == b"MIN 1 MAX 5 MODSEQ %d" % modseq[1]
    assert (
        extended(imap, "SEARCH RETURN (MIN COUNT) FLAGGED MODSEQ 1") == b"MIN 1 COUNT 3 MODSEQ %d" % modseq[3]
    )
    assert extended(imap, "SEARCH RETURN (PARTIAL 1:2) FLAGGED MODSEQ 1").endswith(b"MODSEQ %d" % modseq[3])
    assert imap.ok(f"SEARCH MODSEQ {modseq[3]}")[0] == b"* SEARCH 3 (MODSEQ %d)" % modseq[3]
    assert imap.ok(f"SEARCH MODSEQ {modseq[3] + 1}")[0] == b"* SEARCH"
    assert found(imap, f'MODSEQ "/flags/\\\\draft" all {modseq[3] + 1}') == []
    for wrong in ("RETURN (FIRST) ALL", "RETURN ALL", "RETURN (MIN", "", "(", "OR ALL", "NOT", "()"):
        assert imap.ending(f"SEARCH {wrong}").startswith(b"BAD")


def test_rev2_answers_with_esearch(imap: Imap) -> None:
    """RFC 9051 section 6.4.4: ESEARCH with ALL when nothing else is asked."""
    imap.ok("ENABLE IMAP4rev2")
    mailbox(imap, message(), message())
    assert extended(imap, "SEARCH ALL") == b"ALL 1:2"
    assert extended(imap, "UID SEARCH SUBJECT nothing") == b"UID"
    assert extended(imap, "SEARCH RETURN (SAVE) ALL") == b""


@pytest.mark.req("IMP-1")
def test_saved_results(imap: Imap) -> None:
    """RFC 5182: what `$` holds, through expunges, failures, MIN and MAX, UID commands and pipelines."""
    mailbox(imap, *[message(f"n{number}") for number in range(1, 7)])
    assert found(imap, "$") == []
    imap.ok("SEARCH RETURN (SAVE) 2:5")
    assert found(imap, "$") == [2, 3, 4, 5]
    assert found(imap, "UID $") == [2, 3, 4, 5]
    assert extended(imap, "SEARCH RETURN (COUNT) NOT $") == b"COUNT 2"
    assert extended(imap, "SEARCH RETURN (SAVE MIN MAX) $") == b"MIN 2 MAX 5"
    assert found(imap, "$") == [2, 5]
    assert extended(imap, "SEARCH RETURN (SAVE MIN) 3:6") == b"MIN 3"
    assert found(imap, "$") == [3]
    assert extended(imap, "SEARCH RETURN (SAVE COUNT MIN) 3:6") == b"MIN 3 COUNT 4"
    assert found(imap, "$") == [3, 4, 5, 6]
    assert imap.ending("SEARCH RETURN (SAVE) NONSENSE").startswith(b"BAD")
    assert found(imap, "$") == [3, 4, 5, 6]
    imap.ok("STORE 4 +FLAGS (\\Deleted)")
    imap.ok("EXPUNGE")
    assert found(imap, "$") == [3, 4, 5]
    assert [line.split()[1] for line in imap.ok("FETCH $ (UID)")] == [b"3", b"4", b"5"]
    assert imap.ending("SEARCH RETURN (SAVE) CHARSET KOI8-R ALL").startswith(b"NO [BADCHARSET")
    assert found(imap, "$") == []
    assert imap.ok("FETCH $ (UID)") == imap.ok("UID STORE $ +FLAGS (\\Seen)") == []
    tag_first = imap.begin("UID SEARCH RETURN (SAVE) SUBJECT n2")
    tag_second = imap.begin("UID FETCH $ (FLAGS)")
    imap.until(tag_first)
    lines, _ = imap.until(tag_second)
    assert [line.split()[1] for line in lines] == [b"2"]
    imap.ok("SEARCH RETURN (SAVE) SUBJECT nothing")
    assert found(imap, "$") == []


@pytest.mark.req("IMP-1")
def test_partial(imap: Imap) -> None:
    """RFC 9394 section 3: windows from either end, NIL, `$`, and never with ALL."""
    mailbox(imap, *[message() for _ in range(10)])
    imap.ok("STORE 4 +FLAGS (\\Deleted)")
    assert extended(imap, "SEARCH RETURN (PARTIAL 1:3) UNDELETED") == b"PARTIAL (1:3 1:3)"
    assert extended(imap, "SEARCH RETURN (PARTIAL 3:5) UNDELETED") == b"PARTIAL (3:5 3,5:6)"
    assert extended(imap, "SEARCH RETURN (PARTIAL -1:-3) UNDELETED") == b"PARTIAL (-1:-3 8:10)"
    assert extended(imap, "SEARCH RETURN (PARTIAL -9:-7) UNDELETED") == b"PARTIAL (-9:-7 1:3)"
    assert extended(imap, "SEARCH RETURN (COUNT PARTIAL 30:20) ALL") == b"COUNT 10 PARTIAL (30:20 NIL)"
    assert extended(imap, "UID SEARCH RETURN (PARTIAL -5:-50) ALL").startswith(b"UID PARTIAL (-5:-50 ")
    imap.ok("SEARCH RETURN (SAVE PARTIAL 2:3) ALL")
    assert found(imap, "$") == [2, 3]
    imap.ok("SEARCH RETURN (SAVE PARTIAL 2:3 MAX) ALL")
    assert found(imap, "$") == [2, 3, 10]
    imap.ok("SEARCH RETURN (SAVE PARTIAL 2:3 COUNT) ALL")
    assert len(found(imap, "$")) == 10
    for wrong in (
        "ALL PARTIAL 1:2",
        "PARTIAL 1:2 PARTIAL 3:4",
        "PARTIAL 0:1",
        "PARTIAL -1:2",
        "PARTIAL 1:*",
        "PARTIAL 1",
    ):
        assert imap.ending(f"SEARCH RETURN ({wrong}) ALL").startswith(b"BAD"), wrong


@pytest.mark.req("IMP-1")
def test_fuzzy(imap: Imap) -> None:
    """RFC 6203: words in any order, other keys untouched, relevancy with FUZZY only."""
    mailbox(imap, message("IMAP break"), message("the break of an IMAP server"), message("other"))
    assert found(imap, 'FUZZY (SUBJECT "break IMAP")') == [1, 2]
    assert found(imap, 'SUBJECT "break IMAP"') == []
    assert found(imap, 'FUZZY SUBJECT "break IMAP" NOT FUZZY SUBJECT server') == [1]
    assert found(imap, "FUZZY 2:3") == [2, 3]
    assert set(found(imap, 'FUZZY TEXT "break IMAP"')) >= {1, 2}
    line = extended(imap, 'SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT "break IMAP"')
    scores = [int(score) for score in re.findall(rb"RELEVANCY \(([\d ]+)\)", line)[0].split()]
    assert len(scores) >= 2
    assert all(1 <= score <= 100 for score in scores)
    assert imap.ending("SEARCH RETURN (RELEVANCY) SUBJECT x").startswith(b"BAD")
    assert extended(imap, "SEARCH RETURN (RELEVANCY COUNT) FUZZY SUBJECT nowhere") == b"COUNT 0"


def test_hostile_searches_end(imap: Imap) -> None:
    """Depth, number of keys and size of sets are bounded; the session stays in step."""
    mailbox(imap, message(), message())
    for keys in ("(" * 200 + "ALL" + ")" * 200, "NOT " * 150 + "ALL", " ".join(["ALL"] * 600)):
        assert imap.ending(f"SEARCH {keys}").startswith(b"NO [LIMIT]")
    assert found(imap, "OR " * 90 + "TEXT a " * 90 + "SEEN") == found(imap, "OR TEXT a SEEN")
    assert found(imap, " ".join(["NOT TEXT nowhere"] * 200 + ["ALL"])) == [1, 2]
    assert found(imap, " ".join([f"OR UNSEEN TEXT w{n}" for n in range(150)])) == [1, 2]
    wide = ",".join(str(number) for number in range(3, 18_000, 2))
    assert found(imap, f"UID {wide[:50_000].rpartition(',')[0]}") == [
        number for number in (1, 2) if number % 2 and number > 2
    ]
    assert found(imap, "NOT " * 60 + "SEEN") == []


def test_uidonly_takes_no_numbers(imap: Imap) -> None:
    """RFC 9586: neither SEARCH nor a set of numbers as a key."""
    mailbox(imap, message(), message())
    imap.ok("ENABLE UIDONLY")
    assert imap.ending("SEARCH ALL").startswith(b"BAD [UIDREQUIRED]")
    assert imap.ending("UID SEARCH 1").startswith(b"BAD [UIDREQUIRED]")
    assert imap.ok("UID SEARCH UID 1:*")[0] == b"* SEARCH 1 2"


def test_found_messages_that_others_expunge(door: Served, imap: Imap) -> None:
    """A SEARCH by number tells no EXPUNGE; its numbers stay those that the client knows."""
    name = mailbox(imap, *[message(f"n{number}") for number in range(1, 5)])
    other = door.imap(door.account("PER"), select=name)
    other.ok("STORE 2 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    lines = imap.ok("SEARCH SUBJECT n4")
    assert b"* SEARCH 4" in lines
    assert not any(b"EXPUNGE" in line for line in lines)
    assert b"* 2 EXPUNGE" in imap.ok("UID SEARCH ALL")
    assert found(imap, "SUBJECT n4") == [3]


# --- random trees against a naive evaluator

WORDS = ("alpha", "beta", "gamma")
FACTS = [
    (
        number,
        {"\\Seen"} if number % 2 else set(),
        {"$K"} if number % 3 == 0 else set(),
        WORDS[number % 3],
        WORDS[number % 2],
    )
    for number in range(1, 25)
]
Naive = Callable[[tuple[int, set[str], set[str], str, str]], bool]


def _leaf(text: str, holds: Naive) -> st.SearchStrategy[tuple[str, Naive]]:
    return st.just((text, holds))


LEAVES = st.one_of(
    _leaf("ALL", lambda fact: True),
    _leaf("SEEN", lambda fact: bool(fact[1])),
    _leaf("UNKEYWORD $k", lambda fact: not fact[2]),
    *[_leaf(f"SUBJECT {word}", lambda fact, word=word: fact[3] == word) for word in WORDS],
    *[_leaf(f"BODY {word}", lambda fact, word=word: fact[4] == word) for word in WORDS],
    *[_leaf(f"TEXT {word[1:]}", lambda fact, word=word: word in fact[3:5]) for word in WORDS],
    _leaf("5:9,20:*", lambda fact: 5 <= fact[0] <= 9 or fact[0] >= 20),
    _leaf("UID 1:12", lambda fact: fact[0] <= 12),
    _leaf("SENTON 3-Mar-2026", lambda fact: fact[0] == 3),
    _leaf("SENTSINCE 20-Mar-2026", lambda fact: fact[0] >= 20),
    _leaf("SENTBEFORE 6-Mar-2026", lambda fact: fact[0] < 6),
)


def _grown(inner: st.SearchStrategy[tuple[str, Naive]]) -> st.SearchStrategy[tuple[str, Naive]]:
    return st.one_of(
        inner.map(lambda key: (f"NOT {key[0]}", lambda fact: not key[1](fact))),
        st.tuples(inner, inner).map(
            lambda keys: (f"OR {keys[0][0]} {keys[1][0]}", lambda fact: keys[0][1](fact) or keys[1][1](fact))
        ),
        st.lists(inner, min_size=1, max_size=4).map(
            lambda keys: (
                f"({' '.join(key[0] for key in keys)})",
                lambda fact: all(key[1](fact) for key in keys),
            )
        ),
    )


@pytest.fixture(scope="module", params=[True, False], ids=["indexed", "read"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imap]:
    """A session in a mailbox of the facts, on a gateway with the full-text index and on one without."""

    def changed(settings: Settings) -> Settings:
        return replace(settings, store=replace(settings.store, index=request.param))

    with gateway_in_thread(tmp_path_factory.mktemp("library"), changed) as served:
        account = served.account("PER")
        imap = served.imap(account)
        letters = [
            message(fact[3], text=fact[4], date=f"{fact[0]} Mar 2026 01:00:00 +1000") for fact in FACTS
        ]
        mailbox(imap, *letters)
        for fact in FACTS:
            imap.ok(f"STORE {fact[0]} FLAGS ({' '.join([*fact[1], *fact[2]])})")
        if request.param:
            store = served.parts.store
            served.call(store.reindex(served.call(store.box(account.address.lower())).id))
        yield imap
        assert served.faults() == 0


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(LEAVES, _grown, max_leaves=12))
def test_random_trees_find_what_a_naive_evaluator_finds(library: Imap, key: tuple[str, Naive]) -> None:
    """However SQL, the index and reading share the work."""
    text, holds = key
    assert found(library, text) == [fact[0] for fact in FACTS if holds(fact)], text


def test_a_text_behind_a_large_attachment_is_found(imap: Imap) -> None:
    """However large the message, its text parts and names are searched, and nothing of the attachment is."""
    parts = (
        b"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b'Content-Type: application/octet-stream; name="scanner.dcm"\r\n\r\n'
        + b"hidden filler \r\n" * 600_000
        + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nat the very end\r\n--b--\r\n"
    )
    mailbox(imap, parts, message(text="short"))
    assert found(imap, 'BODY "very end"') == [1]
    assert found(imap, "TEXT scanner.dcm") == [1]
    assert found(imap, "NOT BODY hidden") == [1, 2]
