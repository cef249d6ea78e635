"""Reports that come in, recognised leniently: receipts, bounces, closed mailboxes, integration errors (RCP-5).

Reading is linear, looks at the first MiB of text only, and never raises, whatever the octets. A message is
delivered as it is in any case: what is read here goes on the timeline of the message reported on.
"""

from __future__ import annotations

from .message import MAX_HEADER, Header
from .reports_codes import ErrorText, error_in_files, error_in_prose, settle
from .reports_fields import Notice, message_ids, read_disposition, read_notice, recipients_of
from .reports_parts import sort_parts
from .reports_prose import bounced_recipients, listed_recipients, loose_fields, quoted_id
from .reports_signs import read_signs, says_automatic
from .reports_values import ReportedDisposition, ReportedRecipient, ReportKind, ReportReading
from .reports_words import SubjectMark, closed_sentence, own_words, subject_mark

__all__ = [
    "ReportKind",
    "ReportReading",
    "ReportedDisposition",
    "ReportedRecipient",
    "looks_like_report",
    "read_report",
]

_MAX_ORIGINALS = 20
_MAX_NOTICES = 5
_NO_ERROR = ErrorText()


def looks_like_report(header: Header, sender_null: bool) -> bool:
    """Tell from the header alone whether `read_report` is worth calling; some microseconds.

    `sender_null` is the empty return path of the transaction, which reports should have (RFC 3464 section 2,
    RFC 8098 section 3). A message with a sender whose header gives no sign at all is taken for ordinary.
    """
    if sender_null or says_automatic(header):
        return True
    return subject_mark(header.first(b"subject"))[0] not in (SubjectMark.NONE, SubjectMark.REPLY)


def read_report(header: bytes, text: bytes, *, sender_null: bool = False) -> ReportReading | None:
    """Return what a report says, None when the message is none. Never raises (RCP-5).

    `header` is the header block, `text` what follows it, `sender_null` the empty return path of the
    transaction, which counts as a sign when the message itself gives no other.
    """
    return _Reading(Header(header[:MAX_HEADER]), text, sender_null).result()


class _Reading:
    """One message being read: the signs in its header, its parts, its machine fields."""

    __slots__ = ("header", "notice", "parts", "recipients", "signs")

    def __init__(self, header: Header, text: bytes, sender_null: bool) -> None:
        self.header = header
        self.signs = read_signs(header, sender_null)
        self.parts = sort_parts(header, text, mend_plain=self.signs.any)
        self.notice = self._notice()
        self.recipients = self._recipients()

    def _notice(self) -> Notice:
        if self.signs.personal:
            return Notice()  # a person who forwards a report in its parts
        blocks = self.parts.notices
        if self.signs.any and not blocks:
            # Some software puts the fields into plain text, or calls their part so.
            blocks = loose_fields(self.parts.prose + self.parts.files)
        notices = map(read_notice, blocks[:_MAX_NOTICES])
        return next((one for one in notices if one.is_disposition or one.is_status), Notice())

    def _recipients(self) -> tuple[ReportedRecipient, ...]:
        found = recipients_of(self.notice)
        if found or self.notice.is_disposition:
            return found
        return listed_recipients(self.header.first(b"x-failed-recipients")) or bounced_recipients(
            self.parts.prose
        )

    def result(self) -> ReportReading | None:
        """Decide on the kind, most telling sign first."""
        disposition, error = read_disposition(self.notice)
        done = disposition.type if disposition else ""
        # A reader's software may repeat the subject of the error mail that was read: that is a mere receipt.
        receipt = error is None and done not in ("", "processed", "failed")
        if self.signs.mark is SubjectMark.INTEGRATION and not receipt:
            return self._integration_error(disposition, error)
        if disposition:
            if error and (error.code or done == "processed"):
                return self._integration_error(disposition, error)
            if done != "processed":
                return self._reading(ReportKind.MDN, disposition)
            if disposition.modifier == "failure":
                return self._integration_error(disposition, None)
            return self._reading(ReportKind.INTEGRATION_OK, disposition)
        closed = self._closed()
        if closed is not None:
            named = closed or next((one.original or one.address for one in self.recipients), "")
            return self._reading(ReportKind.PATIENT_CLOSED, closed_address=named)
        if self.notice.is_status or self._is_bounce():
            return self._reading(ReportKind.DSN)
        return (
            self._reading(ReportKind.MDN) if self.signs.report_type == b"disposition-notification" else None
        )

    def _integration_error(
        self, disposition: ReportedDisposition | None, error: ErrorText | None
    ) -> ReportReading:
        prose = map(own_words, self.parts.prose)
        subject = ErrorText(self.signs.code)
        told = settle(error or _NO_ERROR, subject, error_in_prose(prose), error_in_files(self.parts.files))
        return self._reading(ReportKind.INTEGRATION_ERROR, disposition, told)

    def _closed(self) -> str | None:
        """The address of a closed mailbox, empty when unnamed; None when the message does not say that."""
        if self.signs.personal or not self.signs.any:
            return None
        failed = [one.diagnostic for one in self.recipients if one.action == "failed"]
        found = map(closed_sentence, self.parts.prose + failed)
        return next((address for address in found if address is not None), None)

    def _is_bounce(self) -> bool:
        if self.signs.report_type == b"delivery-status" or b"x-failed-recipients" in self.header:
            return True
        return self.signs.mark is SubjectMark.FAILURE and (self.signs.automatic or self.parts.embedded)

    def _originals(self) -> tuple[str, ...]:
        fields = self.notice.fields
        return (
            message_ids(fields.get(b"original-message-id") or fields.get(b"x-original-message-id"))
            or tuple(dict.fromkeys(self.parts.originals))
            or quoted_id(self.parts.prose)
            or message_ids(self.header.first(b"in-reply-to"))
            or message_ids(self.header.first(b"references"))[-1:]
        )[:_MAX_ORIGINALS]

    def _reading(
        self,
        kind: ReportKind,
        disposition: ReportedDisposition | None = None,
        error: ErrorText = _NO_ERROR,
        closed_address: str = "",
    ) -> ReportReading:
        recipients = self.recipients
        if not recipients and closed_address:
            recipients = (ReportedRecipient(closed_address, "failed"),)
        originals = self._originals()
        return ReportReading(
            kind, originals, recipients, disposition, error.code, error.label, closed_address
        )
