"""The model card of `mini`: prose that stays (`card.md`), numbers that are measured.

Knows nothing about how they were measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latent.models.artifact import Artifact

LICENCE = "text tower Apache-2.0; image tower Apache-2.0, learnt from research data (see the card)"

CARD = Path(__file__).with_name("card.md")


def model_card(artifact: Artifact, trained: Mapping[str, Any]) -> str:
    """The card of an artifact with its measured figures; `trained` is what training wrote down."""
    manifest = artifact.manifest
    assert manifest.image is not None and manifest.text is not None
    figures = manifest.card.measured
    fits = {"squash": "the whole photo squeezed to a square", "crop": "its middle square"}
    return CARD.read_text().format(
        dim=manifest.dim,
        size=artifact.size / 1e6,
        max_tokens=manifest.text.max_tokens,
        side=manifest.image.size,
        fit=fits[manifest.image.fit],
        branches=len(trained["members"]),
        fingerprint=manifest.fingerprint[:16],
        t2i1=figures["text_to_image_recall_at_1"],
        t2i10=figures["text_to_image_recall_at_10"],
        i2t1=figures["image_to_text_recall_at_1"],
        i2t10=figures["image_to_text_recall_at_10"],
        cosine=figures["text_cosine_to_original_least"],
        spearman=figures["text_pairs_spearman_to_original"],
        named1=figures["class_named_at_1"],
        named5=figures["class_named_at_5"],
        same=figures["same_class_first"],
        recipe=_recipe(trained),
    )


def _recipe(trained: Mapping[str, Any]) -> str:
    stages: Sequence[Mapping[str, object]] = trained["stages"]
    heads = "".join(f" stage {number} |" for number in range(1, len(stages) + 1))
    rows = [
        f"| {name} | " + " | ".join(str(stage[name]) for stage in stages) + " |"
        for name in stages[0]
    ]
    others = ", ".join(f"{name} {value}" for name, value in trained.items() if name != "stages")
    table = [f"| |{heads}", "|---|" + "---|" * len(stages), *rows]
    return "\n".join([*table, "", f"In all: {others}."])
