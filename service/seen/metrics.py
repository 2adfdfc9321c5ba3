"""What the service counts, in the Prometheus text format. Each app has a registry of its own.

Several processes of one service count in files of one folder, and each tells what all have counted.
Knows nothing about routes or models.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from latent.collection import Summary
from latent.items import Modality

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


def share_counts(folder: Path, number: int) -> None:
    """Have all that this process counts kept in files of that folder, under its number.

    To be called before anything is counted. A process that takes the place of another has its
    number, and counts on from where that one was.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


def forget_what_it_watched(folder: Path, number: int) -> None:
    """Tell no more of what the process of that number watched, for it has ended."""
    mark_process_dead(number, str(folder))  # type: ignore[no-untyped-call]


class Metrics:
    """Counters, durations and gauges of one app; with `shared`, of all that count there."""

    def __init__(self, shared: Path | None = None) -> None:
        self._registry = CollectorRegistry()
        self._told = self._registry if shared is None else CollectorRegistry()
        if shared is not None:
            MultiProcessCollector(self._told, str(shared))  # type: ignore[no-untyped-call]
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._requests = Counter(
            "nearfield_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "nearfield_request_seconds",
            "Time from a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "nearfield_stage_seconds",
            "Time requests spent in a stage, waiting included.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "nearfield_batch_size",
            "Things that a model was given at once.",
            ["modality"],
            buckets=_SIZES,
            registry=self._registry,
        )
        self._known = Counter(
            "nearfield_known_things",
            "Things whose place was remembered, and which no model was given.",
            ["modality"],
            registry=self._registry,
        )
        self._shed = Counter(
            "nearfield_shed_requests",
            "Requests told to come back later, for there is too much to do.",
            registry=self._registry,
        )
        self._inside = Gauge(
            "nearfield_requests_inside",
            "Requests being worked on.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._room = Gauge(
            "nearfield_requests_room",
            "Requests that may be worked on at once, at the present pace.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._waiting = Gauge(
            "nearfield_waiting_requests",
            "Requests that wait for a model.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the pattern, so that there are few of them."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_shed(self) -> None:
        """A request was told to come back later, for there is too much to do."""
        self._shed.inc()

    def count_stages(self, took_ms: Mapping[str, float]) -> None:
        """A request spent these milliseconds; stages that did not happen are not counted."""
        for stage, ms in took_ms.items():
            if ms:
                self._stages.labels(stage).observe(ms / 1000)

    def count_batch(self, modality: Modality, size: int) -> None:
        """A model was given this many things at once."""
        self._batches.labels(modality.value).observe(size)

    def count_known(self, modality: Modality) -> None:
        """Something was asked about before, and its place is remembered."""
        self._known.labels(modality.value).inc()

    def watch_waiting(self, waiting: Callable[[], int]) -> None:
        """Ask `waiting` how many requests wait, whenever metrics are read."""
        self._watch(self._waiting, waiting)

    def watch_requests(self, inside: Callable[[], int], room: Callable[[], int]) -> None:
        """Ask how many are inside and how many may be, whenever metrics are read."""
        self._watch(self._inside, inside)
        self._watch(self._room, room)

    def watch_collections(self, collections: Callable[[], Iterable[Summary]]) -> None:
        """Ask what each collection holds, whenever metrics are read."""
        self._told.register(_Collections(collections))

    def look(self) -> None:
        """Note what is watched, for other processes to tell; this one looks when it is asked."""
        for gauge, value in self._watched:
            gauge.set(value())

    def text(self) -> bytes:
        """Everything, in the text format; may ask the catalog, so not for the event loop."""
        self.look()
        return generate_latest(self._told)

    def _watch(self, gauge: Gauge, value: Callable[[], float]) -> None:
        self._watched.append((gauge, value))


_OF_COLLECTIONS: Mapping[str, tuple[str, Callable[[Summary], float]]] = {
    "nearfield_items": ("Items.", lambda one: one.items),
    "nearfield_failed_sources": ("Sources that could not be read.", lambda one: one.failed),
    "nearfield_sequence": ("The number of the last write.", lambda one: one.sequence),
    "nearfield_sequence_lag": (
        "Writes that the index had not seen when metrics were read.",
        lambda one: one.behind,
    ),
    "nearfield_drift": (
        "Items by which catalog and index differ; 0 unless something is being written.",
        lambda one: abs(one.items - one.searched),
    ),
    "nearfield_index_bytes": ("The size of the snapshot.", lambda one: _number(one, "bytes")),
    "nearfield_index_delta": (
        "Vectors searched beside the snapshot.",
        lambda one: _number(one, "delta"),
    ),
}
"""What is told of each collection: its name, what it is, and where it stands."""


def _number(summary: Summary, name: str) -> float:
    value = summary.index.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


class _Collections(Collector):
    def __init__(self, collections: Callable[[], Iterable[Summary]]) -> None:
        self._collections = collections

    def describe(self) -> Iterable[Metric]:
        return self._gauges([])

    def collect(self) -> Iterable[Metric]:
        return self._gauges(list(self._collections()))

    def _gauges(self, summaries: Sequence[Summary]) -> Iterable[Metric]:
        for name, (about, value_of) in _OF_COLLECTIONS.items():
            gauge = GaugeMetricFamily(name, about, labels=["collection"])
            for summary in summaries:
                gauge.add_metric([summary.name], value_of(summary))
            yield gauge
