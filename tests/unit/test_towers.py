"""Which session of a graph does which work."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from latent.models import towers
from latent.models.towers import LITTLE, Feed, Tower

pytest.importorskip("onnx", reason="makes the graphs of the tiny compiled model")
pytest.importorskip("transformers", reason="makes the tokenizer of the tiny models")
import tiny_models


@dataclass
class File:
    """A graph, and how often it was read: once for each session."""

    path: Path
    times: int = 0
    content: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.content = self.path.read_bytes()

    def read(self) -> bytes:
        self.times += 1
        return self.content

    def tower(self, threads: int = 2) -> Tower:
        return Tower(self.path, self.read, dim=8, threads=threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_compiled(tmp_path_factory.mktemp("towers") / "tiny")


@pytest.fixture
def images(folder: Path) -> File:
    return File(folder / "image.onnx")


PICTURE: Feed = {"pixels": np.zeros((1, 16, 16, 3), np.uint8)}


def test_parts_and_a_little_work_need_one_session(images: File, folder: Path) -> None:
    tower = images.tower()
    assert len(tower.run([PICTURE] * 3)) == 3
    assert tower.run_first(PICTURE).shape == (1, 8)
    assert tower.run([]) == []
    assert images.times == 1

    texts = File(folder / "text.onnx")
    short = np.ones((1, LITTLE), np.int64)
    assert texts.tower().run([{"ids": short, "mask": short}])[0].shape == (1, 8)
    assert texts.times == 1


def test_much_work_in_one_part_gets_a_session_when_it_comes_again(images: File) -> None:
    tower = images.tower()
    tower.run([PICTURE])
    assert images.times == 1
    tower.run([PICTURE])
    tower.settle()
    assert images.times == 2
    alone = tower.run([PICTURE])[0]
    np.testing.assert_allclose(alone, tower.run_first(PICTURE), atol=1e-6)
    assert images.times == 2


def test_where_there_can_be_no_other_session_the_first_goes_on(
    images: File, caplog: pytest.LogCaptureFixture
) -> None:
    tower = images.tower()
    images.content = b"changed since"
    rows = [tower.run([PICTURE])[0] for _ in range(2)]
    tower.settle()
    rows += tower.run([PICTURE])
    assert images.times == 2
    assert np.ptp(np.stack(rows), axis=0).max() == 0
    assert "one thread goes on" in caplog.text


def test_where_there_is_no_memory_for_another_session_the_first_goes_on(
    images: File, caplog: pytest.LogCaptureFixture
) -> None:
    def read() -> bytes:
        if images.times:
            raise MemoryError
        return images.read()

    tower = Tower(images.path, read, dim=8, threads=2)
    for _ in range(3):
        assert tower.run([PICTURE])[0].shape == (1, 8)
        tower.settle()
    assert caplog.text.count("one thread goes on") == 1


def test_a_session_keeps_no_bytes_of_its_graph(images: File) -> None:
    before = sys.getrefcount(images.content)
    tower = images.tower()
    after = sys.getrefcount(images.content)
    assert after == before
    assert tower.run_first(PICTURE).shape == (1, 8)


def test_one_thread_needs_one_session(images: File) -> None:
    tower = images.tower(threads=1)
    tower.run([PICTURE])
    tower.run([PICTURE] * 2)
    assert images.times == 1


def test_a_large_graph_is_opened_once(images: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(towers, "LARGEST_TWICE", len(images.content) - 1)
    tower = images.tower()
    assert len(tower.run([PICTURE])) == 1
    assert len(tower.run([PICTURE] * 3)) == 3
    assert images.times == 1
