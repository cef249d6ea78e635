"""What members of a shared mailbox do with its messages, and how it is told to them (BAL-3)."""

from __future__ import annotations

from datetime import datetime
from enum import Enum


class Act(Enum):
    """One thing that a member did with a message; the value is how it is stored and shown to programs."""

    READ = "read"
    ANSWERED = "answered"
    FLAGGED = "flagged"
    FILED = "filed"  # moved or copied into another folder, or put into one
    DELETED = "deleted"  # marked as deleted, or moved to the trash
    REMOVED = "removed"  # gone from the mailbox: expunged, or moved into another one
    SENT = "sent"  # written by the member: a copy in the folder of what was sent


ACTS_OF_FLAGS = {
    "\\Seen": Act.READ,
    "\\Answered": Act.ANSWERED,
    "\\Flagged": Act.FLAGGED,
    "\\Deleted": Act.DELETED,
}
"""What it means that a member has set a flag."""

_FRENCH = {
    Act.READ: "lu",
    Act.ANSWERED: "répondu",
    Act.FLAGGED: "marqué",
    Act.FILED: "classé",
    Act.DELETED: "supprimé",
    Act.REMOVED: "retiré de la boîte",
    Act.SENT: "envoyé",
}


def event_of(act: Act) -> str:
    """The event that the timeline keeps for it (AUD-1)."""
    return f"member-{act.value}"


def told(name: str, act: Act, first: datetime, last: datetime, uid: int | None = None) -> str:
    """One line in French for the members: `14/11/2026 10:32 Alix Martin : lu (UID 12)`.

    `last` is told when the member did it again at another minute; `uid` where the line is not about one message alone.
    """
    since, until = f"{first:%d/%m/%Y %H:%M}", f"{last:%d/%m/%Y %H:%M}"
    extra = [f"UID {uid}"] if uid is not None else []
    if until != since:
        extra.append(f"dernière fois le {until}")
    shown = f" ({', '.join(extra)})" if extra else ""
    return f"{since} {name} : {_FRENCH[act]}{shown}"
