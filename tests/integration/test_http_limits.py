"""What surrounds every request: limits of bodies and of load, readiness."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient
from starlette.types import Message

from latent.errors import ModelUnavailableError, StorageFullError
from latent.items import Vectors
from latent.models.colours import ColourEmbedder
from latent.models.embedder import Embedder
from latent.settings import Settings
from service.app import SIMILARITY_ROUTES, create_app, search_app, similarity_app
from service.embedding.placing import Placer
from service.embedding.workers import Workers
from service.entrance.door import Door
from service.entrance.reception import Limits, Reception
from service.entrance.turnstile import Shed
from service.seen.metrics import Metrics
from service.state import Readiness, State, door_of

QUERY = "/v1/collections/main/query"
JSON = {"content-type": "application/json"}
LIMIT = 10_000
PATIENCE = 10  # seconds until a test that waits for what never comes fails


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    small = settings.model_copy(update={"max_body_bytes": LIMIT})
    with TestClient(search_app(small)) as opened:
        opened.put("/v1/collections/main", json={}).raise_for_status()
        yield opened


def until(is_so: Callable[[], bool]) -> None:
    """Look again and again, for as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# --- the size of bodies -------------------------------------------------------------------------


def too_large(answer: Any) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


def test_a_body_that_says_it_is_too_long_is_refused(client: TestClient) -> None:
    assert too_large(client.post(QUERY, content=b"x" * (LIMIT + 1), headers=JSON))


def test_a_body_in_chunks_is_counted(client: TestClient) -> None:
    chunks = (b"x" * 1_000 for _ in range(20))
    answer = client.post(QUERY, content=chunks, headers=JSON)
    assert "content-length" not in answer.request.headers
    assert too_large(answer)


def test_an_upload_that_is_too_long_is_refused(client: TestClient) -> None:
    files = {"files": ("a.png", b"x" * (2 * LIMIT))}
    assert too_large(client.post("/v1/collections/main/items/upload", files=files))


def test_a_body_of_just_the_limit_is_read(client: TestClient) -> None:
    body = json.dumps({"query": "red"}).encode().ljust(LIMIT)
    assert client.post(QUERY, content=body, headers=JSON).status_code == 200


class Sender:
    """A client that would send chunks for ever, and counts how many were taken."""

    def __init__(self) -> None:
        self.taken = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        self.taken += 1
        return {"type": "http.request", "body": b"x" * 1_000, "more_body": True}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


def reception(app: Any, *, max_bytes: int = 3_000, grace: float = 10.0) -> Reception:
    return Reception(app, limits=Limits(max_bytes, grace), shed=Shed(Metrics()))


def asked(
    path: str, headers: Sequence[tuple[bytes, bytes]] = (), door: Door | None = None, root: str = ""
) -> dict[str, Any]:
    """The scope of a request."""
    service = SimpleNamespace(door=door or Door(1))
    return {
        "type": "http",
        "method": "POST",
        "root_path": root,
        "path": root + path,
        "headers": headers,
        "state": {"service": service},
    }


CHUNKED = (b"transfer-encoding", b"chunked")


async def reads_everything(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass


async def swallows_errors(scope: Any, receive: Any, send: Any) -> None:
    try:
        await reads_everything(scope, receive, send)
    except Exception:  # noqa: BLE001 - as careless frameworks do
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})


@pytest.mark.parametrize("app", [reads_everything, swallows_errors])
@pytest.mark.parametrize("declared", [None, b"5", b"-1", b"many"])
def test_not_one_chunk_more_than_the_limit_is_read(app: Any, declared: bytes | None) -> None:
    sender = Sender()
    headers = [CHUNKED] if declared is None else [(b"content-length", declared)]
    asyncio.run(reception(app)(asked("/", headers), sender.receive, sender.send))
    assert sender.taken == 4
    assert [message.get("status") for message in sender.sent] == [413, None]


def test_what_is_declared_too_long_is_not_read_at_all() -> None:
    sender = Sender()
    scope = asked("/", [(b"content-length", b"3001")])
    asyncio.run(reception(reads_everything)(scope, sender.receive, sender.send))
    assert sender.taken == 0
    assert sender.sent[0]["status"] == 413
    assert (b"connection", b"close") in sender.sent[0]["headers"]


