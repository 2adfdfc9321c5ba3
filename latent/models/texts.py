"""Texts as tokenizers can take them. Knows nothing about models."""

from __future__ import annotations

from collections.abc import Sequence

from latent.errors import InputError

LONGEST_TOKEN = 64
"""Characters; in no tokenizer do the tokens of texts that people write average as many."""


def require_whole(texts: Sequence[str]) -> None:
    """Refuse a text with half a character, which JSON can carry and UTF-8 cannot.

    Raises:
        InputError: there is one.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError("a text holds half a character (a lone surrogate)") from error


def whole(text: str) -> str:
    """The text, of the same length, with a question mark for each half of a character."""
    return text.encode("utf-8", "replace").decode()
