"""Why something matched, on the model that knows colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import InputError
from latent.items import Item, Modality, Vector, Vectors
from latent.models.colours import ColourEmbedder
from latent.models.embedder import Prepared
from latent.settings import Settings
from latent.store import Store
from service.engine.directions import direction
from service.engine.parts import Part, Text
from service.explore import insight
from service.explore.deletion import explained
from service.explore.mixture import mixture_of
from service.explore.vocabulary import Vocabulary, vocabulary_of
from service.explore.why import cells_of, heat_of, shares, squared, words_of

COLOURS = ColourEmbedder()


def toward(text: str) -> Vector:
    (row,) = COLOURS.embed_texts([text])
    place: Vector = row
    return place


def test_what_each_part_gave_adds_up_to_the_score() -> None:
    parts = [Part(Text("red")), Part(Text("green"), -0.5), Part(Text("a thing"), 0.2)]
    rows = np.stack([toward(part.what.text) for part in parts if isinstance(part.what, Text)])
    vector = toward("red green")
    gave = shares(parts, rows, vector)
    assert sum(gave) == pytest.approx(float(direction(parts, rows) @ vector), abs=1e-6)
    assert gave[0] > 0 > gave[1]


def test_the_word_that_was_meant_gave_most_and_it_can_be_believed() -> None:
    text = "some quite ordinary words beside green and some more of them here"
    found, pieces = words_of(text, toward("green"), COLOURS)
    best = max(pieces, key=lambda piece: piece.gave)
    assert text[best.start : best.end] == "green"
    assert found.faithfulness is not None
    assert found.faithfulness > 0.6
    assert not found.is_low


def test_words_that_say_nothing_of_it_are_not_believed() -> None:
    found, _ = words_of("one two three four five six seven eight", toward("green"), COLOURS)
    assert found.is_low


def test_one_word_gave_all_there_is() -> None:
    found, pieces = words_of("green", toward("green"), COLOURS)
    assert [(piece.start, piece.end) for piece in pieces] == [(0, 5)]
    assert pieces[0].gave == pytest.approx(found.score)
    assert found.faithfulness is None


def test_a_long_text_is_taken_in_pieces_that_cover_it() -> None:
    text = " ".join(["red"] * 30 + ["blue"] * 30)
    _, pieces = words_of(text, toward("blue"), COLOURS)
    assert len(pieces) <= 48
    assert (pieces[0].start, pieces[-1].end) == (0, len(text))
    assert pieces[-1].gave > pieces[0].gave


class Left(ColourEmbedder):
    """A model that sees how sharp the left half of a picture is."""

    @property
    def picture_side(self) -> int:
        return 56

    def prepare(self, picture: Image.Image) -> Prepared:
        return np.asarray(picture)

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        rows = np.zeros((len(pictures), 16), np.float32)
        for row, pixels in zip(rows, pictures, strict=True):
            sharp = np.abs(np.diff(pixels[:, :28].astype(float), axis=1)).mean() / 255
            row[0], row[1] = sharp, (1 - min(1.0, sharp) ** 2) ** 0.5
        return rows


def test_the_heat_is_where_the_model_looks() -> None:
    stripes = np.zeros((56, 56, 3), np.uint8)
    stripes[:, ::2] = 255
    aim = np.eye(16, dtype=np.float32)[0]
    found = heat_of(Image.fromarray(stripes), aim, Left())
    gave = found.gave.reshape(7, 7)
    assert gave[:, :3].min() > 0.005
    assert np.abs(gave[:, 5:]).max() < 1e-4
    assert found.faithfulness is not None
    assert found.faithfulness > 0.3


@pytest.mark.parametrize(
    ("side", "patch", "cells"),
    [
        (224, 32, 7),
        (224, 16, 7),
        (224, 14, 8),
        (256, 32, 8),
        (336, 14, 8),
        (384, 14, 9),
        (60, 0, 7),
    ],
)
def test_a_piece_of_a_photo_is_made_of_whole_patches(side: int, patch: int, cells: int) -> None:
    assert cells_of(side, patch) == cells
    assert patch == 0 or (side // patch) % cells == 0


def test_a_photo_is_explained_in_the_patches_of_its_model() -> None:
    class Patchy(Left):
        @property
        def picture_patch(self) -> int:
            return 7

    stripes = Image.fromarray(np.tile(np.array([[[0] * 3, [255] * 3]], np.uint8), (56, 28, 1)))
    found = heat_of(stripes, np.eye(16, dtype=np.float32)[0], Patchy())
    gave = squared(found)
    assert gave.shape == (8, 8)
    assert gave[:, :3].min() > np.abs(gave[:, 5:]).max()


def test_faithfulness_is_nothing_where_parts_do_not_matter() -> None:
    flat = explained(np.eye(8, dtype=np.bool_), lambda without: np.ones(len(without), np.float32))
    assert flat.faithfulness == 0.0
    few = explained(np.eye(3, dtype=np.bool_), lambda without: np.ones(len(without), np.float32))
    assert few.faithfulness is None


# --- what is in a vector ------------------------------------------------------------------------


def test_a_mix_is_told_by_its_words() -> None:
    rows = np.linalg.qr(np.random.default_rng(0).normal(size=(32, 32)))[0].astype(np.float32)
    words = Vocabulary(tuple(f"w{n}" for n in range(32)), rows, np.zeros(32, np.float32))
    vector = 0.8 * rows[3] + 0.6 * rows[7]
    found = mixture_of(vector, np.zeros(32, np.float32), words)
    assert [word for word, _ in found.words][:2] == ["w3", "w7"]
    assert found.words[0][1] == pytest.approx(0.8, abs=0.02)
    assert found.cosine > 0.99


def test_a_word_is_near_where_it_stands_out_from_all_words() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2000, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    words = Vocabulary(tuple(f"w{n}" for n in range(2000)), rows, np.zeros(64, np.float32))
    vector = rows[3] + 0.8 * rows[7] + 0.15 * rows[11]
    found = mixture_of(vector / np.linalg.norm(vector), np.zeros(64, np.float32), words)
    assert found.near == ["w3", "w7"]
    assert len(found.words) > 2  # the others are needed for the mix alone
    by_chance = rng.normal(size=64).astype(np.float32)
    assert mixture_of(by_chance, np.zeros(64, np.float32), words).near == []


def test_what_no_word_says_has_an_empty_mix() -> None:
    rows = np.eye(4, dtype=np.float32)[:2]
    words = Vocabulary(("a", "b"), rows, np.zeros(4, np.float32))
    found = mixture_of(-np.ones(4, np.float32), np.zeros(4, np.float32), words)
    assert (found.words, found.cosine) == ([], 0.0)


# --- along a direction ----------------------------------------------------------------------------


def test_an_axis_has_its_ends(store: Store, tmp_path: Path) -> None:
    collection = store.ensure("main")
    colours = ["red", "green", "blue"]
    collection.put([Item(c, Modality.TEXT, toward(c), text=c) for c in colours])
    ends = np.stack([toward("red"), toward("blue")])
    words = vocabulary_of(COLOURS, tmp_path)
    found = insight.axis(collection, ends, words, 1)
    assert (found.start[0].item.id, found.end[0].item.id) == ("red", "blue")
    assert "red" in found.start_words[0][0].split()
    assert "blue" in found.end_words[0][0].split()
    with pytest.raises(InputError, match="the same"):
        insight.axis(collection, ends[[0, 0]], words, 1)


def test_a_photo_that_cannot_be_read_says_so(store: Store, settings: Settings) -> None:
    collection = store.ensure("main")
    item = Item("v", Modality.IMAGE, toward("red"))
    collection.put([item])
    asked = ([Part(Text("red"))], toward("red")[None])
    found = insight.why(collection, item, asked, COLOURS, settings)
    assert found.score == pytest.approx(1)
    assert found.found is None
    assert "nothing is kept" in (found.missing or "")


def test_how_near_an_item_is_is_told_among_enough_others_of_its_kind(store: Store) -> None:
    collection = store.ensure("main")
    said = ["green", "green blue", "red", *(f"blue {n}" for n in range(20))]
    items = [Item(str(n), Modality.TEXT, toward(text), text=text) for n, text in enumerate(said)]
    collection.put(items[:12])
    assert insight.nearer_than(collection, items[0], toward("green")) is None
    collection.put(items[12:])
    green, both, red = (insight.nearer_than(collection, one, toward("green")) for one in items[:3])
    assert green == 1
    assert both is not None
    assert 0.9 < both < 1
    assert red is not None
    assert red < both
    collection.put([Item("photo", Modality.IMAGE, toward("green"))])
    photo = collection.get(["photo"])[0]
    assert insight.nearer_than(collection, photo, toward("green")) is None