def problem_of(sender: Sender) -> dict[str, Any]:
    """What was sent, when it was a problem."""
    found: dict[str, Any] = json.loads(sender.sent[1]["body"])
    return found


class Stalling(Sender):
    """Sends a little of its body, and then nothing for ever."""

    async def receive(self) -> Message:
        if self.taken:
            await asyncio.Event().wait()
        return await super().receive()


def test_a_body_that_stops_coming_is_given_up() -> None:
    sender = Stalling()
    scope = asked("/v1/embeddings", [CHUNKED])
    asyncio.run(reception(reads_everything, grace=0.01)(scope, sender.receive, sender.send))
    assert (problem_of(sender)["status"], problem_of(sender)["code"]) == (408, "request_timeout")
    assert (b"connection", b"close") in sender.sent[0]["headers"]


def test_who_sends_slowly_keeps_nobody_out() -> None:
    door, slow, quick = Door(1), Stalling(), Whole()
    house = reception(tells_what_it_reads)

    async def both() -> None:
        scope = asked("/v1/embeddings", [CHUNKED], door)
        waits = asyncio.create_task(house(scope, slow.receive, slow.send))
        while not slow.taken:
            await asyncio.sleep(0)
        await house(asked("/v1/embeddings", [CHUNKED], door), quick.receive, quick.send)
        waits.cancel()
        await asyncio.wait([waits])

    asyncio.run(both())
    assert [message["type"] for message in slow.sent] == []
    assert quick.seen == [b"xxxxx"]
    assert door.count == 0


class Whole(Sender):
    """Sends its body in two pieces; remembers how the app got it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []

    async def receive(self) -> Message:
        self.taken += 1
        body = b"xxx" if self.taken == 1 else b"xx"
        return {"type": "http.request", "body": body, "more_body": self.taken == 1}

    async def send(self, message: Message) -> None:
        self.seen.append(message["got"])


async def tells_what_it_reads(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    assert not message["more_body"]
    await send({"type": "test", "got": message["body"]})


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
def test_a_packed_body_is_not_unpacked(client: TestClient, encoding: str) -> None:
    answer = client.post(QUERY, content=b"x", headers={**JSON, "Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media")
    assert encoding in answer.json()["detail"]


def test_only_so_many_bytes_of_bodies_are_held_at_once_and_they_are_let_go() -> None:
    holding: list[asyncio.Event] = []

    async def holds(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        holding.append(asyncio.Event())
        await holding[-1].wait()

    house = reception(holds, max_bytes=5)

    async def many() -> Whole:
        senders = [Whole() for _ in range(4)]
        scopes = [asked("/", [CHUNKED]) for _ in range(6)]
        pairs = list(zip(scopes, senders, strict=False))
        inside = [asyncio.create_task(house(a, b.receive, b.send)) for a, b in pairs]
        while len(holding) < 4:
            await asyncio.sleep(0)
        late = Sender()
        await house(scopes[4], Whole().receive, late.send)
        assert problem_of(late)["code"] == "overloaded"
        for one in holding:
            one.set()
        await asyncio.gather(*inside)
        welcome = Whole()
        again = asyncio.create_task(house(scopes[5], welcome.receive, welcome.send))
        while len(holding) < 5:
            await asyncio.sleep(0)
        holding[-1].set()
        await again
        return welcome

    assert asyncio.run(many()).taken == 2


def test_requests_that_are_shed_leave_one_line_together(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    house = Reception(reads_everything, limits=Limits(5), shed=Shed(metrics))
    door = Door(1)
    with door.inside(), caplog.at_level(logging.WARNING):
        for _ in range(50):
            sender = Sender()
            asyncio.run(house(asked("/v1/models", door=door), sender.receive, sender.send))
            assert sender.sent[0]["status"] == 503
    assert len(caplog.records) <= 2
    assert b"nearfield_shed_requests_total 50.0" in metrics.text()


def test_json_of_endless_values_is_refused_unread(settings: Settings) -> None:
    body = b"[" + b"0," * 5_000_001 + b"0]"
    with TestClient(similarity_app(settings)) as client:
        answer = client.post("/v1/embeddings", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "5000000 values" in answer.json()["detail"]


@pytest.mark.parametrize("depth", [201, 4_000])
def test_json_is_nested_so_deep_and_no_deeper(client: TestClient, depth: int) -> None:
    body = b'{"query": ' + b"[" * depth + b"]" * depth + b"}"
    answer = client.post(QUERY, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "nested too deeply" in answer.json()["detail"]


# --- an app of our own making -------------------------------------------------------------------


class Gated(ColourEmbedder):
    """Stays in its first batch until the gate opens; remembers the size of each."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.started = threading.Event()
        self.gate = threading.Event()

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(len(texts))
        self.started.set()
        assert self.gate.wait(PATIENCE)
        return super().embed_texts(texts)


