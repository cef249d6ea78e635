"""A keyword is named in FLAGS before any message is shown with it (RFC 9051 sections 7.3.5 and 7.5.2)."""

from __future__ import annotations

import pytest

from tests.support.doors import Served

LETTER = b"Subject: essai\r\n\r\ntexte\r\n"


@pytest.mark.parametrize(
    "asked",
    [
        "FETCH 1:* FLAGS",
        "FETCH 1:* (FLAGS ENVELOPE)",
        "FETCH 1:* (FLAGS PREVIEW)",
        "FETCH 1:* (FLAGS BODY.PEEK[])",
        "FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
        "UID FETCH 1:* FLAGS",
    ],
)
@pytest.mark.req("IMP-2")
def test_a_keyword_of_somebody_else_is_named_before_it_is_shown(door: Served, asked: str) -> None:
    """The other session sets it after this one was told of the folder; the keyword is then named once."""
    account = door.account("PER")
    here, there = (door.imap(account) for _ in range(2))
    here.run("DELETE mots")
    here.ok("CREATE mots")
    assert here.append("mots", LETTER).startswith(b"OK")
    assert here.append("mots", LETTER, "(ancien)").startswith(b"OK")
    here.ok("SELECT mots")
    there.ok("SELECT mots")
    there.ok("STORE 1 +FLAGS.SILENT (nouveau)")
    said = here.ok(asked)
    shown = next(at for at, line in enumerate(said) if b"nouveau" in line)
    assert said[shown].startswith(b"* FLAGS ("), said
    assert b"ancien" in said[shown]
    named = [line for line in said + here.ok("NOOP") if line.startswith(b"* FLAGS (")]
    assert len(named) == 1, said
    assert any(line.startswith(b"* 1 FETCH (") and b"nouveau" in line for line in said)
