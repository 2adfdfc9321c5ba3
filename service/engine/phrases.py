r"""The short form of a query: weighted terms in one line, as in `2:beach - people`.

    query  = [sign] term { sign term }
    sign   = "+" | "-"          alone between spaces, so that "t-shirt" stays one word
    term   = [weight ":"] words
    weight = digits [ "." digits ]   followed by neither digit nor space: "9:30" is a time
    words  = anything; what stands in "…" has no signs; a term that is one "…" loses the quotes
    \      before + - : " \ takes their meaning from them

A line without any of this is one text, as it stands. Knows nothing about what terms mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from latent.errors import InputError
from service.engine.parts import MAX_PARTS, Part, Text

_WEIGHT = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+):(?=[^\s0-9])")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s|$)', re.DOTALL)
_ESCAPED = re.compile(r'\\([-+:"\\])')
_SIGN = re.compile(r"[-+](?=\s|$)")


@dataclass(frozen=True, slots=True)
class Term:
    """What stands between two signs, and the sign before it."""

    sign: str
    written: str


def parse(line: str) -> tuple[Part, ...]:
    """The parts of a line.

    Raises:
        InputError: nothing stands behind a sign, a weight is too large, or there are too many
            terms.
    """
    terms = list(_terms(line))
    if len(terms) > MAX_PARTS:
        raise InputError(f"a query has between 1 and {MAX_PARTS} parts; this one has {len(terms)}")
    return tuple(_part(term, is_alone=len(terms) == 1) for term in terms)


def _terms(line: str) -> Iterator[Term]:
    """The line cut at its signs; nothing before the first sign is no term."""
    sign, begin, at = "", 0, 0
    while at < len(line):
        at = _next_word(line, at)
        found = _SIGN.match(line, at)
        if found:
            if sign or line[begin:at].strip():
                yield Term(sign, line[begin:at])
            sign, at = found[0], found.end()
            begin = at
        else:
            at = _word_end(line, at)
    yield Term(sign, line[begin:])


def _next_word(line: str, at: int) -> int:
    while at < len(line) and line[at].isspace():
        at += 1
    return at


def _word_end(line: str, at: int) -> int:
    """Where the word that begins here ends; what is quoted is one word."""
    weight = _WEIGHT.match(line, at)
    quoted = _QUOTED.match(line, weight.end() if weight else at)
    if quoted:
        return quoted.end()
    while at < len(line) and not line[at].isspace():
        at += 1
    return at


def _part(term: Term, *, is_alone: bool) -> Part:
    written = term.written.strip()
    if term.sign and not written:
        raise InputError(
            f"nothing stands beside {term.sign!r}; put a text with such a sign into double quotes"
        )
    found = _WEIGHT.match(written)
    weight = float(found[1]) if found else 1.0
    if not math.isfinite(weight):
        raise InputError("a weight is too large")
    if found:
        written = written[found.end() :]
    elif is_alone and not term.sign:
        written = term.written  # one text keeps the spaces around it too
    return Part(Text(_words(written)), -weight if term.sign == "-" else weight)


def _words(written: str) -> str:
    quoted = _QUOTED.fullmatch(written.strip())
    return _ESCAPED.sub(r"\1", written.strip()[1:-1] if quoted else written)
