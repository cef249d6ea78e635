"""PREVIEW over the wire (RFC 8970), and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.wires import Imap, literal


@pytest.fixture
def box(door: Served) -> Iterator[Imap]:
    """A session with an empty mailbox in hand."""
    imap = door.imap(door.account("PER"))
    imap.run("DELETE previews")
    imap.ok("CREATE previews")
    imap.ok("SELECT previews")
    yield imap
    imap.close()


def put(imap: Imap, letter: bytes) -> None:
    """File a letter."""
    assert imap.append("previews", letter).startswith(b"OK")
    imap.ok("NOOP")


@pytest.mark.req("IMP-1")
def test_ascii_is_quoted_and_marks_nothing_seen(box: Imap) -> None:
    """The first words in quotes; no flag moves."""
    put(box, b'Subject: a\r\n\r\nThis is the "first" line\r\nof the mail.\r\n')
    assert box.fetch("1", "(PREVIEW)") == [b'* 1 FETCH (PREVIEW "This is the \\"first\\" line of the mail.")']
    assert box.fetch("1", "(FLAGS)") == [b"* 1 FETCH (FLAGS ())"]


def test_what_is_not_ascii_is_a_literal(box: Imap) -> None:
    """UTF-8 in a literal, so that any client can read it."""
    put(box, "Content-Type: text/plain; charset=utf-8\r\n\r\nÉté à l'hôpital\r\n".encode())
    (line,) = box.fetch("1", "(UID PREVIEW)")
    assert literal(line).decode() == "Été à l'hôpital"


def test_nothing_to_read_is_an_empty_string(box: Imap) -> None:
    """A message without text has the preview `""`, not NIL (RFC 8970 section 3.1)."""
    put(box, b"Content-Type: application/pdf\r\n\r\n%PDF\r\n")
    assert box.fetch("1", "(PREVIEW)") == [b'* 1 FETCH (PREVIEW "")']


def test_lazy_leaves_large_texts_for_later(box: Imap) -> None:
    """LAZY answers NIL for a large text until somebody has asked without it; the answer is labelled PREVIEW."""
    put(box, b"Subject: a\r\n\r\n" + b"beaucoup de texte\r\n" * 10_000)
    put(box, b"Subject: b\r\n\r\npetit\r\n")
    assert box.fetch("1:2", "(PREVIEW (LAZY))") == [
        b"* 1 FETCH (PREVIEW NIL)",
        b'* 2 FETCH (PREVIEW "petit")',
    ]
    (line,) = box.fetch("1", "PREVIEW")
    assert line.startswith(b'* 1 FETCH (PREVIEW "beaucoup de texte beaucoup')
    assert box.fetch("1", "PREVIEW (LAZY)") == [line]


def test_a_preview_is_kept(door: Served, box: Imap) -> None:
    """What was told once is written down, and told again without a look at the text."""
    put(box, b"Subject: a\r\n\r\nune fois\r\n")
    before = box.fetch("1", "(PREVIEW)")
    rows = door.call(
        door.parts.store._engine.read(
            lambda db: list(db.execute("SELECT preview FROM bodies WHERE preview IS NOT NULL"))
        )
    )
    assert ("une fois",) in rows
    assert box.fetch("1", "(PREVIEW)") == before


def test_with_other_items_and_bodies(box: Imap) -> None:
    """PREVIEW stands beside sections in one answer."""
    put(box, b"Subject: a\r\n\r\ntexte\r\n")
    (line,) = box.fetch("1", "(PREVIEW BODY.PEEK[TEXT] ENVELOPE)")
    assert line.startswith(b'* 1 FETCH (PREVIEW "texte" BODY[TEXT] {7}\r\ntexte\r\n ENVELOPE (')


@pytest.mark.parametrize("items", ["PREVIEW (EAGER)", "(PREVIEW (LAZY)", "PREVIEW ()", "PREVIEW[1]"])
def test_malformed_modifiers(box: Imap, items: str) -> None:
    """BAD, and the session goes on."""
    assert box.ending(f"FETCH 1 {items}").startswith(b"BAD")
    box.ok("NOOP")
