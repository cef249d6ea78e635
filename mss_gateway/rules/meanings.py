"""What a reason on the timeline means, and what an operator can do about it (AUD-2)."""

from __future__ import annotations

from collections.abc import Mapping

from mss_gateway.mail.reports_codes import INTEGRATION_LABELS

from .archive_texts import PROBLEMS
from .reasons import REASONS

WIRE_REASONS: dict[str, str] = {
    "store-full": "no room was left to keep the message; the peer tries again",
    "store-error": "the message could not be kept; the peer tries again",
    "spool-full": "no room was left while the message was received; the peer tries again",
    "too-big": "the message is larger than this system takes",
    "header-too-large": "the header of the message is larger than 256 KiB",
    "nul-in-content": "the message holds a NUL octet",
    "content-line-too-long": "the message holds a line that is too long",
    "bare-line-end-in-content": "the message holds a bare CR or LF",
    "login-ended": "the login ended: the mailbox was suspended, or its password changed",
    "too-many-bad-commands": "the peer made too many errors",
}
"""Slugs of refusals that no rule says: the wire's and the store's."""

RELAY_REASONS: dict[str, str] = {
    "no-mx": "the domain has no mail server in the DNS",
    "null-mx": "the domain says in the DNS that it takes no mail",
    "dns-failure": "the DNS did not answer",
    "connect-refused": "the server did not let us connect",
    "connect-timeout": "the server did not answer in time",
    "no-starttls": "the server offers no TLS, and nothing is sent without",
    "tls-failure": "the TLS handshake failed",
    "peer-temporary": "the server asks to try again later",
    "peer-refused": "the server has refused for good",
    "peer-needs-smtputf8": "the message needs SMTPUTF8, which the server does not offer",
    "peer-broke-protocol": "the server did not keep to SMTP",
    "too-large-for-peer": "the message is larger than the server takes",
    "lost-after-data": "the connection was lost between the end of the message and the answer",
    "peer-needs-8bitmime": "the message holds octets that the server does not take",
    "peer-distrusts-us": "the server does not accept us as the sender's operator",
    "bare-line-end": "the message holds a bare CR or LF, which the server does not take",
    "letter-incomplete": "the stored message cannot be read whole",
    "lost": "the connection was lost",
    "interrupted": "this gateway was ended in the middle of the attempt",
    "mail-loop": "the DNS leads the mail of the domain back to this gateway",
    "starttls-refused": "the server offers TLS and refuses to begin it, and nothing is sent without",
    "timeout": "the server fell silent",
    "fault": "a fault of ours; it is in the log",
}
"""Slugs of attempts to relay (ports.relay)."""

TRUST_REASONS: dict[str, str] = {
    "certificate-unknown": "the responder of the certificate's authority does not know it",
    "ocsp-unavailable": "the responder of the certificate's authority did not tell whether it is revoked",
    "no-certificate": "no client certificate was presented",
    "certificate-expired": "the certificate has expired",
    "certificate-not-yet-valid": "the certificate is not valid yet",
    "certificate-revoked": "the certificate, or its issuer, has been revoked",
    "certificate-malformed": "the certificate cannot be read",
    "issuer-unknown": "the certificate comes from no authority of the trust space",
    "self-signed": "the certificate is self-signed",
    "wrong-usage": "the certificate is not meant for this use",
    "weak-key": "key or signature of the certificate are too weak",
    "crl-stale": "the revocation list of the issuer is out of date",
    "crl-missing": "no revocation list of the issuer is at hand",
    "dn-not-listed": "the trusted list does not list this certificate for the domain",
}
"""Slugs of the trust space, in both directions."""

WITHHELD_REASONS: dict[str, str] = {
    "by-operator": "the operator who withdrew the message did not want one",
    "null-sender": "the message has no sender: a report leads to no other report",
    "automatic-mail": "the message is automatic: nobody reads an answer to it",
    "sender-gone": "the sender's mailbox is closed or absent",
    "sender-outside": "the sender is outside the trust space",
    "fault": "the report could not be written; the log says why",
}
"""Why the sender of a relayed message gets no report (RCP-6)."""

