"""Carers at the IMAP door: they read and answer, and delete nothing (PAT-6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mss_gateway.base.secret import Secret
from mss_gateway.dev.handout import Account
from mss_gateway.identity.passwords import Passwords
from mss_gateway.ports.records import NewBox, TraceLine
from mss_gateway.rules.facts import BoxType
from tests.support.doors import Served
from tests.support.identities import ZOE
from tests.support.letters import letter
from tests.support.wires import Imap

pytestmark = pytest.mark.req("PAT-6")
ADDRESS = f"{ZOE['ins']}@essai.example"
LINE = TraceLine(0.0, "test", "", actor="ops")


@dataclass
class Family:
    """A patient's box with two logins: the holder's and a carer's."""

    box_id: int
    holder: Account
    carer: Account
    carer_id: int


@pytest.fixture(scope="module")
def family(door: Served) -> Family:
    """Provisioned straight in the store, since the sample's gateway hosts no patients."""
    store = door.parts.store

    async def provision() -> Family:
        hasher = Passwords()
        box = await store.add_box(NewBox(ADDRESS, BoxType.PAT), LINE)
        accounts, ids = [], []
        for login, role in (("titulaire", "holder"), ("aidant", "carer")):
            hashed = await hasher.hash(Secret("secret-" + login))
            person = await store.add_person(login, login.title(), "", hashed, LINE)
            await store.add_member(box.id, person.id, role, LINE)
            accounts.append(Account(ADDRESS, login, "secret-" + login, "PAT"))
            ids.append(person.id)
        hasher.close()
        return Family(box.id, *accounts, ids[1])

    return door.call(provision())


@pytest.fixture
def pair(door: Served, family: Family) -> Iterator[tuple[Imap, Imap]]:
    """Holder and carer in one folder of two messages, the first marked deleted by the holder."""
    holder, carer = door.imap(family.holder), door.imap(family.carer)
    holder.run("DELETE ensemble")
    holder.ok("CREATE ensemble")
    for _ in range(2):
        assert holder.append("ensemble", letter()).startswith(b"OK")
    holder.ok("SELECT ensemble")
    holder.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    carer.ok("SELECT ensemble")
    yield holder, carer
    holder.close()
    carer.close()


@pytest.mark.parametrize(
    "command",
    [
        "STORE 2 +FLAGS (\\Deleted)",
        "STORE 2 FLAGS (\\Deleted)",
        "UID STORE 2 FLAGS.SILENT (\\DELETED)",
        "EXPUNGE",
        "UID EXPUNGE 1:*",
        "MOVE 2 Trash",
        "UID MOVE 2 Trash",
        "DELETE ensemble",
        "RENAME ensemble autre",
        "RENAME INBOX autre",
    ],
)
def test_a_carer_deletes_nothing(pair: tuple[Imap, Imap], command: str) -> None:
    """Whatever would take a message from the patient is answered with NO and its reason, and nothing changes."""
    holder, carer = pair
    assert carer.run(command)[-1].startswith(b"NO [NOPERM]")
    assert holder.ok("UID SEARCH ALL") == [b"* SEARCH 1 2"]
    assert holder.ok("UID SEARCH DELETED") == [b"* SEARCH 1"]


def test_close_of_a_carer_expunges_nothing(pair: tuple[Imap, Imap]) -> None:
    """CLOSE is UNSELECT for a carer; the holder's own takes what is marked."""
    holder, carer = pair
    carer.ok("CLOSE")
    assert holder.ok("UID SEARCH ALL") == [b"* SEARCH 1 2"]
    holder.ok("CLOSE")
    assert holder.ok("SELECT ensemble") is not None
    assert holder.ok("UID SEARCH ALL") == [b"* SEARCH 2"]


def test_permanent_flags_tell_the_truth(pair: tuple[Imap, Imap]) -> None:
    """`\\Deleted` may be seen but not set; for the holder it may."""
    holder, carer = pair

    def permanent(wire: Imap) -> bytes:
        (line,) = [one for one in wire.ok("SELECT ensemble") if b"PERMANENTFLAGS" in one]
        return line

    assert b"\\Deleted" not in permanent(carer)
    assert b"\\Seen" in permanent(carer)
    assert b"\\Deleted" in permanent(holder)


