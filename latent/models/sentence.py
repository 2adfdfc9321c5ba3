"""Any sentence-transformers model, through sentence-transformers itself.

Knows that library's models, prompts and tokenizers. Text-only models refuse pictures; CLIP models
take them. Needs the extra `models`.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from latent.errors import InputError, ModelUnavailableError, UnsupportedMediaError
from latent.items import Modality, Vectors
from latent.models.devices import CPU, Arithmetic, Device, unit_rows
from latent.models.embedder import Prepared
from latent.models.hub import one_try
from latent.models.pictures import without_extremes
from latent.models.places import place_of
from latent.models.texts import require_whole, whole
from latent.models.torch_weights import FOREIGN_LOADING_ERRORS, fingerprint, plain, size_of
from latent.space import Space

LONGEST = 512
"""Tokens that are read where a model names no limit."""


class SentenceEmbedder:
    """An `Embedder` around one SentenceTransformer; as `OpenClipEmbedder`, so on any device."""

    def __init__(self, name: str, *, threads: int, device: Device = CPU) -> None:
        """Load a model by its name on the hub, or from a folder.

        Raises:
            ModelUnavailableError: it cannot be had, or cannot be understood.
        """
        torch.set_num_threads(threads)
        place = str(place_of(name) or name)
        self._shown = f"sentence:{place}"
        self._model = _open(place, self._shown)
        if hasattr(self._model.tokenizer, "split_special_tokens"):
            self._model.tokenizer.split_special_tokens = True  # "[SEP]" in a text is no marker
        self._lock = threading.Lock()
        self._prompt = self._model.prompts.get(self._model.default_prompt_name or "") or ""
        self._limit = _limit(self._model)
        self._overhead = self._count("")
        self._side = self._probe_pictures()
        weights = self._model.state_dict()
        self.size = size_of(weights)
        described = f"{self._prompt!r} {self._limit} {self._side} {self._model}"
        modalities = frozenset(Modality) if self._side else frozenset({Modality.TEXT})
        known_by = fingerprint(weights, described)
        self._model.to(device.name)
        self._arithmetic = Arithmetic(device)
        rows = self._arithmetic.settle(self._probes, of=self._shown)
        self._space = Space(self._shown, rows.shape[1], known_by, modalities)

    @property
    def model(self) -> SentenceTransformer:
        """The library's own model, in evaluation."""
        return self._model

    @property
    def prompt(self) -> str:
        """What stands before every text."""
        return self._prompt

    @property
    def space(self) -> Space:
        return self._space

    @property
    def picture_side(self) -> int:
        return max(self._side, 1)

    @property
    def picture_patch(self) -> int:
        return 0

    @property
    def max_tokens(self) -> int:
        return self._limit - self._overhead

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        tokenizer = self._model.tokenizer
        with self._lock:
            if isinstance(tokenizer, Tokenizer):
                return list(tokenizer.encode(whole(text), add_special_tokens=False).offsets)
            encoding = tokenizer(
                whole(text),
                add_special_tokens=False,
                return_offsets_mapping=True,
                truncation=False,
                verbose=False,
            )
        return [(start, end) for start, end in encoding["offset_mapping"]]

    def prepare(self, picture: Image.Image) -> Prepared:
        self._require_pictures()
        with self._lock:
            pixels: Prepared = self._model.preprocess([without_extremes(picture)])["pixel_values"][
                0
            ].numpy()
        return pixels

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        self._require_pictures()
        rows = np.empty((len(pictures), self._space.dim), dtype=np.float32)
        batch = self._arithmetic.device.batch
        for start in range(0, len(pictures), batch):
            pixels = torch.from_numpy(np.stack(pictures[start : start + batch]))
            with self._lock:
                rows[start : start + batch] = self._place(pixels)
        return rows

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        require_whole(texts)
        if not texts:
            return np.empty((0, self._space.dim), dtype=np.float32)
        with self._lock:
            for text in texts:
                self._check(text)
            return self._encode(texts)

    def _probes(self) -> Vectors:
        """Where a text and, if it takes them, a picture land."""
        rows = self._encode(["a"])
        if not self._side:
            return rows
        pixels = self._model.preprocess([Image.linear_gradient("L").convert("RGB")])
        return np.concatenate([rows, self._place(pixels["pixel_values"])])

    def _place(self, pixels: torch.Tensor) -> Vectors:
        with self._arithmetic.running():
            features = {"pixel_values": self._arithmetic.here(pixels), "modality": "image"}
            return unit_rows(self._model(features)["sentence_embedding"])

    def _encode(self, texts: Sequence[str]) -> Vectors:
        # As bare strings, "beach.jpg" or a URL would be opened as a picture by a CLIP model.
        inputs = [{"text": text} for text in texts] if self._side else list(texts)
        with self._arithmetic.running():
            placed = self._model.encode(
                inputs,
                batch_size=self._arithmetic.device.batch,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
            return unit_rows(placed)

    def _check(self, text: str) -> None:
        count = self._count(text) - self._overhead
        if count <= 0:
            raise InputError("an empty text has no place in the space")
        if count > self.max_tokens:
            raise InputError(f"the text has {count} tokens; this model reads {self.max_tokens}")

    def _count(self, text: str) -> int:
        """Tokens of the prompt, the text and all markers, uncut."""
        tokenizer = self._model.tokenizer
        if isinstance(tokenizer, Tokenizer):
            return len(tokenizer.encode(self._prompt + text).ids)
        return len(tokenizer(self._prompt + text, truncation=False, verbose=False)["input_ids"])

    def _probe_pictures(self) -> int:
        """The side of the pictures the model takes; 0 for none, or none of one fixed shape."""
        if not self._model.supports("image"):
            return 0
        probes = [Image.new("RGB", (64, 48)), Image.new("RGB", (30, 90))]
        features = [self._model.preprocess([probe]) for probe in probes]
        if any("pixel_values" not in feature for feature in features):
            return 0
        shapes = {tuple(feature["pixel_values"].shape) for feature in features}
        shape = shapes.pop()
        return int(max(shape[2:])) if not shapes and len(shape) == 4 else 0

    def _require_pictures(self) -> None:
        if not self._side:
            raise UnsupportedMediaError(
                f"the model {self._shown} takes texts only; models that take pictures: 'mini',"
                " openclip:ViT-B-32, sentence:clip-ViT-B-32"
            )


def _limit(model: SentenceTransformer) -> int:
    """How many tokens the model reads, markers counted: what it says, and no more than it can."""
    said = model.max_seq_length or math.inf
    config = getattr(model.config, "text_config", model.config)
    can = getattr(config, "max_position_embeddings", None) or math.inf
    limit = min(said, can)
    return LONGEST if math.isinf(limit) else int(limit)


def _open(name: str, shown: str) -> SentenceTransformer:
    """The model, ready to embed.

    Raises:
        ModelUnavailableError: with what was tried and what to do.
    """
    is_local = Path(name).is_absolute()
    if is_local and place_of(name) is None:
        raise ModelUnavailableError(f"{shown}: there is no folder {name}")
    if is_local:
        _require_no_code(Path(name), shown)
    try:
        with nullcontext() if is_local else one_try():
            model = SentenceTransformer(
                name, device="cpu", local_files_only=is_local, trust_remote_code=False
            )
    except FOREIGN_LOADING_ERRORS as error:
        advice = (
            "check that the folder is complete and was saved by sentence-transformers"
            if is_local
            else "run once with access to the model hub, or name a folder: sentence:PATH"
        )
        raise ModelUnavailableError(
            f"{shown} cannot be loaded: tried {'the folder' if is_local else 'cache and hub'}"
            f" ({plain(error)}); {advice}"
        ) from error
    return model.eval().float()


def _require_no_code(folder: Path, shown: str) -> None:
    """Refuse a folder whose parts are not the library's own: older versions of it import them.

    Raises:
        ModelUnavailableError: there is such a part.
    """
    try:
        listed = json.loads((folder / "modules.json").read_bytes())
        kinds = [str(part["type"]) for part in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return  # the library itself says what is wrong
    foreign = [kind for kind in kinds if not kind.startswith("sentence_transformers.")]
    if foreign:
        raise ModelUnavailableError(
            f"{shown} would run code of its own ({foreign[0]}), which is never done; take a model"
            " of sentence-transformers' own parts"
        )
