"""LIST, SUBSCRIBE, CREATE, DELETE and RENAME at the IMAP door (RFC 9051 section 6.3, RFC 5258, RFC 6154)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.letters import letter
from tests.support.wires import Imap

pytestmark = pytest.mark.req("IMP-1")


@pytest.fixture(scope="module")
def one(door: Served) -> Iterator[Imap]:
    """A connection of the holder of a mailbox."""
    wire = door.imap(door.account("PER"))
    yield wire
    wire.close()


@pytest.fixture
def wire(one: Imap) -> Imap:
    """The same with no folder in hand, and none of those that other tests made."""
    one.run("UNSELECT")
    names = [
        line.rpartition(b'"/" ')[2].decode() for line in one.ok('LIST "" *') if b"NonExistent" not in line
    ]
    for name in sorted(names, reverse=True):
        if name not in ("INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive"):
            one.ok(f"DELETE {name}")
    for line in one.ok('LSUB "" *'):
        if b"\\Noselect" in line:
            one.ok(f"UNSUBSCRIBE {line.rpartition(b' ')[2].decode()}")
    return one


def make(wire: Imap, *names: str, subscribed: tuple[str, ...] = ()) -> None:
    """Folders of which only some are subscribed."""
    for name in names:
        wire.ok(f"CREATE {name}")
        if name not in subscribed:
            wire.ok(f"UNSUBSCRIBE {name}")


def number(wire: Imap, name: str, item: str) -> int:
    """One item of STATUS."""
    return int(wire.ok(f"STATUS {name} ({item})")[-1].rpartition(b" ")[2].rstrip(b")"))


def test_a_subscription_outlives_its_mailbox(wire: Imap) -> None:
    """RFC 9051 section 6.3.7: the name stays, as \\NonExistent, until UNSUBSCRIBE; and only where it was asked for."""
    wire.ok("CREATE fruits/poire")
    wire.ok("SUBSCRIBE fruits/poire")
    wire.ok("DELETE fruits/poire")
    assert wire.ok('LIST (SUBSCRIBED) "" fruits/*') == [
        b'* LIST (\\NonExistent \\HasNoChildren \\Subscribed \\Noselect) "/" fruits/poire'
    ]
    assert wire.ok('LSUB "" fruits/*') == [b'* LSUB (\\Noselect) "/" fruits/poire']
    assert wire.ok('LIST "" fruits*') == [b'* LIST (\\HasNoChildren) "/" fruits']
    assert wire.ok('LIST "" fruits* RETURN (SUBSCRIBED)') == [
        b'* LIST (\\HasNoChildren \\Subscribed) "/" fruits'
    ]
    wire.ok("UNSUBSCRIBE fruits/poire")
    assert wire.ok('LSUB "" fruits/*') == []
    wire.ok("UNSUBSCRIBE jamais/vu")
    assert wire.ending("SUBSCRIBE jamais/vu").startswith(b"NO [NONEXISTENT]")


def test_a_folder_that_was_only_there_leaves_nothing(wire: Imap) -> None:
    """Nobody has subscribed to it: after DELETE its name is in no list; made anew, it is seen again."""
    wire.ok("CREATE passager")
    wire.ok("UNSUBSCRIBE passager")
    wire.ok("RENAME passager voyageur")
    assert wire.ok('LSUB "" voyageur') == []
    wire.ok("DELETE voyageur")
    wire.ok("CREATE voyageur")
    assert wire.ok('LSUB "" voyageur') == [b'* LSUB () "/" voyageur']
    wire.ok("DELETE voyageur")
    assert wire.ok('LSUB "" voyageur') == []


def test_recursivematch_tells_of_children_that_are_not_listed(wire: Imap) -> None:
    """The example of RFC 5258 section 5 in which `*2` matches some children: no CHILDINFO that says nothing new."""
    subscribed = (
        "foo2/bar1",
        "foo2/bar2",
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "qux2/bar2",
    )
    make(wire, "foo2", "baz2", "qux2", *subscribed, subscribed=subscribed)
    lines = wire.ok('LIST (RECURSIVEMATCH SUBSCRIBED) "" *2')
    assert sorted(lines) == sorted(
        [
            b'* LIST (\\HasChildren) "/" foo2 ("CHILDINFO" ("SUBSCRIBED"))',
            b'* LIST (\\HasNoChildren \\Subscribed) "/" foo2/bar2',
            b'* LIST (\\HasNoChildren \\Subscribed) "/" baz2/bar2',
            b'* LIST (\\HasNoChildren \\Subscribed) "/" baz2/bar22',
            b'* LIST (\\HasNoChildren \\Subscribed) "/" baz2/bar222',
            b'* LIST (\\HasChildren \\Subscribed) "/" eps2 ("CHILDINFO" ("SUBSCRIBED"))',
            b'* LIST (\\HasNoChildren \\Subscribed) "/" qux2/bar2',
        ]
    )


def test_recursivematch_over_a_deleted_parent(wire: Imap) -> None:
    """A parent that is gone is shown for the sake of its subscribed child (RFC 5258 section 5)."""
    make(wire, "Foo", "Foo/Baz", subscribed=("Foo/Baz",))
    wire.ok("DELETE Foo")
    assert wire.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" Foo') == [
        b'* LIST (\\NonExistent \\HasChildren \\Noselect) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))'
    ]
    assert wire.ok('LIST (SUBSCRIBED) "" Foo') == []
    assert wire.ok('LIST "" Foo RETURN (CHILDREN)') == [
        b'* LIST (\\NonExistent \\HasChildren \\Noselect) "/" Foo'
    ]
    wire.ok("SUBSCRIBE Foo/Baz")
    wire.ok("DELETE Foo/Baz")
    assert wire.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" Foo')[0].startswith(
        b"* LIST (\\NonExistent \\HasNoChildren"
    )
    assert wire.ok('LIST "" Foo') == []


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ('LIST (RECURSIVEMATCH) "" *', b"BAD"),
        ('LIST (RECURSIVEMATCH REMOTE) "" *', b"BAD"),
        ('LIST (FOO) "" *', b"BAD"),
        ('LIST (REMOTE) "" *', b"OK"),
        ('LIST () "" *', b"OK"),
        ('LIST (SUBSCRIBED REMOTE) "" % RETURN (CHILDREN)', b"OK"),
        ('LIST "" (INBOX "Tr%" "%/x")', b"OK"),
        ('LIST "" () RETURN (CHILDREN)', b"BAD"),
        ('LIST "" * RETURN ()', b"OK"),
        ('LIST "" * RETURN (MYRIGHTS SPECIAL-USE CHILDREN SUBSCRIBED)', b"OK"),
        ('LIST "" * RETURN (MYRIGHT)', b"BAD"),
    ],
)
def test_the_forms_of_list(wire: Imap, command: str, ending: bytes) -> None:
    """What RFC 5258 section 6 allows, and what it does not."""
    assert wire.ending(command).startswith(ending)


def test_several_patterns_list_a_mailbox_once(wire: Imap) -> None:
    """RFC 5258 section 3: the answer is the union."""
    lines = wire.ok('LIST "" (INBOX "IN*" Sent)')
    assert [line.rpartition(b" ")[2] for line in lines] == [b"INBOX", b"Sent"]


def test_special_use(wire: Imap) -> None:
    """The examples of RFC 6154: selected, returned, set at CREATE; an unknown use is USEATTR."""
    uses = {line.rpartition(b" ")[2]: line for line in wire.ok('LIST (SPECIAL-USE) "" *')}
    assert set(uses) == {b"Sent", b"Drafts", b"Trash", b"Junk", b"Archive"}
    wire.ok("CREATE Important (USE (\\Flagged))")
    (line,) = wire.ok('LIST "" Important RETURN (SPECIAL-USE)')
    assert line == b'* LIST (\\HasNoChildren \\Flagged) "/" Important'
    assert wire.ending("CREATE Autre (USE (\\Nouveau))").startswith(b"NO [USEATTR]")
    assert wire.ending("CREATE Autre (USE (\\Drafts \\Sent))").startswith(b"NO [USEATTR]")
    assert wire.ok('LIST "" Autre') == []
    (line,) = wire.ok('LIST "" Important RETURN (SPECIAL-USE STATUS (MESSAGES))')[:1]
    assert b"\\Flagged" in line


def test_deleting_a_parent_keeps_its_children(wire: Imap) -> None:
    """RFC 9051 section 6.3.5: the name stays in the tree without being a mailbox, and can be made again."""
    make(wire, "haut", "haut/bas")
    assert wire.append("haut", letter()).startswith(b"OK")
    before = number(wire, "haut", "UIDVALIDITY")
    wire.ok("DELETE haut")
    assert b"\\NonExistent" in wire.ok('LIST "" haut')[0]
    for command in ("SELECT haut", "DELETE haut", "STATUS haut (MESSAGES)", "RENAME haut autre"):
        assert wire.ending(command).startswith(b"NO [NONEXISTENT]")
    wire.ok("CREATE haut")
    assert number(wire, "haut", "UIDVALIDITY") > before
    assert number(wire, "haut", "MESSAGES") == 0
    assert wire.ok('LIST "" haut%') == [b'* LIST (\\HasChildren) "/" haut']


def test_what_create_refuses(wire: Imap) -> None:
    """RFC 9051 section 6.3.4: INBOX is there; a trailing delimiter only declares what is to come below."""
    assert wire.ending("CREATE inbox").startswith(b"NO [ALREADYEXISTS]")
    wire.ok("CREATE owatagusiam/")
    wire.ok("CREATE owatagusiam/blurdybloop")
    assert wire.ending("CREATE owatagusiam").startswith(b"NO [ALREADYEXISTS]")
    for name in ("a//b", "/a", '"a*b"', '"a%"', "Shared", "Shared/x@y.fr/z"):
        assert wire.ending(f"CREATE {name}").startswith(b"NO"), name
    wire.ok("CREATE a/b/c")
    assert len(wire.ok('LIST "" a*')) >= 3


def test_rename(wire: Imap) -> None:
    """RFC 9051 section 6.3.6: inferiors go along, identity stays, a name that is taken refuses, INBOX stays."""
    make(wire, "un", "un/deux/trois", "autre")
    assert wire.append("un/deux/trois", letter()).startswith(b"OK")
    kept = number(wire, "un/deux/trois", "UIDVALIDITY")
    (ident,) = wire.ok("STATUS un/deux/trois (MAILBOXID)")
    assert wire.ending("RENAME un autre").startswith(b"NO [ALREADYEXISTS]")
    assert wire.ending("RENAME un INBOX").startswith(b"NO [ALREADYEXISTS]")
    assert wire.ending("RENAME absent x").startswith(b"NO [NONEXISTENT]")
    wire.ok("RENAME un neuf/dix")
    assert wire.ok('LIST "" un*') == []
    assert number(wire, "neuf/dix/deux/trois", "UIDVALIDITY") == kept
    assert (
        wire.ok("STATUS neuf/dix/deux/trois (MAILBOXID)")[0].rpartition(b"(F")[2]
        == ident.rpartition(b"(F")[2]
    )
    assert b'"/" neuf\r\n' in b"\r\n".join([*wire.ok('LIST "" neuf'), b""])
    assert wire.append("INBOX", letter()).startswith(b"OK")
    count, validity = number(wire, "INBOX", "MESSAGES"), number(wire, "INBOX", "UIDVALIDITY")
    wire.ok("RENAME INBOX ancien")
    assert (number(wire, "INBOX", "MESSAGES"), number(wire, "ancien", "MESSAGES")) == (0, count)
    assert number(wire, "INBOX", "UIDVALIDITY") == validity
    assert number(wire, "ancien", "UIDVALIDITY") > validity


def test_uidvalidity_is_never_given_twice(wire: Imap) -> None:
    """Deleted, made anew, renamed onto a name that was there before: each mailbox has its own."""
    seen = set()
    for _ in range(3):
        wire.ok("CREATE meme")
        seen.add(number(wire, "meme", "UIDVALIDITY"))
        wire.ok("CREATE presque")
        seen.add(number(wire, "presque", "UIDVALIDITY"))
        wire.ok("DELETE meme")
        wire.ok("RENAME presque meme")
        wire.ok("DELETE meme")
    assert len(seen) == 6


def test_create_names_the_mailbox_id(wire: Imap) -> None:
    """RFC 8474 section 4.1: the same as STATUS says, and SELECT."""
    ending = wire.ending("CREATE objet")
    found = re.search(rb"OK \[MAILBOXID \((F[0-9-]+)\)\]", ending)
    assert found is not None
    assert wire.ok("STATUS objet (MAILBOXID MESSAGES)") == [
        b"* STATUS objet (MAILBOXID (%b) MESSAGES 0)" % found[1]
    ]
    wire.ok("DELETE objet")
    assert found[1] not in wire.ending("CREATE objet")


def test_names_have_one_normal_form(door: Served) -> None:
    """`é` in two octet sequences is one mailbox, in modified UTF-7 and in UTF-8; rev2 hears of it by OLDNAME."""
    old, new = door.imap(door.account("PER")), door.imap(door.account("PER"))
    new.ok("ENABLE IMAP4rev2")
    composed, decomposed = "Ét\u00e9".encode(), "E\u0301te\u0301".encode()
    listed = b'* LIST () "/" "%b" ("OLDNAME" ("%b"))' % (composed, decomposed)
    assert new.ok(b'CREATE "%b"' % decomposed) == [listed]
    assert new.ending(b'CREATE "%b"' % composed).startswith(b"NO [ALREADYEXISTS]")
    assert listed in new.ok(b'SELECT "%b"' % decomposed)
    assert not any(b"OLDNAME" in line for line in new.ok(b'SELECT "%b"' % composed))
    assert old.ok('LIST "" E&AwE-te&AwE-') == [b'* LIST (\\HasNoChildren) "/" &AMk-t&AOk-']
    assert not any(b"OLDNAME" in line for line in old.ok("SELECT E&AwE-te&AwE-"))
    new.ok("UNSELECT")
    assert new.ok(b'RENAME "%b" "%b"' % (decomposed, "e\u0301te\u0301".encode())) == [
        '* LIST () "/" "été" ("OLDNAME" ("e\u0301te\u0301"))'.encode()
    ]
    old.ok("UNSELECT")
    old.ok("DELETE &AOk-t&AOk-")
    for wire in (old, new):
        wire.close()


def test_status_of_the_mailbox_in_hand(wire: Imap) -> None:
    """RFC 9051 section 6.3.11 allows it; SIZE and DELETED-STORAGE are octets."""
    wire.ok("CREATE poids")
    message = letter()
    for _ in range(3):
        assert wire.append("poids", message).startswith(b"OK")
    wire.ok("SELECT poids")
    wire.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    stored = number(wire, "poids", "SIZE") // 3
    assert stored >= len(message)
    assert wire.ok("STATUS poids (MESSAGES DELETED SIZE DELETED-STORAGE UNSEEN)") == [
        b"* STATUS poids (MESSAGES 3 DELETED 2 SIZE %d DELETED-STORAGE %d UNSEEN 3)"
        % (3 * stored, 2 * stored)
    ]
    wire.ok("EXPUNGE")
    assert wire.ok("STATUS poids (DELETED-STORAGE SIZE)") == [
        b"* STATUS poids (DELETED-STORAGE 0 SIZE %d)" % stored
    ]
