"""Pictures compared place by place: what changes all of one, and what lies over a part of it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from service.checks.structure import SIDE, covered, fine
from service.checks.tiers import COVERED


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Grain of several sizes, as a photo has everywhere."""
    chance = np.random.default_rng(3)
    pixels = np.zeros((180, 240, 3), np.float32)
    for octave in range(2, 8):
        grain = chance.uniform(0, 255, (3 * 2**octave // 4, 2**octave, 3)).astype(np.uint8)
        shapes = Image.fromarray(grain).resize((240, 180), Image.Resampling.BICUBIC)
        pixels += np.asarray(shapes, np.float32) / 2 ** (octave / 2)
    pixels *= 255 / pixels.max()
    return Image.fromarray(pixels.astype(np.uint8))


def unlike(one: Image.Image, other: Image.Image) -> float:
    ours, theirs = fine(one), fine(other)
    assert ours is not None and theirs is not None
    return covered(ours, theirs)


def test_a_picture_is_like_itself_everywhere(picture: Image.Image) -> None:
    seen = fine(picture)
    assert seen is not None and seen.shape == (SIDE, SIDE)
    assert unlike(picture, picture) == pytest.approx(0.0, abs=1e-6)


def test_light_contrast_blur_and_size_cover_nothing(picture: Image.Image) -> None:
    for changed in (
        ImageEnhance.Brightness(picture).enhance(0.6),
        ImageEnhance.Contrast(picture).enhance(0.5),
        picture.convert("L").convert("RGB"),
        picture.filter(ImageFilter.GaussianBlur(1)),
        picture.resize((132, 99)),
    ):
        assert unlike(picture, changed) < COVERED


def test_a_box_a_blurred_corner_and_a_caption_are_covers(picture: Image.Image) -> None:
    box = picture.copy()
    box.paste((255, 255, 255), (100, 60, 150, 100))
    corner = picture.copy()
    corner.paste(picture.crop((0, 0, 80, 60)).resize((4, 4)).resize((80, 60)), (0, 0))
    caption = picture.copy()
    ImageDraw.Draw(caption).text((20, 120), "SAMPLE ONLY", "white", font_size=28, stroke_width=2)
    for changed in (box, corner, caption):
        assert unlike(picture, changed) > COVERED
        assert unlike(changed, picture) > COVERED


def test_pictures_of_one_colour_are_compared_without_complaint() -> None:
    flat = Image.new("RGB", (99, 99), "red")
    assert unlike(flat, flat) == pytest.approx(0.0, abs=1e-6)


def test_a_picture_of_few_pixels_has_no_fine_structure(picture: Image.Image) -> None:
    assert fine(picture.resize((120, 90))) is None
