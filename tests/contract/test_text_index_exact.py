"""Whatever the mail and the needle, the index finds what a scan of the messages finds."""

from __future__ import annotations

import base64
import itertools
import quopri
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.plaintext import fold_body, index_text
from mss_gateway.mail.searchtext import SEPARATOR, fold, fold_header
from mss_gateway.mail.words import encode_words
from mss_gateway.ports.textsearch import BODY, TEXT
from mss_gateway.storage.sqlite import index_query
from mss_gateway.storage.sqlite.index_file import Known, Round, apply, open_index
from mss_gateway.storage.sqlite.index_query import find
from tests.support.textindex import fold_fields, whole_body

FOLDER = 7
CAP = 120
WORDS = (
    "Œdème", "épaule", "l’hôpital", "Straße", "compte", "rendu", "n°", "e", "é", "a-b", '"cité"', "x*", "NEAR", "AND",
    "ﬁn", "\u00a0", "\t", "\x01", "\x7f", "{body}", "^", "'s", "日本語", "\U0001f600", "İ",
    "--", "&amp;", "<b>", "</b>",
    "bidon" * 9, "v" * 1200,
)  # fmt: skip
text_ = st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12).map(" ".join)
line_ = text_.map(lambda text: "".join(char for char in text if char >= " "))


def _encode(text: str, charset: str, encoding: str) -> bytes:
    data = text.encode(charset, "replace")
    if encoding == "base64":
        return base64.encodebytes(data)
    return quopri.encodestring(data) if encoding == "quoted-printable" else data


@st.composite
def part_(draw: st.DrawFn) -> bytes:
    """A MIME part: text in some charset and encoding, or a named file."""
    charset = draw(st.sampled_from(["utf-8", "iso-8859-1", "utf-16", "unheard-of"]))
    encoding = draw(st.sampled_from(["8bit", "base64", "quoted-printable"]))
    kind = draw(st.sampled_from(["text/plain", "text/html", "application/pdf"]))
    name = draw(line_)
    body = _encode(draw(text_), "utf-8" if charset == "unheard-of" else charset, encoding)
    return b"".join(
        [
            f"Content-Type: {kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n".encode(),
            f'Content-Disposition: attachment; filename="{encode_words(name, joint=" ")}"\r\n\r\n'.encode(),
            body,
        ]
    )


@st.composite
def message_(draw: st.DrawFn) -> bytes:
    """A message with folded, encoded and repeated fields, of one part or several."""
    fields = draw(
        st.lists(st.tuples(st.sampled_from(["Subject", "From", "To", "Cc", "X-Note"]), line_), max_size=4)
    )
    head = b"".join(
        f"{name}: {encode_words(value) if draw(st.booleans()) else value}\r\n".encode("utf-8", "replace")
        for name, value in fields
    )
    parts = draw(st.lists(part_(), min_size=1, max_size=3))
    if len(parts) == 1:
        return head + parts[0]
    joined = b"".join(b"--frontier\r\n" + part + b"\r\n" for part in parts)
    return head + b'Content-Type: multipart/mixed; boundary="frontier"\r\n\r\n' + joined + b"--frontier--\r\n"


def _texts(message: bytes) -> dict[str, str]:
    """What each search key reads of a message: the definition."""
    body = whole_body(message)
    assert isinstance(body.text, bytes)
    own = fold_body(body.header, body.structure, body.text)
    fields = {
        name: SEPARATOR.join(fold_fields(body.header, name))
        for name in ("subject", "from", "to", "cc", "x-note")
    }
    return {BODY: own, TEXT: fold_header(body.header) + "\n" + own, **fields}


_files = itertools.count()


@pytest.mark.req("IMP-1")
@settings(max_examples=30, deadline=None)
@given(messages=st.lists(message_(), min_size=1, max_size=6), data=st.data())
def test_the_index_finds_what_a_scan_finds(
    messages: list[bytes], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Encoded words, charsets, folds, HTML, file names; needles out of the texts, over words, and of nowhere."""
    path = tmp_path_factory.mktemp("index") / f"{next(_files)}.db"
    db = open_index(path)
    known = {uid: _texts(message) for uid, message in enumerate(messages, 1)}
    indexed = {}
    for uid, message in enumerate(messages, 1):
        body = whole_body(message)
        assert isinstance(body.text, bytes)
        indexed[uid] = index_text(body.header, body.structure, body.text, CAP)
    last = Known(len(messages), 1)
    apply(db, Round(FOLDER, [(uid, uid) for uid in known], (), indexed, last))
    for _ in range(12):
        field = data.draw(st.sampled_from([BODY, TEXT, "subject", "from", "to", "cc", "x-note"]))
        source = data.draw(st.sampled_from(list(known.values())))[field]
        at = data.draw(st.integers(0, len(source)))
        cut = (
            source[at : at + data.draw(st.sampled_from([1, 2, 3, 8, 20]))]
            .partition("\x1f")[0]
            .partition("\n")[0]
        )
        needle = data.draw(st.sampled_from([cut, cut + "q"]) | text_.map(fold))
        if not needle.strip() or "\n" in needle:
            continue
        truth = {uid for uid, texts in known.items() if needle in texts[field]}
        with patch.object(index_query, "MOST_WORDS", data.draw(st.sampled_from([1, 300]))):
            hits = find(db, FOLDER, field, needle)
        assert hits.decided == len(messages)
        assert hits.uids <= truth
        assert truth - hits.uids <= hits.undecided
        assert hits.undecided <= {uid for uid, text in indexed.items() if text.cut_body or text.cut_header}
        assert find(db, FOLDER + 1, field, needle).uids == set()
    db.close()
