"""One service of several processes: `nearfield serve --workers 2`, over real sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from latent.settings import Settings
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import Scope

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds until a test that waits for what never comes fails
ITEMS, QUERY = "/v1/collections/main/items", "/v1/collections/main/query"


@dataclass
class Served:
    """A service that is ready, and a key that may do everything."""

    process: subprocess.Popen[str]
    port: int
    key: str
    data: Path

    def workers(self) -> list[int]:
        """The processes that serve, by their numbers."""
        of = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(one) for one in of.read_text().split()]

    def limited(self, rate: str) -> str:
        """Another key."""
        key, secret = new_key("limited", Scope.READ, rate=rate)
        Keyring.of(Settings(data=self.data)).add(key)
        return secret


class Client:
    """A connection that stays open, and so stays with one worker."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.ask("GET", "/healthz")

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and body of the answer."""
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, path, sent, self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        is_json = "json" in answer.headers["content-type"]
        return answer.status, json.loads(said) if is_json else said.decode()

    def is_cut_off(self) -> bool:
        """Whether the worker at the other end is gone."""
        try:
            self.ask("GET", "/healthz")
        except (OSError, HTTPException):
            return True
        return False

    def close(self) -> None:
        self._connection.close()


@contextmanager
def serving(data: Path) -> Iterator[Served]:
    key, secret = new_key("all", Scope.ADMIN)
    Keyring.of(Settings(data=data)).add(key)
    given = {"DATA": str(data), "MODEL": "colours", "PORT": "0", "MIN_RELEVANCE": "0"}
    environment = os.environ | {f"NEARFIELD_{name}": value for name, value in given.items()}
    environment["TMPDIR"] = str(data.parent)  # where it is killed, its counts stay behind
    process = subprocess.Popen(
        [sys.executable, "-m", "nearfield", "serve", "--workers", "2", "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        port = int(json.loads(process.stdout.readline())["url"].rsplit(":", 1)[1])
        served = Served(process, port, secret, data)
        until(lambda: is_ready(served))
        yield served
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("workers") / "data") as running:
        yield running


@pytest.fixture
def both(served: Served) -> Iterator[list[Client]]:
    """Two clients, each of another worker."""
    until(lambda: len(served.workers()) == 2 and is_ready(served))
    with ExitStack() as stack:
        yield [opened(served, stack) for _ in range(2)]


def opened(served: Served, stack: ExitStack) -> Client:
    client = Client(served.port, served.key)
    stack.callback(client.close)
    return client


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_ready(served: Served) -> bool:
    with ExitStack() as stack:
        return opened(served, stack).ask("GET", "/readyz")[0] == 200


def counted(client: Client, sample: str) -> float:
    """A sample of the metrics."""
    found = re.search(
        rf"^{re.escape(sample)} (\S+)$", client.ask("GET", "/metrics")[1], re.MULTILINE
    )
    return float(found[1]) if found else 0.0


# --- one service --------------------------------------------------------------------------------


def test_what_one_worker_acknowledged_another_finds_at_once(both: list[Client]) -> None:
    writer, reader = both
    assert writer.ask("PUT", "/v1/collections/main", {})[0] == 200
    for number, colour in enumerate(["red", "green", "blue", "white"] * 5):
        item = {"id": f"i{number}", "text": f"a {colour} thing"}
        assert writer.ask("PUT", ITEMS, {"items": [item]})[0] == 200
        status, answer = reader.ask("POST", QUERY, {"query": {"id": f"i{number}"}, "k": 1})
        assert status == 200, answer
        status, answer = reader.ask("POST", QUERY, {"query": f"a {colour} thing", "k": 100})
        assert f"i{number}" in [hit["id"] for hit in answer["hits"]]
        assert writer.ask("DELETE", f"{ITEMS}/i{number}")[0] == 200
        assert reader.ask("GET", f"{ITEMS}/i{number}")[0] == 404
        writer, reader = reader, writer


def test_a_page_goes_on_at_another_worker(both: list[Client]) -> None:
    both[0].ask("PUT", "/v1/collections/paged", {})
    items = [{"id": f"p{number}", "text": "a red thing"} for number in range(6)]
    assert both[0].ask("PUT", "/v1/collections/paged/items", {"items": items})[0] == 200
    seen: list[str] = []
    cursor = None
    for turn in range(3):
        asked = {"query": "red", "k": 2, "cursor": cursor}
        _, answer = both[turn % 2].ask("POST", "/v1/collections/paged/query", asked)
        seen += [hit["id"] for hit in answer["hits"]]
        cursor = answer["cursor"]
    assert sorted(seen) == [f"p{number}" for number in range(6)]


def test_metrics_are_of_all_workers_whichever_is_asked(both: list[Client]) -> None:
    sample = 'nearfield_requests_total{method="GET",route="/healthz",status="200"}'
    before = counted(both[0], sample)
    for client, times in zip(both, (3, 8), strict=True):
        for _ in range(times):
            client.ask("GET", "/healthz")
    # A request is counted once it is answered, which may be a moment after the answer is here.
    until(lambda: [counted(client, sample) - before for client in both] == [11, 11])


def test_a_rate_holds_for_all_workers_together(served: Served, both: list[Client]) -> None:
    key = served.limited("40/hour")
    with ExitStack() as stack:
        clients = [Client(served.port, key) for _ in range(2)]
        for client in clients:
            stack.callback(client.close)
        statuses = [clients[turn % 2].ask("GET", "/v1/models")[0] for turn in range(60)]
    assert statuses == [200] * 40 + [429] * 20


# --- one worker less ----------------------------------------------------------------------------


def test_a_worker_that_is_killed_takes_nobody_else_along_and_another_comes(
    served: Served, both: list[Client]
) -> None:
    sample = 'nearfield_requests_total{method="GET",route="/healthz",status="200"}'
    before, first = counted(both[0], sample), served.workers()
    os.kill(first[0], signal.SIGKILL)
    until(lambda: first[0] not in served.workers())
    assert [client.is_cut_off() for client in both].count(True) == 1
    with ExitStack() as stack:  # new clients are served meanwhile
        fresh = [opened(served, stack) for _ in range(4)]
        assert {client.ask("GET", "/v1/models")[0] for client in fresh} == {200}
        assert {client.ask("GET", "/readyz")[0] for client in fresh} == {200}
    until(lambda: len(served.workers()) == 2)
    assert len(set(served.workers()) & set(first)) == 1
    with ExitStack() as stack:  # each has one of its own, once the new one is there

        def is_shared_out() -> bool:
            pair = [opened(served, stack) for _ in range(2)]
            return all(counted(client, sample) >= before for client in pair)

        until(is_shared_out)


def test_a_worker_that_is_told_to_end_is_given_no_more_clients(
    served: Served, both: list[Client]
) -> None:
    """It finishes what it has, and whoever comes meanwhile would wait until it is gone."""
    first = served.workers()
    with ExitStack() as stack:
        slow = [HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE) for _ in range(2)]
        for connection in slow:  # one at each of them
            stack.callback(connection.close)
            connection.putrequest("POST", QUERY)
            connection.putheader("Content-Length", "100")
            connection.putheader("Authorization", f"Bearer {served.key}")
            connection.endheaders()
        assert [client.ask("GET", "/healthz")[0] for client in both] == [200, 200]
        os.kill(first[0], signal.SIGTERM)
        until(lambda: any(client.is_cut_off() for client in both))
        assert {opened(served, stack).ask("GET", "/healthz")[0] for _ in range(6)} == {200}
        # Who is given to the one that ends is answered by none before it is gone.
        assert first[0] in served.workers()
    until(lambda: len(served.workers()) == 2 and first[0] not in served.workers())


def test_told_to_end_all_finish_what_they_have_and_it_ends_with_0(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as running, ExitStack() as stack:
        workers = running.workers()
        pair = [opened(running, stack) for _ in range(2)]
        for client in pair:
            client.ask("GET", "/v1/models")
        began = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < 10
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_workers_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as running:
        workers = running.workers()
        running.process.kill()
        running.process.wait()
        until(lambda: not any(is_running(worker) for worker in workers))


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # ended, and nobody has asked how


def test_a_service_that_cannot_start_says_so(tmp_path: Path) -> None:
    given = {"DATA": str(tmp_path / "data"), "PORT": "0", "CORS_ORIGINS": "nowhere"}
    ended = subprocess.run(
        [sys.executable, "-m", "nearfield", "serve", "--workers", "2"],
        cwd=ROOT,
        env=os.environ | {f"NEARFIELD_{name}": value for name, value in given.items()},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("nowhere") == 1
