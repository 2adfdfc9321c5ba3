"""What an endpoint needs of those who ask it. The OpenAPI document is where it is declared.

Knows nothing about keys and requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""The two ways to send a key, as OpenAPI names them."""

_ALL = "x-all-collections"


class Scope(StrEnum):
    """What a key may do: who may write may read too, and who administers may do both."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def allows(self, needed: Scope) -> bool:
        """Whether a key of this scope may do what needs the other."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Need:
    """What one endpoint needs: a scope, and whether for all collections at once."""

    scope: Scope
    of_all: bool = False


STRICTEST = Need(Scope.ADMIN, of_all=True)
"""Of an endpoint that declares nothing, so that one that was forgotten is no hole."""

OPEN: dict[str, Any] = {"security": []}
"""Declares an endpoint that everybody may ask, for `openapi_extra`."""


def needs(scope: Scope, *, of_all: bool = False) -> dict[str, Any]:
    """Declares what an endpoint needs, for its `openapi_extra`.

    Args:
        of_all: it tells of all collections at once, so a key of some of them is not enough.
    """
    declared: dict[str, Any] = {"security": [{scheme: [scope.value]} for scheme in SCHEMES]}
    return {**declared, _ALL: True} if of_all else declared


def declares(extra: Mapping[str, Any] | None) -> bool:
    """Whether an endpoint with this `openapi_extra` says what it needs."""
    return "security" in (extra or {})


def need_of(extra: Mapping[str, Any] | None) -> Need | None:
    """What the endpoint with this `openapi_extra` needs; None if everybody may ask it."""
    if extra is None or not declares(extra):
        return STRICTEST
    if not extra["security"]:
        return None
    (scope,) = extra["security"][0]["bearer"]
    return Need(Scope(scope), of_all=extra.get(_ALL, False))
