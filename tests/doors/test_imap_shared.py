"""Shared mailboxes at the IMAP door (BAL-3): each member's own \\Seen, names under `Shared/`, copies between boxes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mss_gateway.rules.facts import BoxType
from tests.support.doors import Served
from tests.support.letters import letter
from tests.support.members import CHIEF, Practice, practice
from tests.support.wires import Imap

pytestmark = [pytest.mark.req("BAL-3"), pytest.mark.req("IMP-3")]


@pytest.fixture(scope="module")
def team(door: Served) -> Practice:
    """A practice whose member anne has a mailbox of her own too, while brice has not."""
    return practice(door, "anne", "brice", kind=BoxType.CAB, own=("anne",))


@pytest.fixture(scope="module")
def shared(team: Practice) -> str:
    """Where anne finds the practice's box."""
    return f"Shared/{team.box.address}"


@pytest.fixture(scope="module")
def wires(door: Served, team: Practice) -> Iterator[tuple[Imap, Imap, Imap]]:
    """Anne twice, and brice, whose main mailbox is the shared one."""
    opened = tuple(door.imap(team.accounts[name]) for name in ("anne", "anne", "brice"))
    yield opened  # type: ignore[misc]
    for wire in opened:
        wire.close()


@pytest.fixture
def three(wires: tuple[Imap, Imap, Imap], shared: str) -> tuple[Imap, Imap, Imap]:
    """All three in an INBOX of two unread messages."""
    anne, again, brice = wires
    for wire in wires:
        wire.run("UNSELECT")
    brice.ok("SELECT INBOX")
    brice.ok("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
    brice.ok("EXPUNGE")
    for _ in range(2):
        assert brice.append("INBOX", letter()).startswith(b"OK")
    brice.ok("NOOP")
    for wire in (anne, again):
        wire.ok(f"SELECT {shared}")
    return wires


def counter(wire: Imap, mailbox: str, item: str) -> int:
    """One item of STATUS."""
    line = wire.ok(f"STATUS {mailbox} ({item})")[-1]
    return int(line.rpartition(b" ")[2].rstrip(b")"))


def test_names_under_shared(door: Served, three: tuple[Imap, Imap, Imap], shared: str) -> None:
    """NAMESPACE, and LIST level by level with `%` and `*`, special use included."""
    anne, _, brice = three
    assert anne.ok("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))']
    assert brice.ok("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL NIL']
    level = b'* LIST (\\NonExistent \\HasChildren \\Noselect) "/" '
    assert level + b"Shared" in anne.ok('LIST "" %')
    assert anne.ok('LIST "" Shared/%') == [level + shared.encode()]
    assert anne.ok('LIST "Shared/" %') == [level + shared.encode()]
    names = [line.rpartition(b" ")[2].decode() for line in anne.ok(f'LIST "" {shared}/%')]
    assert names[0] == f"{shared}/INBOX"
    assert set(names) <= {line.rpartition(b" ")[2].decode() for line in anne.ok('LIST "" *')}
    (sent,) = anne.ok(f'LIST (SPECIAL-USE) "" {shared}/S*')
    assert sent == f'* LIST (\\HasNoChildren \\Sent) "/" {shared}/Sent'.encode()
    assert not any(b"Shared" in line for line in brice.ok('LIST "" *'))


def test_flags_of_one_are_not_seen_by_the_other(three: tuple[Imap, Imap, Imap], shared: str) -> None:
    """\\Seen is told to one's own other sessions and nobody else; every other flag is told to all."""
    anne, again, brice = three
    anne.ok("STORE 1 +FLAGS (\\Seen)")
    (told,) = again.ok("NOOP")
    assert b"\\Seen" in told
    assert brice.ok("NOOP") == []
    assert b"\\Seen" not in brice.fetch("1", "(FLAGS)")[0]
    anne.ok("STORE 1 +FLAGS (\\Answered)")
    (told,) = brice.ok("NOOP")
    assert b"\\Answered" in told
    assert b"\\Seen" not in told
    assert b"\\Seen" in anne.fetch("1", "(FLAGS)")[0]
    assert counter(anne, shared, "UNSEEN") == 1
    assert counter(brice, "INBOX", "UNSEEN") == 2
    brice.ok("STORE 1 FLAGS ()")
    assert b"FLAGS (\\Seen)" in anne.fetch("1", "(FLAGS)")[0]


def test_mod_sequences_of_each_viewer(three: tuple[Imap, Imap, Imap], shared: str) -> None:
    """CHANGEDSINCE names a message to whom its flags have changed, and UNCHANGEDSINCE fails for them alone."""
    anne, _, brice = three
    before = counter(brice, "INBOX", "HIGHESTMODSEQ")
    assert counter(anne, shared, "HIGHESTMODSEQ") == before
    anne.ok("STORE 2 +FLAGS (\\Seen)")
    assert any(b"* 2 FETCH" in line for line in anne.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {before})"))
    assert brice.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {before})") == []
    assert brice.ending(f"STORE 2 (UNCHANGEDSINCE {before}) +FLAGS ($A)").startswith(b"OK stored")
    assert anne.ending(f"STORE 2 (UNCHANGEDSINCE {before}) +FLAGS ($B)").startswith(b"OK [MODIFIED 2]")


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_seen_goes_along_between_boxes(three: tuple[Imap, Imap, Imap], shared: str, verb: str) -> None:
    """What anne has read is read for her in her own box and back in the shared one, and unread for brice."""
    anne, _, brice = three
    anne.run("CREATE retour")
    anne.ok("SELECT retour")
    anne.ok("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
    anne.ok("EXPUNGE")
    anne.ok(f"SELECT {shared}")
    anne.ok("STORE 1 +FLAGS (\\Seen)")
    brice.ok("STORE 2 +FLAGS (\\Seen)")
    anne.ok(f"{verb} 1:2 retour")
    anne.ok("SELECT retour")
    assert anne.ok("SEARCH SEEN") == [b"* SEARCH 1"]
    anne.ok(f"{verb} 1:2 {shared}/Archive")
    anne.ok(f"SELECT {shared}/Archive")
    brice.ok("SELECT Archive")
    last = counter(brice, "Archive", "MESSAGES")
    assert anne.ok(f"SEARCH {last - 1}:{last} SEEN") == [b"* SEARCH %d" % (last - 1)]
    assert brice.ok(f"SEARCH {last - 1}:{last} SEEN") == [b"* SEARCH"]


def test_seen_of_all_goes_along_within_the_box(three: tuple[Imap, Imap, Imap], shared: str) -> None:
    """MOVE inside the shared box keeps what each member has read."""
    anne, _, brice = three
    anne.ok("STORE 1 +FLAGS (\\Seen)")
    brice.ok("STORE 2 +FLAGS (\\Seen)")
    anne.run(f"CREATE {shared}/rangement")
    anne.ok(f"MOVE 1:2 {shared}/rangement")
    last = counter(brice, "rangement", "MESSAGES")
    anne.ok(f"SELECT {shared}/rangement")
    brice.ok("SELECT rangement")
    assert anne.ok(f"SEARCH {last - 1}:{last} SEEN") == [b"* SEARCH %d" % (last - 1)]
    assert brice.ok(f"SEARCH {last - 1}:{last} SEEN") == [b"* SEARCH %d" % last]


def test_subscriptions_are_each_members_own(three: tuple[Imap, Imap, Imap], shared: str) -> None:
    """UNSUBSCRIBE of one does not take a folder out of the other's sight."""
    anne, _, brice = three
    anne.ok(f"UNSUBSCRIBE {shared}/Junk")
    assert anne.ok(f'LIST (SUBSCRIBED) "" {shared}/Junk') == []
    assert brice.ok('LSUB "" Junk') == [b'* LSUB () "/" Junk']
    anne.ok(f"SUBSCRIBE {shared}/Junk")
    assert anne.ok(f'LSUB "" {shared}/Junk') == [f'* LSUB () "/" {shared}/Junk'.encode()]


def test_rights_in_ones_own_and_in_the_shared_box(
    three: tuple[Imap, Imap, Imap], shared: str, team: Practice
) -> None:
    """The holder of a box may do all in it, and only what a member may in the other one."""
    anne, _, _brice = three
    assert anne.ok("MYRIGHTS INBOX") == [b"* MYRIGHTS INBOX lrswipkxteacd"]
    assert anne.ok(f"MYRIGHTS {shared}/INBOX") == [f"* MYRIGHTS {shared}/INBOX lrswipktecd".encode()]
    assert anne.ending(f"RENAME {shared}/Sent parti").startswith(b"NO [NOPERM]")
    assert anne.ending(f"RENAME Sent {shared}/parti").startswith(b"NO [CANNOT]")
    assert anne.ending(f"SETACL INBOX {team.login('brice')} lr").startswith(b"NO [CANNOT]")


def test_a_member_is_known_by_the_address_too(
    door: Served, three: tuple[Imap, Imap, Imap], team: Practice, shared: str
) -> None:
    """SETACL takes the address of the box that a member holds; ACL shows the login."""
    chief = door.imap(team.accounts[CHIEF])
    chief.ok("CREATE adresse")
    chief.ok(f"SETACL adresse {team.login('anne')}@ESSAI.example lr")
    assert f"{team.login('anne')} lr ".encode() in chief.ok("GETACL adresse")[0]
    assert three[0].ok(f"MYRIGHTS {shared}/adresse") == [f"* MYRIGHTS {shared}/adresse lr".encode()]
    chief.close()
