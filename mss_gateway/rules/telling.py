"""What the timeline tells of an event: a decision rule by rule, everything in words (AUD-2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from .audit import BOX_EVENTS
from .meanings import remedy_of
from .policy import MESSAGE_RULES, RECIPIENT_RULES, SENDER_RULES, Rule

Detail = Mapping[str, str | int]
"""The detail of a trace line."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """What one rule said: `outcome` is `passed`, `warned` or `refused`; `ids` are the requirements it keeps."""

    name: str
    ids: str
    outcome: str


class Tone(Enum):
    """How an event reads: all went well, something stands out, it went wrong, or it is a plain fact."""

    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class EventWords:
    """An event in words: `title` is a short phrase, `remedy` one sentence for the operator or nothing."""

    title: str
    tone: Tone = Tone.PLAIN
    remedy: str = ""


EVENTS: dict[str, EventWords] = {
    "accepted": EventWords("accepted, and committed to disk", Tone.GOOD),
    "refused": EventWords("refused", Tone.BAD),
    "warned": EventWords(
        "accepted with a warning", Tone.DOUBT, "The setting that only warns can be made to refuse."
    ),
    "document-checked": EventWords("IHE_XDM archive checked", Tone.GOOD),
    "channel-open": EventWords("channel open: the patient may answer"),
    "channel-closed": EventWords("channel closed: the patient may not answer"),
    "auto-closed": EventWords("exchange ended by a setting of the mailbox"),
    "notice-sent": EventWords("notice written to the sender"),
    "filed": EventWords("copy filed in the folder of exchanges"),
    "discarded": EventWords("ended here without a report", Tone.DOUBT),
    "undeleted": EventWords("messages brought back by an operator"),
    "removed-ended": EventWords("removed messages ended before their time"),
    "backup-begun": EventWords("backup begun by an operator"),
    "store-restored": EventWords(
        "store restored from a backup", Tone.DOUBT, "`mss-gateway restored` tells what is kept back."
    ),
    "receipts-released": EventWords("read receipts released after a restore"),
    "retried": EventWords("made due by an operator"),
    "held": EventWords("held back by an operator", Tone.DOUBT, "`mss-gateway queue release` lets it go."),
    "released": EventWords("released by an operator"),
    "cancelled": EventWords(
        "taken out of the queue by an operator",
        Tone.BAD,
        "The sender was told, unless the operator chose otherwise; the next lines say so.",
    ),
    "bounced": EventWords(
        "not distributed, the sender is told",
        Tone.BAD,
        "Reach the patient another way: the mailbox is closed or was never activated.",
    ),
    "relayed": EventWords("taken over by the other operator", Tone.GOOD),
    "deferred": EventWords(
        "not taken yet, will be tried again", Tone.DOUBT, "Nothing, unless it lasts: ask the other operator."
    ),
    "uncertain": EventWords(
        "sent, but the answer was lost",
        Tone.DOUBT,
        "The other operator may hold it already: ask before sending it anew.",
    ),
    "relay-failed": EventWords(
        "given up: the other operator did not take it",
        Tone.BAD,
        "The status says why; the sender is told, and may send it anew.",
    ),
    "report-written": EventWords("delivery report written to the sender"),
    "report-withheld": EventWords(
        "nobody is told", Tone.DOUBT, "Tell the sender another way, when somebody waits for the answer."
    ),
    "dsn-received": EventWords("delivery report received"),
    "patient-closed-received": EventWords(
        "the patient's operator reports a closed mailbox", Tone.BAD, "Reach the patient another way."
    ),
    "receipt-opened": EventWords("opened by the recipient", Tone.GOOD),
    "mdn-sent": EventWords("read receipt written to the sender", Tone.GOOD),
    "mdn-received": EventWords("read receipt received", Tone.GOOD),
    "integration-ok": EventWords("taken into the recipient's software", Tone.GOOD),
    "integration-error": EventWords(
        "the recipient's software could not take it in",
        Tone.BAD,
        "The code says why: correct the document and send it anew.",
    ),
    "member-read": EventWords("read by a member"),
    "member-answered": EventWords("answered by a member", Tone.GOOD),
    "member-flagged": EventWords("flagged by a member"),
    "member-filed": EventWords("filed by a member"),
    "member-deleted": EventWords("marked as deleted by a member"),
    "member-removed": EventWords("removed from the mailbox by a member", Tone.DOUBT),
    "member-sent": EventWords("written by a member"),
    "quota-warned": EventWords(
        "the mailbox was told that it fills up",
        Tone.DOUBT,
        "Make room in it, or raise what it may hold: `mss-gateway bal quota`.",
    ),
    "alert-sent": EventWords("patient alerted outside, without health data", Tone.GOOD),
    "alert-failed": EventWords(
        "the alert could not be sent",
        Tone.DOUBT,
        "The message itself is in the mailbox: look at the smarthost and the alert address.",
    ),
}
"""Every event that the timeline of a message knows; docs/traces.md lists them all."""

_TABLE: tuple[Rule, ...] = (*SENDER_RULES, *RECIPIENT_RULES, *MESSAGE_RULES)
_SAID_BY: dict[str, str] = {
    "null-sender": "null-sender",
    "null-sender-shape": "null-sender-shape",
    "sender-outside": "operator-sender",
    "sender-dn-mismatch": "operator-sender",
    "sender-not-yours": "submission-sender",
    "delegation-early": "delegation-time",
    "delegation-ended": "delegation-time",
    "sender-forged": "delegate-named",
    "sender-inactive": "sender-state",
    "from-mismatch": "header-from",
    "from-dn-mismatch": "header-from-operator",
    "reply-to-outside": "reply-to",
    "reply-to-patient": "reply-to-patient",
    "reply-to-unfit": "reply-to-unfit",
    "reply-to-many": "reply-to-many",
    "field-repeated": "repeated-fields",
    "outside-trust-space": "outside",
    "patient-to-outside": "outside",
    "relay-denied": "relay-denied",
    "patient-to-patient": "patient-to-patient",
    "identity-unknown": "identity-qualified",
    "identity-not-qualified": "identity-qualified",
    "unknown-box": "box-exists",
    "closed-box": "box-open",
    "box-full": "box-has-room",
    "patient-closed": "patient-box-open",
    "channel-closed": "patient-answer",
    "channel-never-opened": "patient-answer",
    "mail-loop": "received-count",
    "patient-size": "patient-size",
    "patient-attachment": "patient-attachments",
}
_ACTIONS = {"failed": Tone.BAD, "delayed": Tone.DOUBT}  # RFC 3464 section 2.3.3; the others are good news


def rule_of(reason: str) -> str | None:
    """The name of the one rule that answers with this slug; None when two rules do, or none."""
    if reason.startswith("xdm-"):
        return "archive"
    if reason.startswith("ins-"):
        return "patient-address"
    return _SAID_BY.get(reason)


def told(event: str, detail: Detail) -> list[RuleLine]:
    """A decision rule by rule, in the order of the table; empty for what is no decision of the rules.

    The rules before a refusal have passed, those after it were not asked. The refusing rule is detail `rule`, or
    the one that alone says the reason. The ids are those of the table as it is now.
    """
    if event == "accepted":
        return [_line(rule, "passed") for rule in _TABLE]
    if event not in ("refused", "warned"):
        return []
    name = str(detail.get("rule", "")) or rule_of(str(detail.get("reason", "")))
    if name is None:
        return []
    names = [_name(rule) for rule in _TABLE]
    if name not in names:
        return [RuleLine(name, "", event)]
    place = names.index(name)
    before = [_line(rule, "passed") for rule in _TABLE[:place]] if event == "refused" else []
    return [*before, _line(_TABLE[place], event)]


def words(event: str, detail: Detail) -> EventWords:
    """The event in words; one that is not known is shown as it is."""
    found = EVENTS.get(event) or EventWords(BOX_EVENTS.get(event, event))
    remedy = remedy_of(event, str(detail.get("reason", ""))) or found.remedy
    return EventWords(found.title, _tone(event, detail, found), remedy)


def _tone(event: str, detail: Detail, found: EventWords) -> Tone:
    if event == "dsn-received":
        return _ACTIONS.get(str(detail.get("action", "")), Tone.GOOD)
    if event == "mdn-received" and detail.get("disposition", "displayed") != "displayed":
        return Tone.DOUBT
    return found.tone


def _name(rule: Rule) -> str:
    return rule.__name__.replace("_", "-")


def _line(rule: Rule, outcome: str) -> RuleLine:
    return RuleLine(_name(rule), (rule.__doc__ or "").partition(":")[0], outcome)
