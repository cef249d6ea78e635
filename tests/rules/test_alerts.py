"""When patients are told outside, and in which words (PAT-3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.rules.alerts import BURST, LONGEST, AlertTimes, alert_mail, due_at, mask_personal, retry_at

pytestmark = pytest.mark.req("PAT-3")
ZONES = (
    "Europe/Paris",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Kiritimati",
)


def times(zone: str, hour: int, *, daily: bool = True) -> AlertTimes:
    def offset(at: float) -> int:
        shift = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()
        assert shift is not None
        return int(shift / timedelta(minutes=1))

    return AlertTimes(daily, hour, offset)


def local(zone: str, text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def test_each_message_at_once_bursts_as_one() -> None:
    """The first goes at once, what follows within a minute waits for its end."""
    each = times("Europe/Paris", 8, daily=False)
    assert due_at(1000.0, 0.0, each) == 1000.0
    assert due_at(1010.0, 1000.0, each) == 1000.0 + BURST
    assert due_at(5000.0, 1000.0, each) == 5000.0


@pytest.mark.parametrize(
    ("zone", "hour", "arrived", "expected"),
    [
        ("Europe/Paris", 8, "2026-11-21T07:59", "2026-11-21T08:00"),
        ("Europe/Paris", 8, "2026-11-21T08:00", "2026-11-21T08:00"),
        ("Europe/Paris", 8, "2026-11-21T08:01", "2026-11-22T08:00"),
        ("Europe/Paris", 8, "2026-03-28T20:00", "2026-03-29T08:00"),  # 23 hours in that day
        ("Europe/Paris", 8, "2026-10-24T20:00", "2026-10-25T08:00"),  # 25 hours
        ("Europe/Paris", 2, "2026-03-28T20:00", "2026-03-29T03:00"),  # 02:00 does not exist
        ("Europe/Paris", 2, "2026-10-24T20:00", "2026-10-25T02:00"),  # it exists twice: the first
        ("Asia/Kathmandu", 8, "2026-11-21T12:00", "2026-11-22T08:00"),
        ("Pacific/Apia", 8, "2011-12-29T12:00", "2011-12-31T08:00"),  # 30 December did not exist
    ],
)
def test_the_digest_hour_is_local(zone: str, hour: int, arrived: str, expected: str) -> None:
    """Clock changes and odd zones move the moment, never the hour on the wall."""
    assert due_at(local(zone, arrived), 0.0, times(zone, hour)) == local(zone, expected)


@given(
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    arrived=st.integers(1_300_000_000, 1_900_000_000),
    late=st.floats(0, 3 * 86_400),
    gap=st.integers(0, 3 * 86_400),
)
@settings(max_examples=300)
def test_one_digest_a_day_never_early_never_lost(
    zone: str, hour: int, arrived: int, late: float, gap: int
) -> None:
    """Due after the arrival, within two days of it, and never on a local day that had its mail."""
    daily = times(zone, hour)
    first = due_at(arrived, 0.0, daily)
    assert arrived <= first <= arrived + 2 * 86_400
    told = first + late
    second = due_at(told + gap, told, daily)
    assert told + gap <= second <= told + gap + 3 * 86_400
    days = {datetime.fromtimestamp(at, ZoneInfo(zone)).date() for at in (told, second)}
    assert len(days) == 2


def test_retries_slow_down_and_end_after_three_days() -> None:
    """Every delay is at least the one before; after three days nothing more is tried."""
    now, attempts, delays = 1000.0, 0, []
    while True:
        attempts += 1
        again = retry_at(attempts, now, 1000.0)
        if again is None:
            break
        delays.append(again - now)
        now = again
    assert delays == sorted(delays)
    assert delays[0] == 60.0
    assert LONGEST - 14_400 < now - 1000.0 <= LONGEST


def test_the_mail_is_proper_french_mail() -> None:
    """The subject, the sentence, the link and RFC 3834's mark; nothing but ASCII octets."""
    octets = alert_mail(
        "alerte@mes.example", "p@perso.example", "https://mes.example", "<1@mes.example>", 0.0
    )
    assert octets.isascii()
    mail = message_from_bytes(octets, policy=policy.default)
    assert mail["Subject"] == "Nouveau message dans votre messagerie Mon espace santé"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "Vous avez reçu un nouveau message dans votre messagerie Mon espace santé." in text
    assert "https://mes.example" in text


def test_personal_addresses_are_masked() -> None:
    """First letter and domain stay."""
    assert mask_personal("jeanne.dupont@perso.example") == "j***@perso.example"
    assert mask_personal("rien") == "***"
