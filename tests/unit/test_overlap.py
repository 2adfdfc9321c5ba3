"""Whether one picture shows a part of another."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.checks.overlap import overlap, small
from service.checks.tiers import OVERLAP


def drawn(seed: int) -> Image.Image:
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 255, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((180, 140), Image.Resampling.BICUBIC)


def test_a_picture_overlaps_with_itself_wholly() -> None:
    assert overlap(small(drawn(0)), small(drawn(0))) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("box", [(0, 0, 120, 100), (60, 40, 180, 140), (20, 10, 170, 130)])
def test_a_part_is_found_whichever_is_given_first(box: tuple[int, int, int, int]) -> None:
    whole, part = small(drawn(1)), small(drawn(1).crop(box))
    assert overlap(whole, part) >= OVERLAP
    assert overlap(part, whole) == pytest.approx(overlap(whole, part), abs=1e-5)


def test_a_mirrored_part_is_found() -> None:
    part = ImageOps.mirror(drawn(2).crop((30, 20, 150, 120)))
    assert overlap(small(drawn(2)), small(part)) >= OVERLAP


def test_other_pictures_overlap_little() -> None:
    found = [overlap(small(drawn(0)), small(drawn(seed))) for seed in range(10, 30)]
    assert max(found) < OVERLAP


def test_pictures_of_one_colour_overlap_with_nothing() -> None:
    flat = small(Image.new("RGB", (20, 20), "white"))
    assert overlap(flat, flat) == 0.0
    assert overlap(flat, small(drawn(0))) < OVERLAP
