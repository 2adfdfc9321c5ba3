"""The bench of checks: copies that are what they say, and figures that count right."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from benchmarks.checks import CHANGES, Told, _rows
from benchmarks.copies import COPYINGS, Copying, as_jpeg
from benchmarks.labels import calibration_error
from latent.media.fingerprints import apart, picture_hash
from service.checks.tiers import Tier
from service.checks.wording import normalised

CHANCE = np.random.default_rng(0)
PICTURE = Image.fromarray(CHANCE.integers(0, 255, (9, 12, 3), dtype=np.uint8)).resize((240, 180))


def test_there_are_twenty_kinds_of_copies() -> None:
    assert len({copying.name for copying in COPYINGS}) == 20


@pytest.mark.parametrize("copying", COPYINGS, ids=lambda copying: copying.name)
def test_a_copy_is_another_file_of_each_strength(copying: Copying) -> None:
    copies = copying.copies(PICTURE)
    assert len({*copies, as_jpeg(PICTURE)}) == 4
    for copy in copies:
        Image.open(BytesIO(copy)).load()


def test_the_mildest_copies_of_the_same_picture_look_the_same() -> None:
    asked = picture_hash(PICTURE)
    for copying in COPYINGS:
        if copying.tier is Tier.SAME_PICTURE:
            copy = Image.open(BytesIO(copying.copies(PICTURE)[0]))
            assert apart(asked, picture_hash(copy)).upright < 0.14, copying.name


def test_every_change_of_a_text_does_what_it_says() -> None:
    text = "Two brown dogs run through the deep snow ."
    for name, tier, change in CHANGES:
        assert change(text) != text, name
        assert (normalised(change(text)) == normalised(text)) is (tier is Tier.SAME_TEXT), name


def test_precision_and_recall_count_what_is_at_least_as_alike() -> None:
    told = [
        Told("crop", Tier.NEAR_COPY, Tier.SAME_PICTURE),
        Told("size", Tier.SAME_PICTURE, Tier.SAME_PICTURE),
        Told("size", Tier.SAME_PICTURE, Tier.ALIKE),
        Told("another photo", Tier.RELATED, Tier.NEAR_COPY),
        Told("another photo", Tier.RELATED, Tier.UNRELATED),
    ]
    found = {
        row.name: row.value for row in _rows("x", told, "", (Tier.SAME_PICTURE, Tier.NEAR_COPY))
    }
    assert found == {
        "x: same_picture: precision": pytest.approx(1 / 2),
        "x: same_picture: recall": pytest.approx(1 / 2),
        "x: near_copy: precision": pytest.approx(2 / 3),
        "x: near_copy: recall": pytest.approx(2 / 3),
        "x: others called copies": pytest.approx(1 / 2),
    }


def test_what_is_true_as_often_as_it_was_told_has_no_error() -> None:
    told = np.array([0.25] * 4 + [1.0] * 4)
    true = np.array([True, False, False, False] + [True] * 4)
    assert calibration_error(told, true) == pytest.approx(0.0)
    assert calibration_error(told, ~true) == pytest.approx((0.5 + 1.0) / 2)
