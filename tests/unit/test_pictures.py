"""Pictures far longer than wide are cut to their middle before anything scales them."""

from __future__ import annotations

import pytest
from PIL import Image

from latent.models.pictures import without_extremes


@pytest.mark.parametrize(
    ("size", "kept"), [((60_000, 2), (16, 2)), ((3, 60_000), (3, 24)), ((9, 1), (8, 1))]
)
def test_an_extreme_picture_becomes_eight_times_as_long_as_wide(
    size: tuple[int, int], kept: tuple[int, int]
) -> None:
    assert without_extremes(Image.new("RGB", size)).size == kept


def test_what_is_kept_is_the_middle() -> None:
    wide = Image.new("RGB", (101, 1), "blue")
    wide.putpixel((50, 0), (255, 0, 0))
    kept = without_extremes(wide)
    assert [kept.getpixel((x, 0)) for x in (3, 4, 5)].count((255, 0, 0)) == 1


@pytest.mark.parametrize("size", [(640, 480), (8, 1), (1, 1), (100, 800)])
def test_any_other_picture_stays_as_it_is(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)
    assert without_extremes(picture) is picture
