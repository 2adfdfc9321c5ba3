"""Keys are handed out and taken back by requests, and never so that nobody can do so any more.

At the command line, where the file of keys can be removed as well, none of this is asked. Knows
nothing about requests.
"""

from __future__ import annotations

from collections.abc import Sequence

from latent.errors import InputError, NotAllowedError
from latent.settings import Settings
from service.guard.keyring import Keyring
from service.guard.keys import Key
from service.guard.scopes import Scope


def keyring_for(settings: Settings) -> Keyring:
    """The keys that requests may see and change.

    Raises:
        NotAllowedError: the service was told to ask for none, so anybody could make one to keep.
    """
    if settings.without_keys:
        raise NotAllowedError(
            "this service was told to ask for no keys (--without-keys), so it makes none; use "
            "'nearfield keys' on its machine"
        )
    return Keyring.of(settings)


def require_an_administrator(keys: Sequence[Key]) -> None:
    """Refuse keys among which none administers everything.

    Raises:
        InputError: saying which key to make first.
    """
    if not any(key.scope is Scope.ADMIN and key.collections is None for key in keys):
        raise InputError(
            "then no key could make others; first make one of scope 'admin' for all collections, "
            "or use 'nearfield keys' on the machine of the service"
        )
