"""Answers as they are sent: JSON of fields that need not be held against a model again."""

from __future__ import annotations

import json

import pytest

from latent.items import Modality
from service.answers import GroupAnswer
from service.routes.asking import told


@pytest.mark.parametrize("beside", [{}, {"large": 2**80, "small": -(2**70)}])
def test_everything_that_an_answer_may_hold_is_told_as_it_is(beside: dict[str, object]) -> None:
    fields = {
        "modality": Modality.IMAGE,
        "group": GroupAnswer(value=["Köln", 2**60], others=3),
        "score": 0.1,
        "least": 5e-324,
        "cursor": None,
        "metadata": {"deep": [{"é": True}], **beside},
    }
    response = told(fields)
    assert response.media_type == "application/json"
    assert json.loads(bytes(response.body)) == {
        **fields,
        "modality": "image",
        "group": {"value": ["Köln", 2**60], "others": 3},
    }


def test_what_is_no_json_is_not_told() -> None:
    with pytest.raises(ValueError, match="serialize"):
        told({"odd": object()})
