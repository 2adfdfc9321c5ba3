"""Words to search by: how texts are cut into them, and which of them a question asks for.

Both sides go through `words_in`, so they agree whatever the database does with words afterwards.
Knows nothing about databases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from latent.items import JSON, Item, Metadata

LONGEST_WORD = 64
LONGEST_CONTENT = 200_000  # characters of an item that are cut into words
MOST_ASKED = 64  # words of a question that are looked for
MOST_DEPTH = 16

# Letters and digits, and the signs that Indic and other scripts write vowels with.
_WORD = re.compile(
    "(?:[^\\W_]|[\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece"
    "\u0f18-\u0fbc\u102b-\u103e\u17b4-\u17d3])+"
)
# The same for ASCII, which is most there is: a table of bytes is much faster than a pattern.
_PLAIN = bytes(ord(chr(i).lower()) if chr(i).isalnum() and i < 128 else 32 for i in range(256))
_ACCENTS = re.compile("[\u0300-\u036f]")
# Scripts that put no space between words: each sign is a word of its own.
_SIGN = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

# Words that say nothing about what is looked for, unless nothing else is said.
_EMPTY = frozenset(
    """a an and are as at be but by for from has have he her his i in is it its me my not of on or
    our she so that the their them there these they this to us was we were what when where which
    who will with you your""".split()  # noqa: SIM905
)

_NESTED = (list, dict)  # made once: a union written where it is used is made anew each time


@dataclass(frozen=True, slots=True)
class Asked:
    """A word that is looked for: its parts stand side by side; the last may go on."""

    parts: tuple[str, ...]
    goes_on: bool = False


def words_in(text: str) -> list[str]:
    """The words of a text: lower case, without accents, one for each Chinese or Japanese sign."""
    words = _whole_words(text[:LONGEST_CONTENT])
    return words if text.isascii() else [part for word in words for part in _parts(word)]


def content_of(item: Item) -> str:
    """All words that an item is found by: of its text, its name, and strings of its metadata."""
    return content(item.text, item.uri, item.metadata)


def content(text: str | None, uri: str, metadata: Metadata) -> str:
    """The same, of the parts of an item. A string that the name holds already counts once."""
    said = [text or "", uri]
    _gather(metadata.values(), said, uri)
    return " ".join(words_in("\n".join(said)))


def asked_in(question: str, *, prefix: bool = False) -> list[Asked]:
    """The words to look for, each once; with `prefix`, the last may be the beginning of one."""
    words = list(dict.fromkeys(_whole_words(question[:LONGEST_CONTENT])))
    telling = [word for word in words if word not in _EMPTY or (prefix and word == words[-1])]
    chosen = (telling or words)[:MOST_ASKED]
    return [Asked(tuple(_parts(word)), prefix and word == words[-1]) for word in chosen]


def _whole_words(text: str) -> list[str]:
    if text.isascii():
        words = text.encode().translate(_PLAIN).decode().split()
        if len(text) <= LONGEST_WORD or max(map(len, words), default=0) <= LONGEST_WORD:
            return words
        return [word[:LONGEST_WORD] for word in words]
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    text = unicodedata.normalize("NFC", plain).casefold()
    return [word[:LONGEST_WORD] for word in _WORD.findall(text.lower())]


def _parts(word: str) -> list[str]:
    if word.isascii():
        return [word]
    return _SIGN.sub(r" \g<0> ", word).split()


def _gather(values: Iterable[JSON], into: list[str], name: str, depth: int = 0) -> None:
    """Add all strings, also of lists and objects, but those that are in a name."""
    for one in values:
        if isinstance(one, str):
            if one not in name:
                into.append(one)
        elif isinstance(one, _NESTED) and depth < MOST_DEPTH:
            _gather(one if isinstance(one, list) else one.values(), into, name, depth + 1)
