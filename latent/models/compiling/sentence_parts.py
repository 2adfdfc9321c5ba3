"""The parts of a sentence-transformers model.

Knows that library's features and processors, and nothing about ONNX.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from PIL import Image
from tokenizers import Tokenizer

from latent.errors import InputError
from latent.items import Modality
from latent.models.artifact import ImageInput, TextInput
from latent.models.compiling.parts import ImagePart, Normalised, Parts, TextPart
from latent.models.pictures import LONGEST_ASPECT
from latent.models.sentence import SentenceEmbedder


class _Texts(torch.nn.Module):
    """The whole pipeline of the model behind its tokenizer."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        features = model.preprocess(["a"])
        self._others = {
            name: value for name, value in features.items() if not isinstance(value, torch.Tensor)
        }
        self._wants_types = "token_type_ids" in features

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        features = {"input_ids": ids, "attention_mask": mask, **self._others}
        if self._wants_types:
            features["token_type_ids"] = torch.zeros_like(ids)
        return _unit(self.model(features))


class _Pictures(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return _unit(self.model({"pixel_values": pixels, "modality": "image"}))


def _unit(features: Any) -> torch.Tensor:
    return torch.nn.functional.normalize(features["sentence_embedding"].float(), dim=-1)


def parts_of(embedder: SentenceEmbedder) -> Parts:
    """The text tower, and the image tower if there is one.

    Raises:
        InputError: something about the model has no place in an artifact.
    """
    takes_pictures = Modality.IMAGE in embedder.space.modalities
    return Parts(_image_part(embedder) if takes_pictures else None, _text_part(embedder))


def _text_part(embedder: SentenceEmbedder) -> TextPart:
    tokenizer = embedder.model.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or isinstance(tokenizer, Tokenizer):
        raise InputError(
            f"{embedder.space.model} has a tokenizer that cannot be compiled:"
            f" {type(tokenizer).__name__}"
        )
    content = json.loads(backend.to_str())
    content["padding"] = content["truncation"] = None
    wanted = TextInput(
        max_tokens=embedder.max_tokens,
        prompt=embedder.prompt,
        pad=int(tokenizer.pad_token_id or 0),
    )
    text = json.dumps(content, ensure_ascii=False)
    return TextPart(_Texts(embedder.model), wanted, text, wants_mask=True)


def _image_part(embedder: SentenceEmbedder) -> ImagePart:
    processor = getattr(embedder.model[0].processor, "image_processor", None)
    if processor is None:
        raise InputError(
            f"{embedder.space.model} prepares pictures in a way that is not known here"
        )
    how = processor.to_dict()
    wanted = ImageInput.model_validate(
        {
            "size": embedder.picture_side,
            "fit": _fit(embedder, how),
            "resample": Image.Resampling(how.get("resample", 3)).name.lower(),
            "cut": "down",
            "longest_aspect": LONGEST_ASPECT,
        }
    )
    return ImagePart(
        Normalised(_Pictures(embedder.model), how["image_mean"], how["image_std"]), wanted
    )


def _fit(embedder: SentenceEmbedder, how: dict[str, Any]) -> str:
    size = dict(how.get("size") or {})
    cut = dict(how.get("crop_size") or {})
    side = embedder.picture_side
    if how.get("do_center_crop") and size.get("shortest_edge") == side:
        if (cut.get("height"), cut.get("width")) == (side, side):
            return "shortest"
    elif (size.get("height"), size.get("width")) == (side, side):
        return "squash"
    raise InputError(
        f"{embedder.space.model} prepares pictures in a way that no artifact knows: {size}, {cut}"
    )
