"""Commands and answers about rights and room (RFC 4314 section 7, RFC 9208 section 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.protocol.imap import rights_lines
from mss_gateway.protocol.imap.commands_rights import (
    DeleteAcl,
    GetAcl,
    GetQuota,
    GetQuotaRoot,
    ListRights,
    MyRights,
    SetAcl,
)
from mss_gateway.protocol.imap.mailboxtree import Listed, Mailbox, list_mailboxes, pattern_matcher
from tests.support.imap import drive, logged_in

pytestmark = pytest.mark.req("IMP-1")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"GETACL INBOX/Drafts", GetAcl("INBOX/Drafts")),
        (b'setacl "Drafts" byron lrswikda', SetAcl("Drafts", "byron", "", "lrswikda")),
        (b"SETACL Drafts chris +cda", SetAcl("Drafts", "chris", "+", "cda")),
        (b'SETACL Drafts chris "-w"', SetAcl("Drafts", "chris", "-", "w")),
        (b'SETACL Drafts chris ""', SetAcl("Drafts", "chris", "", "")),
        (b"SETACL Drafts {5+}\r\nchris {1+}\r\nl", SetAcl("Drafts", "chris", "", "l")),
        (b"DELETEACL inbox a@b.fr", DeleteAcl("INBOX", "a@b.fr")),
        (b"LISTRIGHTS &AOk-t&AOk- smith", ListRights("été", "smith")),
        (b"MYRIGHTS INBOX", MyRights("INBOX")),
        (b'GETQUOTA ""', GetQuota("")),
        (b"GETQUOTAROOT INBOX", GetQuotaRoot("INBOX")),
    ],
)
def test_commands_are_read(line: bytes, command: object) -> None:
    """Each form of the grammar gives its command."""
    assert drive(logged_in(), [b"a " + line + b"\r\n"]).commands == [command]


@pytest.mark.parametrize(
    "line",
    [
        b"GETACL",
        b"GETACL a b",
        b"SETACL a b",
        b"SETACL a b c d",
        b'SETACL a "" l',
        b'SETACL a "\xc3" l',
        b"DELETEACL a",
        b"DELETEACL a {2+}\r\n\x01\x02",
        b"LISTRIGHTS a " + b"x" * 400,
        b"MYRIGHTS",
        b"GETQUOTA",
        b"GETQUOTA " + b"x" * 400,
        b"SETQUOTA a (STORAGE 5)",
    ],
)
def test_what_is_malformed_is_bad(line: bytes) -> None:
    """BAD, and the session stays in step."""
    log = drive(logged_in(), [b"a " + line + b"\r\nb NOOP\r\n"])
    assert log.out.startswith((b"a BAD", b"* BAD"))
    assert log.tags == [b"b"]


def test_answers() -> None:
    """The lines of RFC 4314 and RFC 9208, with names quoted where they must be."""
    assert rights_lines.acl("INBOX", [("fred", "rwip"), ("a b", "")]) == b'* ACL INBOX fred rwip "a b" ""\r\n'
    assert rights_lines.acl("a b", []) == b'* ACL "a b"\r\n'
    assert rights_lines.list_rights("x", "smith", "", "lr") == b'* LISTRIGHTS x smith "" l r\r\n'
    assert rights_lines.my_rights("été", "lr") == b"* MYRIGHTS &AOk-t&AOk- lr\r\n"
    assert rights_lines.my_rights("été", "lr", utf8=True) == '* MYRIGHTS "été" lr\r\n'.encode()
    assert rights_lines.quota("", {"STORAGE": (10, 512)}) == b'* QUOTA "" (STORAGE 10 512)\r\n'
    assert (
        rights_lines.quota("r", {"STORAGE": (1, 2), "MESSAGE": (3, 4)})
        == b"* QUOTA r (STORAGE 1 2 MESSAGE 3 4)\r\n"
    )
    assert rights_lines.quota_root("INBOX", ["a@b.fr"]) == b"* QUOTAROOT INBOX a@b.fr\r\n"


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_name_breaks_a_line(name: str, who: str) -> None:
    """Whatever a mailbox or a person is called, one response is one line or announces its literal."""
    for data in (rights_lines.acl(name, [(who, "l")]), rights_lines.quota(who, {})):
        rest = data
        while (
            b"{" in rest and (head := rest.partition(b"}\r\n"))[1] and head[0].rpartition(b"{")[2].isdigit()
        ):
            rest = head[2][int(head[0].rpartition(b"{")[2]) :]
        assert rest.count(b"\r\n") == 1
        assert rest.endswith(b"\r\n")


def test_names_without_a_mailbox() -> None:
    """They are listed where SUBSCRIBED is selected, count for CHILDINFO, and never make \\HasChildren true."""
    tree = [
        Mailbox("a", subscribed=False),
        Mailbox("a/b", "", True, exists=False),
        Mailbox("c/d", "", True, exists=False),
    ]
    everything = pattern_matcher("", ["*"])
    assert list_mailboxes(tree, everything) == [Listed("a", ("\\HasNoChildren",))]
    subscribed = frozenset({"SUBSCRIBED"})
    assert list_mailboxes(tree, everything, selection=subscribed) == [
        Listed("a/b", ("\\NonExistent", "\\HasNoChildren", "\\Subscribed"), (), False),
        Listed("c/d", ("\\NonExistent", "\\HasNoChildren", "\\Subscribed"), (), False),
    ]
    level = pattern_matcher("", ["%"])
    assert list_mailboxes(tree, level, selection=subscribed | {"RECURSIVEMATCH"}) == [
        Listed("a", ("\\HasNoChildren",), ("SUBSCRIBED",)),
        Listed("c", ("\\NonExistent", "\\HasNoChildren"), ("SUBSCRIBED",), False),
    ]