def test_a_carer_reads_and_keeps_answers(pair: tuple[Imap, Imap]) -> None:
    """Opening sets the patient's own \\Seen, so that it counts as opening; copies and saved answers are fine."""
    holder, carer = pair
    carer.ok("FETCH 2 (BODY[])")
    assert b"* SEARCH 2" in holder.ok("UID SEARCH SEEN")
    carer.ok("STORE 2 +FLAGS (\\Answered)")
    carer.ok("STORE 2 FLAGS (\\Seen \\Answered)")
    carer.ok("COPY 2 Trash")
    assert carer.append("Sent", letter()).startswith(b"OK")


def test_an_appended_message_is_not_marked_deleted(pair: tuple[Imap, Imap]) -> None:
    """A flag that may not be set is left out (RFC 4314 section 4)."""
    holder, carer = pair
    data = letter()
    carer.send(b"x1 APPEND ensemble (\\Deleted \\Seen) {%d+}\r\n" % len(data) + data + b"\r\n")
    while not carer.line().startswith(b"x1 OK"):
        pass
    assert b"* SEARCH 1" in holder.ok("UID SEARCH DELETED")


def test_what_a_carer_may_change_is_changed(pair: tuple[Imap, Imap]) -> None:
    """STORE of \\Seen and \\Deleted together sets the former alone (RFC 4314 section 4)."""
    holder, carer = pair
    carer.ok("STORE 2 +FLAGS.SILENT (\\Seen \\deleted)")
    holder.ok("NOOP")
    assert holder.ok("UID SEARCH DELETED") == [b"* SEARCH 1"]
    assert holder.ok("UID SEARCH SEEN") == [b"* SEARCH 2"]


def test_a_carer_cannot_be_given_more(pair: tuple[Imap, Imap]) -> None:
    """The holder may take rights from a carer, but give none with which to delete (PAT-6)."""
    holder, carer = pair
    assert carer.ok("MYRIGHTS ensemble") == [b"* MYRIGHTS ensemble lrswipkc"]
    for letters in ("+t", "+e", "+x", "+a", "lrd"):
        assert holder.ending(f"SETACL ensemble aidant {letters}").startswith(b"NO [NOPERM]")
    assert holder.ok("LISTRIGHTS ensemble aidant") == [b'* LISTRIGHTS ensemble aidant "" l r s w i p k c']
    holder.ok("SETACL ensemble aidant lr")
    assert carer.ending("STORE 2 +FLAGS (\\Seen)").startswith(b"NO [NOPERM]")


def test_a_holder_made_a_carer_deletes_nothing_in_the_open_session(door: Served, family: Family) -> None:
    """Rights that shrink do so at once."""
    store = door.parts.store
    door.call(store.add_member(family.box_id, family.carer_id, "holder", LINE))
    wire = door.imap(family.carer, select="INBOX")
    assert wire.ok("EXPUNGE") == []
    door.call(store.add_member(family.box_id, family.carer_id, "carer", LINE))
    assert wire.ending("EXPUNGE").startswith(b"NO [NOPERM]")
    wire.close()


def test_a_carer_replaces_nothing_and_sets_no_deleted_flag(pair: tuple[Imap, Imap]) -> None:
    """REPLACE expunges (RFC 8508); APPEND takes the flags that the carer may set (RFC 4314 section 4)."""
    holder, carer = pair
    message = letter()
    literal = b"{%d+}\r\n%b" % (len(message), message)
    assert carer.ending(b"REPLACE 2 ensemble " + literal).startswith(b"NO [NOPERM]")
    assert carer.ending(b"UID REPLACE 2 ensemble " + literal).startswith(b"NO [NOPERM]")
    assert carer.append("ensemble", message, "(\\Deleted \\Flagged)").startswith(b"OK")
    holder.ok("NOOP")
    (line,) = holder.fetch("3", "(FLAGS)")
    assert b"\\Flagged" in line
    assert b"\\Deleted" not in line
