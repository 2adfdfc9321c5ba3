"""How well relevance parts what is meant from chance: `mini` on photos it did not learn from.

Everything is asked of the product as people ask it; nothing here was used to fit the calibration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import MINI, Bench
from benchmarks.captioned import Captioned, read_val, unanswerable
from benchmarks.passages import unrelated
from benchmarks.rows import Row, at_least
from benchmarks.turns import in_turn
from indexer.pipeline import index
from latent.items import Hit, Item, Modality
from latent.models.calibrating.logistic import parting
from latent.store import Store
from latent.wiring import open_store
from service.engine.parts import Part, Text
from service.engine.relevance import SURE, Judge
from service.query import Answer, QueryEngine, Question

FIRST = 10
PASSAGES = 2_000
BINS = 10
AUROC, TOLD, KEPT, MIXED = at_least(0.95), at_least(0.9), at_least(0.85), at_least(0.95)
PHOTOS, BOTH = "photos", "both"


@dataclass(frozen=True)
class Judged:
    """The hits of each caption and the place of its photo among them, and the hits of others."""

    captions: list[list[Hit]]
    own: list[int | None]
    others: dict[str, list[list[Hit]]]

    @property
    def own_hits(self) -> list[Hit]:
        """The photo of each caption that found it among the first."""
        pairs = zip(self.captions, self.own, strict=True)
        return [hits[place] for hits, place in pairs if place is not None]

    @property
    def best_of_others(self) -> list[Hit]:
        return [hits[0] for group in self.others.values() for hits in group]


def rows(bench: Bench) -> Iterator[Row]:
    """All rows of this part."""
    with opened(bench) as (store, val):
        asked = judge(store, val, captions=200 if bench.is_quick else len(val.captions))
        yield from _parting(asked)
        yield from _by_default(asked)
        yield _error(asked)
        yield from _unlearnt(bench, store, val)
        yield from _mixed(bench, store, val)


@contextmanager
def opened(bench: Bench) -> Iterator[tuple[Store, Captioned]]:
    """A store with the photos in one collection, and with unrelated passages in another."""
    val, folder = read_val(), bench.folder / "val"
    val.write(folder)
    settings = bench.settings(data=bench.folder / "answers", model=MINI)
    with open_store(settings) as store:
        for name in (PHOTOS, BOTH):
            index([folder], store.ensure(name), store.embedder(), settings)
        texts = unrelated(100 if bench.is_quick else PASSAGES, is_read=partial(_is_read, store))
        places = store.embedder().embed_texts(texts)
        store.collection(BOTH).put(
            [
                Item(f"passage/{number}", Modality.TEXT, place, text=text)
                for number, (text, place) in enumerate(zip(texts, places, strict=True))
            ]
        )
        yield store, val


def _is_read(store: Store, text: str) -> bool:
    embedder = store.embedder()
    return len(embedder.token_spans(text)) <= embedder.max_tokens


def judge(store: Store, val: Captioned, *, captions: int, is_learnt: bool = True) -> Judged:
    """Ask for every caption, and every question that has no answer."""
    chosen = list(islice(val.captions, captions))
    answers = ask(store, PHOTOS, [caption for _, caption in chosen], is_learnt=is_learnt)
    own = [place(answer, name) for answer, (name, _) in zip(answers, chosen, strict=True)]
    others = {
        kind: [answer.hits for answer in ask(store, PHOTOS, questions, is_learnt=is_learnt)]
        for kind, questions in unanswerable().items()
    }
    return Judged([answer.hits for answer in answers], own, others)


def ask(
    store: Store,
    name: str,
    texts: Sequence[str],
    modality: Modality | None = None,
    *,
    is_learnt: bool = True,
    is_phrased: bool = True,
) -> list[Answer]:
    """The first hits for each text, relevant or not; judged by the collection alone if asked.

    With `is_phrased` false the place of a bare noun is that of the word itself.
    """
    engine = QueryEngine(store)
    answers = []
    questions = [
        Question([Part(Text(text))], FIRST, modality=modality, min_relevance=0) for text in texts
    ]
    plans = [engine.plan(name, question) for question in questions]
    if not is_phrased:
        plans = [replace(plan, question=one) for plan, one in zip(plans, questions, strict=True)]
    said = [one.text for plan in plans for one in plan.things if isinstance(one, Text)]
    places = iter(store.embedder().embed_texts(said))
    for plan in plans:
        where = list(islice(places, len(plan.things)))
        if not is_learnt:
            plan = replace(
                plan,
                judge=Judge(
                    plan.collection,
                    {Modality.TEXT: 1.0},
                    None,
                    partial(store.chance, plan.collection),
                ),
            )
        answers.append(engine.answer(plan, where))
    return answers


def place(answer: Answer, name: str) -> int | None:
    """Where among the hits the photo of that name is."""
    names = [hit.item.uri.rsplit("/", 1)[-1] for hit in answer.hits]
    return names.index(name) if name in names else None


def reliability(asked: Judged) -> list[tuple[float, float, float]]:
    """Mean relevance, share that was meant, and share of all hits, for each tenth of the scale.

    Photos that their captions found, and the best hits of questions without an answer, as many of
    each.
    """
    relevance, is_meant, weights = _examples(asked)
    bins = np.minimum((relevance * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        some = bins == number
        if total := float(weights[some].sum()):
            mean = float(np.average(relevance[some], weights=weights[some]))
            found.append((mean, float(np.average(is_meant[some], weights=weights[some])), total))
    return found


def _examples(
    asked: Judged,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    meant, chance = sure(asked.own_hits), sure(asked.best_of_others)
    weights = [0.5 / len(meant)] * len(meant) + [0.5 / len(chance)] * len(chance)
    is_meant = np.arange(len(weights)) < len(meant)
    return np.array(meant + chance), is_meant, np.array(weights)


def sure(hits: Sequence[Hit]) -> list[float]:
    """The relevance of each hit."""
    return [hit.relevance or 0.0 for hit in hits]


def _parting(asked: Judged) -> Iterator[Row]:
    best = [hits[0] for hits in asked.captions]
    against = f"{len(best)} captions, {len(asked.best_of_others)} questions without an answer"
    value = parting(sure(best), sure(asked.best_of_others))
    yield Row("match or no match, by relevance", value, "AUROC", against, AUROC)
    scores = [[hit.score for hit in hits] for hits in (best, asked.best_of_others)]
    yield Row("… by the best cosine alone", parting(*scores), "AUROC", against)


def _by_default(asked: Judged) -> Iterator[Row]:
    told = [relevance < SURE for relevance in sure(asked.best_of_others)]
    yield Row("no answer: told so", float(np.mean(told)), "share", "at the default", TOLD)
    for kind, group in asked.others.items():
        some = [relevance < SURE for relevance in sure([hits[0] for hits in group])]
        yield Row(f"… {kind}", float(np.mean(some)), "share", f"{len(some)} questions")
    kept = [relevance >= SURE for relevance in sure(asked.own_hits)]
    against = f"{len(kept)} captions whose photo is among the first ten"
    yield Row("captions that keep their photo", float(np.mean(kept)), "share", against, KEPT)


def _error(asked: Judged) -> Row:
    """Expected calibration error."""
    error = sum(abs(mean - share) * total for mean, share, total in reliability(asked))
    return Row("relevance off what it says", error, "mean", "ten bins, half of all were meant")


def _unlearnt(bench: Bench, store: Store, val: Captioned) -> Iterator[Row]:
    """The same where nothing was learnt of the model."""
    count = 200 if bench.is_quick else len(val.captions)
    asked = judge(store, val, captions=count, is_learnt=False)
    best = sure([hits[0] for hits in asked.captions])
    name = "without a calibration"
    value = parting(best, sure(asked.best_of_others))
    yield Row(f"{name}: match or no match", value, "AUROC", "by what chance gives")
    told = [relevance < SURE for relevance in sure(asked.best_of_others)]
    yield Row(f"{name}: no answer, told so", float(np.mean(told)), "share")
    kept = [relevance >= SURE for relevance in sure(asked.own_hits)]
    yield Row(f"{name}: captions that keep their photo", float(np.mean(kept)), "share")


def _mixed(bench: Bench, store: Store, val: Captioned) -> Iterator[Row]:
    chosen = list(islice(val.captions, 100 if bench.is_quick else len(val.captions)))
    texts = [caption for _, caption in chosen]
    recall = {}
    for name in (PHOTOS, BOTH):
        answers = ask(store, name, texts)
        found = [
            place(one, file) is not None for one, (file, _) in zip(answers, chosen, strict=True)
        ]
        recall[name] = float(np.mean(found))
    passages = store.collection(BOTH).count(modality=Modality.TEXT)
    against = f"recall@10 {recall[BOTH]:.3f} against {recall[PHOTOS]:.3f} among photos alone"
    yield Row(
        f"photos beside {passages} unrelated passages",
        recall[BOTH] / recall[PHOTOS],
        "×",
        against,
        MIXED,
    )
    some = texts[:50]
    seconds = in_turn(
        {
            "apart": lambda: ask(store, BOTH, some),
            "photos": lambda: ask(store, BOTH, some, Modality.IMAGE),
            "texts": lambda: ask(store, BOTH, some, Modality.TEXT),
        },
        rounds=bench.rounds,
    )
    longer = (seconds["apart"] - max(seconds["photos"], seconds["texts"])) / len(some)
    yield Row("both kinds searched apart: longer by", 1000 * longer, "ms", "one kind alone")
