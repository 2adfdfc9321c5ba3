"""The model card of `mini`: prose that stays, numbers that are measured.

Knows nothing about how they were measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latent.models.artifact import Artifact

LICENCE = "text tower Apache-2.0; image tower Apache-2.0, learnt from research data (see the card)"

CARD = """\
# Model card: mini

<!-- Written by scripts/training/export.py; change scripts/training/card.py instead. -->

`mini` places photos and English texts in one space of {dim} dimensions. It comes with Nearfield,
needs no download and no torch, and is small enough for any computer: {size:.1f} MB on disk.

| | |
|---|---|
| text tower | all-MiniLM-L6-v2: BERT with 6 layers, mean pooling; reads {max_tokens} tokens |
| image tower | MobileNetV2 1.0 with a head of two branches; sees {side} × {side} pixels, {fit} |
| weights | `text.onnx` int8 in blocks of 64; `image.onnx` float16, its head int8 |
| arithmetic | float32: a row does not depend on what else is in its batch |
| fingerprint | `{fingerprint}` |

## What it was measured to do

On the 500 `val` photos and their 2,500 captions, which training never saw, with the files beside
this card, read as the product reads them:

| | recall@1 | recall@10 |
|---|---|---|
| caption → its photo, of 500 | {t2i1:.3f} | {t2i10:.3f} |
| photo → one of its captions, of 2,500 | {i2t1:.3f} | {i2t10:.3f} |

Cosine of the compiled text tower to the original on the same captions: at least {cosine:.4f}.

Naming 200 ImageNet photos that were held out, among 1,000 class names: right at once
{named1:.2f}, among the first five {named5:.2f}.

## How it was made

The text tower stays as it was published; the image tower learns to place a photo where its
captions are. Two losses: a contrastive one between photos and their captions, and one that keeps
what the pretrained backbone knows, by ordering 1,000 class names as its classifier does. The
weights shipped are a moving average. `scripts/train` runs it again; its numbers:

{recipe}

## What it learnt from, and the terms

| data | terms |
|---|---|
| Flickr8k, 6,591 photos with five captions each | for research and education |
| ImageNet, 800 photos, and 8,000 of Tiny ImageNet | ImageNet's: research and education |
| COCO 2014, 4,000 photos without captions | Creative Commons, each photo its own |
| MobileNetV2 weights pretrained on ImageNet | Apache-2.0 |
| all-MiniLM-L6-v2, SHA-256 of its weights `53aa5117…` | Apache-2.0 |

The code and the weights are given under Apache-2.0. Flickr8k and ImageNet were published for
research and education; whether weights learnt from them suit a commercial use is for you to
judge. Nearfield runs with any open_clip or sentence-transformers model in its place.

## What it is bad at

- It knows the world of its photos: people, dogs, sport, streets. Diagrams, screenshots, medical or
  satellite pictures, art and products it places poorly.
- It does not read text in pictures, does not count, and barely tells left from right.
- Small things in large photos vanish: the whole photo becomes {side} × {side} pixels.
- English only. Names of people, brands and rare places mean little to it.
- Its photos and captions carry their collectors' habits and prejudices: who is photographed, and
  how captions speak of them. Do not decide about people with it.
- It finds the nearest even when nothing fits: a score says "nearer than", not "right".
"""


def model_card(artifact: Artifact, trained: Mapping[str, Any]) -> str:
    """The card of an artifact with its measured figures; `trained` is what training wrote down."""
    manifest = artifact.manifest
    assert manifest.image is not None and manifest.text is not None
    figures = manifest.card.measured
    fits = {"squash": "the whole photo squeezed to a square", "crop": "its middle square"}
    return CARD.format(
        dim=manifest.dim,
        size=artifact.size / 1e6,
        max_tokens=manifest.text.max_tokens,
        side=manifest.image.size,
        fit=fits[manifest.image.fit],
        fingerprint=manifest.fingerprint[:16],
        t2i1=figures["text_to_image_recall_at_1"],
        t2i10=figures["text_to_image_recall_at_10"],
        i2t1=figures["image_to_text_recall_at_1"],
        i2t10=figures["image_to_text_recall_at_10"],
        cosine=figures["text_cosine_to_original_least"],
        named1=figures["class_named_at_1"],
        named5=figures["class_named_at_5"],
        recipe=_recipe(trained.get("stages", [])),
    )


def _recipe(stages: Sequence[Mapping[str, object]]) -> str:
    if not stages:
        return "(the recipe was not kept with these weights)"
    heads = "".join(f" stage {number} |" for number in range(1, len(stages) + 1))
    rows = [
        f"| {name} | " + " | ".join(str(stage[name]) for stage in stages) + " |"
        for name in stages[0]
    ]
    return "\n".join([f"| |{heads}", "|---|" + "---|" * len(stages), *rows])
