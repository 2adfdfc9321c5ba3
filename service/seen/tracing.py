"""Traces of requests for OpenTelemetry, where a setting says whereto; else nothing is loaded.

The spans are FastAPI's own; each names its request and tells the time in every stage. Knows nothing
about routes.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.trace import TracerProvider

from latent.errors import InputError
from latent.settings import Settings
from service.seen.timing import Timings

SERVICE = "nearfield"
QUIET = ("/healthz", "/readyz", "/metrics")  # asked every few seconds, and never slow


def provider_of(settings: Settings) -> TracerProvider | None:
    """What sends spans to `NEARFIELD_TRACES_TO`; None where that is not set.

    Raises:
        InputError: the packages for it are not installed.
    """
    if settings.traces_to is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider as Sending
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise InputError(
            "NEARFIELD_TRACES_TO needs more packages: pip install 'nearfield[tracing]'"
        ) from error
    provider = Sending(resource=Resource.create({"service.name": SERVICE}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.traces_to)))
    return provider


def telemetry(provider: TracerProvider | None) -> TelemetryConfig:
    """What FastAPI does about it: spans for requests, nothing else, and nothing without a provider.

    Counts and logs are ours.
    """
    is_on = provider is not None
    return TelemetryConfig(
        tracer_provider=provider,
        tracing=is_on,
        operation_spans=is_on,
        metrics=False,
        logs=False,
        auto_configure=False,
        exclude=_is_quiet,
    )


def tell_span(request_id: str, timings: Timings) -> None:
    """Give the span of this request, if there is one, its id and the time in each stage."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("nearfield.request_id", request_id)
        for stage, ms in timings.took_ms().items():
            span.set_attribute(f"nearfield.{stage}_ms", ms)


def finish(provider: TracerProvider | None) -> None:
    """Send what was not sent yet; blocks for as long as that takes, but not for ever."""
    if provider is not None and hasattr(provider, "shutdown"):
        provider.shutdown()


def _is_quiet(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in QUIET
