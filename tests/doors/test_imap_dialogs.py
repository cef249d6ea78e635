"""The IMAP door over real sockets, one family of commands after the other (RFC 9051 section 6)."""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Callable

import pytest

from mss_gateway.dev.wire import tls
from mss_gateway.ports.store import StoreError
from tests.support.doors import Served
from tests.support.letters import HOSTED, MEDECIN, letter
from tests.support.wires import Imap, literal

Start = Callable[..., Served]
_names = itertools.count(1)


@pytest.fixture
def box(door: Served) -> Imap:
    """A session of the sample professional with nothing selected."""
    return door.imap(door.account("PER"))


def fresh(imap: Imap, *messages: bytes) -> str:
    """A new mailbox with these messages."""
    name = f"mailbox-{next(_names)}"
    imap.ok(f"CREATE {name}")
    for message in messages:
        assert imap.append(name, message).startswith(b"OK [APPENDUID ")
    return name


@pytest.mark.req("ACC-1")
def test_no_login_before_tls(door: Served) -> None:
    """LOGINDISABLED, no AUTH, LOGIN and AUTHENTICATE refused; after STARTTLS all is there."""
    wire = Imap(door.handout.ports.imap)
    assert b"LOGINDISABLED" in wire.greeting
    assert b"AUTH=" not in wire.greeting
    account = door.account("PER")
    login = f"LOGIN {account.login} {account.password}"
    assert wire.ending(login).startswith(b"NO [PRIVACYREQUIRED]")
    assert wire.ending("AUTHENTICATE PLAIN AGEAYg==").startswith(b"NO [PRIVACYREQUIRED]")
    wire.ok("STARTTLS")
    wire.wrap(tls(door.handout))
    (capabilities,) = wire.ok("CAPABILITY")
    assert b"LOGINDISABLED" not in capabilities
    assert b"AUTH=PLAIN" in capabilities
    assert wire.ending(login).startswith(b"OK [CAPABILITY IMAP4rev1 IMAP4rev2")
    assert wire.ok("LOGOUT")[0].startswith(b"* BYE")
    assert wire.rest() == b""


@pytest.mark.req("ACC-1")
def test_commands_before_the_handshake_are_forgotten(door: Served) -> None:
    """What stands behind STARTTLS in the same packet is never executed."""
    wire = Imap(door.handout.ports.imap)
    wire.send(b"x STARTTLS\r\ny NOOP\r\n")
    assert wire.response().startswith(b"x OK")
    wire.wrap(tls(door.handout))
    assert wire.run("CAPABILITY")[0][0].startswith(b"* CAPABILITY")
    wire.close()


def test_wrong_logins_end_the_connection(special: Start) -> None:
    """NO a few times, then BYE."""
    wire = special().imap()
    for _ in range(4):
        assert wire.ending("LOGIN nobody wrong").startswith(b"NO [AUTHENTICATIONFAILED]")
    _, tagged = wire.run("LOGIN nobody wrong")
    assert tagged.startswith(b"NO")
    assert wire.response().startswith(b"* BYE")
    assert wire.rest() == b""


def test_authenticate_plain_with_and_without_initial_response(door: Served) -> None:
    """SASL-IR, the challenge, giving up, an unknown mechanism."""
    account = door.account("PER")
    secret = b64encode(f"\0{account.login}\0{account.password}".encode()).decode()
    wire = door.imap()
    assert wire.ending("AUTHENTICATE NTLM").startswith(b"NO [CANNOT]")
    tag = wire.begin("AUTHENTICATE PLAIN")
    assert wire.response() == b"+ "
    wire.send(b"*\r\n")
    assert wire.until(tag)[1].startswith(b"BAD")
    assert wire.ending(f"AUTHENTICATE PLAIN {secret}").startswith(b"OK [CAPABILITY")
    wire.close()