_ARCHIVE = (
    "Have the sending software build the archive anew: `mss-gateway document show` tells what is wrong."
)
_INS = "Take the INS again from the identity service: it was copied wrongly."
_LIST = "Is our trusted list current? `mss-gateway check-config` tells."
_ROOM = "Make room on the disk; it goes on by itself."
_CRL = "Fetch the current CRL, or set `trust.crl_grace_hours`."
_THEIRS = "Tell the other operator: its certificate has to be renewed."
REMEDIES: dict[str, str] = {
    "channel-closed": "Nothing: the professional's next message opens the channel; `mss-gateway channel show`.",
    "channel-never-opened": "Nothing: the professional writes first; `mss-gateway channel show`.",
    "identity-unknown": "Import the qualified identity: `mss-gateway ins import`.",
    "identity-not-qualified": "Qualify the identity, then import it: `mss-gateway ins import`.",
    "unknown-box": "Compare the address with `mss-gateway bal list`.",
    "box-full": "Its owner deletes mail, or `mss-gateway bal quota` gives it room; the sender tries again by itself.",
    "closed-box": "Tell the sender; `mss-gateway bal activate` takes the mailbox up again.",
    "sender-inactive": "`mss-gateway bal activate`, when the mailbox may write again.",
    "patient-closed": "Reach the patient another way.",
    "outside-trust-space": _LIST,
    "sender-outside": _LIST,
    "sender-dn-mismatch": _LIST,
    "from-dn-mismatch": _LIST,
    "dn-not-listed": _LIST,
    "reply-to-unfit": "Let Reply-To name an open PER, ORG or CAB mailbox.",
    "reply-to-many": "Let Reply-To name one mailbox, such as that of the office.",
    "patient-size": "Send less, or in several messages.",
    "patient-attachment": "Send the document as a PDF.",
    "mail-loop": "Look for two forwardings that point at each other.",
    "store-full": _ROOM,
    "spool-full": _ROOM,
    "ins-length": _INS,
    "ins-characters": _INS,
    "ins-sex": _INS,
    "ins-month": _INS,
    "ins-department": _INS,
    "ins-key": _INS,
    "xdm-several-recipients": "Send one message for each patient.",
    "no-mx": "Is the domain spelled well? If so, ask the other operator.",
    "null-mx": "Is the domain spelled well? If so, ask the other operator.",
    "dns-failure": "Nothing, unless it lasts: does our resolver answer?",
    "too-large-for-peer": "Send less, or in several messages.",
    "certificate-expired": _THEIRS,
    "certificate-revoked": _THEIRS,
    "crl-stale": _CRL,
    "crl-missing": _CRL,
}
"""What an operator can do about a reason; archives share one sentence."""

_RELAYING = frozenset({"relayed", "deferred", "uncertain", "relay-failed"})


def meaning(event: str, detail: Mapping[str, str | int]) -> str:
    """The sentence behind the slug of an event, or the published label of an integration error; else empty."""
    if event == "integration-error":
        return INTEGRATION_LABELS.get(str(detail.get("code", "")), "")
    reason = str(detail.get("reason", ""))
    if event == "report-withheld":
        return WITHHELD_REASONS.get(reason, "")
    if event in _RELAYING:
        return RELAY_REASONS.get(reason) or TRUST_REASONS.get(reason, "")
    sentence = REASONS.get(reason, "").partition(": ")[2]
    if sentence:
        return f"the INS is wrong: {sentence}" if reason.startswith("ins-") else sentence
    return WIRE_REASONS.get(reason) or PROBLEMS.get(reason) or TRUST_REASONS.get(reason, "")


def remedy_of(event: str, reason: str) -> str:
    """What to do about a reason; empty when there is nothing special to it."""
    if event == "report-withheld":
        return ""
    return REMEDIES.get(reason, _ARCHIVE if reason.startswith("xdm-") else "")
