"""Bodies: what they refuse, and what becomes of them."""

from __future__ import annotations

import inspect
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel, ValidationError

from latent.items import Hit, Item, Modality, Passage
from service import comparisons, schemas, strict_json
from service.answers import HitAnswer, ItemAnswer
from service.comparisons import EmbeddingsBody
from service.embedding.pictures import picture_bytes
from service.engine.parts import Like, Part, Picture, Text
from service.schemas import DOT, CheckBody, ItemsBody, QueryBody

BODIES = [
    given
    for name, given in (vars(schemas) | vars(comparisons)).items()
    if inspect.isclass(given) and issubclass(given, BaseModel) and given is not BaseModel
]


def item(**fields: object) -> Item:
    given: dict[str, object] = {"id": "a", "modality": Modality.TEXT, "uri": "a.txt"}
    vector = np.array([0.6, 0.8], dtype=np.float32)
    return Item(vector=vector, **(given | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_every_body_refuses_fields_it_does_not_know(body: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        body.model_validate({"no such field": 1})


@pytest.mark.parametrize(
    "body", [one for one in BODIES if not one.__subclasses__()], ids=lambda body: body.__name__
)
def test_every_example_is_taken(body: type[BaseModel]) -> None:
    extra = body.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    examples = extra["examples"]
    assert isinstance(examples, list)
    assert examples
    for example in examples:
        body.model_validate(example)


def test_the_example_picture_can_be_read() -> None:
    with Image.open(BytesIO(picture_bytes(DOT))) as picture:
        assert picture.size == (8, 8)
        assert picture.convert("RGB").getpixel((0, 0)) == (0, 160, 0)


def test_a_query_becomes_a_question() -> None:
    body = QueryBody.model_validate(
        {
            "query": ["words", {"id": "a", "weight": -1}, {"image": "aGk="}],
            "k": 3,
            "filter": {"n": 1},
            "modality": "image",
            "cursor": "c",
        }
    )
    question = body.question()
    assert question.parts == (Part(Text("words")), Part(Like("a"), -1.0), Part(Picture(b"hi")))
    assert (question.k, question.where, question.cursor) == (3, {"n": 1}, "c")
    assert question.modality is Modality.IMAGE


@pytest.mark.parametrize("threshold", [-1.1, 1.1, float("nan"), float("inf")])
def test_a_threshold_is_a_cosine(threshold: float) -> None:
    with pytest.raises(ValidationError):
        CheckBody.model_validate({"query": "red", "threshold": threshold})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite_everywhere(value: float) -> None:
    for body, given in (
        (QueryBody, {"query": {"vector": [value]}}),
        (QueryBody, {"query": {"text": "a", "weight": value}}),
        (ItemsBody, {"items": [{"id": "a", "vector": [value], "modality": "text"}]}),
        (ItemsBody, {"items": [{"id": "a", "text": "b", "metadata": {"deep": [value]}}]}),
    ):
        with pytest.raises(ValidationError):
            body.model_validate(given)


def test_tokens_are_no_input() -> None:
    with pytest.raises(ValidationError):
        EmbeddingsBody.model_validate({"input": [[1, 2, 3]]})


def test_an_answer_leaves_out_what_is_not_there_and_where_it_lies() -> None:
    shown = ItemAnswer.of(item(source="/a/secret")).model_dump(exclude_unset=True)
    assert shown == {"id": "a", "uri": "a.txt", "modality": Modality.TEXT, "metadata": {}}


def test_a_hit_shows_its_score_passage_and_vector() -> None:
    hit = Hit(item(text="red", passage=Passage("a", 0, 1, 0, 3)), 0.5)
    shown = HitAnswer.of_hit(hit, with_vector=True).model_dump(exclude_unset=True)
    assert shown["score"] == 0.5
    assert shown["text"] == "red"
    assert shown["passage"] == {"document": "a", "number": 0, "of": 1, "start": 0, "end": 3}
    assert shown["vector"] == pytest.approx([0.6, 0.8])


def test_json_is_read_as_it_is_written() -> None:
    content = '{"a": [1, 2.5, null, true, "\\ud83d\\ude00 ü"]}'
    assert strict_json.read(content) == {"a": [1, 2.5, None, True, "😀 ü"]}
    assert strict_json.read(content.encode()) == strict_json.read(content)


@pytest.mark.parametrize(
    "content",
    [
        "NaN",
        "[-Infinity]",
        r'"\ud800"',
        r'{"\uDFFF": 1}',
        "[" * 100_000,
        "9" * 10_000,
        b'"\xff"',
        "",
        "{",
    ],
)
def test_json_that_is_none_is_refused(content: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json.read(content)
