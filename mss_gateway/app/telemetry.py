"""Spans over OpenTelemetry: OTLP on HTTP, from a thread of its own (OPS-4). Loaded only when a collector is set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mss_gateway.observe.redact import clean
from mss_gateway.observe.spans import NoSpans, Span, Spans
from mss_gateway.settings.telemetry import TelemetryOptions

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan

SERVICE = "mss-gateway"
"""Name of the service in every span."""

WAITING = 2048
"""Spans that wait to be sent at most; more are dropped, and mail never waits for them."""


def telemetry(options: TelemetryOptions | None, hostname: str) -> Spans:
    """The spans of a gateway; those of nobody without a collector."""
    if options is None:
        return NoSpans()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(options.share)),
        resource=Resource.create({"service.name": SERVICE, "service.instance.id": hostname}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        endpoint=options.endpoint,
        certificate_file=str(options.ca) if options.ca is not None else None,
        timeout=options.timeout,
        session=_session(),
    )
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=WAITING))
    return OtelSpans(provider)


def _session() -> requests.Session:
    """Straight to the collector: no proxy, authority or .netrc of the environment, and no redirection."""
    import requests

    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    return session


class OtelSpans:
    """Spans that are collected. The context of the task says which one is the parent."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE)

    @contextlib.contextmanager
    def span(self, name: str, **fields: object) -> Iterator[Span]:
        """Begin one; an exception is told by its type alone."""
        with self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as begun:
            shown = _Shown(begun)
            shown.put(**fields)
            try:
                yield shown
            except Exception as error:
                shown.refuse(type(error).__name__)
                raise

    def close(self) -> None:
        """Send what waits, and end."""
        self._provider.shutdown()


class _Shown:
    """One span; every value passes redaction."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def put(self, **fields: object) -> None:
        """Attributes `mss.NAME`."""
        for name, value in fields.items():
            shown = clean(value)
            if shown is not None:
                self._span.set_attribute(f"mss.{name}", shown)

    def refuse(self, reason: str) -> None:
        """The status is an error, its description a slug."""
        from opentelemetry.trace import StatusCode

        self._span.set_status(StatusCode.ERROR, reason)
        self.put(reason=reason)
