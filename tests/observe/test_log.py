"""What is written, and what never is."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.secret import Secret
from mss_gateway.observe.events import Event
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.observe.redact import clean, where

INS = "285037728417346"
PRINTED = "2 85 03 77 284 173 46"
MASKED = "2 85 03 ** *** *** **"
CANARY = "canari-mot-de-passe"
FORMATS = ["json", "console"]


class Written:
    """A log that writes into memory."""

    def __init__(self, form: str, level: str = "debug") -> None:
        self._stream: Any = io.BytesIO() if form == "json" else io.StringIO()
        self.log = Log(LogOptions(form, level), Figures(), self._stream)

    @property
    def text(self) -> str:
        """Everything so far."""
        value = self._stream.getvalue()
        return value.decode() if isinstance(value, bytes) else str(value)


@pytest.mark.req("AUD-4")
def test_a_json_line_has_a_name_a_level_a_time_and_typed_fields() -> None:
    """Numbers stay numbers, and the time is UTC."""
    written = Written("json")
    written.log.info(Event.MESSAGE_ACCEPTED, transaction="t1", size=42, placed=1, late=False, note=None)
    line = json.loads(written.text)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "message-accepted",
        "level": "info",
        "transaction": "t1",
        "size": 42,
        "placed": 1,
        "late": False,
        "note": None,
    }


@pytest.mark.req("AUD-4")
@pytest.mark.parametrize("form", FORMATS)
@given(value=st.text(max_size=60))
@settings(max_examples=60)
def test_one_event_is_one_line_whatever_a_field_holds(form: str, value: str) -> None:
    """Nobody writes a line of their own into the log."""
    written = Written(form)
    written.log.info(Event.SMTP_VIOLATION, peer=value)
    assert written.text.endswith("\n")
    assert len(written.text[:-1].splitlines()) == 1


@pytest.mark.req("INS-7", "AUD-5")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "value",
    [
        INS,
        int(INS),
        INS[:13],
        PRINTED,
        f"<{INS}@patient.mssante.fr>",
        f"RCPT TO:<{INS}@patient.mssante.fr> refused",
        [INS, f"{INS}@patient.mssante.fr"],
        {"to": INS},
        {INS: "to"},
        (("deep", (INS,)),),
        ValueError(f"bad address {INS}"),
    ],
)
def test_no_ins_is_written_in_any_shape(form: str, value: object) -> None:
    """The mask is, so that ops see that something was there."""
    written = Written(form)
    for write in (written.log.debug, written.log.info, written.log.warning):
        write(Event.MESSAGE_REFUSED, reason="test", peer=value)
    assert INS[:13] not in written.text
    assert INS[5:] not in written.text
    assert PRINTED not in written.text
    assert written.text.count(MASKED) >= 3


@pytest.mark.req("AUD-5")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "value",
    [
        Secret(CANARY),
        CANARY.encode(),
        bytearray(CANARY.encode()),
        memoryview(CANARY.encode()),
        [Secret(CANARY), CANARY.encode()],
        {"password": Secret(CANARY)},
    ],
)
def test_no_secret_and_no_octets_are_written(form: str, value: object) -> None:
    """Octets may be content, a password, a token: none of them belongs in a log."""
    written = Written(form)
    written.log.debug(Event.LOGIN, peer="192.0.2.1", result=value)
    assert CANARY not in written.text
    assert "***" in written.text


@pytest.mark.req("AUD-5")
@pytest.mark.parametrize("form", FORMATS)
def test_a_fault_tells_its_place_and_never_its_text(form: str) -> None:
    """The text of an exception may hold a subject, a body, an address."""
    written = Written(form)
    try:
        raise ValueError(f"Subject: {CANARY} {INS}")
    except ValueError as error:
        written.log.fault(Event.SMTP_FAULT, error, peer="192.0.2.1")
    assert "ValueError" in written.text
    assert "test_log.py:" in written.text
    assert CANARY not in written.text
    assert INS not in written.text


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    """`where` is total."""
    assert where(ValueError("x")) == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=100)
def test_every_value_becomes_plain(value: object) -> None:
    """The renderer only ever sees texts, numbers, truths and nothing."""
    assert isinstance(clean(value), str | int | float | bool | None)


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_filters_lines_and_not_figures(level: str, count: int) -> None:
    """Figures count what the log leaves out."""
    written = Written("json", level)
    written.log.debug(Event.LOGIN, result="ok")
    written.log.info(Event.LOGIN, result="ok")
    written.log.warning(Event.LOGIN, result="ok")
    written.log.fault(Event.STORE_FAULT, OSError(), result="ok")
    assert len(written.text.splitlines()) == count
    assert 'mss_logins_total{mechanism="other",result="ok"} 3.0' in written.log.figures.render().decode()


def test_figures_count_what_they_name() -> None:
    """Messages, octets, refusals by reason, logins by result, faults by event."""
    figures = Figures()
    figures.event(Event.MESSAGE_ACCEPTED, {"size": 100})
    figures.event(Event.MESSAGE_ACCEPTED, {"size": 23})
    figures.event(Event.MESSAGE_REFUSED, {"reason": "unknown-box"})
    figures.event(Event.TLS_REFUSED, {"reason": "revoked"})
    figures.event(Event.LOGIN, {"result": "login-failed"})
    figures.event(Event.STORE_FAULT, {})
    figures.event(Event.SMTP_LOST, {"peer": "192.0.2.1"})
    shown = figures.render().decode()
    for line in (
        "mss_messages_accepted_total 2.0",
        "mss_octets_accepted_total 123.0",
        'mss_refusals_total{reason="unknown-box"} 1.0',
        'mss_refusals_total{reason="revoked"} 1.0',
        'mss_logins_total{mechanism="other",result="login-failed"} 1.0',
        'mss_faults_total{event="store-fault"} 1.0',
    ):
        assert line in shown
    assert "192.0.2.1" not in shown


@pytest.mark.req("INS-7")
def test_figures_hold_only_the_fields_they_count() -> None:
    """An address beside the reason never becomes a label."""
    figures = Figures()
    for event in Event:
        figures.event(
            event, {"reason": "slug", "result": "ok", "peer": INS, "caller": f"{INS}@patient.mssante.fr"}
        )
    assert INS not in figures.render().decode()
