"""One picture of another host, within a limit on bytes and on seconds; and those of a request.

No redirect is followed, nothing is unpacked, no proxy is used, no connection is kept. Knows nothing
about what pictures are for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpcore2

from latent import __version__
from latent.errors import FetchError, ImageTooLargeError, InputError
from latent.settings import Settings
from service.fetching.addresses import CheckedNetwork
from service.fetching.places import Allowed, Place, allowed, place_of

AT_ONCE = 8  # connections of the whole process
MOST = 32  # pictures that one request may have fetched


@dataclass(slots=True)
class _Room:
    """Bytes that may still come."""

    left: int

    def take(self, chunk: bytes, place: Place) -> None:
        self.left -= len(chunk)
        if self.left < 0:
            raise ImageTooLargeError(f"the image at {place.authority} has too many bytes")


class Fetcher:
    """Fetches pictures of the hosts that were named; of none, if none was."""

    def __init__(
        self,
        hosts: Sequence[Allowed] = (),
        *,
        max_bytes: int = 0,
        max_bytes_at_once: int = 0,
        seconds: float = 0,
        network: CheckedNetwork | None = None,
    ) -> None:
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._max_bytes_at_once = max_bytes_at_once
        self._seconds = seconds
        self._network = network or CheckedNetwork()
        self._turns = asyncio.Semaphore(AT_ONCE)

    @classmethod
    def of(cls, settings: Settings, network: CheckedNetwork | None = None) -> Fetcher:
        """The one that the settings ask for.

        Raises:
            InputError: one of the hosts is none.
        """
        return cls(
            allowed(settings.fetch_hosts),
            max_bytes=settings.max_image_bytes,
            max_bytes_at_once=settings.max_body_bytes,
            seconds=settings.fetch_seconds,
            network=network,
        )

    @property
    def is_on(self) -> bool:
        """Whether there is a host that anything is fetched from."""
        return bool(self._hosts)

    def fetches(self, image: object) -> bool:
        """Whether this is a URL of the web, and anything is fetched."""
        is_url = isinstance(image, str) and image[:8].lower().startswith(("http://", "https://"))
        return self.is_on and is_url

    async def fetch_all(self, urls: Sequence[str]) -> list[bytes | InputError]:
        """What is at each URL, in order, or why it was not fetched.

        Raises:
            InputError: they are too many.
        """
        if len(urls) > MOST:
            raise InputError(f"at most {MOST} images of a request are fetched, not {len(urls)}")
        room = _Room(self._max_bytes_at_once)
        return list(await asyncio.gather(*(self._one(url, room) for url in urls)))

    async def _one(self, url: str, shared: _Room) -> bytes | InputError:
        try:
            place = place_of(url, self._hosts)
            async with self._turns:
                return await self._within_time(place, shared)
        except InputError as error:
            return error

    async def _within_time(self, place: Place, shared: _Room) -> bytes:
        """Raises FetchError or ImageTooLargeError. The time is for everything, from the name on."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(place, shared)
        except TimeoutError as error:
            raise FetchError(
                f"{place.authority} took more than {self._seconds:g} seconds"
            ) from error
        except (
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.TimeoutException,
            httpcore2.UnsupportedProtocol,
        ) as error:
            raise FetchError(f"{place.authority} gave no answer that can be read") from error

    async def _read(self, place: Place, shared: _Room) -> bytes:
        own = _Room(self._max_bytes)
        content = bytearray()
        async with (
            httpcore2.AsyncConnectionPool(network_backend=self._network) as pool,
            pool.stream("GET", _url(place), headers=_headers(place)) as answer,
        ):
            if answer.status != 200:
                hint = "; redirects are not followed" if 300 <= answer.status < 400 else ""
                raise FetchError(f"{place.authority} answered {answer.status}{hint}")
            async for chunk in answer.aiter_stream():
                own.take(chunk, place)
                shared.take(chunk, place)
                content += chunk
        return bytes(content)


def _url(place: Place) -> httpcore2.URL:
    return httpcore2.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target)


def _headers(place: Place) -> Mapping[bytes | str, bytes | str]:
    return {
        "Host": place.authority,
        "User-Agent": f"nearfield/{__version__}",
        "Accept": "image/*",
        "Accept-Encoding": "identity",  # what is packed might be endless once it is unpacked
        "Connection": "close",
    }
