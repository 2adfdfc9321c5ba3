"""Collections of drawn vectors, and their true neighbours.

Knows nothing about what is measured on them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import Bench
from benchmarks.vectors import Drawn, draw
from latent.collection import Collection
from latent.index.bases import Base, Kind
from latent.index.exact import MARGIN
from latent.index.questions import ENOUGH
from latent.index.recall import Questions, lines_of
from latent.index.served import Limits
from latent.items import JSON, Item, Modality, Vectors
from latent.settings import Settings
from latent.store import Store
from latent.wiring import INDEX, open_store

NAME = "bench"
AT = 10
QUESTIONS = 200
AT_ONCE = 2_000
DATA, TOOK = "data", "took.json"


@dataclass(frozen=True)
class Filled:
    """A collection of `drawn.things`, all images, and how long its parts took.

    Ids are their positions; `lot` is a random number below `len(things)`. What the collection
    judges itself by are stored images, and questions in words that nobody asks it later.
    """

    store: Store
    collection: Collection
    drawn: Drawn
    data: Path
    put_seconds: float
    publish_seconds: float

    @property
    def questions(self) -> dict[str, Vectors]:
        return {
            "image": self.drawn.like_things[:QUESTIONS],
            "text": self.drawn.in_words[:QUESTIONS],
        }

    def found(self, question: NDArray[np.float32], k: int = AT) -> list[int]:
        """Positions of the nearest, best first."""
        return [int(hit.item.id) for hit in self.collection.nearest(question, k)]


def lots(n: int) -> NDArray[np.int64]:
    """The lot of each thing."""
    return np.random.default_rng(n).permutation(n)


@contextmanager
def filled(bench: Bench, n: int, dim: int) -> Iterator[Filled]:
    """A collection of n drawn vectors with its snapshot, as `filled_with`."""
    drawn = draw(n, dim, questions=QUESTIONS + ENOUGH)
    with filled_with(bench, drawn, f"index-{n}-{dim}") as ours:
        yield ours


@contextmanager
def filled_with(
    bench: Bench, drawn: Drawn, name: str, *, exact_limit: int | None = None
) -> Iterator[Filled]:
    """A collection of vectors with its snapshot, for one part of a run to do with as it likes.

    One of a name is made once a run, for that takes minutes; each part has a copy, which goes with
    it. `exact_limit` is that of the settings, if it is another one.
    """
    made = bench.folder / name
    given = {} if exact_limit is None else {"exact_limit": exact_limit}
    settings = bench.settings(
        data=made / DATA, model=f"vectors:{drawn.things.shape[1]}", min_relevance=0, **given
    )
    if not (made / TOOK).exists():
        _make(settings, drawn, made)
    took = json.loads((made / TOOK).read_text())
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=bench.folder) as place:
        data = Path(shutil.copytree(made / DATA, Path(place) / DATA))
        with open_store(settings.model_copy(update={"data": data})) as store:
            collection = judging_itself(store, drawn)
            yield Filled(store, collection, drawn, data, took["put"], took["publish"])


def _make(settings: Settings, drawn: Drawn, folder: Path) -> None:
    n = len(drawn.things)
    lot = lots(n)
    with open_store(settings) as store:
        store.ensure(NAME)
        collection = judging_itself(store, drawn)
        started = time.perf_counter()
        for start in range(0, n, AT_ONCE):
            collection.put([_item(drawn, lot, i) for i in range(start, min(n, start + AT_ONCE))])
        put = time.perf_counter() - started
        started = time.perf_counter()
        collection.publish(force=True)
        publish = time.perf_counter() - started
    (folder / TOOK).write_text(json.dumps({"put": put, "publish": publish}))


def _item(drawn: Drawn, lot: NDArray[np.int64], i: int) -> Item:
    metadata: dict[str, JSON] = {"lot": int(lot[i])}
    return Item(str(i), Modality.IMAGE, drawn.things[i], uri=str(i), metadata=metadata)


def judging_itself(store: Store, drawn: Drawn) -> Collection:
    """The collection, with drawn questions in the place of the phrases that a model would place."""
    settings, entry = store.settings, store.collection(NAME)._entry
    limits = Limits(settings.exact_limit, settings.delta_limit, settings.threads, settings.recall)
    return Collection(
        store.collection(NAME)._catalog,
        entry,
        settings.data / INDEX / entry.uid,
        limits,
        in_words=lambda: drawn.in_words[QUESTIONS : QUESTIONS + ENOUGH],
    )


def recall(
    things: Vectors, questions: Vectors, answers: list[list[int]], *, line: NDArray[np.float32]
) -> float:
    """The share of the ten nearest among answers; what is as near as the tenth counts."""
    found = sum(
        int((things[answer] @ question >= least - MARGIN).sum())
        for question, answer, least in zip(questions, answers, line, strict=True)
    )
    return found / (AT * len(questions))


def true_lines(things: Vectors, questions: Vectors) -> NDArray[np.float32]:
    """The score of the tenth nearest of each question, by comparing all."""
    base = Base(Kind.EXACT, np.arange(len(things), dtype=np.int64), things, None)
    return lines_of(base, Questions(questions, np.full(len(questions), -1, np.int64)))
