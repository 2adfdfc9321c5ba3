"""What operators see: metrics of collections, and traces where they are asked for."""

from __future__ import annotations

import re

import numpy as np
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from latent.items import Item, Modality
from latent.settings import Settings
from latent.wiring import open_store
from service.app import SIMILARITY_ROUTES, create_app, search_app, similarity_app
from service.seen.tracing import provider_of
from service.state import open_similarity_state


def metric(client: TestClient, name: str) -> float:
    """A metric of the collection `main`."""
    text = client.get("/metrics").text
    (value,) = re.findall(rf'^{name}{{collection="main"}} (\S+)$', text, re.MULTILINE)
    return float(value)


def some(count: int, name: str = "n") -> list[Item]:
    rows = np.random.default_rng(0).standard_normal((count, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [Item(f"{name}{n}", Modality.TEXT, row) for n, row in enumerate(rows)]


def test_metrics_tell_of_each_collection_and_how_far_its_index_is(settings: Settings) -> None:
    with TestClient(search_app(settings)) as client, open_store(settings) as other:
        mine = other.ensure("main", "colours")
        mine.put(some(3))
        client.post("/v1/collections/main/query", json={"query": "red"}).raise_for_status()
        assert metric(client, "nearfield_sequence_lag") == 0
        for number in range(4):
            mine.put(some(2, name=f"{number} "))
        assert metric(client, "nearfield_sequence_lag") == 4
        assert metric(client, "nearfield_sequence_lag") == 0  # it followed to answer
        assert metric(client, "nearfield_items") == 11
        assert metric(client, "nearfield_sequence") == 5
        assert metric(client, "nearfield_drift") == 0
        assert metric(client, "nearfield_index_delta") == 11
        assert metric(client, "nearfield_index_bytes") == 0
        mine.publish(force=True)
        assert metric(client, "nearfield_index_delta") == 11  # of another process, not yet ours


def test_a_metric_shows_how_many_are_inside(settings: Settings) -> None:
    with TestClient(similarity_app(settings)) as client:
        text = client.get("/metrics").text
        assert "nearfield_requests_inside 0.0" in text
        room = re.search(r"^nearfield_requests_room (\S+)$", text, re.MULTILINE)
        assert room is not None
        assert float(room[1]) == settings.batch_size + settings.max_waiting


def test_a_request_leaves_a_span_with_its_id_and_the_time_in_each_stage(
    settings: Settings,
) -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    app = create_app(
        lambda metrics: open_similarity_state(settings, metrics),
        settings,
        SIMILARITY_ROUTES,
        title="t",
        tracer=provider,
    )
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "seven", "traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    with TestClient(app) as client:
        client.post("/v1/embeddings", json={"input": "red"}, headers=headers).raise_for_status()
        client.get("/healthz").raise_for_status()
        spans = kept.get_finished_spans()
    (root,) = [span for span in spans if span.name == "POST /v1/embeddings"]
    attributes = dict(root.attributes or {})
    assert attributes["nearfield.request_id"] == "seven"
    assert float(str(attributes["nearfield.embed_ms"])) > 0
    assert format(_context(root), "032x") == trace_id
    assert not [span for span in spans if "healthz" in span.name]


def _context(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def test_nothing_is_traced_unless_asked(settings: Settings) -> None:
    assert provider_of(settings) is None
    there = settings.model_copy(update={"traces_to": "http://127.0.0.1:9/v1/traces"})
    assert isinstance(provider_of(there), TracerProvider)
