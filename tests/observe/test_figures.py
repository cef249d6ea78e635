"""What is counted, how it is told, what it costs to nobody, and the dashboard that reads it (OPS-4)."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from mss_gateway.observe.buckets import SECONDS, Buckets
from mss_gateway.observe.events import Event
from mss_gateway.observe.figures import OTHER, Figures, Gauge
from mss_gateway.observe.pulse import COARSE, STEP, Pulse
from tests.support.ops import FAMILY, HELPED, ops_gateway

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "mss-gateway.json"
NAME = re.compile(r"\bmss_[a-z_]+")


@pytest.mark.req("OPS-4")
@settings(max_examples=30)
@given(st.lists(st.floats(0, 100), max_size=50))
def test_buckets_are_cumulative_and_complete(values: list[float]) -> None:
    """Each bound counts every value up to it; the last one counts all."""
    buckets = Buckets("mss_x_seconds", "x")
    for value in values:
        buckets.observe(value)
    samples = {
        one.labels.get("le"): one.value for one in buckets.family().samples if one.name.endswith("_bucket")
    }
    for bound in SECONDS:
        assert samples[f"{bound:g}"] == sum(value <= bound for value in values)
    assert samples["+Inf"] == len(values) == buckets.count


@pytest.mark.req("OPS-4")
def test_events_become_figures() -> None:
    """Refusals are kept by kind and reason with their time, totals grow, invented mechanisms share one label."""
    figures = Figures()
    figures.event(Event.MESSAGE_ACCEPTED, {"size": 1000, "placed": 1, "queued": 2})
    figures.event(Event.MESSAGE_REFUSED, {"reason": "unknown-box"})
    figures.event(Event.TLS_REFUSED, {"reason": "tls-no-cipher"})
    for number in range(50):
        figures.event(Event.LOGIN, {"mechanism": f"X-{number}", "result": "unknown-mechanism"})
    figures.event(Event.LOGIN, {"mechanism": "PLAIN", "result": "ok"})
    figures.event(Event.LOGIN, {"mechanism": "scram-sha-256", "result": "login-failed"})
    figures.event(Event.RELAYED, {"recipients": 3})
    text = figures.render([Gauge("mss_z", "z", 1.5, {"a": 'b"c\n'})]).decode()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["mss_messages_accepted_total",] == 1
    assert found["mss_octets_accepted_total",] == 1000
    assert found["mss_recipients_queued_total",] == 2
    assert found["mss_refusals_total", "unknown-box"] == 1
    assert found["mss_tls_failures_total", "tls-no-cipher"] == 1
    assert found["mss_logins_total", OTHER, "unknown-mechanism"] == 50
    assert found["mss_logins_total", "PLAIN", "ok"] == 1
    assert found["mss_logins_total", "SCRAM-SHA-256", "login-failed"] == 1
    assert figures.refusals["login", "login-failed"].count == 1
    assert ("login", "ok") not in figures.refusals
    assert found["mss_z", 'b"c\n'] == 1.5
    assert figures.relayed == 3
    assert figures.refusals["message", "unknown-box"].count == 1
    assert figures.refusals["tls", "tls-no-cipher"].last_at > 0


@pytest.mark.req("OPS-4")
def test_rates_are_differences_and_memory_is_bounded() -> None:
    """A day of beats keeps some hundred samples; a minute knows only what came in it."""
    figures = Figures()
    pulse = Pulse(figures)
    start = pulse._fine[0].at
    for step in range(1, 3000):
        figures.accepted += 1
        pulse.beat(start + step * STEP, 0.0)
    now = start + 2999 * STEP
    rates = pulse.rates(now)
    assert 6 <= rates["minute"]["received"] <= 8
    assert 360 <= rates["hour"]["received"] <= 362
    assert rates["day"]["received"] == 2999
    assert len(pulse._fine) < 400
    assert len(pulse._coarse) <= 86_400 / COARSE + 2
    pulse.beat(now + 1, 0.75)
    assert pulse.lag == 0.75


@pytest.mark.req("OPS-4")
def test_every_metric_of_the_dashboard_exists_and_every_family_has_help(tmp_path: Path) -> None:
    """The file is valid, its names are those that a gateway tells, and each has its unit and its words."""
    with ops_gateway(tmp_path) as ops:
        text = ops.admin("/metrics").text
    families = set(FAMILY.findall(text))
    assert families == set(HELPED.findall(text))
    told = families | {f"{name}_{part}" for name in families for part in ("bucket", "sum", "count")}
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for expression in expressions for name in NAME.findall(expression)}
    assert len(named) > 20
    assert named <= told
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    list(text_string_to_metric_families(text))