def test_every_announced_capability_works(door: Served, box: Imap) -> None:
    """CAPABILITY tells the truth: one probe for each word."""
    (line,) = box.ok("CAPABILITY")
    words = set(line.decode().split()[2:])
    box.ok("SELECT INBOX")
    probes = {
        "IMAP4rev1": "CHECK",
        "IMAP4rev2": "ENABLE IMAP4rev2",
        "ID": "ID NIL",
        "ENABLE": "ENABLE CONDSTORE",
        "UIDPLUS": "UID EXPUNGE 4294967295",
        "MOVE": "UID MOVE 4294967295 Trash",
        "NAMESPACE": "NAMESPACE",
        "CHILDREN": 'LIST "" "*"',
        "SPECIAL-USE": 'LIST (SPECIAL-USE) "" "*"',
        "CREATE-SPECIAL-USE": "CREATE probe-use (USE (\\Flagged))",
        "LIST-EXTENDED": 'LIST (SUBSCRIBED RECURSIVEMATCH) "" ("%" "Sent") RETURN (CHILDREN SUBSCRIBED)',
        "LIST-STATUS": 'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))',
        "STATUS=SIZE": "STATUS INBOX (SIZE)",
        "ESEARCH": "SEARCH RETURN (MIN MAX ALL COUNT) ALL",
        "SEARCHRES": "SEARCH RETURN (SAVE) ALL",
        "WITHIN": "SEARCH YOUNGER 60",
        "CONTEXT=SEARCH": "SEARCH RETURN (CONTEXT) ALL",
        "MULTISEARCH": "ESEARCH IN (personal) ALL",
        "SEARCH=FUZZY": "SEARCH FUZZY TEXT x",
        "I18NLEVEL=2": "COMPARATOR default",
        "SORT": "SORT (REVERSE DATE SUBJECT) UTF-8 ALL",
        "SORT=DISPLAY": "UID SORT (DISPLAYFROM DISPLAYTO) UTF-8 ALL",
        "ESORT": "SORT RETURN (MIN MAX COUNT) (ARRIVAL) UTF-8 ALL",
        "CONTEXT=SORT": "SORT RETURN (CONTEXT) (SIZE) UTF-8 ALL",
        "THREAD=REFERENCES": "THREAD REFERENCES UTF-8 ALL",
        "THREAD=ORDEREDSUBJECT": "UID THREAD ORDEREDSUBJECT UTF-8 ALL",
        "CONDSTORE": "SELECT INBOX (CONDSTORE)",
        "BINARY": "UID FETCH 1:* (BINARY.PEEK[])",
        "UTF8=ACCEPT": "ENABLE UTF8=ACCEPT",
        "METADATA": 'GETMETADATA "" /shared/comment',
        "LIST-METADATA": 'LIST "" "*" RETURN (METADATA (/private/comment))',
        "NOTIFY": "NOTIFY SET STATUS (selected (MessageNew (UID) MessageExpunge)) (personal (MailboxName))",
        "ACL": "MYRIGHTS INBOX",
        "RIGHTS=kxte": "GETACL INBOX",
        "QUOTA": "GETQUOTAROOT INBOX",
        "QUOTA=RES-STORAGE": "STATUS INBOX (DELETED-STORAGE)",
        "QUOTA=RES-MESSAGE": "STATUS INBOX (DELETED)",
        "LIST-MYRIGHTS": 'LIST "" "*" RETURN (MYRIGHTS)',
        "MULTIAPPEND": "APPEND Trash {4+}\r\na\r\n\r {4+}\r\nb\r\n\r",
        "CATENATE": "APPEND INBOX CATENATE (TEXT {4+}\r\na\r\n\r)",
        "REPLACE": "UID REPLACE * Trash {4+}\r\nc\r\n\r",
        "OBJECTID": "STATUS INBOX (MAILBOXID)",
        "SAVEDATE": "UID FETCH 1:* (SAVEDATE)",
        "PREVIEW": "UID FETCH 1:* (PREVIEW (LAZY))",
        "PARTIAL": "UID FETCH 1:* (FLAGS) (PARTIAL -1:-2)",
        "QRESYNC": "ENABLE QRESYNC",
        "UIDONLY": "ENABLE UIDONLY",
        "UNSELECT": "UNSELECT",
    }
    for word, command in probes.items():
        assert word in words
        box.ok(command)
    words -= set(probes)
    assert {word.partition("=")[0] for word in words} == {
        "LITERAL+",
        "SASL-IR",
        "IDLE",
        "APPENDLIMIT",
        "COMPRESS",
        "INPROGRESS",
        "MESSAGELIMIT",
        "UNAUTHENTICATE",
    }
    (limit,) = box.ok("STATUS INBOX (APPENDLIMIT)")
    assert f"APPENDLIMIT={limit.split()[-1].decode().rstrip(')')}" in words
    box.ok("DELETE probe-use")
    box.ok("UNAUTHENTICATE")
    box.close()


