"""Any open_clip model, through open_clip itself.

Knows open_clip's names, checkpoints, transforms and tokenizers. Needs the extra `models`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from latent.errors import InputError, ModelUnavailableError
from latent.items import Vectors
from latent.models.cleaning import spans_of_words
from latent.models.devices import CPU, Arithmetic, Device, unit_rows
from latent.models.embedder import Prepared
from latent.models.hub import one_try
from latent.models.openclip_texts import ShortTextTower, WholeTextTower, text_tower
from latent.models.pictures import without_extremes
from latent.models.places import place_of
from latent.models.texts import require_whole, whole
from latent.models.torch_weights import FOREIGN_LOADING_ERRORS, fingerprint, plain, size_of
from latent.space import Space

PREFERRED = ("datacomp_xl", "datacomp_l_", "laion2b", "dfn", "webli", "openai")
"""Which weights ARCH alone means: the first tag that begins with one of these, else the first."""

PROBE = Image.linear_gradient("L").convert("RGB")

_MARKER = re.compile(r"<(start|end)_of_text>", re.IGNORECASE)


class OpenClipEmbedder:
    """An `Embedder` around one open_clip model; on the CPU in float32, elsewhere as it settles."""

    def __init__(self, name: str, *, threads: int, device: Device = CPU) -> None:
        """Load `ARCH[/PRETRAINED]`, a folder, a file with its config beside it, or `ARCH@FILE`.

        Raises:
            InputError: open_clip has no such architecture, or no such weights for it.
            ModelUnavailableError: the weights cannot be had, or do not fit.
        """
        torch.set_num_threads(threads)
        wanted = _understand(name)
        self._model, self._tokenizer = _open(wanted)
        _take_markers_for_letters(self._tokenizer)
        self._text = text_tower(self._model)
        preprocessing = dict(self._model.visual.preprocess_cfg)
        self._transform = image_transform_v2(PreprocessCfg(**preprocessing), is_train=False)
        self._side = int(np.max(preprocessing["size"]))
        self._lock = threading.Lock()
        self._max_tokens = int(self._tokenizer.context_length) - self._markers()
        weights = self._model.state_dict()
        self.size = size_of(weights)
        described = (
            f"{sorted(preprocessing.items())} {type(self._tokenizer).__name__} {self._max_tokens}"
        )
        space = f"openclip:{wanted.shown}"
        known_by = fingerprint(weights, described)
        self._model.to(device.name)
        self.arithmetic = Arithmetic(device)
        probe = torch.from_numpy(self.prepare(PROBE)[None])
        rows = self.arithmetic.settle(
            lambda: np.concatenate(
                [self._place(self._tokenizer(["a"]), of="text"), self._place(probe, of="image")]
            ),
            of=space,
        )
        self._space = Space(space, rows.shape[1], known_by)

    @property
    def model(self) -> Any:
        """open_clip's own model, in evaluation."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """open_clip's own tokenizer of the model."""
        return self._tokenizer

    @property
    def text_tower(self) -> ShortTextTower | WholeTextTower:
        """What places the tokens of texts."""
        return self._text

    @property
    def space(self) -> Space:
        return self._space

    @property
    def picture_side(self) -> int:
        return self._side

    @property
    def picture_patch(self) -> int:
        return patch_of(self._model.visual)

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """As many spans as tokens, or more: the tokens of a word share out its characters.

        open_clip's tokenizers clean a text before they read it and keep no offsets.
        """
        with self._lock:
            return spans_of_words(whole(text), self._count)

    def prepare(self, picture: Image.Image) -> Prepared:
        pixels: Prepared = self._transform(without_extremes(picture)).numpy()
        return pixels

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        rows = np.empty((len(pictures), self._space.dim), dtype=np.float32)
        batch = self.arithmetic.device.batch
        for start in range(0, len(pictures), batch):
            pixels = torch.from_numpy(np.stack(pictures[start : start + batch]))
            with self._lock:
                rows[start : start + batch] = self._place(pixels, of="image")
        return rows

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        require_whole(texts)
        rows = np.empty((len(texts), self._space.dim), dtype=np.float32)
        batch = self.arithmetic.device.batch
        with self._lock:
            for text in texts:
                self._check(text)
            for start in range(0, len(texts), batch):
                tokens = self._tokenizer(list(texts[start : start + batch]))
                rows[start : start + batch] = self._place(tokens, of="text")
        return rows

    def _place(self, batch: torch.Tensor, *, of: str) -> Vectors:
        here = self.arithmetic.here
        with self.arithmetic.running():
            if of == "text":
                placed = self._text(here(self._text.cut(batch)))
            else:
                placed = self._model.encode_image(here(batch), normalize=True)
            return unit_rows(placed)

    def _check(self, text: str) -> None:
        count = self._count(text)
        if count == 0:
            raise InputError("an empty text has no place in the space")
        if count > self._max_tokens:
            raise InputError(f"the text has {count} tokens; this model reads {self._max_tokens}")

    def _count(self, text: str) -> int:
        """How many tokens a text has, uncut and without markers."""
        tokenizer = self._tokenizer
        if isinstance(tokenizer, open_clip.SimpleTokenizer):
            return len(tokenizer.encode(text))
        if isinstance(tokenizer, open_clip.tokenizer.SigLipTokenizer):
            clean = open_clip.tokenizer.canonicalize_text(open_clip.tokenizer.basic_clean(text))
        else:
            clean = tokenizer.clean_fn(text)
        return len(tokenizer.tokenizer(clean, add_special_tokens=False).input_ids)

    def _markers(self) -> int:
        """How many tokens of the context are not the text's."""
        if isinstance(self._tokenizer, open_clip.SimpleTokenizer):
            return 2
        if getattr(self._tokenizer, "tokenizer_mode", "") == "clips":
            return 3
        return int(self._tokenizer.tokenizer.num_special_tokens_to_add(pair=False))


