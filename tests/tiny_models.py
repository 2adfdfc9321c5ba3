"""Tiny models that the tests make themselves and save as the real libraries save theirs.

Their weights are random: they keep every promise of form and know nothing of the world.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

WORDS = ("a", "green", "red", "thing", "dog", "dogs", "two", "runs", "word", "snow", "in", "the")


def save_open_clip(folder: Path) -> Path:
    """A CLIP of one layer each way, as open_clip saves a model for the hub."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    config = {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 24,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
        },
    }
    model = open_clip.CLIP(**config)
    folder.mkdir(parents=True)
    described = {
        "model_cfg": config,
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def save_open_clip_padded(folder: Path) -> Path:
    """One that attends to its padding, as SigLIP does, with a tokenizer of transformers."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    tokenizer = _word_pieces()
    config = {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 12,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "tiny",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 32,
            "heads": 2,
            "layers": 1,
            "no_causal_mask": True,
            "pool_type": "last",
        },
    }
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    described = {
        "model_cfg": {**config, "custom_text": True},
        "preprocess_cfg": {
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "interpolation": "bilinear",
            "resize_mode": "squash",
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    model = open_clip.model.CustomTextCLIP(**config)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def save_open_clip_hugging(folder: Path) -> Path:
    """One whose text tower is a BERT of transformers, pooled by its mean, in a longest-side box."""
    import open_clip
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig

    torch.manual_seed(6)
    tokenizer = _word_pieces()
    base = folder / "base"
    BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    ).save_pretrained(base)
    config = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 24,
            "hf_model_name": str(base),
            "hf_tokenizer_name": "tiny",
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": "linear",
        },
    }
    tokenizer.save_pretrained(folder)
    described = {
        "model_cfg": config,
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "longest"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    text = {**config["text_cfg"], "hf_model_pretrained": False}  # type: ignore[dict-item]
    model = open_clip.model.CustomTextCLIP(**{**config, "text_cfg": text})
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def compile_tiny(source: str, folder: Path, precision: Literal["float32", "int8"]) -> Path:
    """A tiny model, compiled; it must hold."""
    from latent.models.compiling import compile_model
    from latent.settings import Settings

    report = compile_model(source, folder, settings=Settings(threads=1), precision=precision)
    assert report.kept == precision, report.failed
    return folder


def save_sentence_bert(folder: Path) -> Path:
    """A BERT of one layer with mean pooling, as sentence-transformers saves it."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(2)
    tokenizer = _word_pieces()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    base = folder / "base"
    BertModel(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    made = SentenceTransformer(
        modules=[Transformer(str(base), max_seq_length=32), Pooling(32)], device="cpu"
    )
    made.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def save_sentence_clip(folder: Path) -> Path:
    """A CLIP of one layer each way, as sentence-transformers saves it."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
    )

    torch.manual_seed(3)
    tokenizer = _word_pieces()
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    markers = {"bos_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    config = CLIPConfig(
        text_config={
            **tower,
            **markers,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 24,
            "projection_dim": 16,
        },
        vision_config={**tower, "image_size": 32, "patch_size": 16, "projection_dim": 16},
        projection_dim=16,
    )
    base = folder / "base"
    CLIPModel(config).save_pretrained(base)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(pictures, tokenizer).save_pretrained(base)
    made = SentenceTransformer(str(base), device="cpu", local_files_only=True)
    made.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def save_compiled(folder: Path, *, dim: int = 8) -> Path:
    """A compiled model: pictures by their mean colour, texts by the sum of a row for each token."""
    import numpy as np
    from onnx import TensorProto

    from latent.models.artifact import write_artifact
    from scripts.training.graph import Graph

    tokenizer = _word_pieces()
    chance = np.random.default_rng(4)
    table = chance.normal(size=(len(tokenizer), dim)).astype(np.float32)
    text = Graph()
    mask = text.op("Cast", "mask", to=TensorProto.FLOAT)
    kept = text.op(
        "Mul", text.look_up(table, "ids"), text.op("Unsqueeze", mask, text.constant([2]))
    )
    total = text.unit(text.op("ReduceSum", kept, text.constant([1]), keepdims=0))
    ids = (TensorProto.INT64, ("n", "t"))
    image = Graph()
    mean = image.op(
        "ReduceMean",
        image.op("Cast", "pixels", to=TensorProto.FLOAT),
        image.constant([1, 2]),
        keepdims=0,
    )
    spread = chance.normal(size=(3, dim)).astype(np.float32)
    lifted = image.op("Add", image.op("MatMul", mean, image.constant(spread)), image.constant(1.0))
    return write_artifact(
        folder,
        {
            "image.onnx": image.finish(
                image.unit(lifted), dim, {"pixels": (TensorProto.UINT8, ("n", 16, 16, 3))}
            ),
            "text.onnx": text.finish(total, dim, {"ids": ids, "mask": ids}),
            "tokenizer.json": tokenizer.backend_tokenizer.to_str().encode(),
        },
        {
            "name": "tiny",
            "dim": dim,
            "image": {"size": 16, "fit": "crop"},
            "text": {"max_tokens": 20},
            "card": {"about": "a tiny model of the tests"},
        },
    ).folder


def _word_pieces() -> Any:
    """BERT's tokenizer over a handful of words and all ASCII letters."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [chr(code) for code in range(33, 127)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *letters]
    pieces += [f"##{letter}" for letter in letters]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
