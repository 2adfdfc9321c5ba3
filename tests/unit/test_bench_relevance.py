"""The bench of relevance: what it asks, and how it counts."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.captioned import Captioned, unanswerable
from benchmarks.nouns import nouns, showing
from benchmarks.passages import unrelated
from benchmarks.relevance import Judged, place, reliability
from benchmarks.reliability import drawn
from benchmarks.rows import UnmeasuredError
from latent.items import Hit, Item, Modality
from latent.models.calibrating.logistic import parting
from latent.models.nouns import is_bare
from scripts.training import foreign
from service.query import Answer

ROW = np.ones(1, np.float32)


def hit(relevance: float, name: str = "x") -> Hit:
    return Hit(Item(name, Modality.IMAGE, ROW, uri=f"val/{name}"), 0.5, relevance=relevance)


def test_there_are_300_questions_without_an_answer_of_three_kinds() -> None:
    kinds = unanswerable()
    questions = [question for group in kinds.values() for question in group]
    assert set(kinds) == {"other subjects", "nonsense", "near misses"}
    assert len(questions) == len(set(questions)) == 300


def test_no_question_of_the_bench_is_one_that_was_learnt_from() -> None:
    questions = {question for group in unanswerable().values() for question in group}
    spared = [word for question in questions for word in foreign.words(question)]
    names = foreign.absent(["trilobite", "tench", "pipe organ", "slug"], [], spared)
    assert names == ["tench", "slug"]
    assert not questions & set(foreign.questions(names * 10, seed=0))


def test_unrelated_passages_are_the_same_ones_and_short_enough() -> None:
    some = unrelated(50, is_read=lambda text: len(text) < 400)
    assert some == unrelated(50, is_read=lambda text: len(text) < 400)
    assert len(set(some)) == 50
    assert max(map(len, some)) < 400
    with pytest.raises(UnmeasuredError):
        unrelated(10**9, is_read=lambda text: True)


def test_the_place_of_a_photo_is_found_by_its_name() -> None:
    answer = Answer("photos", "mini", [hit(0.9, "a.jpg"), hit(0.8, "b.jpg")], None, {})
    assert place(answer, "b.jpg") == 1
    assert place(answer, "c.jpg") is None


def test_parting_is_the_area_under_the_curve() -> None:
    assert parting([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert parting([0.5], [0.5]) == 0.5


def test_relevance_that_is_what_it_says_lies_on_the_line() -> None:
    """Of ten hits with relevance 0.8, eight were meant; both kinds count the same in all."""
    meant = [[hit(0.8)]] * 80 + [[hit(0.2)]] * 20
    chance = [[hit(0.8)]] * 20 + [[hit(0.2)]] * 80
    asked = Judged(meant, [0] * 100, {"any": chance})
    assert reliability(asked) == [pytest.approx((0.2, 0.2, 0.5)), pytest.approx((0.8, 0.8, 0.5))]


def test_captions_whose_photo_was_not_found_are_no_example() -> None:
    asked = Judged([[hit(0.9)], [hit(0.9)]], [0, None], {"any": [[hit(0.1)]]})
    assert len(asked.own_hits) == 1


def test_the_diagram_shows_every_point() -> None:
    empty, one = drawn([]), drawn([(0.25, 0.5, 0.5)])
    assert empty.size == one.size
    changed = np.argwhere((np.asarray(empty) != np.asarray(one)).any(2))
    down, across = changed.mean(0)
    assert (across, down) == pytest.approx((72 + 480 * 0.25, 72 + 480 * 0.5), abs=1)


def test_nouns_of_the_bench_are_bare_and_shown_by_what_two_captions_say() -> None:
    known = nouns()
    every = [noun for group in known.values() for noun in group]
    assert set(known) == {"there", "absent"}
    assert len(every) == len(set(every)) and all(map(is_bare, every))
    said = [("a.jpg", "A woman"), ("a.jpg", "Women run"), ("b.jpg", "a woman"), ("b.jpg", "rain")]
    assert showing(Captioned({}, said), "woman") == {"a.jpg"}
