"""What was freed is given back, where the system can."""

from __future__ import annotations

import gc
import weakref

from latent.memory import give_back, settle


class Library:
    """A C library that can."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def malloc_trim(self, pad: int) -> int:
        self.kept.append(pad)
        return 1


def test_all_that_is_free_is_given_back_by_a_library_that_can() -> None:
    library = Library()
    assert give_back(library)
    assert library.kept == [0]


def test_with_a_library_that_cannot_nothing_happens() -> None:
    assert not give_back(object())


class Tied:
    """Holds itself: only the search for cycles frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_not_looked_through_again_and_what_comes_is() -> None:
    before = gc.get_freeze_count()
    try:
        settle()
        assert gc.get_freeze_count() > before + 10_000
        came = weakref.ref(Tied())
        gc.collect()
        assert came() is None
    finally:
        gc.unfreeze()
