"""Zero-shot: which label fits, how surely, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import InputError
from latent.items import Modality
from latent.models.colours import ColourEmbedder
from latent.models.cuts import UNFITTED, Sureness
from latent.settings import Settings
from service.checks.classify import Labels, classify, label_rows, labels_of, sure, verdict
from service.engine.parts import Picture, Text, Thing

COLOURS = ["red", "green", "blue"]


def picture(photos: Path, name: str) -> Thing:
    return Picture((photos / f"{name}.png").read_bytes(), name)


def test_a_picture_and_a_text_get_their_label(photos: Path, settings: Settings) -> None:
    things = [picture(photos, "green"), Text("something blue"), picture(photos, "red")]
    verdicts = classify(ColourEmbedder(), things, COLOURS, settings)
    assert [one.label for one in verdicts] == ["green", "blue", "red"]
    for one in verdicts:
        assert sum(one.probabilities) + one.none == pytest.approx(1.0)
        assert one.none < 0.1


def test_what_none_of_the_labels_fits_gets_none(photos: Path, settings: Settings) -> None:
    (one,) = classify(ColourEmbedder(), [picture(photos, "yellow")], COLOURS, settings)
    assert one.label is None
    assert one.none > 0.9


def test_templates_of_ones_own_take_the_place_of_the_usual(settings: Settings) -> None:
    labels = labels_of(["dog", "cat"], ["a {} here", "{}!"], settings)
    said = [prompt.text for prompt in labels.prompts(Modality.IMAGE)]
    assert said == ["a dog here", "dog!", "a cat here", "cat!"]
    assert labels.prompts(Modality.TEXT) == labels.prompts(Modality.IMAGE)


def test_pictures_and_texts_have_templates_of_their_own(settings: Settings) -> None:
    labels = labels_of(["dog", "cat"], None, settings)
    assert labels.prompts(Modality.TEXT) != labels.prompts(Modality.IMAGE)


def test_a_label_with_braces_is_put_in_as_it_is(settings: Settings) -> None:
    labels = labels_of(["{x}", "{}"], ["a {}"], settings)
    assert [prompt.text for prompt in labels.prompts(Modality.IMAGE)] == ["a {x}", "a {}"]


@pytest.mark.parametrize(
    ("names", "templates", "complaint"),
    [
        ([], None, "two labels at least"),
        (["dog"], None, "two labels at least"),
        (["dog", "cat", " Dog"], None, "'Dog' is there twice"),
        (["dog", " "], None, "a label is empty"),
        (["dog", "x" * 201], None, "201 characters"),
        (["dog", "cat"], [], "at least"),
        (["dog", "cat"], ["a photo"], "must have {} once"),
        (["dog", "cat"], ["{} or {}"], "must have {} once"),
        (["dog", "cat"], [""], "a template is empty"),
        ([str(n) for n in range(600)], None, "must not be more than 1000"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(
    names: list[str], templates: list[str] | None, complaint: str, settings: Settings
) -> None:
    with pytest.raises(InputError, match=complaint):
        labels_of(names, templates, settings)


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=30),
    st.floats(0, 500),
    st.floats(0, 500),
    st.floats(-50, 50),
)
def test_probabilities_are_ones_that_add_up(
    scores: list[float], scale: float, slope: float, offset: float
) -> None:
    sureness = Sureness(scale=scale, slope=slope, offset=offset, tries=0.5)
    none, shares = sure(np.array(scores), sureness)
    assert 0 <= none <= 1
    assert (shares >= 0).all()
    assert none + shares.sum() == pytest.approx(1.0)
    assert shares[int(np.argmax(scores))] == shares.max()


def test_a_better_score_is_surer_and_more_labels_less_sure() -> None:
    sureness = UNFITTED.naming(Modality.IMAGE)
    better, worse = (sure(np.array([best, 0.1]), sureness)[0] for best in (0.3, 0.2))
    assert better < worse
    few, many = (sure(np.array([0.25, *[0.1] * n]), sureness)[0] for n in (1, 40))
    assert few < many


def test_the_place_of_a_label_is_the_mean_of_its_prompts() -> None:
    prompts = np.array([[1, 0], [0, 1], [0, -1], [-1, 0]], np.float32)
    rows = label_rows(prompts, Labels(("a", "b"), ("{}", "a {}")))
    np.testing.assert_allclose(rows, np.array([[1, 1], [-1, -1]]) / np.sqrt(2), rtol=1e-6)
    found = verdict(rows[1], rows, Labels(("a", "b")), UNFITTED.naming(Modality.TEXT))
    assert found.label == "b"
    assert found.scores == pytest.approx((-1.0, 1.0))
