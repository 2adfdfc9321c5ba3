"""The service as a process: a listening socket, logs on standard error, uvicorn in between.

Knows nothing about what the apps answer.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from latent.errors import InputError, StoreError
from latent.settings import Settings
from latent.wiring import open_store
from service.app import search_app, similarity_app

GRACE = 10  # seconds that requests have to end when the service is told to stop


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
    _log_to_stderr(settings.log_level)
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
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # the app writes one line for each request itself
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        raise StoreError("the service did not start; its log above says why")


def _url(host: str, port: int) -> str:
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)
    return f"http://{named or (f'[{host}]' if ':' in host else host)}:{port}"


def _log_to_stderr(level: str) -> None:
    known = logging.getLevelNamesMapping()
    if level.upper() not in known:
        raise InputError(f"NEARFIELD_LOG_LEVEL is {level!r}; it must be one of {', '.join(known)}")
    logging.basicConfig(
        level=known[level.upper()], format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # uvicorn announces the address in words of its own; ours is printed already.
    logging.getLogger("uvicorn.error").setLevel(max(known[level.upper()], logging.WARNING))
