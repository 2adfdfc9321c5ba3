"""A client of one collection that stays connected. Knows nothing about when it asks."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Sequence

import orjson

from benchmarks.filling import NAME
from benchmarks.rows import UnmeasuredError
from benchmarks.timetable import Stages
from latent.items import Vectors

PATIENCE = 30.0  # seconds until an answer is given up


class Client:
    """Asks a service; each thread has a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._opened:
            connection.close()

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        items = [
            {"id": one, "vector": row.tolist(), "modality": "image"}
            for one, row in zip(ids, vectors, strict=True)
        ]
        self._send("PUT", f"/v1/collections/{NAME}/items", {"items": items})

    def nearest(self, vector: Vectors) -> tuple[list[str], Stages]:
        """The ids that were found, and what the service says it took."""
        body = {"query": {"vector": vector.tolist()}, "k": 10, "min_relevance": 0}
        answer = orjson.loads(self._send("POST", f"/v1/collections/{NAME}/query", body))
        return [hit["id"] for hit in answer["hits"]], answer["took_ms"]

    def snapshot(self) -> int:
        """The sequence of the snapshot that is searched."""
        index = orjson.loads(self._send("GET", f"/v1/collections/{NAME}", None))["index"]
        self._own.connection.close()  # a service hangs up on who says nothing; it is opened again
        return int(index["snapshot"] or 0)

    def _send(self, method: str, path: str, body: object) -> bytes:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            self._own.connection = connection
            self._opened.append(connection)
        content = None if body is None else orjson.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said: bytes = answer.read()
        if answer.status != 200:
            raise UnmeasuredError(f"{path} answered {said.decode(errors='replace')[:200]}")
        return said