def test_select_and_examine(box: Imap) -> None:
    """The untagged answers of SELECT, the read-only ones of EXAMINE, CLOSED when another was open."""
    name = fresh(box, letter())
    answers = b"\n".join(box.ok(f"SELECT {name}"))
    for expected in (
        b"* 1 EXISTS",
        b"FLAGS (",
        b"[PERMANENTFLAGS (",
        b"UIDVALIDITY ",
        b"UIDNEXT 2",
        b"UNSEEN 1",
    ):
        assert expected in answers
    untagged, tagged = box.run(f"EXAMINE {name}")
    assert untagged[0].startswith(b"* OK [CLOSED]")
    assert tagged.startswith(b"OK [READ-ONLY]")
    assert box.ending("STORE 1 +FLAGS (\\Seen)").startswith(b"NO [READ-ONLY]")
    assert box.ending("EXPUNGE").startswith(b"NO [READ-ONLY]")
    (line,) = box.fetch("1", "(FLAGS BODY[TEXT])")
    assert b"\\Seen" not in line
    assert box.ending("SELECT nowhere").startswith(b"NO [NONEXISTENT]")
    assert box.ending("FETCH 1 FLAGS").startswith(b"BAD")
    box.ok(f"DELETE {name}")
    box.close()


def test_rev2_select_lists_the_name_and_has_no_recent(box: Imap) -> None:
    """RFC 9051 section 6.3.2."""
    name = fresh(box)
    box.ok("ENABLE IMAP4rev2")
    answers = b"\n".join(box.ok(f"SELECT {name}"))
    assert f'* LIST () "/" {name}'.encode() in answers
    assert b"RECENT" not in answers
    box.ok("UNSELECT")
    box.ok(f"DELETE {name}")
    box.close()


def test_mailboxes_are_made_renamed_and_deleted(box: Imap) -> None:
    """CREATE with parents, RENAME with inferiors, DELETE, and their refusals."""
    box.ok("CREATE tree/branch/leaf")
    assert box.ending("CREATE tree/branch").startswith(b"NO [ALREADYEXISTS]")
    assert box.ending("CREATE inbox").startswith(b"NO [ALREADYEXISTS]")
    box.ok("RENAME tree/branch wood/limb")
    listed = {line.split(b" ")[-1] for line in box.ok('LIST "" "*"')}
    assert {b"tree", b"wood", b"wood/limb", b"wood/limb/leaf"} <= listed
    assert b"tree/branch" not in listed
    assert box.ending("DELETE INBOX").startswith(b"NO [CANNOT]")
    assert box.ending("DELETE nowhere").startswith(b"NO [NONEXISTENT]")
    assert box.ending("RENAME nowhere x").startswith(b"NO [NONEXISTENT]")
    assert box.ending("RENAME tree wood").startswith(b"NO [ALREADYEXISTS]")
    assert box.ending("CREATE a//b").startswith(b"NO [CANNOT]")
    assert box.ending("CREATE /a").startswith(b"NO [CANNOT]")
    assert box.ending("CREATE " + "/".join("abcdefghijklmnopqrstuvwxyz")).startswith(b"NO [LIMIT]")
    for name in ("wood/limb/leaf", "wood/limb", "wood", "tree"):
        box.ok(f"DELETE {name}")
    box.close()


