"""What the functional trace says in words: kinds of damage, and what a line counts for (AUD-1, AUD-3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Detail = Mapping[str, str | int]
"""The detail of a trace line."""

KINDS: dict[str, str] = {
    "edited": "was changed, or replaced",
    "inserted": "was written by somebody else than this gateway",
    "deleted": "is missing",
    "reordered": "stands at another place",
    "link-replaced": "is right, but its link was overwritten",
    "seal-differs": "is not the line that was sealed here",
    "seal-missing": "is a seal that its file does not hold",
    "seal-forged": "stands in the file of seals and was not written by this gateway",
    "head-forged": "ends a chain whose proven end was removed or overwritten",
    "key-unknown": "was linked with a key that the key file does not hold",
}
"""What was done to lines, by the slug of `audit verify`; the sentence goes on from `line N`."""

BOX_EVENTS: dict[str, str] = {
    "mailbox-opened": "opened a folder",
    "mailbox-read": "read messages",
    "mailbox-searched": "searched",
    "mailbox-flagged": "changed flags",
    "mailbox-copied": "copied messages",
    "mailbox-moved": "moved messages",
    "mailbox-removed": "removed messages for good",
    "mailbox-added": "put messages into a folder",
    "mailbox-refused": "asked for something and was refused",
    "audit-sealed": "the trace was sealed",
    "audit-purged": "old lines of the trace were removed",
    "audit-exported": "lines of the trace were exported",
}
"""What people do in a mailbox over IMAP, gathered by session, and what is done with the trace itself (AUD-1)."""

CONSULTING = frozenset({"mailbox-opened", "mailbox-read", "mailbox-searched"})
"""Those that change nothing; the setting `audit.reads` says in which mailboxes they are written down."""

_COUNTED = {
    "accepted": "messages.accepted",
    "refused": "messages.refused",
    "bounced": "messages.bounced",
    "relayed": "messages.relayed",
    "relay-failed": "messages.given-up",
    "channel-open": "channels.opened",
    "channel-closed": "channels.closed",
    "auto-closed": "channels.closed",
    "login-refused": "connections.refused",
    "alert-sent": "alerts.sent",
}

EVENTS = frozenset({*_COUNTED, "login"})
"""The events that count for anything."""

FIGURED = ("sender", "recipients", "door", "mechanism", "placed", "sender_box")
"""What `figures_of` looks at in a detail; of the last two, whether they are there."""

SEEN = ("sender_box", "marks")
"""What `seen_in` looks at in a detail."""


def figures_of(event: str, detail: Detail) -> Iterator[str]:
    """The figures that a line adds one to (AUD-3)."""
    if (name := _COUNTED.get(event)) is not None:
        yield name
    if event == "login":
        door = str(detail.get("door", "")) or "mail"
        yield f"connections.{door}.{detail.get('mechanism', 'password')}"
    elif event == "accepted":
        if detail.get("placed"):
            yield f"received.{detail.get('sender', 'unknown')}"
        if detail.get("sender_box"):
            yield from (
                f"sent.{pair.partition(':')[0]}" for pair in str(detail.get("recipients", "")).split()
            )


def seen_in(event: str, box_id: int | None, detail: Detail) -> Iterator[tuple[str, str]]:
    """Who is counted once a month by this line: a BAL that logged in or sent, a patient who was written to."""
    if event == "login" and box_id is not None:
        yield "bal", str(box_id)
    elif event == "accepted" and detail.get("sender_box"):
        yield "bal", str(detail["sender_box"])
        yield from (("patient", mark) for mark in str(detail.get("marks", "")).split())
