"""METADATA (RFC 5464) and LIST-METADATA (RFC 9590) over real sockets, made after the examples of their RFCs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.team import Team, held_team
from tests.support.wires import Imap, literal

pytestmark = pytest.mark.req("IMP-1")

C, P = "/shared/comment", "/private/comment"


@pytest.fixture(scope="module")
def org(door: Served) -> Team:
    """An ORG box for the whole file: Alix holds it, and may delete folders and say who does what."""
    return held_team(door)


@pytest.fixture
def pair(org: Team) -> Iterator[tuple[Imap, Imap]]:
    """Alix and Bo, each with a folder that nothing is said about yet."""
    alix, bo = org.door.imap(org.alix), org.door.imap(org.bo)
    for name in ("note", "note2"):
        alix.run(f"DELETE {name}")
    alix.ok("CREATE note")
    yield alix, bo
    alix.close()
    bo.close()


def test_set_and_get(pair: tuple[Imap, Imap]) -> None:
    """Several entries at once, one of them for everybody, and NIL where there is none."""
    alix, bo = pair
    assert alix.ok(f'SETMETADATA note ({P} "mine" {C} "ours")') == []
    assert alix.ok(f"GETMETADATA note ({C} {P})") == [
        b'* METADATA note (/shared/comment "ours" /private/comment "mine")'
    ]
    assert bo.ok(f'GETMETADATA "note" ({C} {P})') == [
        b'* METADATA note (/shared/comment "ours" /private/comment NIL)'
    ]
    alix.ok(f"SETMETADATA note ({C} NIL)")
    assert bo.ok(f"GETMETADATA note {C}") == [b"* METADATA note (/shared/comment NIL)"]


def test_several_lines_and_any_octets(pair: tuple[Imap, Imap]) -> None:
    """A synchronizing literal, a literal8; what cannot be quoted comes back as a literal."""
    alix, _ = pair
    text = b"Deux lignes,\r\ndont une."
    alix.send(b"x SETMETADATA note (/private/comment {%d}\r\n" % len(text))
    assert alix.response().startswith(b"+ ")
    alix.send(text + b" /shared/comment ~{2+}\r\n\0\xff)\r\n")
    assert alix.until(b"x")[1].startswith(b"OK")
    (line,) = alix.ok(f"GETMETADATA note {P}")
    assert literal(line) == text
    (line,) = alix.ok(f"GETMETADATA note {C}")
    assert line == b"* METADATA note (/shared/comment ~{2}\r\n\0\xff)"


def test_maxsize_tells_the_longest(pair: tuple[Imap, Imap]) -> None:
    """Larger values are left out, and the largest of them is told (RFC 5464 section 4.2.1)."""
    alix, _ = pair
    alix.ok(f'SETMETADATA note ({P} "small" {C} "{"x" * 99}" /shared/more "{"x" * 50}")')
    untagged, tagged = alix.run(f"GETMETADATA (MAXSIZE 10) note ({C} {P} /shared/more)")
    assert untagged == [b'* METADATA note (/private/comment "small")']
    assert tagged.startswith(b"OK [METADATA LONGENTRIES 99]")
    untagged, tagged = alix.run(f"GETMETADATA note (MAXSIZE 99) ({C})")
    assert len(untagged) == 1
    assert b"LONGENTRIES" not in tagged


def test_depth(pair: tuple[Imap, Imap]) -> None:
    """0, 1 and all; with a depth the roots may be named too, and nothing at all is NIL."""
    alix, _ = pair
    alix.ok('SETMETADATA note (/private/f/v "0" /private/f/v/small "1" /private/f/v/small/er "2")')
    assert alix.ok("GETMETADATA note /private/f/v") == [b'* METADATA note (/private/f/v "0")']
    assert alix.ok("GETMETADATA note (DEPTH 1) (/private/f/v)") == [
        b'* METADATA note (/private/f/v "0" /private/f/v/small "1")'
    ]
    (everything,) = alix.ok("GETMETADATA (DEPTH infinity) note (/private /shared)")
    assert everything == (
        b'* METADATA note (/private/f/v "0" /private/f/v/small "1" /private/f/v/small/er "2" /shared NIL)'
    )


def test_all_or_nothing(pair: tuple[Imap, Imap], org: Team) -> None:
    """A value too large, an entry too many, one that is computed: NO with its code, and nothing is set."""
    alix, _ = pair
    options = org.door.settings.imaps
    large = b'SETMETADATA note (/shared/a "1" /shared/b {%d+}\r\n%b)'
    size = options.annotation_size + 1
    for octets in (size, 70_000):
        said = alix.ending(large % (octets, b"x" * octets))
        assert said.startswith(b"NO [METADATA MAXSIZE %d]" % options.annotation_size)
    quoted = f'SETMETADATA note (/shared/a "1" /shared/b "{"x" * size}")'
    assert alix.ending(quoted).startswith(b"NO [METADATA MAXSIZE %d]" % options.annotation_size)
    alix.send(b"z SETMETADATA note (/shared/a {%d}\r\n" % size)
    assert alix.until(b"z")[1].startswith(b"NO [METADATA MAXSIZE")
    for start in range(0, options.annotations, 50):
        alix.ok("SETMETADATA note (" + " ".join(f'/shared/n{start + i} ""' for i in range(50)) + ")")
    assert alix.ending('SETMETADATA note (/shared/n1 "9" /shared/a "1")').startswith(b"NO [METADATA TOOMANY]")
    assert alix.ok("GETMETADATA note (/shared/n1 /shared/a)") == [
        b'* METADATA note (/shared/n1 "" /shared/a NIL)'
    ]
    computed = 'SETMETADATA note (/private/a "1" /shared/vendor/mss-gateway/x "1")'
    assert alix.ending(computed).startswith(b"NO [CANNOT]")
    assert alix.ok("GETMETADATA note /private/a") == [b"* METADATA note (/private/a NIL)"]


def test_they_follow_the_mailbox(pair: tuple[Imap, Imap]) -> None:
    """RENAME takes them along, DELETE with them, and the next mailbox of that name has none."""
    alix, bo = pair
    alix.ok(f'SETMETADATA note ({P} "mine" {C} "ours")')
    alix.ok("RENAME note note2")
    assert bo.ok(f"GETMETADATA note2 {C}") == [b'* METADATA note2 (/shared/comment "ours")']
    assert bo.ending(f"GETMETADATA note {C}").startswith(b"NO [NONEXISTENT]")
    alix.ok("DELETE note2")
    alix.ok("CREATE note2")
    assert alix.ok(f"GETMETADATA note2 ({C} {P})") == [
        b"* METADATA note2 (/shared/comment NIL /private/comment NIL)"
    ]


def test_list_returns_them(pair: tuple[Imap, Imap]) -> None:
    """A METADATA line after each LIST line, NIL where there is none (RFC 9590 section 4)."""
    alix, _ = pair
    color = "/shared/vendor/token/color"
    alix.ok(f'SETMETADATA note ({color} "#b71c1c")')
    lines = alix.ok(f'LIST "" (note INBOX) RETURN (METADATA ("{color}" {P}) STATUS (MESSAGES))')
    kinds = [line.split()[1] for line in lines]
    assert kinds == [b"LIST", b"METADATA", b"STATUS"] * 2
    assert lines[1] == b"* METADATA INBOX (/shared/vendor/token/color NIL /private/comment NIL)"
    assert b'* METADATA note (/shared/vendor/token/color "#b71c1c" /private/comment NIL)' in lines


def test_rights(pair: tuple[Imap, Imap], org: Team) -> None:
    """`l` and one of `r`, `s`, `w`, `i`, `p` (RFC 5464 section 3.3); a mailbox that one may not see is not there."""
    alix, bo = pair
    alix.ok(f'SETMETADATA note ({C} "ours")')
    login = org.bo.login
    for letters, expected in (
        ("l", b"NO [NOPERM]"),
        ("r", b"NO [NONEXISTENT]"),
        ("lp", b"OK"),
        ("lkxte", b"NO [NOPERM]"),
    ):
        alix.ok(f"SETACL note {login} {letters}")
        assert bo.ending(f"GETMETADATA note {C}").startswith(expected), letters
        assert bo.ending(f'SETMETADATA note ({P} "x")').startswith(expected), letters
        lines = bo.ok(f'LIST "" note RETURN (METADATA ({C}))')
        assert (b'* METADATA note (/shared/comment "ours")' in lines) is (expected == b"OK"), letters


def test_the_server(special: Callable[..., Served]) -> None:
    """Comment and contact come from the settings and are read-only; each person has private entries of their own."""

    def said(settings: Settings) -> Settings:
        imaps = replace(settings.imaps, comment="Clinique", admin="mailto:dsi@clinique-exemple.mssante.fr")
        return replace(settings, imaps=imaps)

    door = special(said)
    wire = door.imap(door.account("PER"))
    assert wire.ok(f'GETMETADATA "" ({C} /shared/admin /shared/vendor/x/y)') == [
        b'* METADATA "" (/shared/comment "Clinique" /shared/admin "mailto:dsi@clinique-exemple.mssante.fr"'
        b" /shared/vendor/x/y NIL)"
    ]
    for entry in (C, "/shared/admin", "/shared/vendor/x/y"):
        assert wire.ending(f'SETMETADATA "" ({entry} "x")').startswith(b"NO [NOPERM]")
    wire.ok('SETMETADATA "" (/private/vendor/x/y "1")')
    assert wire.ok('GETMETADATA (DEPTH infinity) "" (/private /shared)') == [
        b'* METADATA "" (/private/vendor/x/y "1" /shared/comment "Clinique"'
        b' /shared/admin "mailto:dsi@clinique-exemple.mssante.fr")'
    ]
    other = door.imap(door.account("ORG"))
    assert other.ok('GETMETADATA "" /private/vendor/x/y') == [b'* METADATA "" (/private/vendor/x/y NIL)']
    wire.close()
    other.close()


def test_what_others_change_is_told_to_who_asked(pair: tuple[Imap, Imap], org: Team) -> None:
    """After ENABLE METADATA names come unasked, without values, before the next answer; not one's own, not private."""
    alix, bo = pair
    assert bo.ok("ENABLE METADATA") == [b"* ENABLED METADATA"]
    alix.ok(f'SETMETADATA note ({C} "1" {P} "2")')
    alix.ok('SETMETADATA note (/shared/color "blue")')
    assert bo.ok("NOOP") == [b"* METADATA note /shared/comment /shared/color"]
    assert bo.ok("NOOP") == []
    alix.ok(f'SETMETADATA note ({C} "1")')
    bo.ok(f'SETMETADATA note ({C} "3")')
    assert bo.ok("NOOP") == []
    assert alix.ok("NOOP") == []
    again = org.door.imap(org.bo)
    again.ok('SETMETADATA note (/private/comment "5")')
    assert bo.ok("NOOP") == [b"* METADATA note /private/comment"]
    again.close()


