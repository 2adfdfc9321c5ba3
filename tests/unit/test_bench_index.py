"""The bench of the index, on a thousand vectors: its figures mean nothing, its arithmetic does."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import graphs, index, live
from benchmarks.bench import Bench
from benchmarks.client import PATIENCE
from benchmarks.filling import AT, filled, recall, true_lines
from benchmarks.restarted import resident
from benchmarks.rows import UnmeasuredError
from benchmarks.timetable import Timetable
from benchmarks.vectors import draw


@pytest.fixture
def quick(tmp_path: Path) -> Bench:
    return Bench(tmp_path, is_quick=True)


def test_drawn_vectors_are_the_same_again_and_words_lie_elsewhere() -> None:
    drawn, again = (draw(1_000, 48, questions=50) for _ in range(2))
    for name in ("things", "like_things", "in_words"):
        rows = getattr(drawn, name)
        assert np.array_equal(rows, getattr(again, name))
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    centre = drawn.things.mean(axis=0)
    assert (drawn.like_things @ centre).mean() > (drawn.in_words @ centre).mean() + 0.2
    nearest = (drawn.in_words @ drawn.things.T).max(axis=1)
    assert nearest.mean() > (drawn.in_words @ drawn.things.T).mean() + 0.2


def test_recall_counts_what_is_as_near_as_the_tenth() -> None:
    drawn = draw(300, 16, questions=4)
    lines = true_lines(drawn.things, drawn.like_things)
    order = np.argsort(-(drawn.like_things @ drawn.things.T), axis=1)
    best, none = order[:, :AT].tolist(), order[:, -AT:].tolist()
    assert recall(drawn.things, drawn.like_things, best, line=lines) == 1
    assert recall(drawn.things, drawn.like_things, none, line=lines) == 0
    half = [a[:5] + b[:5] for a, b in zip(best, none, strict=True)]
    assert recall(drawn.things, drawn.like_things, half, line=lines) == 0.5


@pytest.mark.parametrize("name", index.PEERS)
def test_graphs_of_others_find_what_is_near(tmp_path: Path, name: str) -> None:
    drawn = draw(500, 32, questions=10)
    try:
        graph = index.PEERS[name](drawn.things, tmp_path, threads=1, effort=64)
    except UnmeasuredError as error:
        pytest.skip(str(error))
    answers = graph.answers(drawn.like_things, AT)
    lines = true_lines(drawn.things, drawn.like_things)
    assert recall(drawn.things, drawn.like_things, answers, line=lines) > 0.8
    assert graph.size > 500 * 32
    assert graphs.rate(lambda one: graph.ask(one, AT), drawn.like_things, threads=2, rounds=1) > 0


def test_half_of_a_collection_is_dropped_and_its_room_given_back(quick: Bench) -> None:
    rows = {row.name: row for row in index.deletes(quick, 100_000)}
    assert len(rows) == 5
    assert [row.value for name, row in rows.items() if "recall" in name] == [1.0] * 4
    assert all(row.met for row in rows.values())


def test_real_photos_are_asked_about_by_others_and_by_captions(quick: Bench) -> None:
    try:
        rows = {row.name: row.value for row in index.real(quick)}
    except UnmeasuredError as error:
        pytest.skip(str(error))
    assert rows["600 real photos × 384: recall@10, image"] == 1
    assert rows["600 real photos × 384: recall@10, text"] == 1
    assert "600 real photos × 384: recall@10 of faiss-cpu" in " ".join(rows)


def test_a_collection_is_made_once_and_each_part_has_its_own(quick: Bench) -> None:
    for _ in range(2):
        with filled(quick, 300, 16) as ours:
            assert len(ours.collection.nearest(ours.questions["image"][0], 300)) == 300
            ours.collection.drop([str(i) for i in range(200)])
            data = ours.data
        assert not data.exists()
    assert len(list(quick.folder.glob("index-300-16*"))) == 1


def test_items_are_put_while_questions_are_asked(quick: Bench) -> None:
    rows = {row.name: row.value for row in live.live(quick, 100_000)}
    assert len(rows) == 7
    assert all(value is not None for value in rows.values())
    assert rows["1,000 × 384 live: puts"]
    assert rows["1,000 × 384 live: until a put is found"] < PATIENCE  # type: ignore[operator]


def test_a_timetable_is_kept_and_an_error_told() -> None:
    done: list[int] = []
    table = Timetable(lambda: done.append(1), rate=200)
    table.keep(0.2)
    assert len(done) == len(table.each) == 40
    with pytest.raises(UnmeasuredError, match="gone"):
        Timetable(partial(_raise, OSError("gone")), rate=10).keep(0.2)


def test_what_the_slowest_waited_for_is_told_by_stage() -> None:
    table = Timetable(dict, rate=1)
    table.each += [(0.001, {"search": 1.0})] * 199
    table.each += [(0.5, {"search": 400.0})] * 3
    assert table.slowest == "search 400.0, the rest 100.0"


BURNING = """
import threading, time
def burn():
    while time.process_time() < 0.3:
        pass
thread = threading.Thread(target=burn)
thread.start()
thread.join()
input("burnt")
"""


def test_what_a_thread_did_that_has_ended_is_counted() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BURNING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.read(5) == b"burnt"
        assert live.Busy([os.getpid()]).spent()[child.pid] >= 0.3
        child.stdin.write(b"\n")


def _raise(error: Exception) -> None:
    raise error


def test_memory_is_told_in_bytes() -> None:
    import os

    assert 10**7 < resident(os.getpid()) < 10**11
