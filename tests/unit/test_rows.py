"""Manifests into a collection: row by row, only what changed, nothing lost."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from indexer.pipeline import index
from indexer.report import Report
from latent.collection import Collection
from latent.errors import InputError, SourceMissingError, SpaceMismatchError
from latent.items import JSON, Item, Modality, Vectors
from latent.models.colours import ColourEmbedder
from latent.settings import Settings
from latent.store import Store

Rows = Sequence[Mapping[str, JSON] | str]


class Counting(ColourEmbedder):
    """Counts the texts it embeds."""

    texts = 0

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return super().embed_texts(texts)


class Lister:
    """Writes a manifest and indexes it."""

    def __init__(self, path: Path, collection: Collection, settings: Settings) -> None:
        self.path = path
        self.collection = collection
        self.embedder = Counting()
        self.settings = settings

    def __call__(self, rows: Rows) -> Report:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        self.path.write_text("\n".join(lines) + "\n")
        return self.again()

    def again(self) -> Report:
        return index([self.path], self.collection, self.embedder, self.settings)

    def items(self) -> dict[str, Item]:
        return {item.id: item for item in self.collection.scroll(1000)}


@pytest.fixture
def lister(tmp_path: Path, store: Store, settings: Settings) -> Lister:
    return Lister(tmp_path / "list.jsonl", store.ensure("main"), settings)


def test_rows_become_items_with_their_metadata(photos: Path, lister: Lister) -> None:
    report = lister(
        [
            {"image": "photos/red.png", "id": "r", "text": "a caption", "who": "Ann"},
            {"text": "a green thing", "id": "g", "year": 2021},
        ]
    )
    assert (report.indexed, report.failed, report.items) == (2, [], 2)
    red, green = lister.items()["r"], lister.items()["g"]
    assert (red.modality, red.text, red.uri) == (Modality.IMAGE, "a caption", "photos/red.png")
    assert (red.metadata["who"], red.metadata["width"]) == ("Ann", 24)
    assert (green.modality, green.text, green.uri) == (
        Modality.TEXT,
        "a green thing",
        "list.jsonl#g",
    )
    assert green.metadata == {"year": 2021}
    assert red.source == green.source == str(lister.path)
    query = lister.embedder.embed_texts(["red"])[0]
    assert lister.collection.nearest(query, 1)[0].item.id == "r"


def test_a_second_run_embeds_nothing(lister: Lister) -> None:
    rows: Rows = [{"text": f"red {n}"} for n in range(9)]
    assert lister(rows).indexed == 9
    report = lister(rows)
    assert (report.indexed, report.unchanged, report.removed) == (0, 9, 0)
    assert lister.embedder.texts == 9


def test_only_rows_that_changed_are_embedded_and_rows_that_went_are_removed(
    lister: Lister,
) -> None:
    lister([{"id": str(n), "text": f"red {n}"} for n in range(6)])
    lister.embedder.texts = 0
    report = lister([{"id": str(n), "text": f"red {n}" if n != 3 else "blue"} for n in range(5)])
    assert (report.indexed, report.unchanged, report.removed, report.items) == (1, 4, 1, 5)
    assert lister.embedder.texts == 1
    assert lister.items()["3"].text == "blue"


def test_other_metadata_is_a_change(lister: Lister) -> None:
    lister([{"id": "a", "text": "red", "who": "Ann"}])
    assert lister([{"id": "a", "text": "red", "who": "Ben"}]).indexed == 1
    assert lister.items()["a"].metadata == {"who": "Ben"}


def test_a_row_keeps_its_id_wherever_it_stands(lister: Lister) -> None:
    rows: Rows = [{"text": "red"}, {"text": "green"}]
    lister(rows)
    ids = set(lister.items())
    assert lister(list(reversed(rows))).unchanged == 2
    assert set(lister.items()) == ids


def test_a_picture_that_changes_behind_its_row_is_embedded_again(
    photos: Path, lister: Lister
) -> None:
    lister([{"image": "photos/red.png", "id": "r"}])
    (photos / "red.png").write_bytes((photos / "blue.png").read_bytes())
    os.utime(photos / "red.png", (5, 5))
    assert lister.again().indexed == 1
    query = lister.embedder.embed_texts(["blue"])[0]
    assert lister.collection.nearest(query, 1)[0].score > 0.9


def test_bad_rows_are_reported_remembered_and_forgotten_when_mended(
    photos: Path, lister: Lister
) -> None:
    (photos / "bad.png").write_text("no picture")
    report = lister(
        [
            {"text": "red", "id": "a"},
            "{oops",
            {"image": "photos/bad.png", "id": "b"},
            {"image": "photos/nowhere.png", "id": "c"},
            {"text": "again", "id": "a"},
            {"who": "nobody"},
        ]
    )
    assert (report.indexed, report.items) == (1, 1)
    reasons = {failure.uri: failure.reason for failure in report.failed}
    assert set(reasons) == {f"list.jsonl, line {n}" for n in (2, 3, 4, 5, 6)}
    assert "not JSON" in reasons["list.jsonl, line 2"]
    assert "it holds text" in reasons["list.jsonl, line 3"]
    assert "No such file" in reasons["list.jsonl, line 4"]
    assert "there before" in reasons["list.jsonl, line 5"]
    assert "no image, text or vector" in reasons["list.jsonl, line 6"]
    assert lister.collection.summary().failed == 5
    assert lister([{"text": "red", "id": "a"}]).failed == []
    assert lister.collection.summary().failed == 0


def test_a_picture_that_is_not_there_keeps_its_item(photos: Path, lister: Lister) -> None:
    rows: Rows = [{"image": "photos/red.png", "id": "r"}, {"text": "green", "id": "g"}]
    lister(rows)
    photos.rename(photos.with_name("unplugged"))
    report = lister.again()
    assert (len(report.failed), report.removed) == (1, 0)
    assert set(lister.items()) == {"r", "g"}


def test_a_missing_picture_says_nothing_about_a_row_with_a_number_behind_the_same_name(
    photos: Path, lister: Lister
) -> None:
    rows: Rows = [{"image": "photos/red.png", "id": "a"}, {"text": "green", "id": "a-1"}]
    lister(rows)
    (photos / "red.png").unlink()
    report = lister.again()
    assert ([failure.uri for failure in report.failed], report.unchanged) == (
        ["list.jsonl, line 1"],
        1,
    )
    assert set(lister.items()) == {"a", "a-1"}
    assert lister([*rows[:1], {"text": "blue", "id": "a-1"}]).indexed == 1
    assert set(lister.items()) == {"a", "a-1"}


def test_a_picture_that_goes_between_being_looked_at_and_read_keeps_its_item(
    photos: Path, lister: Lister, monkeypatch: pytest.MonkeyPatch
) -> None:
    lister([{"image": "photos/red.png", "id": "r"}])
    os.utime(photos / "red.png", (5, 5))

    def vanished(*_: object, root: str) -> None:
        raise SourceMissingError("it went")

    monkeypatch.setattr("indexer.manifests.reader.read_bytes", vanished)
    assert len(lister.again().failed) == 1
    assert set(lister.items()) == {"r"}


def test_a_row_whose_picture_turns_bad_takes_its_old_item_along(
    photos: Path, lister: Lister
) -> None:
    lister([{"image": "photos/red.png", "id": "r"}, {"text": "green", "id": "g"}])
    (photos / "red.png").write_text("no picture any more")
    report = lister.again()
    assert (len(report.failed), report.removed, set(lister.items())) == (1, 0, {"g"})


def test_a_row_that_grows_into_passages_leaves_no_old_item(lister: Lister) -> None:
    lister([{"id": "doc", "text": "short"}, {"id": "other", "text": "red"}])
    report = lister([{"id": "doc", "text": "red green blue. " * 60}])
    assert (report.indexed, report.removed) == (1, 1)  # `other` went, `doc` only changed
    items = lister.items()
    assert len(items) > 2
    assert set(items) == {f"doc-{number}" for number in range(len(items))}
    assert (lister.again().unchanged, len(lister.items())) == (1, len(items))


def test_a_manifest_that_breaks_off_removes_nothing(tmp_path: Path, lister: Lister) -> None:
    lister.path = tmp_path / "list.csv"
    lister.path.write_text("id,text\na,red\nb,green\n")
    lister.again()
    lister.path.write_bytes(b"id,text\na,red\n" + b"x,y\n" * 5000 + b"caf\xe9,green\n")
    report = lister.again()
    assert report.removed == 0
    assert any("cannot be read further" in failure.reason for failure in report.failed)
    assert "b" in lister.items()


def test_a_missing_manifest_deletes_nothing(lister: Lister) -> None:
    lister([{"text": "red"}])
    lister.path.unlink()
    with pytest.raises(SourceMissingError):
        lister.again()
    assert lister.collection.count() == 1


def test_a_manifest_without_a_fit_column_is_an_error(lister: Lister) -> None:
    with pytest.raises(InputError, match="needs a column"):
        lister([{"picture": "a.jpg"}])


def test_a_manifest_below_a_folder_that_is_indexed_stays(
    photos: Path, lister: Lister, settings: Settings
) -> None:
    lister.path = photos / "list.jsonl"
    lister([{"text": "red", "id": "a"}, "{oops"])
    report = index([photos], lister.collection, lister.embedder, settings)
    assert (report.removed, report.items) == (0, 9)
    assert lister.collection.summary().failed == 1
    lister.path.unlink()
    report = index([photos], lister.collection, lister.embedder, settings)
    assert (report.removed, report.items) == (1, 8)
    assert lister.collection.summary().failed == 0


def test_a_long_text_is_split_and_its_passages_come_and_go_with_it(lister: Lister) -> None:
    long = "red green blue. " * 60
    lister([{"id": "doc", "text": long, "who": "Ann"}])
    items = lister.items()
    assert len(items) > 2
    assert set(items) == {f"doc-{n}" for n in range(len(items))}
    for item in items.values():
        assert item.passage is not None
        assert item.text == long[item.passage.start : item.passage.end]
        assert item.metadata == {"who": "Ann"}
    assert lister.again().unchanged == 1
    lister([{"id": "doc", "text": "short"}])
    assert set(lister.items()) == {"doc"}


def test_an_id_of_another_file_is_not_taken_from_it(photos: Path, lister: Lister) -> None:
    index([photos / "red.png"], lister.collection, lister.embedder, lister.settings)
    (taken,) = lister.items()
    report = lister([{"id": taken, "text": "mine"}, {"id": "free", "text": "mine"}])
    assert report.indexed == 1
    assert "belongs to red.png" in report.failed[0].reason
    assert lister.items()[taken].uri == "red.png"
    (photos / "red.png").unlink()
    assert lister.again().indexed == 1


@pytest.mark.parametrize(
    ("image", "uri"),
    [
        ("photos/red.png", "photos/red.png"),
        ("./photos/../photos/red.png", "photos/red.png"),
        ("../{folder}/photos/red.png", "{folder}/photos/red.png"),
        ("{root}/photos/red.png", "photos/red.png"),
    ],
)
def test_uris_never_show_the_paths_of_the_machine(
    photos: Path, lister: Lister, image: str, uri: str
) -> None:
    folder, root = photos.parent.name, str(photos.parent)
    lister([{"image": image.format(folder=folder, root=root)}])
    (item,) = lister.items().values()
    assert item.uri == uri.format(folder=folder)


def test_vectors_of_ones_own_are_taken_as_they_are(
    tmp_path: Path, store: Store, settings: Settings
) -> None:
    collection = store.ensure("own", "vectors:3")
    np.save(tmp_path / "v.npy", np.array([[3, 0, 0], [0, 4, 0]], dtype=np.float32))
    embedder = store.embedder_for(collection)
    assert index([tmp_path / "v.npy"], collection, embedder, settings).indexed == 2
    hit = collection.nearest(np.array([0, 1, 0], dtype=np.float32), 1)[0]
    assert (hit.item.id, hit.score) == ("1", 1.0)
    assert index([tmp_path / "v.npy"], collection, embedder, settings).unchanged == 2


def test_a_vector_with_a_text_is_a_text_and_embeds_nothing(lister: Lister) -> None:
    vector: list[JSON] = [*[0.0] * 15, 2.0]
    lister(
        [
            {"id": "t", "text": "red", "vector": vector},
            {"id": "i", "vector": vector},
            {"id": "m", "vector": vector, "modality": "text"},
            {"id": "p", "vector": vector, "image": "not/here.png", "text": "a caption"},
        ]
    )
    assert lister.embedder.texts == 0
    kinds = {item.id: item.modality.value for item in lister.items().values()}
    assert kinds == {"t": "text", "i": "image", "m": "text", "p": "image"}
    assert lister.items()["p"].uri == "not/here.png"


def test_vectors_of_another_dimension_are_refused(lister: Lister) -> None:
    with pytest.raises(SpaceMismatchError, match=r"list\.jsonl, row 1: .* 2 dimensions"):
        lister([{"vector": [1, 2]}, {"vector": [1, 2, 3]}])


def test_a_slip_in_the_vector_of_one_row_fails_that_row_alone(lister: Lister) -> None:
    fitting: list[JSON] = [*[0.0] * 15, 2.0]
    rows: list[dict[str, JSON]] = [{"id": "a", "vector": [1, 2]}, {"id": "b", "vector": fitting}]
    for _ in range(2):  # the second time, the row that fits is known already
        report = lister(rows)
        assert [failure.reason for failure in report.failed] == [
            "a vector has 2 dimensions, but this space has 16"
        ]
        assert set(lister.items()) == {"b"}


@pytest.mark.parametrize("numbers", ["[NaN" + ", 0" * 15 + "]", "[0" + ", 0" * 15 + "]"])
def test_a_vector_that_points_nowhere_fails_its_row_alone(lister: Lister, numbers: str) -> None:
    report = lister([{"text": "red"}, f'{{"vector": {numbers}}}'])
    assert (report.indexed, len(report.failed)) == (1, 1)
