"""What keeps a message in the outbound queue, and what an operator can do about it (QUE-3)."""

from __future__ import annotations

from .dsn_texts import CANCELLED
from .meanings import RELAY_REASONS, TRUST_REASONS, remedy_of

_WAIT = "Nothing, unless it lasts: it is tried again by itself."
_ASK = "Ask the other operator whether its server runs; then `mss-gateway queue retry --domain …`."
_SPELLED = "Is the domain spelled well? If so, tell the other operator; if not, `mss-gateway queue cancel`."
_THEIR_CERTIFICATE = (
    "Tell the other operator: its certificate has to be corrected; nothing is sent until then."
)
_OUR_CERTIFICATE = "Show our certificate and our entry in the trusted list to the other operator."
_OUR_LIST = "`mss-gateway trust show DOMAIN` tells what our trusted list says; is it current?"
_ANOTHER_WAY = (
    "The peer's reply says why: have the sender write another message, or reach the recipient otherwise."
)
_SMALLER = "Have the sender send less, or in several messages."
_PLAIN = "Have the sender's software encode the message in plain ASCII."
_STORE = "Look into the log, and check the disk: `mss-gateway queue cancel` tells the sender."
_DOUBLE = "Ask the other operator whether it has it, before somebody sends it anew."

REMEDIES: dict[str, str] = {
    "sent": "Nothing: the other operator has it.",
    "no-mx": _SPELLED,
    "null-mx": _SPELLED,
    "dns-failure": "Nothing, unless it lasts: does our resolver answer?",
    "connect-refused": _ASK,
    "connect-timeout": _ASK,
    "timeout": _ASK,
    "lost": _WAIT,
    "no-starttls": _THEIR_CERTIFICATE,
    "tls-failure": "`mss-gateway trust explain HOST:PORT` shows the handshake step by step.",
    "peer-temporary": _WAIT,
    "peer-refused": _ANOTHER_WAY,
    "peer-needs-smtputf8": "Have the sender use an address without accents.",
    "peer-needs-8bitmime": _PLAIN,
    "too-large-for-peer": _SMALLER,
    "bare-line-end": "Have the sender's software end its lines with CR LF.",
    "peer-distrusts-us": _OUR_CERTIFICATE,
    "peer-broke-protocol": "Tell the other operator what its server answered.",
    "lost-after-data": _DOUBLE,
    "interrupted": _DOUBLE,
    "letter-incomplete": _STORE,
    "fault": "The log of the gateway says why; it is tried again by itself.",
    "dn-not-listed": _OUR_LIST,
    CANCELLED: "Nothing: it has left the queue.",
}
"""Slug of an attempt to what can be done about it; every slug of `ports.relay.Outcome` that is not of the trust."""

_MEANINGS: dict[str, str] = {
    "sent": "the other operator has taken it over",
    "interrupted": "this gateway was ended in the middle of an attempt: the other operator may have it",
    CANCELLED: "an operator has taken it out of the queue",
}
_TRUST_FAMILIES = ("certificate-", "crl-", "ocsp-", "tls-")


def slug_of(error: str) -> str:
    """The slug of a row's `last_error`, which is `slug: text`; empty when it was never tried."""
    return error.partition(":")[0]


def meaning_of(reason: str) -> str:
    """One sentence for a slug; empty when the row was never tried."""
    if not reason:
        return ""
    known = _MEANINGS.get(reason) or RELAY_REASONS.get(reason) or TRUST_REASONS.get(reason)
    if known:
        return known
    if reason.startswith(_TRUST_FAMILIES):
        return "the server's certificate or TLS does not hold what the trust space asks for"
    return "the attempt did not succeed"


def remedy_for(reason: str) -> str:
    """What can be done about a slug; empty when the row was never tried."""
    if not reason:
        return ""
    return REMEDIES.get(reason) or remedy_of("deferred", reason) or _of_family(reason)


def _of_family(reason: str) -> str:
    if reason in TRUST_REASONS or reason.startswith(_TRUST_FAMILIES):
        return _THEIR_CERTIFICATE
    return _WAIT
