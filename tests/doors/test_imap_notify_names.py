"""What NOTIFY tells of names beside the mailbox itself: its parent, and what rights make of it (RFC 5465)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.team import Team, actor_and_listener, held_team
from tests.support.wires import Imap

pytestmark = pytest.mark.req("IMP-1")

MAIL = b"From: a@b.example\r\nSubject: Bilan\r\n\r\nBonjour.\r\n"
_names = (f"noms{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def org(door: Served) -> Team:
    """An ORG box for the whole file: Alix holds it."""
    return held_team(door)


@pytest.fixture
def pair(org: Team) -> Iterator[tuple[Imap, Imap, str]]:
    """Alix who acts, Bo who listens, and a folder of this test's own."""
    with actor_and_listener(org, next(_names)) as found:
        yield found


def test_the_direct_parent_is_affected_too(pair: tuple[Imap, Imap, str]) -> None:
    """By CREATE and by DELETE, whether it is a mailbox or not; not by RENAME (RFC 5465 section 5.4)."""
    alix, bo, name = pair
    bo.ok("NOTIFY SET (personal (MailboxName))")
    alix.ok(f"CREATE {name}/fils")
    assert bo.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {name}/fils'.encode()
    assert bo.response() == f'* LIST (\\HasChildren \\Subscribed) "/" {name}'.encode()
    alix.ok(f"RENAME {name}/fils {name}/fille")
    renamed = f'* LIST (\\HasNoChildren \\Subscribed) "/" {name}/fille ("OLDNAME" ({name}/fils))'
    assert bo.response() == renamed.encode()
    alix.ok(f"DELETE {name}")
    assert bo.response() == f'* LIST (\\NonExistent \\HasChildren) "/" {name}'.encode()
    alix.ok(f"DELETE {name}/fille")
    assert bo.response() == f'* LIST (\\NonExistent) "/" {name}/fille'.encode()
    assert bo.response() == f'* LIST (\\NonExistent) "/" {name}'.encode()
    assert bo.quiet()


def test_a_parent_that_nobody_asked_about_is_not_told(pair: tuple[Imap, Imap, str]) -> None:
    """A group with NONE takes it out."""
    alix, bo, name = pair
    bo.ok(f"NOTIFY SET (mailboxes {name} NONE) (personal (MailboxName))")
    alix.ok(f"CREATE {name}/fils")
    assert bo.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {name}/fils'.encode()
    assert bo.quiet()


def test_the_right_to_see_a_mailbox_makes_it_and_takes_it_away(
    pair: tuple[Imap, Imap, str], org: Team
) -> None:
    """Who hears of names is told \\NonExistent without the right `l`, and a mailbox with it, each once."""
    alix, bo, name = pair
    hidden = f"{name}/secret"
    alix.ok(f"CREATE {hidden}")
    alix.ok(f'SETACL {hidden} {org.bo.login} ""')
    bo.ok("NOTIFY SET (personal (MailboxName))")
    alix.ok(f"SETACL {hidden} {org.bo.login} lr")
    assert bo.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {hidden}'.encode()
    assert bo.response() == f'* LIST (\\HasChildren \\Subscribed) "/" {name}'.encode()
    alix.ok(f'SETACL {hidden} {org.bo.login} ""')
    assert bo.response() == f'* LIST (\\NonExistent \\NoAccess) "/" {hidden}'.encode()
    assert bo.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {name}'.encode()
    alix.ok(f"SETACL {hidden} {org.bo.login} lr")
    assert bo.response() == f'* LIST (\\HasNoChildren \\Subscribed) "/" {hidden}'.encode()
    assert bo.response() == f'* LIST (\\HasChildren \\Subscribed) "/" {name}'.encode()
    assert bo.quiet()


def test_flags_that_make_a_result_bring_no_items(pair: tuple[Imap, Imap, str]) -> None:
    """UPDATE with FETCH items is for new messages (RFC 5465 section 7)."""
    alix, bo, name = pair
    alix.append(name, MAIL)
    bo.ok(f"SELECT {name}")
    tag = bo.begin("UID SEARCH RETURN (UPDATE (UID RFC822.SIZE) COUNT) FLAGGED")
    assert bo.until(tag)[0] == [b'* ESEARCH (TAG "%b") UID COUNT 0' % tag]
    alix.ok(f"SELECT {name}")
    alix.ok("STORE 1 +FLAGS (\\Flagged)")
    added = b'* ESEARCH (TAG "%b") UID ADDTO (0 ' % tag
    assert bo.ok("NOOP") == [b"* 1 FETCH (UID 1 FLAGS (\\Flagged))", added + b"1)"]
    alix.append(name, MAIL, "(\\Flagged)")
    size = b"* 2 FETCH (UID 2 RFC822.SIZE %d)" % len(MAIL)
    assert bo.ok("NOOP") == [b"* 2 EXISTS", added + b"2)", size]
