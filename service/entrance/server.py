"""The service as one process: a listening socket, logs on standard error, uvicorn in between.

`crew` makes several of it. Knows nothing about what the apps answer.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from latent.errors import InputError, StoreError
from latent.memory import settle
from latent.settings import Settings
from latent.wiring import open_store
from service.app import search_app, similarity_app
from service.entrance.connections import Connection
from service.seen.logs import log_to_stderr

log = logging.getLogger(__name__)

GRACE = 7  # seconds that requests have to end when the service is told to stop
LAST = 9.5  # seconds after which it ends whatever is left undone
MOST_FILES = 65_536  # open at once, connections among them


@contextmanager
def listen(settings: Settings) -> Iterator[tuple[socket.socket, str]]:
    """A bound socket and its URL. Bound here, so that a port in use is an error of ours.

    Raises:
        InputError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; "
            "choose others with --host and --port"
        ) from error
    with listener:
        # Connections inherit it. asyncio sets it for sockets of its own making alone; without it an
        # answer in two pieces waits 40 ms for the acknowledgement of the first.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener, _url(settings.host, listener.getsockname()[1])


def make_app(settings: Settings, name: str) -> FastAPI:
    """The app `search` or `similarity`, once it is known that it can be opened.

    Raises:
        StoreError: the store cannot be opened.
        InputError: a setting is not usable.
    """
    log_to_stderr(settings)
    if name == "similarity":
        return similarity_app(settings)
    with open_store(settings):
        pass  # What keeps it from opening is told in one line, not by the log of a server.
    return search_app(settings)


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serve until told to stop; Ctrl-C ends it well.

    Raises:
        StoreError: the service did not start; its log says why.
    """
    allow_many_files()
    server = Server(config_of(app))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        raise StoreError("the service did not start; its log above says why")


def config_of(app: FastAPI) -> uvicorn.Config:
    """How uvicorn serves an app here."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",  # nothing here speaks it: no library for it is looked for and loaded
        log_config=None,
        access_log=False,  # the app writes one line for each request itself
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


class Server(uvicorn.Server):
    """Settles once it is warm. Ends well when it is told to: not ready at once, and in time."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        state = self.lifespan.state.get("service")
        if state is not None:
            state.readiness.tell(self.warm)

    def warm(self) -> None:
        """Called once all that is needed for answers is there."""
        settle()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal again once all is done, and end the process by it.
        if self.should_exit:
            self.force_exit = sig == signal.SIGINT
            return
        self.should_exit = True
        state = self.lifespan.state.get("service")
        if state is not None:
            state.readiness.stop()
        last = threading.Timer(LAST, _end)
        last.daemon = True
        last.start()


def _end() -> None:
    """End without waiting for threads: what they do to files can be cut off at any point."""
    log.warning("the service ends with work undone; nothing that was stored is lost")
    os._exit(0)


def allow_many_files() -> None:
    """As many open files as the system lets this process have; by default it is often 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _url(host: str, port: int) -> str:
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)
    return f"http://{named or (f'[{host}]' if ':' in host else host)}:{port}"
