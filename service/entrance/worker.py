"""One of several processes that serve: it listens on no port and is handed connections.

Started by `crew`, with its settings on standard input. It ends well when it is told to, and when
the process that started it is gone. Knows nothing about the other workers.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from latent.errors import NearfieldError
from latent.settings import Settings
from service.app import search_app, similarity_app
from service.entrance.channel import Channel, Word
from service.entrance.connections import Connection
from service.entrance.server import Server, allow_many_files, config_of
from service.seen.logs import log_to_stderr
from service.seen.metrics import share_counts
from service.state import State

TICKS = 10  # of uvicorn, a second
OTHERS = "other workers are getting ready"
LOST = "another worker ended before it was ready and is started again; the service's log says why"


class Worker(Server):
    """Serves the connections that come through a channel."""

    def __init__(self, config: uvicorn.Config, channel: Channel) -> None:
        super().__init__(config)
        self._channel = channel
        self._tasks: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self._state.readiness.wait_for(OTHERS)
        self._channel.say(Word.UP)
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._take)

    def warm(self) -> None:
        super().warm()
        self._channel.say(Word.READY)

    @property
    def _state(self) -> State:
        state: State = self.lifespan.state["service"]
        return state

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            self._state.metrics.look()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Told to end by itself, it has the fewest connections soon, and would be given all others.
        self._channel.take_no_more()
        self._take()
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        await super().shutdown(sockets)

    def _take(self) -> None:
        try:
            for given in self._channel.taken():
                if isinstance(given, socket.socket):
                    self._begin(self._serve_one(given))
                elif given is Word.GO:
                    self._state.readiness.wait_for(None)
                elif given is Word.LOST:
                    self._state.readiness.wait_for(LOST)
        except EOFError:  # whoever takes connections is gone, so none will come
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            if not self.should_exit:
                self.handle_exit(signal.SIGTERM, None)

    async def _serve_one(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        try:
            await loop.connect_accepted_socket(partial(self._protocol, loop), connection)
        except OSError:  # it has ended already
            connection.close()
            self._channel.say(Word.LEFT)

    def _protocol(self, loop: asyncio.AbstractEventLoop) -> Connection:
        made = Connection(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=loop,
        )
        made.on_lost = partial(self._channel.say, Word.LEFT)
        return made

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def main() -> None:
    """The process: the number of its channel and its own number as arguments."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    given = json.load(sys.stdin)
    settings, shared = Settings(**given["settings"]), Path(given["shared"])
    try:
        log_to_stderr(settings)
        share_counts(shared, int(sys.argv[2]))
        make = similarity_app if given["app"] == "similarity" else search_app
        app = make(settings, shared=shared)
    except NearfieldError as error:
        raise SystemExit(f"Error: {error}") from error
    allow_many_files()
    with suppress(KeyboardInterrupt):
        Worker(config_of(app), channel).run([])


if __name__ == "__main__":
    main()
