"""API keys: 256 random bits with a name, a scope, and the collections they are for.

Only the SHA-256 of a key is kept. That suffices: a slow hash protects what people choose, by
making each guess dear; among 2^256 equally likely keys there is nothing to guess.
Knows nothing about where keys are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from latent.errors import InputError
from service.guard.rates import rate_of
from service.guard.scopes import Scope

PREFIX = "nf"  # so that people, and programs that look for leaked keys, know one when they see it
_FIT_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}")
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; not the key itself. `collections` is None for all of them."""

    id: str
    name: str
    scope: Scope
    hash: str
    created: str
    collections: tuple[str, ...] | None = None
    rate: str | None = None

    def is_for(self, collection: str) -> bool:
        """Whether it opens that collection."""
        return self.collections is None or collection in self.collections


def new_key(
    name: str,
    scope: Scope,
    *,
    collections: Sequence[str] = (),
    rate: str | None = None,
) -> tuple[Key, str]:
    """A key that nobody has yet, and the secret to hand out; it cannot be had again.

    Raises:
        InputError: no fit name, or no rate.
    """
    if not _FIT_NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name for a key: letters, digits, '_', '-' and '.', at most 100, "
            "beginning with a letter or digit"
        )
    if rate is not None:
        rate_of(rate)
    key_id = secrets.token_hex(4)
    secret = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    key = Key(
        id=key_id,
        name=name,
        scope=scope,
        hash=hash_of(secret),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        collections=tuple(collections) or None,
        rate=rate,
    )
    return key, secret


def hash_of(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def id_in(secret: str) -> str:
    """The id that a key carries within it; whatever is there, if it is none of ours."""
    return secret[len(PREFIX) + 1 :].partition("_")[0]


def is_key(key: Key | None, secret: str) -> bool:
    """Whether the secret is that of the key; takes as long whether it is or not."""
    expected = _NOBODY if key is None else key.hash
    return hmac.compare_digest(expected, hash_of(secret)) and key is not None