def test_too_many_mailboxes_are_refused(special: Start) -> None:
    """NO [LIMIT] at 1,000 in one box."""
    served = special()
    imap = served.imap(served.account("PER"))

    async def fill() -> None:
        box = await served.parts.store.box(MEDECIN)
        known = len(await served.parts.store.folders(box.id))
        for number in range(1000 - known):
            await served.parts.store.create_folder(box.id, f"f{number:04}")

    served.call(fill())
    assert imap.ending("CREATE one-more").startswith(b"NO [LIMIT]")
    imap.ok("DELETE f0000")
    assert imap.ending("CREATE two/more").startswith(b"NO [LIMIT]")
    imap.ok("CREATE one-more")
    imap.close()


def test_list_patterns_children_and_special_use(box: Imap) -> None:
    """LIST of RFC 3501, RFC 5258 and RFC 6154."""
    box.ok("CREATE lists/deep/er")
    assert box.ok('LIST "" ""') == [b'* LIST (\\Noselect) "/" ""']
    assert box.ok('LIST "" "lists/%"') == [b'* LIST (\\HasChildren) "/" lists/deep']
    assert box.ok('LIST "lists/" "*er"') == [b'* LIST (\\HasNoChildren) "/" lists/deep/er']
    special = b"\n".join(box.ok('LIST (SPECIAL-USE) "" "*"'))
    assert special.count(b"LIST") == 5
    assert b"\\Drafts" in special
    box.ok("UNSUBSCRIBE lists/deep")
    box.ok("UNSUBSCRIBE lists")
    (line,) = box.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" "lists"')
    assert line == b'* LIST (\\HasChildren) "/" lists ("CHILDINFO" ("SUBSCRIBED"))'
    assert b"lists" not in b"\n".join(box.ok('LIST (SUBSCRIBED) "" "%"'))
    assert box.ok('LSUB "" "lists"') == []
    assert b'* LSUB (\\Noselect) "/" lists' in box.ok('LSUB "" "%"')
    assert box.ok('LSUB "" "lists*"') == [b'* LSUB () "/" lists/deep/er']
    (line, status) = box.ok('LIST "" "lists/deep/er" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))')
    assert line == b'* LIST (\\HasNoChildren \\Subscribed) "/" lists/deep/er'
    assert status == b"* STATUS lists/deep/er (MESSAGES 0 UIDNEXT 1)"
    for name in ("lists/deep/er", "lists/deep", "lists"):
        box.ok(f"DELETE {name}")
    box.close()


@pytest.mark.req("BAL-3", "IMP-3")
def test_shared_boxes_stand_under_their_namespace(door: Served) -> None:
    """Two members of one box each have their own \\Seen; the rest of the flags is common."""
    one = door.imap(next(a for a in door.handout.accounts if a.login == "membre.un"))
    two = door.imap(next(a for a in door.handout.accounts if a.login == "membre.deux"))
    assert one.append("INBOX", letter()).startswith(b"OK")
    one.ok("SELECT INBOX")
    two.ok("SELECT INBOX")
    one.ok("STORE * +FLAGS (\\Seen \\Flagged)")
    (line,) = [text for text in two.ok("FETCH * (FLAGS)") if b"FLAGS" in text][:1]
    assert b"\\Flagged" in line
    assert b"\\Seen" not in line
    assert b"\\Seen" in b"".join(one.ok("FETCH * (FLAGS)"))
    one.close()
    two.close()