OpenState = Callable[[Metrics], AbstractAsyncContextManager[State]]


def holding(states: list[State], settings: Settings, embedder: Embedder) -> OpenState:
    """Opens a state around an embedder and leaves it in `states` for the test to look at."""

    @asynccontextmanager
    async def opened(metrics: Metrics) -> AsyncIterator[State]:
        workers = Workers(settings.threads)
        placer = Placer(settings, workers, on_batch=metrics.count_batch)
        metrics.watch_waiting(lambda: placer.waiting)
        state = State(
            settings=settings,
            metrics=metrics,
            door=door_of(settings),
            workers=workers,
            placer=placer,
            readiness=Readiness(),
            embedder=lambda model: embedder,
        )
        states.append(state)
        yield state
        await placer.close()
        workers.close()

    return opened


def ask(client: TestClient, words: str) -> Any:
    return client.post("/v1/embeddings", json={"input": words})


def test_concurrent_requests_share_a_batch(settings: Settings) -> None:
    states: list[State] = []
    model = Gated()
    batching = settings.model_copy(update={"batch_size": 8})
    app = create_app(holding(states, batching, model), batching, SIMILARITY_ROUTES, title="t")
    with TestClient(app) as client, ThreadPoolExecutor(8) as users:
        first = users.submit(ask, client, "red")
        assert model.started.wait(PATIENCE)
        others = [users.submit(ask, client, f"blue {number}") for number in range(6)]
        until(lambda: states[0].placer.waiting == 6)
        model.gate.set()
        assert {one.result(PATIENCE).status_code for one in [first, *others]} == {200}
        shown = client.get("/metrics").text
    assert model.batches == [1, 6]
    assert 'nearfield_batch_size_count{modality="text"} 2.0' in shown


def test_requests_of_one_batch_get_their_own_answers(settings: Settings) -> None:
    states: list[State] = []
    model = Gated()
    app = create_app(holding(states, settings, model), settings, SIMILARITY_ROUTES, title="t")
    with TestClient(app) as client, ThreadPoolExecutor(8) as users:
        first = users.submit(ask, client, "red")
        assert model.started.wait(PATIENCE)
        asked = ["blue", "", "green"]
        others = [users.submit(ask, client, words) for words in asked]
        until(lambda: states[0].placer.waiting == 3)
        model.gate.set()
        first.result(PATIENCE)
        blue, empty, green = [one.result(PATIENCE) for one in others]
    expected = ColourEmbedder().embed_texts(["blue", "green"])
    assert blue.json()["data"][0]["embedding"] == expected[0].tolist()
    assert green.json()["data"][0]["embedding"] == expected[1].tolist()
    assert (empty.status_code, empty.json()["code"]) == (400, "invalid_input")


def test_too_many_at_once_are_told_to_come_back(settings: Settings) -> None:
    states: list[State] = []
    model = Gated()
    few = settings.model_copy(update={"max_waiting": 1})
    app = create_app(holding(states, few, model), few, SIMILARITY_ROUTES, title="t")
    with TestClient(app) as client, ThreadPoolExecutor(4) as users:
        busy = users.submit(ask, client, "red")
        assert model.started.wait(PATIENCE)
        waits = users.submit(ask, client, "blue")
        until(lambda: states[0].placer.waiting == 1)
        refused = ask(client, "green")
        assert client.get("/healthz").status_code == 200
        model.gate.set()
        assert busy.result(PATIENCE).status_code == 200
        assert waits.result(PATIENCE).status_code == 200
        assert ask(client, "green").status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1


