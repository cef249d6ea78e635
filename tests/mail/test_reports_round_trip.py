"""Our own DSN and MDN, read back to what was put into them (RCP-5 with RCP-1 and RCP-2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.compose import Letterhead
from mss_gateway.mail.dsn import Action, OriginalMessage, RecipientStatus, build_dsn
from mss_gateway.mail.mdn import Disposition, build_mdn
from mss_gateway.mail.message import Header, split_message
from mss_gateway.mail.reports import (
    ReportedDisposition,
    ReportedRecipient,
    ReportKind,
    ReportReading,
    looks_like_report,
    read_report,
)
from mss_gateway.rules.texts import BOUNCE_SUBJECT, PATIENT_CLOSED

HEADER = b"From: Dr A <a@b.example>\r\nSubject: =?utf-8?q?=C3=A9?=\r\nMessage-ID: <1@b.example>\r\n\r\n"
PATIENT = "299999999999934@patient.mssante.fr"

_local = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789.!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=60)
_addresses = st.builds(
    "{}@{}.example".format, _local.filter(lambda x: x[0] not in "'\""), st.sampled_from(["a", "b-c"])
)
_words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
_lines = st.lists(_words, max_size=40).map(" ".join).filter(lambda line: "=?" not in line)
_statuses = st.builds(
    "{}.{}.{}".format, st.integers(2, 5).filter(lambda n: n != 3), st.integers(0, 9), st.integers(0, 999)
)
_recipients = st.builds(
    RecipientStatus,
    _addresses,
    st.sampled_from(Action),
    _statuses,
    orcpt=st.one_of(st.none(), _addresses.map("rfc822;{}".format)),
    diagnostic=st.one_of(st.none(), _lines),
    remote_mta=st.sampled_from([None, "mx.example.fr"]),
)


def _head(subject: str = "Avis", original_id: str | None = "<1@b.example>") -> Letterhead:
    return Letterhead(
        sender="postmaster@gateway.mssante.example",
        sender_name="Messagerie",
        recipient="a@b.example",
        subject=subject,
        at=1795239452.0,
        message_id="<r1@gateway.mssante.example>",
        boundary="report-1",
        original_id=original_id,
        offset=60,
    )


def _read(data: bytes) -> ReportReading:
    at = split_message(data)
    assert looks_like_report(Header(data[:at]), sender_null=False)
    reading = read_report(data[:at], data[at:])
    assert reading is not None
    return reading


def _expected(one: RecipientStatus) -> ReportedRecipient:
    original = one.orcpt.removeprefix("rfc822;") if one.orcpt else ""
    diagnostic = (one.diagnostic or "")[:400].rstrip()
    return ReportedRecipient(one.final_recipient, one.action.value, one.status, diagnostic, original)


@pytest.mark.req("RCP-5", "RCP-1")
@settings(max_examples=100, deadline=None)
@given(
    st.lists(_recipients, min_size=1, max_size=5, unique_by=lambda one: one.final_recipient), st.booleans()
)
def test_a_dsn_comes_back(recipients: list[RecipientStatus], full: bool) -> None:
    """Every recipient with its action, status, diagnostic and original address, in order."""
    original = OriginalMessage(HEADER, b"Bonjour\r\n" if full else None)
    reading = _read(build_dsn(_head(), "Avis de remise.", "gateway.mssante.example", recipients, original))
    assert reading.kind is ReportKind.DSN
    assert reading.originals == ("<1@b.example>",)
    assert reading.recipients == tuple(map(_expected, recipients))


@pytest.mark.req("RCP-5", "PAT-2")
def test_our_own_closed_mailbox_notice_comes_back() -> None:
    """PAT-2 as this gateway writes it."""
    one = RecipientStatus(PATIENT, Action.FAILED, "5.2.1")
    human = PATIENT_CLOSED.format(address=PATIENT)
    data = build_dsn(_head(BOUNCE_SUBJECT), human, "gateway.mssante.example", (one,), OriginalMessage(HEADER))
    assert _read(data) == ReportReading(
        ReportKind.PATIENT_CLOSED, ("<1@b.example>",), (_expected(one),), closed_address=PATIENT
    )


@pytest.mark.req("RCP-5")
def test_an_internationalised_recipient_comes_back() -> None:
    """What the ASCII form of RFC 6533 had to escape."""
    one = RecipientStatus("josé+x@b.example", Action.FAILED, "5.1.1")
    data = build_dsn(_head(), "Avis.", "gateway.mssante.example", (one,), OriginalMessage(HEADER))
    assert _read(data).recipients == (_expected(one),)


@pytest.mark.req("RCP-5", "RCP-2")
@settings(max_examples=100, deadline=None)
@given(
    _addresses,
    _addresses,
    st.sampled_from(["manual-action", "automatic-action"]),
    st.sampled_from(["MDN-sent-manually", "MDN-sent-automatically"]),
    st.sampled_from(["displayed", "deleted", "dispatched", "processed"]),
    st.booleans(),
)
def test_an_mdn_comes_back(
    final: str, written: str, action: str, sending: str, kind: str, named: bool
) -> None:
    """Both addresses, the disposition and the original, which the enclosed header names as well."""
    head = _head("Lu", "<1@b.example>" if named else None)
    disposition = Disposition(action, sending, kind)
    data = build_mdn(head, "Lu.", "gateway; x", final, written, OriginalMessage(HEADER), disposition)
    reading = _read(data)
    assert reading.kind is (ReportKind.INTEGRATION_OK if kind == "processed" else ReportKind.MDN)
    assert reading.originals == ("<1@b.example>",)
    assert reading.recipients == (ReportedRecipient(final, original=written),)
    assert reading.disposition == ReportedDisposition(f"{action}/{sending}".lower(), kind)
