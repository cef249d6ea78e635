"""What the independent operator writes itself: answers, read receipts and integration errors, by Python's own email."""

from __future__ import annotations

from email.header import Header
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.utils import formatdate, make_msgid, parseaddr

UNKNOWN_PATIENT = "902", "Identifiant patient inconnu"
"""The integration error that it reports (domain 11.4)."""


def wants_receipt(original: EmailMessage) -> str:
    """Where a read receipt is asked for, empty when it is not."""
    return parseaddr(str(original.get("Disposition-Notification-To", "")))[1]


def answer(original: EmailMessage, me: str) -> EmailMessage:
    """A reply to Reply-To or From, in the thread."""
    reply = EmailMessage()
    _head(reply, original, me, f"Re: {original['Subject']}")
    reply["To"] = parseaddr(str(original["Reply-To"] or original["From"]))[1]
    reply.set_content("Bien reçu, merci.\n\nL'hôpital voisin\n")
    return reply


def receipt(original: EmailMessage, me: str) -> Message:
    """The MDN of a reader who agrees to send one (RFC 8098)."""
    text = f"Le message « {original['Subject']} » a été ouvert par {me}.\n"
    return _report(
        original, me, f"Lu : {original['Subject']}", text, "manual-action/MDN-sent-manually; displayed"
    )


def integration_error(original: EmailMessage, me: str) -> Message:
    """What hospital software sends when it cannot file a document: an MDN where one was asked for, else a mail."""
    code, label = UNKNOWN_PATIENT
    subject = f"[KO Intégration système !][{code}] {original['Subject']}"
    text = (
        "Le message ci-dessous n’a pas pu être intégré automatiquement dans le DPI pour la raison suivante : "
        f"{code} {label}\n"
    )
    if wants_receipt(original):
        disposition = f"automatic-action/MDN-sent-automatically; processed/Error: {code}^{label}"
        return _report(original, me, subject, text, disposition)
    mail = MIMEMultipart("mixed")
    _head(mail, original, me, subject)
    mail["To"] = parseaddr(str(original["From"]))[1]
    mail.attach(MIMEText(text, "plain", "utf-8"))
    copy = MIMEMessage(original)
    copy.add_header("Content-Disposition", "attachment", filename="message_original.eml")
    mail.attach(copy)
    return mail


def _report(original: EmailMessage, me: str, subject: str, text: str, disposition: str) -> Message:
    report = MIMEMultipart("report", report_type="disposition-notification")
    _head(report, original, me, subject)
    report["To"] = wants_receipt(original)
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(text, "plain", "utf-8"))
    fields = MIMENonMultipart("message", "disposition-notification")
    fields.set_payload(
        "Reporting-UA: hopital-voisin; essai\n"
        f"Original-Recipient: rfc822;{me}\nFinal-Recipient: rfc822;{me}\n"
        f"Original-Message-ID: {_plain(original['Message-ID'])}\nDisposition: {disposition}\n"
    )
    report.attach(fields)
    return report


def _head(message: Message, original: EmailMessage, me: str, subject: str) -> None:
    # An EmailMessage encodes by itself; the older classes want to be told.
    message["Subject"] = subject if isinstance(message, EmailMessage) else Header(subject, "utf-8").encode()
    message["From"] = me
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=me.partition("@")[2])
    if original["Message-ID"]:
        message["In-Reply-To"] = message["References"] = _plain(original["Message-ID"])


def _plain(value: object) -> str:
    return "".join(str(value).split())
