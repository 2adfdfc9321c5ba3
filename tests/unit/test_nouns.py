"""A bare noun in a question is placed as the sentences that its model wants for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from latent.models import mini, registry
from latent.models.artifact import Artifact, Manifest
from latent.models.nouns import is_bare, sentences
from latent.settings import Settings
from latent.space import Space
from service.engine.directions import rows_of
from service.engine.nouns import in_sentences, understood
from service.engine.parts import Like, Part, Text
from service.engine.questions import things_in

FORMS = ("{}", "a photo of a {}.")
EAST, NORTH = np.eye(2, dtype=np.float32)


@pytest.mark.parametrize(
    "text", ["dog", "dogs", "Grand Piano", " ice-cream ", "Hündin", "chef’s hat"]
)
def test_a_word_or_two_is_a_bare_noun(text: str) -> None:
    assert is_bare(text)


@pytest.mark.parametrize(
    "text",
    ["a dog", "two dogs", "The sea", "who", "in snow", "a b c", "", "  ", "x1", "!?", "w" * 41],
)
def test_phrases_questions_and_what_is_no_word_stand_for_themselves(text: str) -> None:
    assert not is_bare(text)
    assert sentences(text, FORMS) == ()


def test_a_noun_stands_in_each_sentence_and_without_sentences_for_itself() -> None:
    assert sentences(" sports   car", FORMS) == ("sports car", "a photo of a sports car.")
    assert sentences("dog", ()) == ()


@given(st.text(max_size=60))
def test_any_text_is_bare_or_not_and_its_sentences_hold_its_words(text: str) -> None:
    said = sentences(text, FORMS)
    assert bool(said) == is_bare(text)
    assert all(word in one for word in text.split() for one in said)


def test_the_place_of_a_noun_is_the_mean_of_its_sentences() -> None:
    parts = [Part(Text("dog", ("one", "two"))), Part(Like("b")), Part(Text("a dog"))]
    assert things_in(parts) == [Text("one"), Text("two"), Text("a dog")]
    rows = rows_of(parts, {"b": NORTH}, [EAST, NORTH, EAST], 2)
    assert np.allclose(rows, np.stack([(EAST + NORTH) / 2**0.5, NORTH, EAST]), atol=1e-6)


def test_sentences_are_those_of_the_model_and_of_bare_nouns_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    known = Artifact(mini.folder()).manifest
    space = Space("mini", known.dim, known.fingerprint)
    asked = [Part(Text("dog"), -1.0), Part(Text("two dogs")), Part(Like("b"))]
    parts = in_sentences(asked, space, settings)
    assert [part.weight for part in parts] == [-1.0, 1.0, 1.0]
    assert parts[1:] == asked[1:]
    assert understood(parts) == {"dog": [form.replace("{}", "dog") for form in known.nouns]}
    other = Space("colours", 8, "another")
    assert in_sentences(asked, other, settings) == asked
    assert registry.nouns(other, settings) == ()


def test_what_nouns_are_put_into_does_not_change_the_space() -> None:
    known = Artifact(mini.folder()).manifest
    assert len(known.nouns) > 1
    assert known.model_copy(update={"nouns": ()}).fingerprint == known.fingerprint


@pytest.mark.parametrize("form", ["a photo", "{} and {}"])
def test_a_sentence_without_room_for_one_noun_is_refused(form: str) -> None:
    fields = Artifact(mini.folder()).manifest.model_dump(exclude_defaults=True)
    with pytest.raises(ValidationError, match="once, where the noun"):
        Manifest.model_validate({**fields, "nouns": [form]})
