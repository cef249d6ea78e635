"""Rights at the IMAP door (RFC 4314): who may do what in a shared mailbox, and who may say so (BAL-3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.letters import letter
from tests.support.members import CHIEF, LINE, Practice, practice
from tests.support.wires import Imap

pytestmark = [pytest.mark.req("BAL-3"), pytest.mark.req("IMP-3")]


@pytest.fixture(scope="module")
def team(door: Served) -> Practice:
    """A practice of the responsible professional and two members."""
    return practice(door, "anne", "brice")


@pytest.fixture(scope="module")
def wires(door: Served, team: Practice) -> Iterator[tuple[Imap, Imap]]:
    """One connection each for the responsible professional and a member."""
    pair = door.imap(team.accounts[CHIEF]), door.imap(team.accounts["anne"])
    yield pair
    for wire in pair:
        wire.close()


@pytest.fixture
def chief(wires: tuple[Imap, Imap]) -> Imap:
    """The one who may give rights, with a fresh folder `dossier` of two messages."""
    wire = wires[0]
    wire.run("UNSELECT")
    wire.run("DELETE dossier")
    wire.ok("CREATE dossier")
    for _ in range(2):
        assert wire.append("dossier", letter()).startswith(b"OK")
    return wire


@pytest.fixture
def anne(wires: tuple[Imap, Imap], chief: Imap) -> Imap:
    """A member."""
    wires[1].run("UNSELECT")
    return wires[1]


def rights(wire: Imap, mailbox: str = "dossier") -> str:
    """MYRIGHTS without the obsolete letters."""
    (line,) = wire.ok(f"MYRIGHTS {mailbox}")
    assert line.startswith(b"* MYRIGHTS ")
    return line.split()[-1].decode().replace("c", "").replace("d", "")


def give(chief: Imap, team: Practice, letters: str, name: str = "anne") -> None:
    """SETACL on `dossier`."""
    chief.ok(f'SETACL dossier {team.login(name)} "{letters}"')


def test_what_people_may_do_where_nothing_was_said(chief: Imap, anne: Imap, team: Practice) -> None:
    """The responsible professional may do all, a member all but delete folders and give rights."""
    assert rights(chief) == "lrswipkxtea"
    assert rights(anne) == "lrswipkte"
    (line,) = chief.ok("GETACL dossier")
    assert (
        line
        == (
            f"* ACL dossier {team.login('anne')} lrswipktecd {team.login('brice')} lrswipktecd"
            f" {team.login(CHIEF)} lrswipkxteacd"
        ).encode()
    )


def test_rights_are_set_added_and_taken_away(chief: Imap, anne: Imap, team: Practice) -> None:
    """SETACL in its three forms, with `c` and `d` for what they stood for, and DELETEACL (RFC 4314 section 3)."""
    login = team.login("anne")
    give(chief, team, "lr")
    assert rights(anne) == "lr"
    give(chief, team, "+sw")
    assert rights(anne) == "lrsw"
    give(chief, team, "-w")
    assert rights(anne) == "lrs"
    give(chief, team, "+cd")
    assert anne.ok("MYRIGHTS dossier") == [b"* MYRIGHTS dossier lrskxtecd"]
    chief.ok(f"SETACL dossier {login} lrs")
    chief.ok(f"SETACL dossier {login} +")
    assert rights(anne) == "lrs"
    chief.ok(f"DELETEACL dossier {login}")
    assert login.encode() not in chief.ok("GETACL dossier")[0]
    assert anne.ending("MYRIGHTS dossier").startswith(b"NO [NONEXISTENT]")


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ("SETACL dossier {anne} lrQ", b"BAD"),
        ("SETACL dossier {anne} lrq", b"BAD"),
        ("SETACL dossier {anne} +-l", b"BAD"),
        ('SETACL dossier "" l', b"BAD"),
        ("SETACL dossier anyone lr", b"NO [CANNOT]"),
        ("SETACL dossier -{anne} w", b"NO [CANNOT]"),
        ("SETACL dossier inconnu lr", b"NO [CANNOT]"),
        ("LISTRIGHTS dossier inconnu", b"NO [CANNOT]"),
        ("DELETEACL dossier inconnu", b"NO [CANNOT]"),
        ("SETACL absent {anne} lr", b"NO [NONEXISTENT]"),
        ("SETACL dossier {chef} lr", b"NO [NOPERM]"),
        ("SETACL dossier {chef} -a", b"NO [NOPERM]"),
        ("DELETEACL dossier {chef}", b"NO [NOPERM]"),
        ("GETACL", b"BAD"),
        ("SETACL dossier {anne}", b"BAD"),
    ],
)
def test_what_setacl_refuses(chief: Imap, anne: Imap, team: Practice, command: str, ending: bytes) -> None:
    """Unknown letters are BAD; people who are no members get nothing; who answers for the box keeps l and a."""
    text = command.format(anne=team.login("anne"), chef=team.login(CHIEF))
    assert chief.ending(text).startswith(ending)
    assert rights(chief) == "lrswipkxtea"
    assert rights(anne) == "lrswipkte"


def test_only_who_has_a_may_ask_and_set(chief: Imap, anne: Imap, team: Practice) -> None:
    """A member without `a` gets NOPERM; one without `l` hears that there is no such mailbox (RFC 4314 section 6)."""
    login = team.login("brice")
    commands = (
        "GETACL dossier",
        f"SETACL dossier {login} l",
        f"DELETEACL dossier {login}",
        f"LISTRIGHTS dossier {login}",
    )
    for command in commands:
        assert anne.ending(command).startswith(b"NO [NOPERM]")
    give(chief, team, "r")
    for command in commands:
        assert anne.ending(command).startswith(b"NO [NONEXISTENT]")
    give(chief, team, "la")
    for command in commands:
        assert anne.ending(command).startswith(b"OK")


def test_list_rights(chief: Imap, team: Practice) -> None:
    """Nothing is tied together; the identifier comes back as it was written; `c` and `d` stand by themselves."""
    anne, chef = team.login("anne"), team.login(CHIEF)
    assert chief.ok(f"LISTRIGHTS dossier {anne.upper()}") == [
        f'* LISTRIGHTS dossier {anne.upper()} "" l r s w i p k x t e a c d'.encode()
    ]
    assert chief.ok(f"LISTRIGHTS dossier {chef}") == [
        f"* LISTRIGHTS dossier {chef} la r s w i p k x t e c d".encode()
    ]


@pytest.mark.parametrize(
    ("letters", "command", "ending"),
    [
        ("l", "SELECT dossier", b"NO [NOPERM]"),
        ("l", "EXAMINE dossier", b"NO [NOPERM]"),
        ("l", "STATUS dossier (MESSAGES)", b"NO [NOPERM]"),
        ("", "SELECT dossier", b"NO [NONEXISTENT]"),
        ("r", "SELECT dossier", b"OK [READ-ONLY]"),
        ("r", "SUBSCRIBE dossier", b"NO [NONEXISTENT]"),
        ("r", "UNSUBSCRIBE dossier", b"OK"),
        ("lrs", "SELECT dossier", b"OK [READ-ONLY]"),
        ("lrw", "SELECT dossier", b"OK [READ-WRITE]"),
        ("lri", "SELECT dossier", b"OK [READ-WRITE]"),
        ("lrswitea", "CREATE dossier/dessous", b"NO [NOPERM]"),
        ("lrk", "RENAME dossier autre", b"NO [NOPERM]"),
        ("lrswiptea", "DELETE dossier", b"NO [NOPERM]"),
        ("lx", "DELETE dossier", b"OK"),
    ],
)
def test_each_command_asks_for_its_right(
    chief: Imap, anne: Imap, team: Practice, letters: str, command: str, ending: bytes
) -> None:
    """RFC 4314 section 4, commands without messages."""
    give(chief, team, letters)
    assert anne.ending(command).startswith(ending)


@pytest.mark.parametrize(
    ("letters", "command", "ending"),
    [
        ("lrswip", "EXPUNGE", b"NO [NOPERM]"),
        ("lrswip", "UID EXPUNGE 1:*", b"NO [NOPERM]"),
        ("lrswipe", "MOVE 1 INBOX", b"NO [NOPERM]"),
        ("lrswipt", "UID MOVE 1 INBOX", b"NO [NOPERM]"),
        ("lrte", "MOVE 1 INBOX", b"OK"),
        ("lr", "COPY 1 INBOX", b"OK"),
        ("lrswte", "COPY 1 dossier", b"NO [NOPERM]"),
        ("lrw", "STORE 1 +FLAGS (\\Seen)", b"NO [NOPERM]"),
        ("lrw", "STORE 1 -FLAGS (\\Deleted)", b"NO [NOPERM]"),
        ("lrs", "STORE 1 FLAGS ($Important)", b"NO [NOPERM]"),
        ("lrs", "STORE 1 +FLAGS (\\Seen \\Flagged)", b"OK"),
        ("lre", "EXPUNGE", b"OK"),
    ],
)
def test_each_command_on_messages_asks_for_its_right(
    chief: Imap, anne: Imap, team: Practice, letters: str, command: str, ending: bytes
) -> None:
    """RFC 4314 section 4, commands in the selected state; MOVE needs both t and e (RFC 6851 section 4.4)."""
    give(chief, team, letters)
    anne.ok("SELECT dossier")
    assert anne.ending(command).startswith(ending)


def test_append_asks_for_i_and_drops_flags(chief: Imap, anne: Imap, team: Practice) -> None:
    """A message of APPEND keeps only the flags that one may set; without `i` there is no APPEND."""
    give(chief, team, "lrw")
    assert anne.append("dossier", letter()).startswith(b"NO [NOPERM]")
    give(chief, team, "lriw")
    assert anne.append("dossier", letter(), "(\\Seen \\Deleted $Important \\Flagged)").startswith(b"OK")
    anne.ok("SELECT dossier")
    (line,) = anne.fetch("3", "(FLAGS)")
    assert b"\\Flagged" in line
    assert b"$Important" in line
    assert b"\\Seen" not in line
    assert b"\\Deleted" not in line


@pytest.mark.parametrize(
    ("letters", "copied"),
    [
        ("rwis", {1: {"\\Draft"}, 2: {"\\Answered"}, 3: {"$Forwarded", "\\Seen"}}),
        ("rsti", {1: {"\\Deleted"}, 2: set(), 3: {"\\Seen"}}),
    ],
)
def test_copy_keeps_the_flags_that_one_may_set(
    chief: Imap, anne: Imap, team: Practice, letters: str, copied: dict[int, set[str]]
) -> None:
    """The example of RFC 4314 section 4."""
    anne.run("CREATE source")
    anne.ok("SELECT source")
    anne.ok("UID STORE 1:* +FLAGS (\\Deleted)")
    anne.ok("EXPUNGE")
    for flags in ("(\\Draft \\Deleted)", "(\\Answered)", "($Forwarded \\Seen)"):
        assert anne.append("source", letter(), flags).startswith(b"OK")
    give(chief, team, letters)
    assert anne.ending("COPY 1:3 dossier").startswith(b"OK [COPYUID")
    anne.ok("SELECT dossier")
    for number, flags in copied.items():
        (line,) = anne.fetch(str(number + 2), "(FLAGS)")
        assert set(line.partition(b"(FLAGS (")[2].partition(b")")[0].decode().split()) == flags


def test_store_changes_what_may_be_changed(chief: Imap, anne: Imap, team: Practice) -> None:
    """STORE with some flags that may be set and some not changes the former, also when it replaces all."""
    chief.ok("SELECT dossier")
    chief.ok("STORE 1 FLAGS (\\Flagged $Important)")
    give(chief, team, "lrst")
    anne.ok("SELECT dossier")
    (line,) = anne.ok("STORE 1 FLAGS (\\Seen \\Answered)")
    assert line == b"* 1 FETCH (FLAGS ($Important \\Flagged \\Seen))"
    (line,) = anne.ok("STORE 1 +FLAGS (\\Deleted \\Draft)")
    assert line == b"* 1 FETCH (FLAGS ($Important \\Deleted \\Flagged \\Seen))"
    (line,) = anne.ok("STORE 1 -FLAGS (\\Deleted \\Flagged)")
    assert line == b"* 1 FETCH (FLAGS ($Important \\Flagged \\Seen))"


def test_reading_without_s_marks_nothing_read(chief: Imap, anne: Imap, team: Practice) -> None:
    """A FETCH of the body does not set \\Seen where one may not (RFC 4314 section 4)."""
    give(chief, team, "lrw")
    anne.ok("SELECT dossier")
    assert not any(b"\\Seen" in line for line in anne.ok("FETCH 1 (FLAGS BODY[TEXT])"))
    assert anne.ok("SEARCH SEEN") == [b"* SEARCH"]


def test_close_without_e_expunges_nothing(chief: Imap, anne: Imap, team: Practice) -> None:
    """CLOSE ends with OK all the same."""
    give(chief, team, "lrt")
    anne.ok("SELECT dossier")
    anne.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    anne.ok("CLOSE")
    assert b"MESSAGES 2" in anne.ok("STATUS dossier (MESSAGES)")[0]


def test_permanent_flags_are_those_that_may_be_set(chief: Imap, anne: Imap, team: Practice) -> None:
    """PERMANENTFLAGS reflects the rights (RFC 4314 section 5.1.1)."""
    for letters, expected in (
        ("lr", b"()"),
        ("lrs", b"(\\Seen)"),
        ("lrst", b"(\\Deleted \\Seen)"),
        ("lrw", b"(\\Answered \\Draft \\Flagged \\*)"),
    ):
        give(chief, team, letters)
        anne.run("UNSELECT")
        (line,) = [one for one in anne.ok("SELECT dossier") if b"PERMANENTFLAGS" in one]
        assert line.startswith(b"* OK [PERMANENTFLAGS %b]" % expected)


def test_a_right_withdrawn_ends_in_the_open_session(chief: Imap, anne: Imap, team: Practice) -> None:
    """What one could do a moment ago is refused, and the client hears of its flags."""
    anne.ok("SELECT dossier")
    anne.ok("STORE 1 +FLAGS (\\Flagged)")
    give(chief, team, "lrs")
    untagged, tagged = anne.run("STORE 1 -FLAGS (\\Flagged)")
    assert tagged.startswith(b"NO [NOPERM]")
    assert any(line.startswith(b"* OK [PERMANENTFLAGS (\\Seen)]") for line in untagged)


def test_who_may_no_longer_read_is_sent_away(door: Served, chief: Imap, team: Practice) -> None:
    """Without `r` the session on the folder ends with BYE, in a command as in IDLE; other folders stay open."""
    busy, idle, elsewhere = (door.imap(team.accounts["anne"]) for _ in range(3))
    busy.ok("SELECT dossier")
    idle.ok("SELECT dossier")
    elsewhere.ok("SELECT INBOX")
    idle.begin("IDLE")
    assert idle.response().startswith(b"+")
    give(chief, team, "l")
    assert b"* BYE" in idle.rest()
    busy.begin("FETCH 1 (FLAGS)")
    said = busy.rest()
    assert b"* BYE" in said
    assert b"FETCH" not in said
    assert elsewhere.ok("NOOP") == []
    for wire in (busy, idle, elsewhere):
        wire.close()


def test_a_new_folder_has_the_rights_of_the_one_above(chief: Imap, anne: Imap, team: Practice) -> None:
    """Inherited at CREATE, levels that are made along the way too, and not followed afterwards."""
    give(chief, team, "lrk")
    anne.ok("CREATE dossier/a/b")
    assert rights(anne, "dossier/a/b") == rights(anne, "dossier/a") == "lrk"
    give(chief, team, "lrswi")
    assert rights(anne, "dossier/a") == "lrk"
    chief.ok("RENAME dossier/a dossier/z")
    assert rights(anne, "dossier/z/b") == "lrk"
    chief.ok("DELETE dossier/z/b")
    chief.ok("DELETE dossier/z")
    chief.ok("CREATE dossier/z")
    assert rights(anne, "dossier/z") == "lrswi"
    chief.ok("DELETE dossier/z")


def test_who_may_not_list_sees_the_folder_nowhere(chief: Imap, anne: Imap, team: Practice) -> None:
    """LIST and LSUB leave it out; a child that may be listed has a parent that does not exist."""
    chief.ok("CREATE dossier/ouvert")
    give(chief, team, "rswi")
    assert anne.ok('LIST "" dossier*') == [
        b'* LIST (\\HasNoChildren) "/" dossier/ouvert',
        b'* LIST (\\NonExistent \\HasChildren \\Noselect) "/" dossier',
    ]
    assert b"dossier\r\n" not in b"\r\n".join([*anne.ok('LSUB "" *'), b""])
    chief.ok("DELETE dossier/ouvert")


def test_list_tells_rights(chief: Imap, anne: Imap, team: Practice) -> None:
    """LIST RETURN (MYRIGHTS) of RFC 8440: a line beside each mailbox; STATUS only where one may read."""
    give(chief, team, "lik")
    assert anne.ok('LIST "" dossier RETURN (MYRIGHTS STATUS (MESSAGES))') == [
        b'* LIST (\\HasNoChildren) "/" dossier',
        b"* MYRIGHTS dossier likc",
    ]
    give(chief, team, "lr")
    assert anne.ok('LIST "" (dossier INBOX) RETURN (MYRIGHTS STATUS (MESSAGES))')[-3:] == [
        b'* LIST (\\HasNoChildren) "/" dossier',
        b"* MYRIGHTS dossier lr",
        b"* STATUS dossier (MESSAGES 2)",
    ]


@pytest.mark.req("AUD-1")
def test_every_change_of_rights_is_traced(door: Served, chief: Imap, team: Practice) -> None:
    """Who gave which rights to whom, with those of before."""
    give(chief, team, "lr")
    chief.ok(f"DELETEACL dossier {team.login('anne')}")
    lines = [
        line
        for line in door.call(door.parts.store.trace(box_id=team.box.id, limit=1000))
        if line.event == "rights-set"
    ][-2:]
    assert [line.actor for line in lines] == [team.login(CHIEF)] * 2
    common = {"folder": "dossier", "member": team.login("anne")}
    assert lines[0].detail == {**common, "before": "lrswipkte", "rights": "lr"}
    assert lines[1].detail == {**common, "before": "lr", "rights": ""}


@pytest.mark.req("AUD-1")
def test_folders_that_members_make_and_take_away_are_traced(
    door: Served, team: Practice, chief: Imap
) -> None:
    """Who made, renamed and deleted which folder of the shared box."""
    chief.ok("CREATE suivi")
    chief.ok("RENAME suivi suivi2")
    chief.ok("DELETE suivi2")
    lines = door.call(door.parts.store.trace(box_id=team.box.id, limit=1000))[-3:]
    assert {line.actor for line in lines} == {team.login(CHIEF)}
    assert [(line.event, line.detail) for line in lines] == [
        ("folder-created", {"folder": "suivi"}),
        ("folder-renamed", {"folder": "suivi", "name": "suivi2"}),
        ("folder-deleted", {"folder": "suivi2"}),
    ]


def test_the_last_administrator_stays(door: Served) -> None:
    """In a box whose responsible professional has no login, the last member with `a` cannot lose it."""
    team = practice(door, "dora", "emma")
    chief, dora = door.imap(team.accounts[CHIEF]), door.imap(team.accounts["dora"])
    chief.ok(f"SETACL INBOX {team.login('dora')} +a")
    door.call(door.parts.store.remove_member(team.box.id, team.ids[CHIEF], LINE))
    assert dora.ending(f"SETACL INBOX {team.login('dora')} -a").startswith(b"NO [NOPERM]")
    assert dora.ending(f"DELETEACL INBOX {team.login('dora')}").startswith(b"NO [NOPERM]")
    dora.ok(f"SETACL INBOX {team.login('emma')} +a")
    dora.ok(f"SETACL INBOX {team.login('dora')} -a")
    assert dora.ending("GETACL INBOX").startswith(b"NO [NOPERM]")
    chief.close()
    dora.close()


def test_a_member_who_comes_back_has_no_rights_of_before(door: Served) -> None:
    """Leaving the box takes the rights along that were set for the person."""
    team = practice(door, "fred")
    chief = door.imap(team.accounts[CHIEF])
    chief.ok(f"SETACL INBOX {team.login('fred')} lra")
    store = door.parts.store
    door.call(store.remove_member(team.box.id, team.ids["fred"], LINE))
    door.call(store.add_member(team.box.id, team.ids["fred"], "member", LINE))
    fred = door.imap(team.accounts["fred"])
    assert rights(fred, "INBOX") == "lrswipkte"
    fred.close()
    chief.close()