@pytest.mark.req("BAL-3")
def test_a_member_of_two_boxes_sees_the_second_as_shared(special: Start) -> None:
    """`Shared/<address>/…`: NAMESPACE, LIST, SELECT, COPY into it and APPEND."""
    served = special()

    async def join() -> None:
        table = served.parts.operations
        await table["bal.member"](
            {"actor": "test", "address": f"secretariat@{HOSTED}", "login": "membre.cabinet"}
        )

    served.call(join())
    account = next(a for a in served.handout.accounts if a.login == "membre.cabinet")
    imap = served.imap(account)
    assert imap.ok("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))']
    shared = f"Shared/secretariat@{HOSTED}"
    names = b"\n".join(imap.ok('LIST "" "Shared/*"')).decode()
    assert f"{shared}/INBOX" in names
    assert b"\\NonExistent" in imap.ok('LIST "" "Shared"')[0]
    assert imap.append("INBOX", letter()).startswith(b"OK")
    imap.ok("SELECT INBOX")
    assert imap.ending(f"COPY 1 {shared}/INBOX").startswith(b"OK [COPYUID")
    assert imap.append(f"{shared}/Sent", letter()).startswith(b"OK [APPENDUID")
    imap.ok(f"SELECT {shared}/INBOX")
    assert imap.ending(f"RENAME {shared}/Sent mine").startswith(b"NO [NOPERM]")
    assert imap.ending("SELECT Shared/stranger@example.fr/INBOX").startswith(b"NO [NONEXISTENT]")
    imap.close()


def test_append_in_all_its_forms(door: Served, box: Imap) -> None:
    """Synchronizing and not, flags and date, TRYCREATE, too big, empty, and a client that leaves."""
    name = fresh(box)
    octets = letter()
    tag = box.begin(f'APPEND {name} (\\Seen $Label) "17-Jul-1996 02:44:25 +0200" {{{len(octets)}}}')
    assert box.response().startswith(b"+ ")
    box.send(octets + b"\r\n")
    assert re.match(rb"OK \[APPENDUID \d+ 1\]", box.until(tag)[1])
    box.ok(f"SELECT {name}")
    (line,) = box.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE)")
    assert b"\\Seen" in line
    assert b"$Label" in line
    assert b'INTERNALDATE "17-Jul-1996 00:44:25 +0000"' in line
    assert b"RFC822.SIZE %d" % len(octets) in line
    untagged, tagged = box.run(b"APPEND %b {%d+}\r\n%b" % (name.encode(), len(octets), octets))
    assert b"* 2 EXISTS" in untagged
    assert tagged.startswith(b"OK")
    assert box.append("nowhere", octets).startswith(b"NO [TRYCREATE]")
    box.ok("NOOP")
    assert box.ending(f"APPEND {name} {{999999999}}").startswith(b"NO [TOOBIG]")
    leaver = door.imap(door.account("PER"))
    leaver.send(b"z APPEND %b {600000+}\r\n" % name.encode() + b"x" * 300_000)
    leaver.close()
    assert b"* 3 EXISTS" not in b"".join(box.ok("NOOP"))
    box.ok("CLOSE")
    box.ok(f"DELETE {name}")
    while door.spooled:  # what had come of the one that has left
        box.ok("NOOP")
    box.close()


