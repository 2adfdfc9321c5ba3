"""The listening socket of the service."""

from __future__ import annotations

import socket

from latent.settings import Settings
from service.app import similarity_app
from service.entrance.server import config_of, listen


def test_answers_wait_for_no_acknowledgement(settings: Settings) -> None:
    free = settings.model_copy(update={"port": 0})
    with listen(free) as (listener, url):
        port = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)):
            connection, _ = listener.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_library_for_websockets_is_looked_for(settings: Settings) -> None:
    config = config_of(similarity_app(settings))
    config.load()
    assert config.ws_protocol_class is None
