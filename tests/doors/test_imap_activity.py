"""Who did what in a shared mailbox, over real sockets: kept under the member's name, shown to members (BAL-3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from mss_gateway.ports.records import NewBox
from mss_gateway.rules.facts import BoxType
from tests.support.doors import Served
from tests.support.letters import HOSTED, letter
from tests.support.team import LINE, Team, team
from tests.support.wires import Imap, literal

pytestmark = pytest.mark.req("BAL-3")

ACTIVITY = "/shared/vendor/mss-gateway/activity"
_LINE = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d (.+)")


@pytest.fixture
def org(door: Served) -> Team:
    """A new ORG box with Alix and Bo."""
    return team(door)


@pytest.fixture
def pair(org: Team) -> Iterator[tuple[Imap, Imap]]:
    """Alix and Bo in the INBOX of their box, with two letters in it."""
    org.receives()
    org.receives()
    alix, bo = org.both()
    yield alix, bo
    alix.close()
    bo.close()


def acts(org: Team, **asked: object) -> list[tuple[str, str]]:
    """What `bal activity` answers: name and act, the latest first."""
    operation = org.door.parts.operations["bal.activity"]
    result = org.door.call(operation({"address": org.address, **asked}))
    return [(one["name"], one["act"]) for one in result["activity"]]


def told(wire: Imap, entry: str = ACTIVITY, folder: str = "INBOX") -> list[str]:
    """The lines of an entry without their dates; empty when it is NIL."""
    (response,) = wire.ok(f"GETMETADATA {folder} {entry}")
    if response.endswith(b" NIL)"):
        return []
    lines = literal(response).decode() if b"{" in response else response.split(b'"')[-2].decode()
    found = [_LINE.fullmatch(line) for line in lines.split("\n")]
    assert all(found), lines
    return [line[1] for line in found if line]


def test_a_reads_and_b_answers(org: Team) -> None:
    """The whole story: read by one, still new for the other, answered by the other, seen by both and named."""
    message_id = org.receives()
    alix, bo = org.both()
    alix.ok("FETCH 1 (BODY[])")
    assert bo.ok("SEARCH UNSEEN") == [b"* SEARCH 1"]
    assert alix.ok("SEARCH SEEN") == [b"* SEARCH 1"]
    assert acts(org) == [("Alix Martin", "read")]

    wire = org.door.submission(org.bo)
    answer = letter(org.address, "service.accueil@example.org", more=f"In-Reply-To: {message_id}\r\n")
    recipient = org.door.handout.account("PER").address
    assert wire.deliver(org.address, recipient, answer).startswith("250")
    wire.close()
    assert acts(org) == [("Bo Durand", "answered"), ("Alix Martin", "read")]
    bo.ok("STORE 1 +FLAGS (\\Answered)")
    assert alix.ok("NOOP") == [b"* 1 FETCH (UID 1 FLAGS (\\Answered \\Seen))"]
    assert alix.ok("SEARCH ANSWERED") == bo.ok("SEARCH ANSWERED") == [b"* SEARCH 1"]
    assert acts(org, message_id=message_id.strip("<>")) == [
        ("Bo Durand", "answered"),
        ("Alix Martin", "read"),
    ]
    assert told(alix) == told(bo) == ["Bo Durand : répondu (UID 1)", "Alix Martin : lu (UID 1)"]
    assert told(bo, f"{ACTIVITY}/1") == ["Bo Durand : répondu", "Alix Martin : lu"]
    lines = org.door.call(org.door.parts.store.trace(message_id))
    events = [(line.event, line.actor) for line in lines if line.event.startswith("member-")]
    assert events == [("member-read", org.alix.login), ("member-answered", org.bo.login)]
    alix.close()
    bo.close()


@pytest.mark.parametrize(
    "field",
    [
        "In-Reply-To: {id}\r\nReferences: <a@b.example>\r\n",
        "References: <a@b.example> <c@d.example>\r\n {id}\r\n",
        "in-reply-to: Lettre de {id} (20 nov.)\r\n",
    ],
)
def test_what_counts_as_an_answer(org: Team, field: str) -> None:
    """In-Reply-To, else the last of References."""
    message_id = org.receives()
    wire = org.door.submission(org.alix)
    data = letter(org.address, org.address, more=field.format(id=message_id))
    assert wire.deliver(org.address, org.address, data).startswith("250")
    wire.close()
    assert acts(org) == [("Alix Martin", "answered")]


@pytest.mark.parametrize(
    "field",
    [
        "References: {id} <c@d.example>\r\n",
        "In-Reply-To: {id}\r\nAuto-Submitted: auto-replied\r\n",
        "X-In-Reply-To: {id}\r\n",
    ],
)
def test_what_does_not(org: Team, field: str) -> None:
    """Another message of the conversation, and mail that a program has written."""
    message_id = org.receives()
    wire = org.door.submission(org.alix)
    data = letter(org.address, org.address, more=field.format(id=message_id))
    assert wire.deliver(org.address, org.address, data).startswith("250")
    wire.close()
    assert acts(org) == []


def test_filed_and_removed(org: Team, pair: tuple[Imap, Imap]) -> None:
    """MOVE, COPY, the trash, EXPUNGE and CLOSE, each under its own name; the acts go with the message."""
    alix, bo = pair
    alix.ok("FETCH 1 (BODY[])")
    bo.ok("MOVE 1 Archive")
    assert told(alix, folder="Archive") == ["Bo Durand : classé (UID 1)", "Alix Martin : lu (UID 1)"]
    alix.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)")
    bo.ok("CLOSE")
    assert set(acts(org)) == {
        ("Alix Martin", "read"),
        ("Bo Durand", "filed"),
        ("Alix Martin", "deleted"),
        ("Bo Durand", "removed"),
    }
    assert told(alix) == []


def test_reading_without_marking_is_no_act(org: Team, pair: tuple[Imap, Imap]) -> None:
    """PEEK, headers and EXAMINE leave no trace, and so does taking a flag away."""
    alix, bo = pair
    alix.ok("FETCH 1:2 (BODY.PEEK[] ENVELOPE RFC822.HEADER)")
    bo.ok("EXAMINE INBOX")
    bo.ok("FETCH 1:2 (BODY[])")
    alix.ok("STORE 1 -FLAGS (\\Seen \\Flagged)")
    assert acts(org) == []
    assert told(alix) == []


def test_below_the_entry_is_one_for_each_message(org: Team, pair: tuple[Imap, Imap]) -> None:
    """DEPTH 1 gives the acts message by message; they cannot be set, and a UID that is none is NIL."""
    alix, bo = pair
    alix.ok("STORE 2 +FLAGS (\\Flagged \\Seen)")
    bo.ok("FETCH 1 (BODY[])")
    (response,) = bo.ok(f"GETMETADATA (DEPTH infinity) INBOX ({ACTIVITY})")
    names = re.findall(rb"(/shared/[a-z/-]+[0-9]*) ", response)
    assert [name.decode() for name in names] == [ACTIVITY, f"{ACTIVITY}/1", f"{ACTIVITY}/2"]
    (response,) = bo.ok("GETMETADATA (DEPTH 1) INBOX (/shared/vendor/mss-gateway)")
    assert re.findall(rb"activity/?\d*", response) == [b"activity"]
    assert told(alix, f"{ACTIVITY}/9") == told(alix, f"{ACTIVITY}/01") == []
    assert bo.ending(f'SETMETADATA INBOX ({ACTIVITY}/1 "moi")').startswith(b"NO [CANNOT]")
    lines = told(bo)
    assert sorted(lines) == sorted(
        ["Alix Martin : lu (UID 2)", "Alix Martin : marqué (UID 2)", "Bo Durand : lu (UID 1)"]
    )


def test_listed_with_the_mailboxes(org: Team, pair: tuple[Imap, Imap]) -> None:
    """RFC 9590: one LIST tells the acts of every folder."""
    alix, bo = pair
    alix.ok("FETCH 1 (BODY[])")
    lines = bo.ok(f'LIST "" "*" RETURN (METADATA ({ACTIVITY}))')
    values = {line.split()[2]: line for line in lines if line.startswith(b"* METADATA")}
    assert b"Alix Martin" in values.pop(b"INBOX")
    assert values
    assert all(line.endswith(b"NIL)") for line in values.values())


def test_a_cabinet_as_well_and_ones_own_box_never(door: Served) -> None:
    """CAB boxes have members; a box with one owner keeps nothing, and `bal activity` says why."""
    cab = team(door, BoxType.CAB)
    cab.receives()
    alix, bo = cab.both()
    alix.ok("FETCH 1 (BODY[])")
    assert acts(cab) == [("Alix Martin", "read")]
    account = door.account("PER")
    own = door.imap(account)
    own.append("INBOX", letter(), "(\\Flagged)")
    own.ok("SELECT INBOX")
    own.ok("STORE 1:* +FLAGS (\\Seen)")
    assert told(own) == []
    for wire in (alix, bo, own):
        wire.close()


def test_under_shared_for_who_has_a_box_of_their_own(org: Team) -> None:
    """The same entries at the name under which the client sees the folder, and in ENABLE METADATA news."""
    store = org.door.parts.store
    own = org.door.call(store.add_box(NewBox(f"bo.durand.{org.box_id}@{HOSTED}", BoxType.PER), LINE))
    org.door.call(store.add_member(own.id, org.people[1], "holder", LINE))
    org.receives()
    alix, bo = org.door.imap(org.alix, select="INBOX"), org.door.imap(org.bo)
    folder = f"Shared/{org.address}/INBOX"
    alix.ok("FETCH 1 (BODY[])")
    assert told(bo, folder=folder) == ["Alix Martin : lu (UID 1)"]
    assert bo.ok(f"GETMETADATA INBOX {ACTIVITY}") == [f"* METADATA INBOX ({ACTIVITY} NIL)".encode()]
    bo.ok("ENABLE METADATA")
    alix.ok('SETMETADATA INBOX (/shared/comment "accueil")')
    assert bo.ok("NOOP") == [f"* METADATA {folder} /shared/comment".encode()]
    alix.close()
    bo.close()
