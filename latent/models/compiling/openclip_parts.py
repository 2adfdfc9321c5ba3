"""The parts of an open_clip model.

Knows open_clip's preprocessing and tokenizers, and nothing about ONNX.
"""

from __future__ import annotations

import json
from typing import Any

import open_clip
import torch
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors

from latent.errors import InputError
from latent.models.artifact import ImageInput, TextInput
from latent.models.cleaning import Cleaning
from latent.models.compiling.parts import ImagePart, Normalised, Parts, TextPart
from latent.models.compiling.plainer import is_usual
from latent.models.openclip import OpenClipEmbedder
from latent.models.openclip_texts import ShortTextTower
from latent.models.pictures import LONGEST_ASPECT

FITS = {"shortest": "shortest", "squash": "squash", "longest": "pad"}
"""open_clip's `resize_mode`, and what it is called in a manifest."""


class _Pictures(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = self.model.encode_image(pixels, normalize=True)
        return rows


def parts_of(embedder: OpenClipEmbedder) -> Parts:
    """Both towers.

    Raises:
        InputError: something about the model has no place in an artifact.
    """
    return Parts(_image_part(embedder), _text_part(embedder))


def _image_part(embedder: OpenClipEmbedder) -> ImagePart:
    how = dict(embedder.model.visual.preprocess_cfg)
    size = how["size"]
    sides = {size} if isinstance(size, int) else {int(side) for side in size}
    if len(sides) != 1:
        raise InputError(f"{embedder.space.model} wants pictures of {size}, which is no square")
    wanted = ImageInput.model_validate(
        {
            "size": sides.pop(),
            "fit": FITS[how["resize_mode"]],
            "resample": "bilinear" if how["interpolation"] == "bilinear" else "bicubic",
            "fill": how["fill_color"],
            "longest_aspect": LONGEST_ASPECT,
        }
    )
    module = Normalised(_Pictures(embedder.model), how["mean"], how["std"])
    return ImagePart(module, wanted, _blocks_of(embedder.model.visual))


def _blocks_of(tower: Any) -> torch.nn.ModuleList | None:
    """The blocks of a vision transformer that reads the first token of the last alone."""
    if type(tower) is not VisionTransformer or tower.pool_type != "tok" or tower.output_tokens:
        return None
    blocks: torch.nn.ModuleList = tower.transformer.resblocks
    last: Any = blocks[-1]
    is_plain = type(last) is ResidualAttentionBlock and not hasattr(last, "ln_1_kv")
    is_plain = is_plain and is_usual(last.attn) and last.attn.in_proj_bias is not None
    return blocks if is_plain and tower.attn_pool is None else None


def _text_part(embedder: OpenClipEmbedder) -> TextPart:
    tokenizer, tower = embedder.tokenizer, embedder.text_tower
    is_short = isinstance(tower, ShortTextTower)
    if isinstance(tokenizer, open_clip.SimpleTokenizer):
        text, clean, pad = byte_pairs(tokenizer), _clean_of(tokenizer.clean_fn), 0
    else:
        text, clean, pad = _of_transformers(embedder)
    hugging = getattr(embedder.model, "text", None)
    reads_padding = not is_short and not isinstance(hugging, open_clip.hf_model.HFTextEncoder)
    wanted = TextInput(
        max_tokens=embedder.max_tokens,
        clean=clean,
        pad=pad,
        pad_to=int(tokenizer.context_length) if reads_padding else None,
    )
    return TextPart(tower, wanted, text, wants_mask=False)


def byte_pairs(tokenizer: open_clip.SimpleTokenizer) -> str:
    """CLIP's own tokenizer, as the tokenizers library writes one; it takes cleaned texts.

    Both find the same tokens, but for letters of scripts that one library's tables know and the
    other's do not yet.
    """
    made = Tokenizer(
        models.BPE(
            vocab=dict(tokenizer.encoder),
            merges=sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__),
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
        )
    )
    # The words of open_clip.SimpleTokenizer.pat: endings behind an apostrophe, letters in a row,
    # digits one by one, anything else in a row.
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    begin, end = (tokenizer.decoder[number] for number in tokenizer.all_special_ids[:2])
    made.add_special_tokens(
        [AddedToken(begin, normalized=False), AddedToken(end, normalized=False)]
    )
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(begin, tokenizer.sot_token_id), (end, tokenizer.eot_token_id)],
    )
    return str(made.to_str())


def _of_transformers(embedder: OpenClipEmbedder) -> tuple[str, Cleaning, int]:
    """The tokenizer of the transformers library inside open_clip's; its cleaning; its padding."""
    wrapper = embedder.tokenizer
    inner = wrapper.tokenizer
    backend = getattr(inner, "backend_tokenizer", None)
    mode: str = vars(wrapper).get("tokenizer_mode", "")
    if backend is None or mode:
        raise InputError(
            f"{embedder.space.model} has a tokenizer that cannot be compiled:"
            f" {mode or type(inner).__name__}"
        )
    content = json.loads(backend.to_str())
    content["padding"] = content["truncation"] = None
    pad = int(inner.pad_token_id or 0)
    if getattr(wrapper, "strip_sep_token", False):
        # open_clip puts 0 where the separator stood, and the padding of these models is 0 as well.
        begin = (inner.cls_token, inner.cls_token_id)
        made = Tokenizer.from_str(json.dumps(content))
        made.post_processor = processors.TemplateProcessing(
            single=f"{begin[0]} $A", special_tokens=[begin]
        )
        content, pad = json.loads(made.to_str()), 0
    how: Cleaning = (
        "canonicalize"
        if isinstance(wrapper, open_clip.tokenizer.SigLipTokenizer)
        else _clean_of(wrapper.clean_fn)
    )
    return json.dumps(content, ensure_ascii=False), how, pad


def _clean_of(clean: Any) -> Cleaning:
    """What open_clip's function for cleaning does, tried on a text."""
    ways: dict[str, Cleaning] = {
        "A_ b!": "whitespace",
        "a_ b!": "lower",
        "a b": "canonicalize",
    }
    return ways[clean(" A_  b! ")]
