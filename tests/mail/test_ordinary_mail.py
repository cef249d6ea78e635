"""Ordinary mail, as programs compose it: the structure is that of the standard library's parser."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.message import Header, split_message
from mss_gateway.mail.mime import decoded_parameter, parse_disposition
from mss_gateway.mail.prepare import prepare
from mss_gateway.mail.spans import Text
from mss_gateway.mail.structure import MimePart, scan_structure
from mss_gateway.mail.words import decode_words
from tests.support.imapvalues import read_value

_WORDS = st.text(st.sampled_from("abc éèœ.,'-()"), min_size=1, max_size=60).map(str.strip).filter(bool)
_NAMES = st.sampled_from(
    ["a.pdf", "compte rendu.pdf", "été.pdf", "x" * 90 + ".pdf", 'a"b;c.txt', "résumé" * 15 + ".doc"]
)


@st.composite
def letters(draw: st.DrawFn) -> bytes:
    """What a mail program makes of some texts and files."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = "Hélène Martin <h.martin@hopital.example>"
    message["To"] = "a@b.example, Équipe <c@d.example>"
    message["Subject"] = draw(_WORDS)
    message.set_content(draw(_WORDS))
    if draw(st.booleans()):
        message.add_alternative(f"<p>{draw(_WORDS)}</p>", subtype="html")
    for _ in range(draw(st.integers(0, 3))):
        message.add_attachment(
            draw(st.binary(max_size=80)), maintype="application", subtype="pdf", filename=draw(_NAMES)
        )
    if draw(st.booleans()):
        inner = EmailMessage(policy=email.policy.SMTP)
        inner["Subject"] = draw(_WORDS)
        inner.set_content(draw(_WORDS))
        message.add_attachment(inner)
    for number, part in enumerate(message.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_limite_{number}")  # else one by chance, which no failure could repeat
    return message.as_bytes()


def _walk(part: MimePart) -> list[MimePart]:
    return [part, *(below for child in part.children for below in _walk(child))]


@settings(max_examples=80, deadline=None)
@given(letters())
def test_types_and_names_agree_with_the_standard_library(letter: bytes) -> None:
    """Every part in order: its type, and its file name as it is shown."""
    size = split_message(letter)
    ours = _walk(scan_structure(Header(letter[:size]), Text(letter[size:])))
    theirs = list(email.message_from_bytes(letter, policy=email.policy.SMTP).walk())
    assert [b"%b/%b" % part.type[:2] for part in ours] == [
        part.get_content_type().encode() for part in theirs
    ]
    for mine, part in zip(ours, theirs, strict=True):
        told = mine.header.first(b"content-disposition")
        disposition = parse_disposition(told) if told else None
        name = decoded_parameter(disposition, b"filename") if disposition else None
        assert name == part.get_filename()


@settings(max_examples=40, deadline=None)
@given(letters())
def test_the_envelope_agrees_with_the_standard_library(letter: bytes) -> None:
    """Subject and addresses, once decoded."""
    size = split_message(letter)
    envelope = read_value(prepare(letter[:size], letter[size:]).envelope)
    parsed = email.message_from_bytes(letter, policy=email.policy.SMTP)
    assert decode_words(envelope[1]) == parsed["subject"]
    assert [(decode_words(one[0] or b""), one[2], one[3]) for one in envelope[5]] == [
        (address.display_name, address.username.encode(), address.domain.encode())
        for address in parsed["to"].addresses
    ]