def test_the_literal_of_a_refused_append_is_never_read_as_commands(
    door: Served, box: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store fails while the mailbox is looked up: the octets that follow are swallowed."""

    async def broken(*_: object) -> None:
        raise StoreError("no")

    octets = b"x DELETE Sent\r\n" * 3
    with monkeypatch.context() as patch:
        patch.setattr(type(door.parts.store), "folders", broken)
        assert box.append("INBOX", octets).startswith(b"NO [UNAVAILABLE]")
    assert b'"/" Sent' in b"\n".join(box.ok('LIST "" "*"'))
    box.close()


def test_store_in_its_forms(box: Imap) -> None:
    """+, -, plain and .SILENT; keywords; unknown numbers."""
    name = fresh(box, letter(), letter())
    box.ok(f"SELECT {name}")
    assert box.ok("STORE 1 FLAGS (\\Answered)") == [b"* 1 FETCH (FLAGS (\\Answered))"]
    assert box.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)") == []
    assert box.ok("STORE 1 -FLAGS (\\Deleted)") == [b"* 1 FETCH (FLAGS (\\Answered))"]
    assert b"FLAGS (" in box.ok("UID STORE 2 +FLAGS (Work)")[0]
    assert b"UID 2" in box.ok("UID STORE 2 +FLAGS (\\Draft)")[0]
    assert box.ending("STORE 3 +FLAGS (\\Seen)").startswith(b"BAD")
    assert box.ok("UID STORE 99 +FLAGS (\\Seen)") == []
    assert box.ok("EXPUNGE") == [b"* 2 EXPUNGE"]
    box.ok("CLOSE")
    box.ok(f"DELETE {name}")
    box.close()


def test_condstore(door: Served, box: Imap) -> None:
    """HIGHESTMODSEQ, MODSEQ, CHANGEDSINCE, UNCHANGEDSINCE with MODIFIED, SEARCH MODSEQ (RFC 7162)."""
    name = fresh(box, letter(), letter(), letter())
    other = door.imap(door.account("PER"), select=name)
    answers = b"\n".join(box.ok(f"SELECT {name} (CONDSTORE)"))
    found = re.search(rb"HIGHESTMODSEQ (\d+)", answers)
    assert found
    since = int(found[1])
    other.ok("STORE 2 +FLAGS (\\Flagged)")
    (line,) = [text for text in box.ok("NOOP") if b"FETCH" in text]
    assert b"* 2 FETCH" in line
    assert b"MODSEQ (" in line
    changed = box.fetch("1:*", f"(FLAGS) (CHANGEDSINCE {since})")
    assert [text.split()[1] for text in changed] == [b"2"]
    assert b"MODSEQ (" in changed[0]
    untagged, tagged = box.run(f"STORE 1:3 (UNCHANGEDSINCE {since}) +FLAGS.SILENT (\\Seen)")
    assert tagged.startswith(b"OK [MODIFIED 2]")
    assert all(b"MODSEQ (" in text for text in untagged)
    assert [text.split()[1] for text in untagged] == [b"1", b"3"]
    (line,) = box.ok(f"SEARCH MODSEQ {since + 2}")
    assert re.fullmatch(rb"\* SEARCH 1 3 \(MODSEQ \d+\)", line)
    (line,) = box.ok(f"STATUS {name} (HIGHESTMODSEQ)")
    assert b"HIGHESTMODSEQ %d" % (since + 2) in line
    box.ok("CLOSE")
    other.close()
    box.ok(f"DELETE {name}")
    box.close()


def test_copy_move_and_uidplus(box: Imap) -> None:
    """COPYUID, MOVE with its EXPUNGEs, TRYCREATE, UID EXPUNGE of the named only."""
    name = fresh(box, letter(), letter(), letter())
    target = fresh(box)
    box.ok(f"SELECT {name}")
    assert re.match(rb"OK \[COPYUID \d+ 1:3 1:3\]", box.ending(f"COPY 1:3 {target}"))
    assert box.ending("COPY 1 nowhere").startswith(b"NO [TRYCREATE]")
    assert box.ending("UID COPY 99 " + target).startswith(b"OK")
    untagged, tagged = box.run(f"MOVE 1:2 {target}")
    assert re.match(rb"\* OK \[COPYUID \d+ 1:2 4:5\]", untagged[0])
    assert untagged[1:] == [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
    assert tagged.startswith(b"OK")
    box.ok(f"SELECT {target}")
    box.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    assert box.ok("UID EXPUNGE 2,4") == [b"* 4 EXPUNGE", b"* 2 EXPUNGE"]
    box.ok("CLOSE")
    (line,) = box.ok(f"STATUS {target} (MESSAGES)")
    assert line.endswith(b"(MESSAGES 0)")
    box.ok(f"DELETE {name}")
    box.ok(f"DELETE {target}")
    box.close()


def test_search_esearch_and_saved_results(box: Imap) -> None:
    """Keys, ESEARCH, `$` with MIN (RFC 5182), BODY in a transfer encoding, unknown charset."""
    encoded = letter(
        subject="=?utf-8?Q?R=C3=A9sultat?=",
        more="MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n",
        text=b"UHJpc2UgZGUgc2FuZyDDqXBpbmdsw6ll\r\n",
    )
    name = fresh(box, letter(subject="alpha"), encoded, letter(subject="gamma"))
    box.ok(f"SELECT {name}")
    assert box.ok("SEARCH SUBJECT alpha") == [b"* SEARCH 1"]
    assert box.ok("SEARCH BODY epinglee") == [b"* SEARCH 2"]
    assert box.ok("SEARCH CHARSET UTF-8 SUBJECT {9+}\r\nrésultat") == [b"* SEARCH 2"]
    assert box.ending("SEARCH CHARSET KOI8-R ALL").startswith(b"NO [BADCHARSET")
    (line,) = box.ok("SEARCH RETURN (MIN MAX COUNT ALL) NOT SUBJECT alpha")
    assert re.fullmatch(rb'\* ESEARCH \(TAG "a\d+"\) MIN 2 MAX 3 ALL 2:3 COUNT 2', line)
    assert box.ok("SEARCH RETURN (SAVE MIN) ALL")[0].endswith(b" MIN 1")
    assert [text.split()[1] for text in box.fetch("$", "(UID)")] == [b"1"]
    assert box.ok("SEARCH RETURN (SAVE) UID 2:3") == []
    assert box.ok("SEARCH $ SUBJECT gamma") == [b"* SEARCH 3"]
    assert box.ok("UID SEARCH RETURN () ALL")[0].endswith(b" UID ALL 1:3")
    box.ok("CLOSE")
    box.ok(f"DELETE {name}")
    box.close()


def test_utf8_names(box: Imap) -> None:
    """Modified UTF-7 before ENABLE UTF8=ACCEPT, UTF-8 after; one mailbox."""
    box.ok("CREATE R&AOk-sultats")
    assert b"R&AOk-sultats" in b"".join(box.ok('LIST "" "R*"'))
    box.ok("ENABLE UTF8=ACCEPT")
    assert "Résultats".encode() in b"".join(box.ok('LIST "" "R*"'))
    box.ok('DELETE "Résultats"')
    box.close()


def test_a_session_that_deletes_its_own_selected_mailbox_goes_on(box: Imap) -> None:
    """The messages vanish for it; nothing breaks."""
    name = fresh(box, letter(), letter())
    box.ok(f"SELECT {name}")
    box.ok(f"DELETE {name}")
    assert box.ok("NOOP") == [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
    assert box.ending("UID FETCH 1:* FLAGS")[:2] in (b"OK", b"NO")
    box.ok("CLOSE")
    box.ok("NOOP")
    box.close()


def test_a_binary_part_of_unknown_encoding_does_not_break_the_line(box: Imap) -> None:
    """NO [UNKNOWN-CTE] comes instead of the FETCH line, not inside it."""
    name = fresh(
        box, letter(more="MIME-Version: 1.0\r\nContent-Transfer-Encoding: x-strange\r\n", text=b"abc\r\n")
    )
    box.ok(f"SELECT {name}")
    untagged, tagged = box.run("FETCH 1 (UID BINARY.PEEK[1])")
    assert untagged == []
    assert tagged.startswith(b"NO [UNKNOWN-CTE]")
    assert literal(box.fetch("1", "(BODY.PEEK[1])")[0]) == b"abc\r\n"
    box.ok("CLOSE")
    box.ok(f"DELETE {name}")
    box.close()
