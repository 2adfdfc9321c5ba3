"""Curves of relevance: what they take into account, and how they are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from latent.items import Modality
from latent.models import mini, registry
from latent.models.artifact import Artifact, Manifest
from latent.models.calibration import (
    Answerable,
    Calibration,
    Curve,
    Line,
    Spread,
    Standing,
    Unlearnt,
    Usual,
    pair,
    probability,
    tries,
)
from latent.settings import Settings
from latent.space import Space

USUAL = Usual(mean=0.0, deviation=0.1)
CURVE = Curve(
    answerable=Answerable(bias=-8, best=20, mean=-2, deviation=30, tries=-1),
    standing=Standing(bias=2, score=40, best=-25, mean=-10, deviation=-25),
    usual=USUAL,
)


def test_the_best_of_more_is_higher_by_chance() -> None:
    expected = [tries(n) for n in (1, 2, 10, 500, 100_000)]
    assert expected[0] == pytest.approx(0)
    assert expected == sorted(expected)
    best = np.random.default_rng(0).standard_normal((4_000, 500)).max(1).mean()
    assert tries(500) == pytest.approx(best, abs=0.05)


def test_of_no_items_at_all_nothing_is_said() -> None:
    assert tries(0) == pytest.approx(0)
    assert Spread.of(np.empty(0), 0).sampled == 0


def test_a_higher_score_is_never_less_relevant() -> None:
    spread = Spread(0.0, 0.1, 500, 500)
    for curve in (CURVE, Unlearnt(384)):
        found = [curve.relevance(score, 0.5, spread) for score in np.linspace(-1, 0.5, 16)]
        assert found == sorted(found)
        assert 0 <= found[0] < found[-1] <= 1
    with pytest.raises(ValidationError):
        Standing(bias=0, score=-1, best=0, mean=0, deviation=0)


def test_no_hit_is_surer_than_that_there_is_an_answer() -> None:
    spread = Spread(0.0, 0.1, 500, 500)
    assert CURVE.relevance(0.5, 0.5, spread) > 0.8
    assert CURVE.relevance(0.1, 0.1, spread) < 0.1
    # The same score is worth less where the best is far better.
    assert CURVE.relevance(0.2, 0.6, spread) < CURVE.relevance(0.2, 0.3, spread)


def test_a_score_is_worth_less_where_more_items_could_have_been_found() -> None:
    few, many = Spread(0.0, 0.1, 500, 500), Spread(0.0, 0.1, 500, 1_000_000)
    for curve in (CURVE, Unlearnt(384)):
        assert curve.relevance(0.4, 0.4, many) < curve.relevance(0.4, 0.4, few)
    with pytest.raises(ValidationError):
        Answerable(bias=0, best=1, mean=0, deviation=0, tries=0.1)


def test_few_items_say_little_and_many_say_all() -> None:
    few = Spread(0.9, 0.0, 1, 1).steadied(USUAL)
    assert 0.0 < few.mean < 0.2
    assert few.deviation > 0.1
    many = Spread(0.2, 0.3, 100_000, 100_000).steadied(USUAL)
    assert (many.mean, many.deviation) == pytest.approx((0.2, 0.3), abs=1e-3)
    assert Spread(0.5, 0.5, 0, 0).steadied(USUAL).mean == 0.0


def test_where_nothing_was_learnt_what_stands_out_is_relevant() -> None:
    chance = np.random.default_rng(0)
    scores = chance.normal(0.2, 0.03, 1_000)
    spread = Spread.of(scores, 1_000)
    unlearnt = Unlearnt(512)
    assert unlearnt.relevance(0.4, 0.4, spread) > 0.9
    assert unlearnt.relevance(0.2, 0.32, spread) < 0.1


def test_odds_become_probabilities_without_overflow() -> None:
    assert [probability(odds) for odds in (-1e6, 0.0, 1e6)] == [0.0, 0.5, 1.0]
    assert probability(-2.0) + probability(2.0) == pytest.approx(1)


def test_a_curve_is_found_by_what_asks_and_what_is_found() -> None:
    calibration = Calibration(curves={pair(Modality.TEXT, Modality.IMAGE): CURVE})
    assert calibration.curve(Modality.TEXT, Modality.IMAGE) == CURVE
    assert calibration.curve(Modality.IMAGE, Modality.TEXT) is None
    assert Line(bias=-2, score=4).relevance(0.5) == 0.5


def test_a_calibration_does_not_change_the_fingerprint() -> None:
    before = Artifact(mini.folder()).manifest
    fields = json.loads(before.model_dump_json())
    fields["calibration"] = Calibration(curves={"text-image": CURVE}).model_dump(mode="json")
    after = Manifest.model_validate(fields)
    assert after.calibration is not None and after.calibration != before.calibration
    assert after.fingerprint == before.fingerprint


def test_mini_knows_all_four_pairs() -> None:
    settings = Settings()
    space = registry.load("mini", settings).space
    calibration = registry.calibration(space, settings)
    assert calibration is not None
    pairs = {pair(asked, found) for asked in Modality for found in Modality}
    assert set(calibration.curves) == set(calibration.alone) == pairs


def test_a_calibration_of_another_space_is_not_taken(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    space = registry.load("mini", settings).space
    older = Space("mini", space.dim, "another")
    gone = Space(f"compiled:{tmp_path / 'gone'}", space.dim, space.fingerprint)
    unnamed = Space("no model", space.dim, space.fingerprint)
    for other in (older, gone, unnamed, registry.load("colours", settings).space):
        assert registry.calibration(other, settings) is None
