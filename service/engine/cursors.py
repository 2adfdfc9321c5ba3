"""Cursors: where a list was left off, as opaque text bound to the question that made it.

Knows nothing about what is listed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from latent.errors import InputError
from latent.items import JSON

MARK = 6  # bytes; two of a thousand things share one once in half a billion lists
_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a list was left off: a position, whatever the list takes for one, and what was seen."""

    position: JSON
    seen: frozenset[bytes] = frozenset()


def fingerprint(question: JSON) -> str:
    """Few characters that differ whenever the question does."""
    canonical = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def mark(name: str) -> bytes:
    """Few bytes to know a thing by that was seen."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:MARK]


def write(question: str, position: JSON, seen: Iterable[bytes] = ()) -> str:
    """A cursor behind a position, for the question with this fingerprint."""
    parts = [_encoded(json.dumps([question, position]).encode())]
    if marks := b"".join(sorted(seen)):
        parts.append(_encoded(marks))
    return ".".join(parts)


def read(cursor: str, question: str) -> Cursor:
    """What `write` was given.

    Raises:
        InputError: it is no cursor, or one of another question.
    """
    head, _, tail = cursor.partition(".")
    try:
        if len(cursor) > _LONGEST:
            raise ValueError("too long")
        made_for, position = json.loads(_decoded(head))
        json.dumps(position, ensure_ascii=False).encode()  # a database takes no half characters
        marks = _decoded(tail)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise not_ours() from error
    if not isinstance(made_for, str) or len(marks) % MARK:
        raise not_ours()
    if made_for != question:
        raise InputError("the cursor belongs to another question; ask again without it")
    seen = frozenset(marks[at : at + MARK] for at in range(0, len(marks), MARK))
    return Cursor(position, seen)


def not_ours() -> InputError:
    """The error of a cursor that cannot be read."""
    return InputError("the cursor is not one of ours")


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
