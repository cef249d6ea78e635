"""NOTIFY (RFC 5465) over real sockets, made after the examples of the RFC, and beside what it meets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.team import Team, actor_and_listener, held_team
from tests.support.wires import Imap

pytestmark = pytest.mark.req("IMP-1")

MAIL = b"From: a@b.example\r\nSubject: Bilan\r\n\r\nBonjour.\r\n"
BOTH = "MessageNew MessageExpunge"
ALL = "MessageNew MessageExpunge FlagChange"
_names = (f"avis{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def org(door: Served) -> Team:
    """An ORG box for the whole file: Alix holds it."""
    return held_team(door)


@pytest.fixture
def pair(org: Team) -> Iterator[tuple[Imap, Imap, str]]:
    """Alix who acts, Bo who listens, and a folder of this test's own."""
    with actor_and_listener(org, next(_names)) as found:
        yield found


def status(line: bytes) -> dict[str, int]:
    """The counters of a STATUS line."""
    found = re.fullmatch(rb"\* STATUS \S+ \((.*)\)", line)
    assert found is not None, line
    words = found[1].decode().split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def test_status_at_once_and_with_every_new_message(pair: tuple[Imap, Imap, str]) -> None:
    """The first example of the RFC: a subtree is watched, its mailboxes are told of before the tagged OK."""
    alix, bo, name = pair
    alix.ok(f"CREATE {name}/liste")
    before = bo.ok(f"NOTIFY SET STATUS (selected ({BOTH})) (subtree {name} ({BOTH}))")
    assert {line.split()[2] for line in before} == {name.encode(), f"{name}/liste".encode()}
    assert status(before[0]).keys() == {"MESSAGES", "UIDNEXT", "UIDVALIDITY"}
    assert status(before[0])["MESSAGES"] == 0
    bo.ok("SELECT INBOX")
    alix.append(f"{name}/liste", MAIL)
    told = bo.response()
    assert told.startswith(f"* STATUS {name}/liste (".encode())
    assert status(told)["MESSAGES"] == 1
    assert status(told)["UIDNEXT"] == 2
    assert bo.quiet()


def test_new_messages_of_the_selected_mailbox_come_with_what_was_asked(pair: tuple[Imap, Imap, str]) -> None:
    """EXISTS and then FETCH, while the client is silent; nothing becomes \\Seen by it."""
    alix, bo, name = pair
    bo.ok(f"SELECT {name}")
    bo.ok("NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)]) MessageExpunge))")
    alix.append(name, MAIL)
    assert bo.response() == b"* 1 EXISTS"
    assert bo.response() == (
        b"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (FROM SUBJECT)] {37}\r\n"
        b"From: a@b.example\r\nSubject: Bilan\r\n\r\n)"
    )
    bo.ok("NOTIFY SET (selected (MessageNew (FLAGS BODY[TEXT]) MessageExpunge))")
    alix.append(name, MAIL)
    assert bo.response() == b"* 2 EXISTS"
    assert bo.response() == b"* 2 FETCH (FLAGS () BODY[TEXT] {10}\r\nBonjour.\r\n)"
    assert bo.fetch("2", "FLAGS") == [b"* 2 FETCH (FLAGS ())"]


def test_own_messages_are_not_fetched(pair: tuple[Imap, Imap, str]) -> None:
    """Who has put a message in knows it (RFC 5465 section 5.2)."""
    _, bo, name = pair
    bo.ok(f"SELECT {name}")
    bo.ok("NOTIFY SET (selected (MessageNew (UID) MessageExpunge))")
    untagged, tagged = bo.run(f"APPEND {name} {{{len(MAIL)}+}}\r\n".encode() + MAIL)
    assert tagged.startswith(b"OK")
    assert untagged == [b"* 1 EXISTS"]
    assert bo.ok(f"COPY 1 {name}") == [b"* 2 EXISTS"]
    assert bo.quiet()


