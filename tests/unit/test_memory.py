"""What was freed is given back, where the system can."""

from __future__ import annotations

from latent.memory import give_back


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
