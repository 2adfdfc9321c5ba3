"""Lets a request in, or says why not; before anything of its body is read.

Keys are asked for where the service can be reached from another machine, and wherever there is a
file of keys. Without them, on this machine alone, pages that a browser shows from elsewhere are
still kept out. Knows nothing about what is asked.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request

from latent.errors import InputError, NotAllowedError, UnknownKeyError
from latent.settings import Settings
from service.guard.browsers import refuse_strangers
from service.guard.headers import allowed_origins
from service.guard.keyring import Keyring
from service.guard.keys import Key, id_in, is_key
from service.guard.rates import Rates, rate_of
from service.guard.scopes import Need


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks; without a key where none is asked for."""

    key: Key | None = None

    def may_see(self, collection: str) -> bool:
        """Whether a collection is there for them."""
        return self.key is None or self.key.is_for(collection)

    @property
    def sees_all(self) -> bool:
        """Whether every collection is there for them, also those that are yet to come."""
        return self.key is None or self.key.collections is None


class Guard:
    """Asks for keys: always, never, or (None) from the moment on that there is a file of them."""

    def __init__(
        self,
        keyring: Keyring,
        *,
        asks: bool | None,
        rate: str | None,
        origins: Sequence[str] = (),
        rates: Rates | None = None,
    ) -> None:
        self._keyring = keyring
        self._origins = origins
        self._asks = asks
        self._rate = rate
        self._rates = rates or Rates()

    @classmethod
    def of(cls, settings: Settings, *, shared: Path | None = None) -> Guard:
        """The one that the settings ask for; `shared` is where several processes count together.

        Raises:
            InputError: the rate limit, or an origin, is none.
        """
        if settings.rate_limit is not None:
            rate_of(settings.rate_limit)
        asks = False if settings.without_keys else is_public(settings) or None
        return cls(
            Keyring.of(settings),
            asks=asks,
            rate=settings.rate_limit,
            origins=allowed_origins(settings),
            rates=Rates(shared),
        )

    def admit(self, request: Request, need: Need | None) -> Caller:
        """Whoever asks, if they may.

        Raises:
            UnknownKeyError: a key is needed, and none came that is known.
            NotAllowedError: the key is not for this.
            AccessError: a page of another host asks, in a browser.
            RateLimitError: the key was used too often.
            StoreError: the keys cannot be read.
        """
        if need is None:
            return Caller()
        if self._asks is None and self._keyring.exists():
            self._asks = True
        if not self._asks:
            refuse_strangers(request, self._origins, by_name=self._asks is None)
            return Caller()
        key = self._known(request)
        if rate := key.rate or self._rate:
            self._rates.count(key.id, rate)
        _require(key, need, request.path_params.get("collection"))
        return Caller(key)

    def _known(self, request: Request) -> Key:
        secret = sent_key(request)
        if not secret:
            raise UnknownKeyError(
                "a key is needed; send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY' "
                "(keys are made with 'nearfield keys create')"
            )
        key = self._keyring.keys().get(id_in(secret))
        if not is_key(key, secret) or key is None:
            raise UnknownKeyError("this key is not known here; it may have been revoked")
        return key


def sent_key(request: Request) -> str:
    """The key that came with a request, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")


def is_public(settings: Settings) -> bool:
    """Whether the service can be reached from other machines than this one."""
    return not is_loopback(settings.published or settings.host)


def is_loopback(host: str) -> bool:
    """Whether every address of that name or number is one of this machine alone."""
    try:
        numbers = [ipaddress.ip_address(host)]
    except ValueError:
        try:
            found = socket.getaddrinfo(host, None) if host else []
        except (OSError, UnicodeError):
            return False
        numbers = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    plain = [getattr(number, "ipv4_mapped", None) or number for number in numbers]
    return bool(plain) and all(number.is_loopback for number in plain)


def require_keys(settings: Settings) -> None:
    """Refuse to be reached from other machines while nobody needs a key.

    Raises:
        InputError: there are no keys, and nobody said that there need be none.
        StoreError: the keys cannot be read.
    """
    if settings.without_keys or not is_public(settings) or Keyring.of(settings).keys():
        return
    raise InputError(
        f"{settings.published or settings.host} can be reached from other machines, and there are "
        "no keys; make one with 'nearfield keys create NAME', or say --without-keys to let "
        "everybody ask everything"
    )


def _require(key: Key, need: Need, collection: str | None) -> None:
    if not key.scope.allows(need.scope):
        raise NotAllowedError(
            f"the key {key.name!r} has the scope {key.scope}; this needs {need.scope}"
        )
    if collection is not None and not key.is_for(collection):
        raise NotAllowedError(f"the key {key.name!r} is not for collection {collection!r}")
    if need.of_all and key.collections is not None:
        raise NotAllowedError(
            f"the key {key.name!r} is for some collections; this tells of all of them"
        )