def test_selected_tells_expunges_at_once(pair: tuple[Imap, Imap, str]) -> None:
    """SELECTED takes message numbers from the client; flags come too when they are asked for."""
    alix, bo, name = pair
    alix.append(name, MAIL)
    alix.append(name, MAIL)
    bo.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (selected ({ALL}))")
    alix.ok(f"SELECT {name}")
    alix.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert bo.response() == b"* 1 FETCH (UID 1 FLAGS (\\Deleted))"
    alix.ok("EXPUNGE")
    assert bo.response() == b"* 1 EXPUNGE"
    assert bo.quiet()


def test_selected_delayed_keeps_expunges_back(pair: tuple[Imap, Imap, str]) -> None:
    """SELECTED-DELAYED: expunges wait for a command that allows them, or for IDLE; new messages do not."""
    alix, bo, name = pair
    for _ in range(3):
        alix.append(name, MAIL)
    bo.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (selected-delayed ({BOTH}))")
    alix.ok(f"SELECT {name}")
    alix.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    alix.ok("EXPUNGE")
    assert bo.quiet()
    alix.append(name, MAIL)
    assert bo.response() == b"* 4 EXISTS"
    assert bo.fetch("2", "UID") == [b"* 2 FETCH (UID 2)"]
    assert bo.ok("NOOP") == [b"* 1 EXPUNGE"]
    alix.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    alix.ok("EXPUNGE")
    assert bo.quiet()
    tag = bo.begin("IDLE")
    assert bo.response().startswith(b"+ ")
    assert bo.response() == b"* 1 EXPUNGE"
    bo.send(b"DONE\r\n")
    assert bo.until(tag)[0] == []


def test_flags_that_were_not_asked_for_are_not_told(pair: tuple[Imap, Imap, str]) -> None:
    """Without FlagChange neither FETCH nor STATUS tells of flags, with it both do."""
    alix, bo, name = pair
    alix.append(name, MAIL)
    alix.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (mailboxes {name} ({BOTH}))")
    alix.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
    assert bo.quiet()
    bo.ok(f"NOTIFY SET (mailboxes {name} ({ALL}))")
    alix.ok("STORE 1 -FLAGS.SILENT (\\Flagged)")
    told = status(bo.response())
    assert told["MESSAGES"] == 1
    assert told["HIGHESTMODSEQ"] > 0
    bo.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (selected ({BOTH}))")
    alix.ok("STORE 1 +FLAGS.SILENT (\\Answered)")
    assert bo.quiet()
    assert bo.ok("NOOP") == []


def test_without_selected_the_folder_in_hand_is_silent(pair: tuple[Imap, Imap, str]) -> None:
    """Neither NOOP nor IDLE tells of messages then, and a group that names the folder does not either."""
    alix, bo, name = pair
    bo.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (mailboxes {name} ({ALL}))")
    alix.append(name, MAIL)
    assert bo.quiet()
    assert bo.ok("NOOP") == []
    tag = bo.begin("IDLE")
    assert bo.response().startswith(b"+ ")
    alix.append(name, MAIL)
    assert bo.quiet()
    bo.send(b"DONE\r\n")
    assert bo.until(tag)[0] == []
    assert b"* 2 EXISTS" in bo.ok(f"NOTIFY SET (selected ({BOTH}))")  # NOTIFY SET implies NOOP


def test_none_ends_everything(pair: tuple[Imap, Imap, str]) -> None:
    """NOTIFY NONE: no event at all, until the next NOTIFY."""
    alix, bo, name = pair
    bo.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (selected ({BOTH})) (personal ({BOTH} MailboxName))")
    bo.ok("NOTIFY NONE")
    alix.append(name, MAIL)
    alix.ok(f"CREATE {name}/neuf")
    assert bo.quiet()
    assert bo.ok("NOOP") == []


