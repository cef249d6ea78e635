"""DSN, MDN and trace fields, read back with the standard library."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.compose import Letterhead, encode_words, fold, mailbox
from mss_gateway.mail.dsn import Action, OriginalMessage, RecipientStatus, build_dsn
from mss_gateway.mail.facts import message_facts
from mss_gateway.mail.mdn import build_mdn
from mss_gateway.mail.message import split_message
from mss_gateway.mail.trace import AuthResult, Reception, authentication_results, received, return_path

HUMAN = (
    'Le message que vous avez envoyé à "299999999999934@patient.mssante.fr" n\'a pas pu être distribué car la '
    "messagerie Mon espace Santé de votre destinataire est clôturée"
)
HEADER = b"From: Dr A <a@b.fr>\r\nSubject: =?utf-8?q?=C3=A9?=\r\nMessage-ID: <1@b.fr>\r\n\r\n"


def _head(**changes: str) -> Letterhead:
    values = {
        "sender": "postmaster@gateway.mssante.fr",
        "sender_name": "Messagerie",
        "recipient": "a@b.fr",
        "subject": "Message non distribué",
        "message_id": "<r1@gateway.mssante.fr>",
        "boundary": "report-1",
        "original_id": "<1@b.fr>",
        "original_references": "<0@b.fr>",
    }
    return Letterhead(at=1795239452.0, offset=60, **{**values, **changes})


def _read(data: bytes) -> EmailMessage:
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _dsn(original: OriginalMessage, head: Letterhead | None = None) -> bytes:
    one = RecipientStatus(
        "299999999999934@patient.mssante.fr",
        Action.FAILED,
        "5.2.1",
        orcpt="rfc822;original@patient.mssante.fr",
        diagnostic="550 5.2.1 clôturée",
        remote_mta="mx.example.fr",
    )
    return build_dsn(head or _head(), HUMAN, "gateway.mssante.fr", (one,), original)


@pytest.mark.req("PAT-2", "RCP-1")
def test_the_human_part_decodes_to_the_exact_text() -> None:
    """The French sentence survives word for word."""
    parts = list(_read(_dsn(OriginalMessage(HEADER))).iter_parts())
    assert parts[0].get_content().rstrip("\r\n") == HUMAN


@pytest.mark.req("RCP-6")
def test_a_report_says_what_it_is() -> None:
    """Auto-Submitted, Message-ID, In-Reply-To and References are there, and our own facts see a report."""
    data = _dsn(OriginalMessage(HEADER))
    message = _read(data)
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Message-ID"] == "<r1@gateway.mssante.fr>"
    assert message["In-Reply-To"] == "<1@b.fr>"
    assert message["References"] == "<0@b.fr> <1@b.fr>"
    assert message["Subject"] == "Message non distribué"
    facts = message_facts(data[: split_message(data)])
    assert facts.report == "delivery-status"
    assert facts.auto_submitted
    assert facts.from_valid


@pytest.mark.req("RCP-1")
def test_the_machine_part_holds_the_fields_of_rfc_3464() -> None:
    """Both groups of fields can be read by a program."""
    original = OriginalMessage(HEADER, envid="QQ314159", arrived_at=1795239000.0)
    status = list(_read(_dsn(original)).iter_parts())[1]
    assert status.get_content_type() == "message/delivery-status"
    whole, one = status.get_payload()
    assert whole["Original-Envelope-Id"] == "QQ314159"
    assert whole["Reporting-MTA"] == "dns; gateway.mssante.fr"
    assert "06:30:00 +0100" in whole["Arrival-Date"]
    assert one["Original-Recipient"] == "rfc822; original@patient.mssante.fr"
    assert one["Final-Recipient"] == "rfc822; 299999999999934@patient.mssante.fr"
    assert one["Action"] == "failed"
    assert one["Status"] == "5.2.1"
    assert one["Remote-MTA"] == "dns; mx.example.fr"
    assert one["Diagnostic-Code"] == "smtp; 550 5.2.1 cl?tur?e"


@pytest.mark.req("RCP-1")
def test_the_original_body_is_absent_unless_given() -> None:
    """Headers only by default, the whole message with RET=FULL."""
    assert (
        list(_read(_dsn(OriginalMessage(HEADER + b"SECRET"))).iter_parts())[2].get_content_type()
        == "text/rfc822-headers"
    )
    assert b"SECRET" not in _dsn(OriginalMessage(HEADER + b"SECRET"))
    full = list(_read(_dsn(OriginalMessage(HEADER, b"SECRET\r\n"))).iter_parts())[2]
    assert full.get_content_type() == "message/rfc822"
    assert "SECRET" in full.get_content().get_content()


def test_raw_eight_bit_headers_travel_encoded() -> None:
    """A report is ASCII even when the header reported on is not."""
    assert _dsn(OriginalMessage("Subject: é\r\n\r\n".encode())).isascii()


@pytest.mark.req("RCP-2")
def test_an_mdn_has_its_mandatory_fields() -> None:
    """The notice names both recipients, the message and the disposition."""
    data = build_mdn(
        _head(),
        "Lu par le destinataire.",
        "gateway; mss-gateway",
        "p@x.fr",
        "p@x.fr",
        OriginalMessage(HEADER),
    )
    message = _read(data)
    assert message.get_content_type() == "multipart/report"
    notice = list(message.iter_parts())[1]
    assert notice.get_content_type() == "message/disposition-notification"
    assert message_facts(data[: split_message(data)]).report == "disposition-notification"
    for line in (
        b"Original-Recipient: rfc822; p@x.fr",
        b"Final-Recipient: rfc822; p@x.fr",
        b"Original-Message-ID: <1@b.fr>",
        b"Disposition: manual-action/MDN-sent-automatically; displayed",
    ):
        assert b"\r\n" + line + b"\r\n" in data


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.text(max_size=60))
def test_no_value_begins_a_field_of_its_own(text: str, name: str) -> None:
    """Whatever stands in a subject or a name, the header has the same fields."""
    plain = _dsn(OriginalMessage(HEADER))
    count = len(_read(plain).keys())
    data = _dsn(OriginalMessage(HEADER), _head(subject=text, sender_name=name))
    assert data[: split_message(data)].isascii()
    assert len(_read(data).keys()) == count


def test_a_boundary_found_in_the_content_is_lengthened() -> None:
    """A header that quotes the boundary cannot end its part."""
    data = _dsn(OriginalMessage(b"X: y\r\n--report-1--\r\n\r\n"))
    assert len(list(_read(data).iter_parts())) == 3


def test_display_names_are_quoted_or_encoded() -> None:
    """Specials are quoted, accents encoded."""
    assert mailbox("Martin, Jean", "a@b.fr") == '"Martin, Jean" <a@b.fr>'
    assert mailbox("", "a@b.fr") == "<a@b.fr>"
    assert mailbox("é", "a@b.fr") == "=?utf-8?Q?=C3=A9?= <a@b.fr>"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc")), max_size=150))
def test_encoded_words_come_back(text: str) -> None:
    """What was encoded decodes to itself, in words of 75 characters at most."""
    from mss_gateway.mail.words import decode_words

    encoded = encode_words(text)
    if encoded != text:
        assert all(len(word) <= 75 for word in encoded.split("\r\n "))
    assert decode_words(encoded.replace("\r\n", "").encode("ascii")) == text


@pytest.mark.req("RTE-7")
def test_received_tells_tls_cipher_and_identity() -> None:
    """One field with everything, folded, that reads as one header."""
    field = received(
        Reception(
            "mx.a.fr",
            "192.0.2.1",
            "gw.b.fr",
            "id1",
            1795239452.0,
            "TLSv1.3",
            "TLS_AES_256_GCM_SHA384",
            "mtls",
            recipient="p@b.fr",
        )
    )
    text = field.replace(b"\r\n ", b" ").decode()
    assert text == (
        "Received: from mx.a.fr ([192.0.2.1]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384) (authenticated"
        " by mtls) by gw.b.fr with ESMTPS id id1 for <p@b.fr>; Sat, 21 Nov 2026 05:37:32 +0000\r\n"
    )
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))


@pytest.mark.req("RTE-7")
@pytest.mark.parametrize(
    ("changes", "keyword"),
    [
        ({}, b"with ESMTP id"),
        ({"tls": "TLSv1.2", "auth": "plain"}, b"with ESMTPSA id"),
        ({"tls": "TLSv1.2", "smtputf8": True}, b"with UTF8SMTPS id"),
        ({"lmtp": True}, b"with LMTP id"),
    ],
)
def test_the_protocol_keyword(changes: dict[str, Any], keyword: bytes) -> None:
    """The keyword tells TLS and login (RFC 3848)."""
    assert keyword in received(Reception("h.a.fr", "192.0.2.1", "gw.b.fr", "id1", 0.0, **changes))


@pytest.mark.req("RTE-7")
@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_trace_fields_cannot_be_broken_out_of(text: str) -> None:
    """A hostile peer's words stay within the one field, whose lines all continue it."""
    results = (AuthResult(text, text, ((text, text),), text),)
    for field in (
        received(Reception(text, text, "gw.b.fr", text, 0.0, text, text, text, recipient=text)),
        return_path(text),
        authentication_results("gw.b.fr", results),
    ):
        first, *others, last = field.split(b"\r\n")
        assert b": " in first or first.endswith(b":")
        assert last == b""
        assert all(line.startswith(b" ") for line in others)
        assert b"\n" not in field.replace(b"\r\n", b"")
        assert b"\r" not in field.replace(b"\r\n", b"")


@pytest.mark.req("RTE-7")
def test_authentication_results_and_return_path() -> None:
    """The plain forms."""
    assert authentication_results("gw.b.fr", ()) == b"Authentication-Results: gw.b.fr; none\r\n"
    one = AuthResult("auth", "pass", (("smtp.auth", "jean"),))
    assert authentication_results("gw.b.fr", (one,)).replace(b"\r\n ", b" ") == (
        b"Authentication-Results: gw.b.fr; auth=pass smtp.auth=jean\r\n"
    )
    assert return_path("") == b"Return-Path: <>\r\n"
    assert return_path("a@b.fr") == b"Return-Path: <a@b.fr>\r\n"


def test_fold_keeps_words() -> None:
    """Folding only turns blanks into folds."""
    field = fold("X", " ".join(["word"] * 60))
    assert field.replace(b"\r\n ", b" ") == b"X: " + b" ".join([b"word"] * 60) + b"\r\n"
