"""What was asked before is remembered, within bounds, and never mistaken for something else."""

from __future__ import annotations

import numpy as np
import pytest

from latent.items import Modality, Vector
from latent.space import Space
from service.embedding.remembered import Key, Remembered, key_of

SPACE = Space("one", 4, "fingerprint")


def key(text: str) -> Key:
    return key_of(SPACE, Modality.TEXT, text)


def row(value: float) -> Vector:
    return np.full(4, value, dtype=np.float32)


def test_what_was_kept_is_given_again() -> None:
    remembered = Remembered(3)
    assert remembered.get(key("a")) is None
    remembered.keep(key("a"), row(1))
    found = remembered.get(key("a"))
    assert found is not None
    assert found.tolist() == [1, 1, 1, 1]


def test_the_one_asked_for_the_longest_ago_is_forgotten_first() -> None:
    remembered = Remembered(2)
    remembered.keep(key("a"), row(1))
    remembered.keep(key("b"), row(2))
    remembered.get(key("a"))
    remembered.keep(key("c"), row(3))
    assert remembered.get(key("b")) is None
    assert remembered.get(key("a")) is not None
    assert len(remembered) == 2


def test_bytes_are_bounded_too() -> None:
    remembered = Remembered(1_000, most_bytes=3 * row(0).nbytes)
    for number in range(10):
        remembered.keep(key(str(number)), row(number))
    assert len(remembered) == 3
    remembered.keep(key("9"), row(9))  # the same once more takes no more room
    assert len(remembered) == 3
    remembered.keep(key("huge"), np.zeros(1_000, dtype=np.float32))
    assert remembered.get(key("huge")) is None
    assert len(remembered) == 3


def test_none_are_kept_where_there_may_be_none() -> None:
    remembered = Remembered(0)
    remembered.keep(key("a"), row(1))
    assert len(remembered) == 0


def test_a_batch_is_not_held_by_one_of_its_rows_and_nobody_can_change_it() -> None:
    remembered = Remembered(2)
    batch = np.zeros((100, 4), dtype=np.float32)
    remembered.keep(key("a"), batch[0])
    found = remembered.get(key("a"))
    assert found is not None
    assert found.base is None
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


def test_other_models_kinds_and_contents_have_other_keys() -> None:
    spaces = [SPACE, Space("one", 4, "changed"), Space("its compiled form", 4, "fingerprint")]
    keys = [
        key_of(space, modality, content)
        for space in spaces
        for modality in Modality
        for content in ("a", "b")
    ]
    assert len(set(keys)) == len(keys)


def test_half_a_character_has_a_key() -> None:
    assert key("\ud800") != key("?")