def test_names_of_mailboxes(pair: tuple[Imap, Imap, str]) -> None:
    """CREATE, RENAME with OLDNAME, DELETE: LIST for each; inferiors of a renamed mailbox are not named."""
    alix, bo, name = pair
    alix.ok(f"CREATE {name}/fils")
    bo.ok("NOTIFY SET (personal (MailboxName))")
    alix.ok(f"CREATE {name}x")
    assert bo.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {name}x'.encode()
    alix.ok(f"RENAME {name} {name}y")
    assert bo.response() == (f'* LIST (\\HasChildren \\Subscribed) "/" {name}y ("OLDNAME" ({name}))'.encode())
    alix.ok(f"DELETE {name}x")
    assert bo.response() == f'* LIST (\\NonExistent) "/" {name}x'.encode()
    alix.ok(f"DELETE {name}y")
    assert bo.response() == f'* LIST (\\NonExistent \\HasChildren) "/" {name}y'.encode()
    assert bo.quiet()


def test_own_acts_are_not_told(pair: tuple[Imap, Imap, str]) -> None:
    """What a client does itself it knows (RFC 5465 section 5); the new mailbox is watched all the same."""
    alix, _, name = pair
    alix.ok(f"NOTIFY SET (personal ({BOTH} MailboxName SubscriptionChange))")
    alix.ok(f"CREATE {name}/a/b")
    alix.ok(f"RENAME {name}/a {name}/c")
    alix.ok(f"UNSUBSCRIBE {name}/c")
    alix.ok(f"SUBSCRIBE {name}/c")
    assert alix.quiet()
    alix.append(f"{name}/c/b", MAIL)
    assert alix.response().startswith(f"* STATUS {name}/c/b (".encode())
    alix.ok(f"DELETE {name}/c/b")
    assert alix.quiet()


def test_a_mailbox_that_comes_later_is_watched(pair: tuple[Imap, Imap, str]) -> None:
    """Patterns are looked at anew: a message in a mailbox made a moment ago is told."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (subtree {name} ({BOTH}))")
    alix.ok(f"CREATE {name}/neuf")
    alix.append(f"{name}/neuf", MAIL)
    assert bo.response().startswith(f"* STATUS {name}/neuf (MESSAGES 1 ".encode())
    alix.ok(f"RENAME {name}/neuf {name}autre")  # no longer in the subtree
    alix.append(f"{name}autre", MAIL)
    assert bo.quiet()


def test_subscriptions(pair: tuple[Imap, Imap, str], org: Team) -> None:
    """One's own subscriptions, made in another session; others' are nobody's business."""
    alix, bo, name = pair
    other = org.door.imap(org.bo)
    bo.ok(f"NOTIFY SET (subscribed ({BOTH} SubscriptionChange))")
    other.ok(f"UNSUBSCRIBE {name}")
    assert bo.response() == f'* LIST (\\HasNoChildren) "/" {name}'.encode()
    alix.append(name, MAIL)
    alix.ok(f"UNSUBSCRIBE {name}")
    assert bo.quiet()
    other.ok(f"SUBSCRIBE {name}")
    assert bo.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {name}'.encode()
    assert bo.response().startswith(f"* STATUS {name} (MESSAGES 1 ".encode())  # what is in it is news
    other.close()


def test_none_takes_mailboxes_out(pair: tuple[Imap, Imap, str]) -> None:
    """A group with NONE before another one, and INBOXES, which are where mail is delivered."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (mailboxes ({name}) NONE) (personal ({BOTH}))")
    alix.append(name, MAIL)
    assert bo.quiet()
    bo.ok(f"NOTIFY SET (inboxes ({BOTH}))")
    alix.append(name, MAIL)
    alix.append("INBOX", MAIL)
    assert bo.response().startswith(b"* STATUS INBOX (")
    assert bo.quiet()


def test_annotations(pair: tuple[Imap, Imap, str]) -> None:
    """MailboxMetadataChange names the entries; without it, ENABLE METADATA or not, nothing does."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (mailboxes {name} (MailboxMetadataChange))")
    alix.ok(f'SETMETADATA {name} (/shared/comment "x")')
    assert bo.response() == f"* METADATA {name} /shared/comment".encode()
    bo.ok("ENABLE METADATA")
    bo.ok(f"NOTIFY SET (mailboxes {name} ({BOTH}))")
    alix.ok(f'SETMETADATA {name} (/shared/comment "y")')
    assert bo.quiet()


