"""Connections over real sockets: deadlines for slow clients, and an end that loses no request."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from service.entrance.connections import Connection
from service.entrance.door import Door
from service.entrance.turnstile import Shed, Turnstile
from service.seen.metrics import Metrics

LARGE = 30_000_000
PATIENCE = 60.0  # seconds until a test that waits for what never comes fails
ROOT = Path(__file__).parents[2]


class Hasty(Connection):
    """With deadlines that pass at once."""

    head_seconds = 0.01
    take_seconds = 0.01


async def answers(scope: Any, receive: Any, send: Any) -> None:
    size = LARGE if scope["path"] == "/large" else 2
    headers = [(b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * size})


@contextmanager
def served(protocol: type[asyncio.Protocol]) -> Iterator[tuple[int, uvicorn.Server]]:
    """The port of a server of such connections, and the server, which has a thread."""
    config = uvicorn.Config(answers, http=protocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1], server
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def said(connection: socket.socket) -> bytes:
    """All that is said until the connection is closed."""
    connection.settimeout(PATIENCE)
    content = b""
    while chunk := connection.recv(65_536):
        content += chunk
    return content


def ask_whole(connection: socket.socket) -> None:
    """One whole request and its answer."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    content = b""
    while not content.endswith(b"xx"):
        content += connection.recv(1_000)
    assert content.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"])
def test_who_never_ends_a_head_is_let_go(sent: bytes) -> None:
    with served(Hasty) as (port, _), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        assert said(connection).startswith(b"HTTP/1.1 408 ")


def test_who_was_answered_and_begins_again_without_end_is_let_go() -> None:
    class Changing(Connection):
        """Grows impatient when it is told to."""

    with served(Changing) as (port, _), socket.create_connection(("127.0.0.1", port)) as connection:
        ask_whole(connection)
        Changing.head_seconds = 0.01
        connection.sendall(b"GET / HTT")
        assert said(connection).startswith(b"HTTP/1.1 408 ")


def test_a_whole_request_is_answered_and_another_on_the_same_connection() -> None:
    with (
        served(Connection) as (port, _),
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        for _ in range(2):
            ask_whole(connection)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000,
        b"GET /" + b"x" * 1_000_000,
        b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 200_000,
    ],
)
def test_a_head_without_end_is_not_kept(sent: bytes) -> None:
    with (
        served(Connection) as (port, _),
        socket.create_connection(("127.0.0.1", port)) as client,
        suppress(ConnectionError),  # it may be closed while there is more to send
    ):
        client.sendall(sent)
        assert said(client).startswith(b"HTTP/1.1 4")


def test_who_asks_for_websockets_is_answered_and_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served(Connection) as (port, _), socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        client.settimeout(PATIENCE)
        content = b""
        while not content.endswith(b"xx"):
            content += client.recv(1_000)
    assert content.startswith(b"HTTP/1.1 200 ")
    assert "upgrade" not in caplog.text.lower()


def test_trailers_without_end_are_not_kept() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with (
        served(Connection) as (port, server),
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.settimeout(PATIENCE)
        with pytest.raises(ConnectionError):
            client.sendall(head)
            while True:
                client.sendall(b"X: x\r\n" * 10_000)
        deadline = time.monotonic() + PATIENCE
        while server.server_state.connections:
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_a_body_in_chunks_of_one_byte_is_read() -> None:
    """By whoever reads bodies; there is as much around it as there can be."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served(Connection) as (port, _), socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
        client.settimeout(PATIENCE)
        content = b""
        while not content.endswith(b"xx"):
            content += client.recv(1_000)
        assert content.startswith(b"HTTP/1.1 200 ")
        ask_whole(client)


def test_who_takes_no_answer_is_cut_off() -> None:
    with served(Hasty) as (port, server), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        first = connection.recv(10)
        deadline = time.monotonic() + PATIENCE
        while server.server_state.connections:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        taken = len(first)
        with suppress(ConnectionError):
            while chunk := connection.recv(1_000_000):
                taken += len(chunk)
        assert taken < LARGE


# --- whom there is no room for --------------------------------------------------------------------


@contextmanager
def shut(door: Door) -> Iterator[int]:
    """The port of a server that has a turnstile before this door."""

    class Turned(Connection):
        """Is given what a lifespan would give."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            metrics = Metrics()
            turnstile = Turnstile(door, shed=Shed(metrics), metrics=metrics)
            self.app_state = {"turnstile": turnstile}

    with served(Turned) as (port, _):
        yield port


def a_post(*more: bytes, body: bytes = b"x" * 20) -> bytes:
    """A request for work."""
    lines = (b"POST /v1/embeddings HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *more)
    return b"\r\n".join((*lines, b"", body))


def test_who_is_turned_away_hears_it_before_the_body_and_may_ask_again() -> None:
    door = Door(1)
    with shut(door) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(PATIENCE)
        with door.inside():
            for _ in range(3):
                asked = a_post()
                client.sendall(asked[:-20])
                answer = b""
                while not answer.endswith(b"}"):
                    answer += client.recv(65_536)
                head, _, body = answer.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert b"\r\nretry-after: 1\r\n" in head
                assert b"\r\ncontent-length: %d\r\n" % len(body) in head
                client.sendall(asked[-20:])
        ask_whole(client)


def test_many_that_come_at_once_on_one_connection_are_each_turned_away() -> None:
    door = Door(1)
    with shut(door) as port, socket.create_connection(("127.0.0.1", port)) as client, door.inside():
        client.sendall(a_post() * 2_000 + a_post(b"Connection: close"))
        answers = said(client)
        assert answers.count(b"HTTP/1.1 503 ") == 2_001
        assert answers.count(b"\r\nconnection: close\r\n") == 1


def test_who_waits_for_a_word_before_the_body_is_answered_by_the_app() -> None:
    """It does not know whether the body will still come; the app does what is right."""
    door = Door(1)
    with shut(door) as port, socket.create_connection(("127.0.0.1", port)) as client, door.inside():
        client.sendall(a_post(b"Expect: 100-continue", b"Connection: close"))
        assert said(client).startswith(b"HTTP/1.1 200 ")


# --- the whole service --------------------------------------------------------------------------


@contextmanager
def service(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`nearfield serve` in a process of its own, ready, and its port."""
    environment = os.environ | {
        "NEARFIELD_DATA": str(folder),
        "NEARFIELD_MODEL": "colours",
        "NEARFIELD_PORT": "0",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", "import nearfield; nearfield.main()", "serve", "--json"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        port = int(json.loads(process.stdout.readline())["url"].rsplit(":", 1)[1])
        deadline = time.monotonic() + PATIENCE
        while status(port) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def status(port: int) -> int | None:
    """What `/readyz` says; None where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def test_told_to_end_it_is_not_ready_finishes_what_it_has_and_ends_with_0(tmp_path: Path) -> None:
    body = json.dumps({"input": ["red"]}).encode()
    head = (
        "POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with (
        service(tmp_path / "data") as (process, port),
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        connection.sendall(head + body[:5])
        assert status(port) == 200
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while status(port) == 200:
            assert time.monotonic() < deadline
        assert process.poll() is None
        connection.sendall(body[5:])
        assert said(connection).startswith(b"HTTP/1.1 200 ")
        assert process.wait(PATIENCE) == 0


def test_told_to_end_it_does_not_wait_for_clients_that_only_sit_there(tmp_path: Path) -> None:
    with (
        service(tmp_path / "data") as (process, port),
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        connection.sendall(b"POST /v1/embed")
        assert status(port) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
