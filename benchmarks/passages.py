"""Passages about another world than photos: the documentation of numpy, cut to about 60 words.

Knows nothing about models.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from itertools import islice
from types import ModuleType

import numpy as np

from benchmarks.rows import UnmeasuredError

WORDS = 60
MODULES = (np, np.linalg, np.fft, np.random, np.ma, np.polynomial, np.lib)


def unrelated(count: int, *, is_read: Callable[[str], bool]) -> list[str]:
    """So many passages that `is_read` says a model can read whole, the same ones each time.

    Raises:
        UnmeasuredError: there are not so many.
    """
    found = sorted({passage for module in MODULES for passage in _passages(module)})
    if len(found) < count:
        raise UnmeasuredError(f"numpy's documentation holds {len(found)} passages, not {count}")
    shuffled = random.Random(0).sample(found, len(found))
    return list(islice(filter(is_read, shuffled), count))


def _passages(module: ModuleType) -> list[str]:
    passages = []
    for _, thing in inspect.getmembers(module):
        words = (inspect.getdoc(thing) or "").split()
        pieces = [words[start : start + WORDS] for start in range(0, len(words), WORDS)]
        passages += [" ".join(piece) for piece in pieces if len(piece) > WORDS // 2]
    return passages
