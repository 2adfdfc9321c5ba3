"""Which URLs may be fetched: http and https, of hosts on a list.

Knows nothing about addresses and connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from latent.errors import FetchError, InputError

PORTS = {"http": 80, "https": 443}
LONGEST = 8_000  # characters of a URL


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture lies: exactly what is connected to and asked for."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of the list: a host, or (`*.host`) all below it, at a port or the usual ones."""

    host: str
    port: int | None

    def covers(self, place: Place) -> bool:
        """Whether the place is of this entry."""
        if place.port != (PORTS[place.scheme] if self.port is None else self.port):
            return False
        if self.host.startswith("*."):
            return place.host.endswith(self.host[1:])
        return place.host == self.host


def allowed(hosts: str | None) -> list[Allowed]:
    """The entries of a list with commas.

    Raises:
        InputError: one is no host.
    """
    return [_entry(one.strip()) for one in (hosts or "").split(",") if one.strip()]


def place_of(url: str, hosts: Sequence[Allowed]) -> Place:
    """Where a URL leads.

    Raises:
        FetchError: it is no URL of http or https, or its host is not on the list.
    """
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or set(url) & set(' \\"'):
        raise FetchError("the URL of an image must be plain ASCII, with everything else escaped")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError as error:
        raise FetchError(f"the URL of an image is none: {error}") from error
    if scheme not in PORTS:
        raise FetchError(f"an image is fetched by http or https, not by {scheme!r}")
    if "@" in parts.netloc:
        raise FetchError("the URL of an image may not hold a name or a password")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    place = Place(scheme, host.rstrip("."), PORTS[scheme] if port is None else port, target)
    if not any(entry.covers(place) for entry in hosts):
        raise FetchError(
            f"images of {place.authority or 'no host'} are not fetched; the operator lists hosts "
            "in NEARFIELD_FETCH_HOSTS"
        )
    return place


def _entry(text: str) -> Allowed:
    try:
        parts = urlsplit(f"//{text}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = host.removeprefix("*.").replace("-", "").replace(".", "").replace(":", "")
    if not plain.isascii() or not plain.isalnum() or parts.path or "@" in text:
        raise InputError(
            f"NEARFIELD_FETCH_HOSTS names {text!r}; write hosts like images.example.org, "
            "*.example.org or images.example.org:8443"
        )
    return Allowed(host, port)
