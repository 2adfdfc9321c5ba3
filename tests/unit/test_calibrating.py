"""Fitting a calibration: examples drawn from pairs, and a curve that parts them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from latent.items import Vectors
from latent.models import mini
from latent.models.artifact import Artifact
from latent.models.calibrating.examples import Pairs, alone, examples, learnt, parted, usual_of
from latent.models.calibrating.logistic import fitted, parting, sigmoid
from latent.models.calibration import Calibration, Line
from scripts.training import foreign
from scripts.training.calibrate import write

DIM = 32


def unit(rows: Vectors) -> Vectors:
    directions: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return directions


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Things, a question near each of the first 300, and questions that are near nothing."""
    chance = np.random.default_rng(0)
    found = unit(chance.standard_normal((600, DIM)).astype(np.float32))
    asked = unit(found[:300] + 0.1 * chance.standard_normal((300, DIM)).astype(np.float32))
    strange = unit(chance.standard_normal((200, DIM)).astype(np.float32))
    return Pairs(found, np.arange(600), asked, np.arange(300), strange)


def test_logistic_regression_finds_the_weights_it_was_made_with() -> None:
    chance = np.random.default_rng(0)
    rows = chance.standard_normal((40_000, 2)) * [1.0, 10.0] + [0.0, 5.0]
    odds = 1.0 + 2.0 * rows[:, 0] - 0.2 * rows[:, 1]
    bias, weights = fitted(rows, chance.random(40_000) < sigmoid(odds))
    assert weights == pytest.approx([2.0, -0.2], rel=0.06)
    assert bias == pytest.approx(1.0, abs=0.1)


def test_parting_counts_how_often_one_is_above_the_other() -> None:
    assert parting(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert parting(np.array([0.0]), np.array([1.0])) == 0.0
    assert parting(np.array([1.0]), np.array([1.0])) == 0.5


def test_a_curve_that_was_learnt_parts_what_it_has_not_seen(pairs: Pairs) -> None:
    one, two = pairs.halves(seed=1)
    usual = usual_of(pairs)
    curve = learnt([examples(one, usual, sizes=[50, 100, 200], seed=2)], usual)
    assert parted(curve, examples(two, usual, sizes=[50, 100, 200], seed=3)) > 0.95


def test_the_halves_of_pairs_have_nothing_in_common(pairs: Pairs) -> None:
    one, two = pairs.halves(seed=1)
    assert len(one.found) + len(two.found) == len(pairs.found)
    assert not set(one.labels) & set(two.labels)
    assert set(one.meant) <= set(one.labels)
    assert len(one.foreign) + len(two.foreign) == len(pairs.foreign)


def test_examples_are_of_what_is_meant_of_anything_and_of_strange_questions(pairs: Pairs) -> None:
    found = examples(pairs, usual_of(pairs), sizes=[300, 600], seed=0)
    assert len(found.meant) == len(found.any) == len(found.best) > 100
    assert found.strange.shape == (160, 5)
    scores = {name: getattr(found, name)[:, 0].mean() for name in ("meant", "any", "strange")}
    assert scores["meant"] > scores["strange"] + 0.1 > scores["any"] + 0.2
    assert (found.best[:, 0] >= found.meant[:, 0]).all()


def test_two_things_alone_are_told_apart_by_their_score(pairs: Pairs) -> None:
    line = alone(pairs, seed=0)
    assert line.relevance(0.8) > 0.9
    assert line.relevance(0.0) < 0.1


def test_names_that_captions_mention_are_not_absent() -> None:
    captions = ["a dog runs", "two dogs", "a dog and a cat", "a cat"]
    assert foreign.absent(["dog", "Cats", "tench", "sea cat"], captions) == ["tench"]
    assert foreign.absent(["tench", "trilobite"], captions, spared=["trilobite"]) == ["tench"]


def test_questions_without_an_answer_are_the_same_every_time() -> None:
    names = ["tench", "trilobite"] * 20
    assert foreign.questions(names, seed=1) == foreign.questions(names, seed=1)
    assert foreign.questions(names, seed=1) != foreign.questions(names, seed=2)
    assert any("tench" in question for question in foreign.questions(names, seed=1))


def test_writing_a_calibration_changes_nothing_else(tmp_path: Path) -> None:
    shutil.copy(mini.folder() / "model.json", tmp_path)
    before = Artifact(tmp_path).manifest
    lines = {"text-image": Line(bias=-1, score=2)}
    calibration = Calibration(curves={}, alone=lines, about="a test")
    write(tmp_path, calibration, fingerprint=before.fingerprint)
    after = Artifact(tmp_path).manifest
    assert after.calibration == calibration
    assert after.model_copy(update={"calibration": None}) == before.model_copy(
        update={"calibration": None}
    )
    assert json.loads((tmp_path / "model.json").read_text())["calibration"]["about"] == "a test"


def test_a_calibration_of_another_model_is_not_written(tmp_path: Path) -> None:
    shutil.copy(mini.folder() / "model.json", tmp_path)
    before = (tmp_path / "model.json").read_bytes()
    with pytest.raises(SystemExit, match="another model"):
        write(tmp_path, Calibration(curves={}), fingerprint="another")
    assert (tmp_path / "model.json").read_bytes() == before