def _take_markers_for_letters(tokenizer: Any) -> None:
    """Let `<end_of_text>` in a text be a word, wherever cleaning may find it, and no marker."""
    if isinstance(tokenizer, open_clip.SimpleTokenizer):
        clean = tokenizer.clean_fn
        tokenizer.clean_fn = lambda text: _MARKER.sub(r"< \1_of_text >", clean(text))
    else:
        tokenizer.tokenizer.split_special_tokens = True


class _Wanted(NamedTuple):
    """What a name means: how it is shown, open_clip's model name, and weights (a tag or a file)."""

    shown: str
    model: str
    weights: str | None


def _understand(name: str) -> _Wanted:
    """What the part behind `openclip:` names.

    Raises:
        InputError: no such architecture or weights.
        ModelUnavailableError: no such file or folder.
    """
    if name.startswith("hf-hub:"):
        return _Wanted(name, name, None)
    architecture, at, file = name.partition("@")
    if at:
        path = _existing(file)
        return _Wanted(f"{_known(architecture)}@{path}", architecture, str(path))
    architecture, _, tag = name.partition("/")
    if architecture in open_clip.list_models():
        tag = chosen_tag(architecture, tag)
        return _Wanted(f"{architecture}/{tag}", architecture, tag)
    if not name.startswith(("/", ".", "~")) and place_of(name) is None:
        _known(architecture)
    path = _existing(name)
    folder = path if path.is_dir() else path.parent
    if not (folder / "open_clip_config.json").is_file():
        raise ModelUnavailableError(
            f"{path}: no open_clip_config.json says which architecture the weights are for;"
            " name it: openclip:ARCH@FILE, as in openclip:ViT-B-32@/models/mine.safetensors"
        )
    return _Wanted(str(path), f"local-dir:{folder}", None if path.is_dir() else str(path))


def _existing(name: str) -> Path:
    path = place_of(name)
    if path is None:
        raise ModelUnavailableError(f"openclip: there is no file or folder {name}")
    return path


def _known(architecture: str) -> str:
    if architecture not in open_clip.list_models():
        raise InputError(
            f"open_clip knows no architecture {architecture!r}; it knows ViT-B-32, ViT-L-14 and"
            f" {len(open_clip.list_models()) - 2} more (open_clip.list_models())"
        )
    return architecture


def chosen_tag(architecture: str, tag: str) -> str:
    """The weights meant by `tag`, or by none.

    Raises:
        InputError: there are no such weights.
    """
    tags: list[str] = open_clip.list_pretrained_tags_by_model(architecture)
    if not tags:
        raise InputError(
            f"open_clip has no weights for {architecture}; bring yours:"
            f" openclip:{architecture}@FILE"
        )
    if tag and not open_clip.get_pretrained_cfg(architecture, tag):
        raise InputError(f"{architecture} has no weights {tag!r}; it has: {', '.join(tags)}")
    preferred = (known for start in PREFERRED for known in tags if known.startswith(start))
    return tag or next(preferred, tags[0])


def _open(wanted: _Wanted) -> tuple[Any, Any]:
    """The model, ready to embed, and its tokenizer.

    Raises:
        ModelUnavailableError: with what was tried and what to do.
    """
    is_local = wanted.model.startswith("local-dir:")
    has_own_file = is_local and wanted.weights is not None
    known = open_clip.get_pretrained_cfg(wanted.model, wanted.weights or "")
    try:
        with one_try():
            model = open_clip.create_model(
                wanted.model,
                None if is_local else wanted.weights,
                load_weights=not has_own_file,
                require_pretrained=not has_own_file,
                # The tag says how its weights were trained; open_clip itself only warns.
                force_quick_gelu=bool(known and known.get("quick_gelu")),
                pretrained_text=False,
            )
            if has_own_file:
                open_clip.load_checkpoint(model, wanted.weights)
            tokenizer = open_clip.get_tokenizer(wanted.model)
    except FOREIGN_LOADING_ERRORS as error:
        tried = ""
        if is_local:
            advice = "check that the folder is complete and was saved by open_clip"
        elif "@" in wanted.shown:
            advice = f"is {wanted.weights} whole, and are its weights those of {wanted.model}?"
        else:
            tried = "tried open_clip's cache and the weights' origin "
            advice = "run once with access to the model hub, or name local weights: openclip:PATH"
        raise ModelUnavailableError(
            f"openclip:{wanted.shown} cannot be loaded: {tried}({plain(error)}); {advice}"
        ) from error
    return model.eval(), tokenizer


def patch_of(visual: Any) -> int:
    """The side of the patches that a vision transformer, its own or timm's, cuts a picture into."""
    trunk = getattr(visual, "trunk", visual)
    size = getattr(getattr(trunk, "patch_embed", trunk), "patch_size", 0)
    return int(size[0] if isinstance(size, Sequence) else size)
