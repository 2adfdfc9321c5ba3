"""What every answer tells browsers: show it as what it is, in no frame, with nothing loaded.

Knows nothing about who asks.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latent.errors import InputError
from latent.settings import Settings

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""The strictest of each; an answer that needs another, such as a page, brings its own."""

_SENT = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class Shielded:
    """Adds `HEADERS` to every answer, where it does not have them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                there = {name.lower() for name, _ in headers}
                message["headers"] = headers + [one for one in _SENT if one[0] not in there]
            await send(message)

        await self._app(scope, receive, send_shielded)


def allowed_origins(settings: Settings) -> list[str]:
    """The origins whose pages may ask from a browser.

    Raises:
        InputError: one of them is no origin.
    """
    given = (one.strip() for one in (settings.cors_origins or "").split(","))
    origins = [one for one in given if one]
    for origin in origins:
        scheme, _, host = origin.partition("://")
        if scheme not in ("http", "https") or not host or set(host) & set("/*?# @"):
            raise InputError(
                f"NEARFIELD_CORS_ORIGINS names {origin!r}; an origin is like https://host:port"
            )
    return origins
