"""A line of the trace as an export has it: who, when, what, with what result; never content (AUD-1)."""

from __future__ import annotations

from mss_gateway.ports.audit import AuditLine
from mss_gateway.rules.ins import mask_text

from .operation import Result, local

COLUMNS = (
    "line",
    "time",
    "author",
    "name",
    "national_id",
    "mailbox",
    "action",
    "request",
    "result",
    "message_id",
    "transaction",
    "correspondents",
    "detail",
)
"""The columns of an export; `national_id` is filled in when it was asked for."""

_REFUSED = frozenset(
    {"refused", "login-refused", "mailbox-refused", "relay-failed", "tls-refused", "alert-failed"}
)
_CORRESPONDENTS = ("sender", "recipient", "recipients", "patient", "bal", "address")
_OWN_COLUMN = frozenset({"request", "result", "reason", "sender_box", "marks", *_CORRESPONDENTS})


def record(line: AuditLine, *, ids: bool) -> Result:
    """The line by columns; texts are masked once more, whoever wrote them (INS-7)."""
    detail = line.detail
    reason = str(detail.get("reason", ""))
    result = str(detail.get("result", "ok"))
    if line.event in _REFUSED:
        result = f"refused: {reason or result}"
    named = (f"{name}={detail[name]}" for name in _CORRESPONDENTS if detail.get(name))
    rest = (f"{name}={value}" for name, value in detail.items() if name not in _OWN_COLUMN)
    return {
        "line": line.id,
        "time": local(line.at).isoformat(timespec="milliseconds"),
        "author": mask_text(line.actor),
        "name": mask_text(line.name),
        "national_id": line.national_id if ids else "",
        "mailbox": mask_text(line.box),
        "action": line.event,
        "request": mask_text(str(detail.get("request", ""))),
        "result": mask_text(result),
        "message_id": mask_text(line.message_id),
        "transaction": line.transaction,
        "correspondents": mask_text(" ".join(named)),
        "detail": mask_text(" ".join(rest)),
    }