def test_annotations_of_the_server(pair: tuple[Imap, Imap, str], org: Team) -> None:
    """ServerMetadataChange: one's own entries, changed in another session."""
    _, bo, _ = pair
    other = org.door.imap(org.bo)
    bo.ok("NOTIFY SET (personal (ServerMetadataChange))")
    other.ok('SETMETADATA "" (/private/comment "x")')
    assert bo.response() == b'* METADATA "" /private/comment'
    other.close()


def test_rights_that_are_withdrawn_and_given_back(pair: tuple[Imap, Imap, str], org: Team) -> None:
    """\\NoAccess and silence, then LIST and events again (RFC 5465 section 5.9)."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (mailboxes {name} ({BOTH}))")
    alix.ok(f"SETACL {name} {org.bo.login} l")
    assert bo.response() == f'* LIST (\\NoAccess) "/" {name}'.encode()
    alix.append(name, MAIL)
    assert bo.quiet()
    late = org.door.imap(org.bo)
    assert late.ok(f"NOTIFY SET STATUS (mailboxes {name} ({BOTH}))") == [
        f'* LIST (\\NoAccess) "/" {name}'.encode()
    ]
    alix.ok(f"SETACL {name} {org.bo.login} lrswi")
    for box in (bo, late):
        assert box.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {name}'.encode()
        assert box.response().startswith(f"* STATUS {name} (MESSAGES 1 ".encode())
    alix.append(name, MAIL)
    assert bo.response().startswith(f"* STATUS {name} (MESSAGES 2 ".encode())
    late.close()


def test_mailboxes_that_are_not_there_are_passed_over(pair: tuple[Imap, Imap, str]) -> None:
    """They may come later."""
    alix, bo, name = pair
    assert bo.ok(f"NOTIFY SET STATUS (mailboxes ({name}z {name}) ({BOTH} MailboxName))") != []
    alix.ok(f"CREATE {name}z")
    assert bo.response().endswith(f'"/" {name}z'.encode())


def test_condstore_and_qresync(pair: tuple[Imap, Imap, str]) -> None:
    """STATUS has HIGHESTMODSEQ, expunges are VANISHED, flags come with MODSEQ."""
    alix, bo, name = pair
    alix.append(name, MAIL)
    bo.ok("ENABLE QRESYNC")
    assert "HIGHESTMODSEQ" in status(bo.ok(f"NOTIFY SET STATUS (mailboxes {name} ({BOTH}))")[0])
    bo.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (selected ({ALL}))")
    alix.ok(f"SELECT {name}")
    alix.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert re.fullmatch(rb"\* 1 FETCH \(UID 1 FLAGS \(\\Deleted\) MODSEQ \(\d+\)\)", bo.response())
    alix.ok("EXPUNGE")
    assert bo.response() == b"* VANISHED 1"


def test_delayed_expunges_under_qresync_are_announced_once(pair: tuple[Imap, Imap, str]) -> None:
    """While expunges wait, the client knows from where to ask when it is cut off; it hears that once."""
    alix, bo, name = pair
    alix.append(name, MAIL)
    bo.ok("ENABLE QRESYNC")
    bo.ok(f"SELECT {name}")
    bo.ok(f"NOTIFY SET (selected-delayed ({BOTH}))")
    alix.ok(f"SELECT {name}")
    alix.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    alix.ok("EXPUNGE")
    assert bo.response().startswith(b"* OK [HIGHESTMODSEQ ")
    assert bo.quiet()
    assert b"* VANISHED 1" in bo.ok("NOOP")


def test_uidonly(pair: tuple[Imap, Imap, str]) -> None:
    """No number is sent: UIDFETCH and VANISHED."""
    alix, bo, name = pair
    bo.ok("ENABLE UIDONLY")
    bo.ok(f"SELECT {name}")
    bo.ok("NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))")
    alix.append(name, MAIL)
    assert bo.response() == b"* 1 EXISTS"
    assert bo.response() == b"* 1 UIDFETCH (FLAGS ())"
    alix.ok(f"SELECT {name}")
    alix.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert bo.response() == b"* 1 UIDFETCH (FLAGS (\\Deleted))"
    alix.ok("EXPUNGE")
    assert bo.response() == b"* VANISHED 1"


def test_search_contexts_are_told_between_exists_and_fetch(pair: tuple[Imap, Imap, str]) -> None:
    """EXISTS, ESEARCH ADDTO, FETCH: in this order (RFC 5465 section 5.2)."""
    alix, bo, name = pair
    bo.ok(f"SELECT {name}")
    bo.ok("NOTIFY SET (selected (MessageNew (UID) MessageExpunge))")
    tag = bo.begin("UID SEARCH RETURN (CONTEXT UPDATE) UNSEEN")
    bo.until(tag)
    alix.append(name, MAIL)
    assert bo.response() == b"* 1 EXISTS"
    assert bo.response() == b'* ESEARCH (TAG "%b") UID ADDTO (0 1)' % tag
    assert bo.response() == b"* 1 FETCH (UID 1)"


def test_an_append_under_way_is_not_interrupted(pair: tuple[Imap, Imap, str]) -> None:
    """Events wait while a command has begun, and come after its answer."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (mailboxes {name} ({BOTH}))")
    bo.send(b"x APPEND INBOX {%d+}\r\n" % len(MAIL) + MAIL[:10])
    alix.append(name, MAIL)
    assert bo.quiet()
    bo.send(MAIL[10:] + b"\r\n")
    assert bo.response().startswith(b"x OK")
    assert bo.response().startswith(f"* STATUS {name} (".encode())


