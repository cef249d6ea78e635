"""When a patient is told outside that something has arrived, and in which words (PAT-3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mss_gateway.mail.compose import Letterhead, notice

Offset = Callable[[float], int]
"""The local zone: minutes east of UTC at a moment in epoch seconds."""

BURST = 60.0
"""Seconds between two alerts of one box, however much arrives."""

LONGEST = 3 * 86_400.0
"""Seconds after which an alert that no smarthost took is given up."""

DELAYS = (60.0, 300.0, 900.0, 3600.0, 7200.0, 14_400.0)
"""Seconds after each failed attempt; the last one holds for all further ones."""

DAY = 86_400.0

SENDER_NAME = "Messagerie Mon espace santé"
SUBJECT = "Nouveau message dans votre messagerie Mon espace santé"
TEXT = (
    "Bonjour,\n\n"
    "Vous avez reçu un nouveau message dans votre messagerie Mon espace santé.\n"
    "{link}\n"
    "Pour protéger vos données, cette alerte ne dit rien de son contenu.\n\n"
    "Ce courriel est envoyé automatiquement, merci de ne pas y répondre.\n"
)
LINK = "Pour le lire, connectez-vous : {link}\n"


@dataclass(frozen=True, slots=True)
class AlertTimes:
    """`daily` tells once a day at `digest_hour` (0 to 23, local time), else each message is told, bursts as one."""

    daily: bool
    digest_hour: int
    offset: Offset


def due_at(first_at: float, told_at: float, times: AlertTimes) -> float:
    """When an arrival is to be told, the box having been told before at `told_at` (0: never); epoch seconds."""
    if not times.daily:
        return max(first_at, told_at + BURST) if told_at else first_at
    day = _local_day(first_at, times.offset)
    if told_at:
        day = max(day, _local_day(told_at, times.offset) + 1)
    while (moment := _moment(day, times)) < first_at:
        day += 1
    return moment


def _local_day(at: float, offset: Offset) -> int:
    return int((at + offset(at) * 60) // DAY)


def _moment(day: int, times: AlertTimes) -> float:
    """The digest hour of a local day; the first of two when clocks go back, after the gap when they go forward."""
    wall = day * DAY + times.digest_hour * 3600
    readings = sorted(wall - times.offset(near) * 60 for near in (wall - DAY, wall + DAY))
    for at in readings:
        if at + times.offset(at) * 60 == wall:
            return at
    return readings[-1]


def retry_at(attempts: int, now: float, due: float) -> float | None:
    """When to try again after that many failures, or None when it is given up; `due` is when it was to be told."""
    again = now + DELAYS[min(max(attempts, 1), len(DELAYS)) - 1]
    return again if again <= due + LONGEST else None


def alert_mail(sender: str, recipient: str, link: str, message_id: str, at: float, offset: int = 0) -> bytes:
    """The alert's octets: the same for every patient and message but for To, Date and Message-ID.

    `message_id` comes with its brackets and may hold nothing of the patient; `offset` is in minutes east of UTC.
    """
    head = Letterhead(sender, SENDER_NAME, recipient, SUBJECT, at, message_id, "", offset=offset)
    text = TEXT.format(link=LINK.format(link=link) if link else "")
    return notice(head, text, kind="auto-generated")


def mask_personal(address: str) -> str:
    """A personal address as a log may show it: first letter and domain."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}" if at else "***"
