"""Cursors: where a list was left off, as opaque text bound to the question that made it.

Knows nothing about what is listed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math

from latent.errors import InputError
from latent.items import JSON

_LONGEST = 8_192


def fingerprint(question: JSON) -> str:
    """Few characters that differ whenever the question does."""
    canonical = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def write(question: str, score: float, item_id: str) -> str:
    """A cursor behind the item, for the question with this fingerprint."""
    content = json.dumps([question, score, item_id]).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def read(cursor: str, question: str) -> tuple[float, str]:
    """Score and id of the last item seen.

    Raises:
        InputError: it is no cursor, or one of another question.
    """
    if len(cursor) > _LONGEST:
        raise InputError("the cursor is not one of ours")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        made_for, score, item_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise InputError("the cursor is not one of ours") from error
    if not isinstance(item_id, str) or not isinstance(score, float) or not math.isfinite(score):
        raise InputError("the cursor is not one of ours")
    if made_for != question:
        raise InputError("the cursor belongs to another question; ask again without it")
    return score, item_id