def test_it_goes_on_in_compressed_sessions_and_ends_with_the_login(
    pair: tuple[Imap, Imap, str], org: Team
) -> None:
    """UNAUTHENTICATE: whoever logs in next has not asked for anything (RFC 8437)."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (personal ({BOTH} MailboxName MailboxMetadataChange))")
    bo.ok("UNAUTHENTICATE")
    bo.ok(f"LOGIN {org.bo.login} {org.bo.password}")
    alix.append(name, MAIL)
    alix.ok(f"CREATE {name}/neuf")
    assert bo.quiet()
    assert bo.ok("NOOP") == []


def test_logout_leaves_nobody_watching(pair: tuple[Imap, Imap, str], org: Team) -> None:
    """The hub forgets a session that has gone, by LOGOUT or without a word."""
    _, _, name = pair
    hub = org.door.parts.hub
    one, other = org.door.imap(org.bo), org.door.imap(org.bo)
    for box in (one, other):
        box.ok(f"SELECT {name}")
        box.ok(f"NOTIFY SET (selected ({BOTH})) (personal ({BOTH} MailboxName))")
    watching = sum(map(len, hub._folders.values()))
    one.ok("LOGOUT")
    other.close()
    for _ in range(100):
        bo = org.door.imap(org.bo)
        bo.close()
        if sum(map(len, hub._folders.values())) <= watching - 10:
            break
    assert sum(map(len, hub._folders.values())) <= watching - 10


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ("NOTIFY", b"BAD"),
        ("NOTIFY SET", b"BAD"),
        ("NOTIFY SET STATUS", b"BAD"),
        ("NOTIFY ADD (personal NONE)", b"BAD"),
        ("NOTIFY SET (personal (MessageNew))", b"BAD"),
        ("NOTIFY SET (personal (MessageExpunge))", b"BAD"),
        ("NOTIFY SET (personal (FlagChange))", b"BAD"),
        ("NOTIFY SET (selected (MailboxName))", b"BAD"),
        ("NOTIFY SET (personal (MessageNew (UID) MessageExpunge))", b"BAD"),
        (f"NOTIFY SET (selected ({BOTH})) (selected-delayed ({BOTH}))", b"BAD"),
        ("NOTIFY SET (personal ())", b"BAD"),
        ("NOTIFY SET (mailboxes () NONE)", b"BAD"),
        ("NOTIFY SET (everywhere NONE)", b"BAD"),
    ],
)
def test_what_is_not_well_formed(pair: tuple[Imap, Imap, str], command: str, ending: bytes) -> None:
    """The conditions of RFC 5465 sections 5, 6.1 and 8."""
    assert pair[1].ending(command).startswith(ending)


def test_events_that_are_not_told_here(pair: tuple[Imap, Imap, str]) -> None:
    """BADEVENT names the events that are; what was asked before goes on."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (mailboxes {name} ({BOTH}))")
    answer = bo.ending(f"NOTIFY SET (personal ({BOTH} AnnotationChange))")
    assert answer.startswith(
        b"NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
        b" MailboxMetadataChange ServerMetadataChange)]"
    )
    alix.append(name, MAIL)
    assert bo.response().startswith(b"* STATUS ")


