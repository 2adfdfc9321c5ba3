"""A calibration learnt from captioned photos of one's own, and where it is kept."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from latent import backups
from latent.errors import InputError
from latent.items import Item, Modality, Vectors
from latent.models import kept_calibrations, registry
from latent.models.calibrating.examples import examples, learnt, relevances, usual_of
from latent.models.calibrating.own import FEWEST, learn, pairs_of
from latent.models.calibration import Calibration, Line, Spread
from latent.models.colours import COLOURS, ColourEmbedder
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from nearfield import main
from service.engine.calibrating import calibrate
from service.engine.parts import parse
from service.query import QueryEngine, Question

DIM = 64
CAPTIONS = [f"{one} {two} {two}" for one, two in product(COLOURS, COLOURS)] + [
    f"{one} {two} {three}" for one, two, three in product(list(COLOURS)[:4], repeat=3)
]


def unit(rows: Vectors) -> Vectors:
    directions: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return directions


def drawn(seed: int, count: int) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32))


@pytest.fixture
def album(settings: Settings) -> Settings:
    """Photos near what their captions say, and one without a caption."""
    places = ColourEmbedder().embed_texts(CAPTIONS)
    noise = np.random.default_rng(0).standard_normal(places.shape).astype(np.float32)
    photos = unit(places + 0.05 * unit(noise))
    with open_store(settings) as store:
        store.ensure("main", "colours").put(
            [
                Item(f"photo/{number}", Modality.IMAGE, row, text=said)
                for number, (row, said) in enumerate(zip(photos, CAPTIONS, strict=True))
            ]
            + [Item("untitled", Modality.IMAGE, photos[0])]
        )
    return settings


def test_captions_that_are_near_their_photos_make_a_curve_that_parts() -> None:
    photos = drawn(0, 200)
    said = [f"caption {number}" for number in range(200)]
    found = learn(pairs_of(photos, said, unit(photos + 0.1 * drawn(1, 200)), drawn(2, 80)))
    assert found.captions == 200
    assert found.quality.auroc > 0.95
    assert found.quality.told > 0.8
    assert found.quality.kept > 0.8
    assert found.before is None
    assert found.line.relevance(0.9) > 0.9 > 0.1 > found.line.relevance(0.0)


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_captions_that_say_nothing_of_their_photos_are_refused(seed: int) -> None:
    said = [f"caption {number}" for number in range(200)]
    with pytest.raises(InputError, match="do not say what their photos show"):
        learn(pairs_of(drawn(0, 200), said, drawn(seed, 200), drawn(2, 80)))


def test_what_was_there_before_is_measured_on_the_same() -> None:
    photos = drawn(0, 200)
    said = [f"caption {number}" for number in range(200)]
    pairs = pairs_of(photos, said, unit(photos + 0.1 * drawn(1, 200)), drawn(2, 80))
    first = learn(pairs)
    again = learn(pairs, first.curve)
    assert again.quality == first.quality
    assert again.before is not None
    assert again.before.auroc > 0.95


def test_photos_of_one_caption_are_meant_by_it_alike() -> None:
    pairs = pairs_of(drawn(0, 3), ["a dog", "a cat", "a dog"], drawn(1, 2), drawn(2, 1))
    assert pairs.labels.tolist() == [0, 1, 0]
    assert pairs.meant.tolist() == [0, 1]


def test_too_few_captions_are_refused() -> None:
    said = [f"caption {number % 9}" for number in range(100)]
    with pytest.raises(InputError, match=f"9 different captions.*takes {FEWEST}"):
        learn(pairs_of(drawn(0, 100), said, drawn(1, 9), drawn(2, 80)))


def test_relevance_of_many_hits_is_that_of_each() -> None:
    photos = drawn(0, 200)
    said = [f"caption {number}" for number in range(200)]
    pairs = pairs_of(photos, said, unit(photos + 0.1 * drawn(1, 200)), drawn(2, 80))
    usual = usual_of(pairs)
    seen = examples(pairs, usual, sizes=[100], seed=0)
    curve = learnt([seen], usual)
    together = relevances(curve, seen.meant)
    scores = pairs.asked @ photos[:100].T
    for row in scores[:20]:
        spread = Spread.of(row.astype(np.float64), 100)
        steady = spread.steadied(usual)
        one = [row.max(), row.max(), steady.mean, steady.deviation, seen.meant[0, 4]]
        apart = curve.relevance(float(row.max()), float(row.max()), spread)
        assert relevances(curve, np.array([one]))[0] == pytest.approx(apart, abs=1e-6)
    assert ((together >= 0) & (together <= 1)).all()


def test_what_was_learnt_judges_from_then_on_until_it_is_forgotten(album: Settings) -> None:
    with open_store(album) as store:
        collection = store.collection("main")
        made = calibrate(store, collection)
        assert made.photos == len(CAPTIONS)
        assert made.learnt.quality.auroc > 0.8
        known = registry.calibration(collection.space, album)
        assert known is not None
        assert known.curve(Modality.TEXT, Modality.IMAGE) == made.learnt.curve
        assert known.curve(Modality.IMAGE, Modality.IMAGE) is None
        learnt_says = relevance(store, "green")
        assert kept_calibrations.forget(collection.space, album)
        assert not kept_calibrations.forget(collection.space, album)
        assert registry.calibration(collection.space, album) is None
        assert relevance(store, "green") != learnt_says


def relevance(store: Store, words: str) -> float | None:
    question = Question(parse(words), 1, min_relevance=0)
    return QueryEngine(store).search("main", question).hits[0].relevance


def test_what_the_model_carries_stays_where_nothing_of_ones_own_was_learnt() -> None:
    own = Calibration(alone={"text-image": Line(bias=0, score=1)}, about="own")
    carried = Calibration(
        alone={"text-image": Line(bias=9, score=9), "image-image": Line(bias=2, score=2)},
        about="carried",
    )
    both = own.over(carried)
    assert both.alone == {
        "text-image": Line(bias=0, score=1),
        "image-image": Line(bias=2, score=2),
    }
    assert both.about == "own; carried"


def test_a_file_that_cannot_be_understood_has_no_say(
    album: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    space = ColourEmbedder().space
    path = kept_calibrations.keep(space, Calibration(about="mine"), album)
    assert registry.calibration(space, album) == Calibration(about="mine")
    path.write_text('{"model": 1}')
    assert registry.calibration(space, album) is None
    assert "cannot be understood" in caplog.text


def test_what_was_learnt_is_in_a_backup(album: Settings, tmp_path: Path) -> None:
    kept = kept_calibrations.keep(ColourEmbedder().space, Calibration(about="mine"), album)
    backups.write(album, tmp_path / "saved", lambda *_: None)
    into = album.model_copy(update={"data": tmp_path / "restored"})
    backups.restore(into, tmp_path / "saved")
    assert registry.calibration(ColourEmbedder().space, into) == Calibration(about="mine")
    assert (into.data / kept.relative_to(album.data)).read_bytes() == kept.read_bytes()


def test_the_command_says_how_well_it_does(album: Settings) -> None:
    asked = ["models", "calibrate", "--data", str(album.data)]
    told = CliRunner().invoke(main, [*asked, "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["photos"] == len(CAPTIONS)
    assert answer["before"] is None
    assert set(answer["quality"]) == {"auroc", "told", "kept"}
    again = CliRunner().invoke(main, asked)
    assert "before:" in again.stdout
    forgotten = CliRunner().invoke(main, [*asked, "--forget", "--json"])
    assert json.loads(forgotten.stdout) == {"collection": "main", "forgotten": True}


def test_photos_without_captions_are_told_what_is_missing(settings: Settings) -> None:
    with open_store(settings) as store:
        collection = store.ensure("main", "colours")
        with pytest.raises(InputError, match="columns image and text"):
            calibrate(store, collection)