def test_news_in_idle(pair: tuple[Imap, Imap]) -> None:
    """A client in IDLE hears at once, with a folder open or without; a folder that has gone is not told of."""
    alix, bo = pair
    bo.ok("ENABLE METADATA")
    for select in ("NOOP", "SELECT INBOX"):
        bo.ok(select)
        tag = bo.begin("IDLE")
        assert bo.response().startswith(b"+ ")
        alix.ok(f'SETMETADATA note ({C} "{select}")')
        assert bo.response() == b"* METADATA note /shared/comment"
        bo.send(b"DONE\r\n")
        assert bo.until(tag) == ([], b"OK idle ended")
    alix.ok(f'SETMETADATA note ({C} "x")')
    alix.ok("DELETE note")
    assert [line for line in bo.ok("NOOP") if b"METADATA" in line] == []


def test_news_end_with_the_login(pair: tuple[Imap, Imap], org: Team) -> None:
    """After UNAUTHENTICATE (RFC 8437) nothing is told until it is asked for again."""
    alix, bo = pair
    bo.ok("ENABLE METADATA")
    alix.ok(f'SETMETADATA note ({C} "1")')
    assert bo.ok("UNAUTHENTICATE")[-1:] == [b"* METADATA note /shared/comment"]
    alix.ok(f'SETMETADATA note ({C} "2")')
    bo.ok(f"LOGIN {org.bo.login} {org.bo.password}")
    assert bo.ok("NOOP") == []
    bo.ok("ENABLE METADATA")
    alix.ok(f'SETMETADATA note ({C} "3")')
    assert bo.ok("NOOP") == [b"* METADATA note /shared/comment"]


def test_a_name_with_accents(pair: tuple[Imap, Imap]) -> None:
    """Modified UTF-7 before UTF-8 is enabled, UTF-8 after it."""
    alix, bo = pair
    bo.ok("ENABLE UTF8=ACCEPT METADATA")
    bo.run(b'CREATE "\xc3\x89t\xc3\xa9"')
    alix.ok(f'SETMETADATA &AMk-t&AOk- ({C} "1")')
    assert bo.ok("NOOP") == [b'* METADATA "\xc3\x89t\xc3\xa9" /shared/comment']
    assert alix.ok(f"GETMETADATA &AMk-t&AOk- {C}") == [b'* METADATA &AMk-t&AOk- (/shared/comment "1")']
    alix.ok("DELETE &AMk-t&AOk-")