def test_more_than_one_session_may_hear_of(
    pair: tuple[Imap, Imap, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many mailboxes are refused, too many acts end it: then nothing more is told (RFC 5465 section 5.8)."""
    alix, bo, name = pair
    monkeypatch.setattr("mss_gateway.imapd.notifier.MOST_FOLDERS", 3)
    assert bo.ending(f"NOTIFY SET (personal ({BOTH}))").startswith(b"NO [NOTIFICATIONOVERFLOW]")
    bo.ok(f"NOTIFY SET (subtree {name} ({BOTH} MailboxName))")
    for number in range(4):
        alix.run(f"CREATE {name}/{number}")
    told = [bo.response()]
    while not told[-1].startswith(b"* OK [NOTIFICATIONOVERFLOW]"):
        told.append(bo.response())
    alix.append(name, MAIL)
    assert bo.quiet()


def test_search_results_come_with_what_update_asked(pair: tuple[Imap, Imap, str]) -> None:
    """UPDATE with FETCH items (RFC 5465 section 7): once for each message, joined with what NOTIFY asked."""
    alix, bo, name = pair
    alix.append(name, MAIL)
    bo.ok(f"SELECT {name}")
    tag = bo.begin("UID SEARCH RETURN (UPDATE (UID BODY[HEADER.FIELDS (SUBJECT)]) COUNT) SUBJECT bilan")
    assert bo.until(tag)[0] == [b'* ESEARCH (TAG "%b") UID COUNT 1' % tag]
    alix.append(name, MAIL)
    header = b"BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: Bilan\r\n\r\n"
    added = b'* ESEARCH (TAG "%b") UID ADDTO (0 ' % tag
    assert bo.ok("NOOP") == [b"* 2 EXISTS", added + b"2)", b"* 2 FETCH (UID 2 %b)" % header]
    bo.ok("NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))")
    alix.append(name, MAIL)
    told = [bo.response() for _ in range(3)]  # before the next one: of two at once EXISTS tells the sum
    assert told == [b"* 3 EXISTS", added + b"3)", b"* 3 FETCH (UID 3 FLAGS () %b)" % header]
    alix.append(name, MAIL.replace(b"Bilan", b"Autre"))
    assert [bo.response() for _ in range(2)] == [b"* 4 EXISTS", b"* 4 FETCH (UID 4 FLAGS ())"]
    bo.ok(f'CANCELUPDATE "{tag.decode()}"')
    alix.append(name, MAIL)
    assert bo.response() == b"* 5 EXISTS"
    assert bo.response() == b"* 5 FETCH (UID 5 FLAGS ())"
    assert bo.quiet()


def test_update_without_items_and_with_wrong_ones(pair: tuple[Imap, Imap, str]) -> None:
    """The form of RFC 5267 stays; macros and empty lists are no FETCH items."""
    _, bo, name = pair
    bo.ok(f"SELECT {name}")
    bo.ok("SEARCH RETURN (UPDATE) ALL")
    for wrong in ("()", "(ALL)", "(UID", "(NOTHING)"):
        assert bo.ending(f"SEARCH RETURN (UPDATE {wrong}) ALL").startswith(b"BAD")