def test_a_full_house_is_shut_before_any_work_and_health_is_not(settings: Settings) -> None:
    model = Gated()
    tiny = settings.model_copy(update={"max_waiting": 1, "batch_size": 1})
    app = create_app(holding([], tiny, model), tiny, SIMILARITY_ROUTES, title="t")
    with TestClient(app) as client, ThreadPoolExecutor(4) as users:
        inside = users.submit(ask, client, "red")
        assert model.started.wait(PATIENCE)
        waits = users.submit(ask, client, "blue")
        until(lambda: "nearfield_waiting_requests 1.0" in client.get("/metrics").text)
        refused = client.get("/v1/models")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["request_id"] == refused.headers["x-request-id"]
        unread = client.post("/v1/embeddings", content=b"no JSON", headers=JSON)
        assert unread.status_code == 503
        for path in ("/", "/healthz", "/docs", "/openapi.json", "/metrics"):
            assert client.get(path).status_code == 200
        model.gate.set()
        assert {inside.result(PATIENCE).status_code, waits.result(PATIENCE).status_code} == {200}
        assert client.get("/v1/models").status_code == 200


@pytest.mark.parametrize("root", ["", "/behind"])
def test_nothing_of_a_body_is_read_when_the_house_is_full(root: str) -> None:
    door = Door(1)
    sender = Sender()
    scope = asked("/v1/embeddings", [CHUNKED], door, root)

    async def reads_a_little(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    with door.inside():
        asyncio.run(reception(reads_a_little)(scope, sender.receive, sender.send))
    assert sender.taken == 0
    assert sender.sent[0]["status"] == 503


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
def test_a_body_that_nobody_reads_leads_nobody_past_the_door(method: str) -> None:
    inside: list[int] = []
    door = Door(1)

    async def answers_unread(scope: Any, receive: Any, send: Any) -> None:
        inside.append(door.count)

    scope = {**asked("/v1/models", [CHUNKED], door), "method": method}
    sender = Sender()
    asyncio.run(reception(answers_unread)(scope, sender.receive, sender.send))
    assert inside == [1]
    assert door.count == 0


def test_who_fails_inside_leaves_room_for_the_next() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("mine")

    sender = Sender()
    scope = asked("/v1/models")
    for _ in range(2):
        with pytest.raises(ValueError, match="mine"):
            asyncio.run(reception(fails)(scope, sender.receive, sender.send))


def failing_app(settings: Settings, error: Exception) -> Any:
    routes = APIRouter()

    @routes.get("/fails")
    async def fails() -> None:
        raise error

    return create_app(holding([], settings, ColourEmbedder()), settings, [routes], title="t")


def test_an_unexpected_error_is_logged_and_not_leaked(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(failing_app(settings, RuntimeError("a secret"))) as client:
        answer = client.get("/fails", headers={"X-Request-ID": "seven"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "seven"
    assert "secret" not in answer.text
    (record,) = [one for one in caplog.records if one.exc_info]
    assert "seven" in record.getMessage()
    assert "a secret" in caplog.text


def test_a_full_disk_has_its_status(settings: Settings) -> None:
    with TestClient(failing_app(settings, StorageFullError("no room"))) as client:
        answer = client.get("/fails")
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")


# --- operation ----------------------------------------------------------------------------------


def test_a_service_is_alive_before_it_is_ready(settings: Settings) -> None:
    states: list[State] = []
    app = create_app(
        holding(states, settings, ColourEmbedder()), settings, SIMILARITY_ROUTES, title="t"
    )
    with TestClient(app) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        not_yet = client.get("/readyz")
        assert (not_yet.status_code, not_yet.json()["code"]) == (503, "not_ready")
        assert "retry-after" in not_yet.headers
        states[0].readiness.reached()
        assert client.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("make", [search_app, similarity_app])
def test_a_service_becomes_ready_by_itself(settings: Settings, make: Any) -> None:
    with TestClient(make(settings)) as client:
        until(lambda: client.get("/readyz").status_code == 200)


def test_a_service_without_its_model_says_why_and_lives(settings: Settings) -> None:
    missing = settings.model_copy(update={"model": "compiled:/nowhere"})
    with TestClient(search_app(missing)) as client:
        until(lambda: "loaded" not in client.get("/readyz").json()["detail"])
        assert "nowhere" in client.get("/readyz").json()["detail"]
        client.put("/v1/collections/mine", json={"model": "vectors:2"}).raise_for_status()
        found = client.post("/v1/collections/mine/query", json={"query": {"vector": [1, 2]}})
        assert found.status_code == 200
        embedded = client.post("/v1/embeddings", json={"input": "red"})
        code = ModelUnavailableError.code
        assert (embedded.status_code, embedded.json()["code"]) == (503, code)
