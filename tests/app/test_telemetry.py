"""Spans reach a collector over OTLP, tell what took how long, and hold nothing of a patient (OPS-4, AUD-5)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from mss_gateway.settings import Settings
from mss_gateway.settings.telemetry import TelemetryOptions
from tests.support.doors import Change, Served, gateway_in_thread
from tests.support.letters import MEDECIN, SENDER, letter

SUBJECT = "Objet Confidentiel"


class Collector:
    """Takes what is sent to it; `spans` are all of it so far. `leads_to` sends clients elsewhere."""

    def __init__(self) -> None:
        collected = self.requests = list[bytes]()
        self.leads_to = ""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collected.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(307 if collector.leads_to else 200)
                if collector.leads_to:
                    self.send_header("Location", collector.leads_to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> list[Span]:
        """Every span."""
        found = []
        for data in self.requests:
            request = ExportTraceServiceRequest.FromString(data)
            found += [
                span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans
            ]
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector on loopback."""
    made = Collector()
    yield made
    made.close()


def with_spans(endpoint: str, timeout: float = 30.0) -> Change:
    """The settings with every message observed."""

    def change(settings: Settings) -> Settings:
        return replace(settings, telemetry=TelemetryOptions(endpoint, 1.0, None, timeout))

    return change


def delivered(served: Served, recipient: str) -> str:
    """What the listed operator hears."""
    wire = served.operator()
    try:
        return wire.deliver(SENDER, recipient, letter(subject=SUBJECT))
    finally:
        wire.close()


@pytest.mark.req("OPS-4", "AUD-5")
def test_a_message_is_a_span_with_its_parts(collector: Collector, tmp_path: Path) -> None:
    """Reading, decision and commit are its children; accepted or refused, by numbers and slugs alone."""
    with gateway_in_thread(tmp_path, with_spans(collector.endpoint)) as served:
        assert delivered(served, MEDECIN).startswith("250")
        patient = served.handout.account("PAT").address
        refused = delivered(served, patient)
    by_name: dict[str, list[Span]] = {}
    for span in collector.spans:
        by_name.setdefault(span.name, []).append(span)
    whole = by_name["message"][0]
    for name in ("read", "decide", "commit"):
        (part, *_) = by_name[name]
        assert (part.trace_id, part.parent_span_id) == (whole.trace_id, whole.span_id)
        assert whole.start_time_unix_nano <= part.start_time_unix_nano <= part.end_time_unix_nano
    said = {one.key: one.value for one in whole.attributes}
    assert said["mss.caller"].string_value == "operator"
    assert said["mss.placed"].int_value == 1
    octets = b"".join(collector.requests)
    for word in (SUBJECT, "Confidentiel", patient[:13], "Bonjour"):
        assert word.encode() not in octets
    assert refused[:1] in "25"


@pytest.mark.req("OPS-4", "AUD-5")
def test_spans_go_to_the_collector_alone(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither through a proxy that the environment names, nor to where an answer points."""
    proxy, elsewhere = Collector(), Collector()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.endpoint)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    collector.leads_to = elsewhere.endpoint
    with gateway_in_thread(tmp_path, with_spans(collector.endpoint, 4.0)) as served:
        assert delivered(served, MEDECIN).startswith("250")
    assert (bool(collector.requests), proxy.requests, elsewhere.requests) == (True, [], [])
    proxy.close()
    elsewhere.close()


@pytest.mark.req("OPS-4")
def test_a_collector_that_is_silent_costs_no_message(tmp_path: Path) -> None:
    """Nobody listens there: mail goes on, and the gateway stops when asked."""
    with gateway_in_thread(tmp_path, with_spans("http://127.0.0.1:9/v1/traces", 0.5)) as served:
        assert delivered(served, MEDECIN).startswith("250")


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    """A gateway that sends no spans does not carry the library."""
    program = (
        "import sys, mss_gateway.app.gateway\n"
        "from mss_gateway.app.telemetry import telemetry\n"
        "telemetry(None, 'x')\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
