"""The values that one field has in all rows, each different one once.

A cell is the JSON of a value as the catalog gives it, None where the field is not there. What a
condition asks is answered for every different value, and so for all rows at once; `filters.match`
says the same of one item. Knows nothing about keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latent.columns.lexicon import Lexicon
from latent.filters.language import Compare, Exists, Like, OneOf, Op, Scalar
from latent.filters.match import value_meets
from latent.filters.patterns import pattern_of

Asked = OneOf | Compare | Like | Exists
Mask = NDArray[np.bool_]

MISSING, NULL, FALSE, TRUE = range(4)
PLAIN = {None: MISSING, "null": NULL, "false": FALSE, "true": TRUE}

WIDEST = 64  # bytes of a string among the others; longer ones are kept by themselves
MOST_ODD = 20_000  # values that are kept by themselves
MOST_READ = 50_000  # strings that are looked at one by one, for a pattern with unknown signs


class TooVariedError(Exception):
    """The field has too many long or nested values to be held; the database answers instead."""


class Cells:
    """One field of all rows: a code for each, and what the codes stand for."""

    def __init__(self) -> None:
        self.codes = np.empty(0, np.int32)
        self._count = len(PLAIN)
        self._numbers: Lexicon[float] = Lexicon("f8")
        self._strings: Lexicon[bytes] = Lexicon("S1")
        self._odd: dict[str, int] = {}
        self._odd_values: list[tuple[object, int]] = []

    @property
    def bytes(self) -> int:
        """The memory it takes, about."""
        odd = sum(4 * len(text) + 300 for text in self._odd)
        return int(self.codes.nbytes) + self._numbers.bytes + self._strings.bytes + odd

    def set(self, places: NDArray[np.int64], cells: Sequence[str | None], size: int) -> None:
        """Have these cells at these rows, of `size` in all; a row without one has no such field.

        Raises:
            TooVariedError: the values cannot be held; the column is of no more use.
        """
        codes = self._codes_of(set(cells))
        if size > len(self.codes):
            room = np.full(max(size, len(self.codes) * 5 // 4), MISSING, np.int32)
            room[: len(self.codes)] = self.codes
            self.codes = room
        self.codes[places] = [codes[cell] for cell in cells]

    def meet(self, asked: Asked, size: int) -> Mask:
        """Which of the first `size` rows meet a condition, `(size,)`.

        Raises:
            TooVariedError: it would take longer than to ask the database.
        """
        truth = np.zeros(self._count, np.bool_)
        match asked:
            case Exists():
                truth[:] = True
                truth[MISSING] = False
            case OneOf(_, values):
                self._meet_one_of(values, truth)
            case Compare(_, op, than):
                if isinstance(than, str):
                    truth[self._strings.where(op, than.encode())] = True
                else:
                    truth[self._numbers.where(*_exact(op, than))] = True
            case Like(_, pattern):
                asked_for = pattern_of(pattern)
                if asked_for.odd is not None and len(self._strings) > MOST_READ:
                    raise TooVariedError
                for lowered, codes in self._strings.lowered():
                    truth[codes[asked_for.among(lowered)]] = True
        if not isinstance(asked, Exists):
            for odd, code in self._odd_values:
                truth[code] = value_meets(asked, odd)
        return truth[self.codes[:size]]

    def _meet_one_of(self, values: Sequence[Scalar], truth: Mask) -> None:
        for value in values:
            if value is None:
                truth[[MISSING, NULL]] = True
            elif isinstance(value, bool):
                truth[TRUE if value else FALSE] = True
        numbers = [float(v) for v in values if isinstance(v, int | float) and is_number(v)]
        strings = [v.encode() for v in values if isinstance(v, str) and is_string(v)]
        truth[self._numbers.has(numbers)] = True
        truth[self._strings.has(strings)] = True

    def _codes_of(self, cells: Iterable[str | None]) -> dict[str | None, int]:
        codes: dict[str | None, int] = dict(PLAIN)
        numbers: dict[float, list[str]] = {}
        strings: dict[bytes, str] = {}
        for cell in cells:
            if cell in PLAIN or cell is None:
                continue
            value = _read(cell)
            if isinstance(value, str) and is_string(value):
                strings[value.encode()] = cell
            elif isinstance(value, int | float) and is_number(value):
                numbers.setdefault(float(value), []).append(cell)  # 1 and 1.0 are one
            else:
                codes[cell] = self._odd_code(cell, value)
        for number, code in self._added(self._numbers, list(numbers)):
            codes |= dict.fromkeys(numbers[number], code)
        for string, code in self._added(self._strings, list(strings)):
            codes[strings[string]] = code
        return codes

    def _added(self, lexicon: Lexicon[Any], values: list[Any]) -> Iterable[tuple[Any, int]]:
        before = len(lexicon)
        found = lexicon.codes(values, self._count)
        self._count += len(lexicon) - before
        return zip(values, found, strict=True)

    def _odd_code(self, cell: str, value: object) -> int:
        if cell not in self._odd:
            if len(self._odd) >= MOST_ODD:
                raise TooVariedError
            self._odd[cell] = self._count
            self._odd_values.append((value, self._count))
            self._count += 1
        return self._odd[cell]


def is_number(value: Scalar) -> bool:
    """Whether it is a number that eight bytes hold exactly, as nearly all are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1 << 63 and float(value) == value


def is_string(value: str) -> bool:
    """Whether it is short, and without the NUL that ends strings of numpy."""
    return len(value.encode()) <= WIDEST and "\0" not in value


def _read(cell: str) -> object:
    if cell[0] == '"' and "\\" not in cell:
        return cell[1:-1]
    return json.loads(cell)


def _exact(op: Op, than: int | float) -> tuple[Op, float]:
    """The comparison with the float nearest to a whole number that floats do not hold."""
    near = float(than)
    if near == than:
        return op, near
    is_above = near > than
    turned: dict[Op, Callable[[], Op]] = {
        Op.GT: lambda: Op.GTE if is_above else Op.GT,
        Op.GTE: lambda: Op.GTE if is_above else Op.GT,
        Op.LT: lambda: Op.LT if is_above else Op.LTE,
        Op.LTE: lambda: Op.LT if is_above else Op.LTE,
    }
    return turned[op](), near
