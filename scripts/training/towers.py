"""The two towers of `mini` as ONNX graphs: MiniLM for texts, a forked MobileNetV2 for pictures.

Knows the names of their weights and nothing about files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from scripts.training.backbone import BLOCKS, SHARED
from scripts.training.graph import Graph
from scripts.training.sight import EMPHASIS, TEMPERATURE

Weights = Mapping[str, NDArray[np.float32]]

FIRST = ("early.0.", "early.1.")
HEADS = 12
LAYERS = 6
EPSILON_BERT = 1e-12
EPSILON_TORCH = 1e-5


def text_tower(weights: Weights, positions: int) -> bytes:
    """BERT with mean pooling: `ids`, `mask` `(n, t)` int64 to `vectors` `(n, dim)`, unit rows.

    Source: Devlin et al., arXiv 1810.04805; pooling as in Reimers and Gurevych, arXiv 1908.10084.
    """
    graph = Graph()
    mask = graph.op("Cast", "mask", to=TensorProto.FLOAT)
    hidden = _words_in_place(graph, weights, positions)
    hidden_from = graph.op("Unsqueeze", mask, graph.constant([1, 2]))
    unseen = graph.op("Mul", graph.op("Sub", hidden_from, graph.constant(1.0)), graph.constant(1e9))
    for number in range(LAYERS):
        hidden = _layer(graph, weights, f"encoder.layer.{number}.", hidden, unseen)
    kept = graph.op("Mul", hidden, graph.op("Unsqueeze", mask, graph.constant([2])))
    # The mean and the sum point the same way; only the direction is kept.
    total = graph.op("ReduceSum", kept, graph.constant([1]), keepdims=0)
    dim = weights["embeddings.word_embeddings.weight"].shape[1]
    shape = (TensorProto.INT64, ("n", "t"))
    return graph.finish(graph.unit(total), dim, {"ids": shape, "mask": shape})


def _words_in_place(graph: Graph, weights: Weights, positions: int) -> str:
    places = (
        weights["embeddings.position_embeddings.weight"][:positions]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    length = graph.op("Shape", "ids", start=1, end=2)
    zero = graph.constant([0])
    here = graph.op("Slice", graph.constant(places), zero, length, zero)
    words = graph.look_up(weights["embeddings.word_embeddings.weight"], "ids")
    return _normal(graph, weights, "embeddings.LayerNorm", graph.op("Add", words, here))


def _layer(graph: Graph, weights: Weights, name: str, hidden: str, unseen: str) -> str:
    """One transformer layer; `unseen` `(n, 1, 1, t)` is far below zero where there is no token."""
    width = len(weights[name + "output.dense.bias"])

    def heads(part: str, order: list[int]) -> str:
        rows = _linear(graph, weights, f"{name}attention.self.{part}", hidden)
        split = graph.op("Reshape", rows, graph.constant([0, 0, HEADS, width // HEADS]))
        return graph.op("Transpose", split, perm=order)

    scale = graph.constant((width // HEADS) ** -0.5)
    query = graph.op("Mul", heads("query", [0, 2, 1, 3]), scale)
    scores = graph.op("MatMul", query, heads("key", [0, 2, 3, 1]))
    shares = graph.op("Softmax", graph.op("Add", scores, unseen), axis=-1)
    seen = graph.op("MatMul", shares, heads("value", [0, 2, 1, 3]))
    joined = graph.op("Transpose", seen, perm=[0, 2, 1, 3])
    joined = graph.op("Reshape", joined, graph.constant([0, 0, width]))
    attended = _linear(graph, weights, name + "attention.output.dense", joined)
    hidden = _normal(
        graph, weights, name + "attention.output.LayerNorm", graph.op("Add", attended, hidden)
    )
    thought = graph.op("Gelu", _linear(graph, weights, name + "intermediate.dense", hidden))
    thought = _linear(graph, weights, name + "output.dense", thought)
    return _normal(graph, weights, name + "output.LayerNorm", graph.op("Add", thought, hidden))


def _linear(graph: Graph, weights: Weights, name: str, rows: str) -> str:
    return graph.linear(rows, weights[name + ".weight"], weights[name + ".bias"])


def _normal(graph: Graph, weights: Weights, name: str, rows: str) -> str:
    return graph.layer_norm(rows, weights[name + ".weight"], weights[name + ".bias"], EPSILON_BERT)


def image_tower(weights: Weights, size: int) -> bytes:
    """`pixels` `(n, size, size, 3)` uint8 to `vectors` `(n, dim)`, unit rows.

    The layers of `backbone.ImageTower`, in its order and under its names. The convolutions that
    were pretrained in 8 bits are left plain, for `whole_numbers`; those of the branches lose by
    it, and all lose by it in the first two blocks.
    """
    graph = Graph()
    pixels = graph.op("Cast", "pixels", to=TensorProto.FLOAT)
    pixels = graph.op("Sub", graph.op("Div", pixels, graph.constant(127.5)), graph.constant(1.0))
    pixels = graph.op("Transpose", pixels, perm=[0, 3, 1, 2])
    pixels = _convolution(graph, weights, "early.0.0", pixels, stride=2)
    seen = _blocks(graph, weights, "early.", pixels, range(1, SHARED))
    count = sum(name.endswith(".straight.bias") for name in weights)
    rows = [_branch(graph, weights, f"branches.{number}.", seen) for number in range(count)]
    described = graph.unit(graph.op("Sum", *rows))
    features, logits = _look(graph, weights, seen)
    named = graph.op(
        "MatMul", graph.op("Softmax", logits, axis=-1), graph.packed(weights["naming.names"])
    )
    weighted = graph.op("Mul", named, graph.constant(weights["weight"].astype(np.float32)))
    said = graph.op("Add", described, weighted)
    placed = _beside(graph, weights, said, _sight(graph, weights, features, logits))
    shape = (TensorProto.UINT8, ("n", size, size, 3))
    return graph.finish(placed, weights["naming.names"].shape[1], {"pixels": shape})


def _branch(graph: Graph, weights: Weights, name: str, seen: str) -> str:
    seen = _late(graph, weights, name, seen)
    whole = graph.op("ReduceMean", seen, graph.constant([2, 3]), keepdims=0)
    whole = _normal_torch(graph, weights, name + "norm", whole)
    said = _linear(graph, weights, name + "straight", whole)
    if name + "bent.0.weight" in weights:
        bent = graph.op("Gelu", _linear(graph, weights, name + "bent.0", whole))
        said = graph.op("Add", said, _linear(graph, weights, name + "bent.3", bent))
    if name + "pool.value" in weights:
        places = graph.op("Reshape", seen, graph.constant([0, 0, -1]))
        places = graph.op("Transpose", places, perm=[0, 2, 1])
        said = graph.op("Add", said, _attend(graph, weights, name + "pool.", places))
    return graph.unit(said)


def _attend(graph: Graph, weights: Weights, name: str, places: str) -> str:
    """`backbone.AttentionPool`."""
    places = _normal_torch(graph, weights, name + "norm", places)
    asked = _linear(graph, weights, name + "ask", places)
    attention = graph.op("Transpose", graph.op("Softmax", asked, axis=1), perm=[0, 2, 1])
    value = weights[name + "value"]
    heads, features, width = value.shape
    questions = len(weights[name + "ask.bias"]) // heads
    seen = graph.op("MatMul", attention, places)
    seen = graph.op("Reshape", seen, graph.constant([0, heads, questions, features]))
    answers = graph.op("MatMul", seen, graph.packed(value))
    answers = graph.op("Reshape", answers, graph.constant([0, heads * questions * width]))
    answers = _normal_torch(graph, weights, name + "norm_answers", answers)
    return _linear(graph, weights, name + "out.1", answers)


def _look(graph: Graph, weights: Weights, seen: str) -> tuple[str, str]:
    """`backbone.Naming.look`; the background, class 0, is left out."""
    seen = _late(graph, weights, "naming.", seen)
    features = graph.op("ReduceMean", seen, graph.constant([2, 3]), keepdims=0)
    weight, bias = weights["naming.classifier.weight"][1:], weights["naming.classifier.bias"][1:]
    return features, graph.linear(features, weight, bias)


def _sight(graph: Graph, weights: Weights, features: str, logits: str) -> str:
    """`sight.traits` and `sight.Sight`."""
    seen = graph.unit(graph.op("Sqrt", graph.op("Relu", features)))
    cooler = graph.op("Div", logits, graph.constant(TEMPERATURE))
    likely = graph.op("Sqrt", graph.op("Softmax", cooler, axis=-1))
    likely = graph.op("Mul", likely, graph.constant(EMPHASIS))
    found = graph.op("Concat", seen, likely, axis=1)
    found = graph.op("Sub", found, graph.constant(weights["sight.mean"]))
    axes = graph.half(weights["sight.axes"].T)
    return graph.unit(graph.op("MatMul", found, axes))


def _beside(graph: Graph, weights: Weights, said: str, seen: str) -> str:
    """`sight.Sight.beside`."""
    share, empty = float(weights["sight.share"]), weights["sight.empty"]
    onto, back = graph.half(empty.T), graph.half(empty)
    there = graph.op("MatMul", graph.op("MatMul", said, onto), back)
    said = graph.unit(graph.op("Sub", said, there))
    said = graph.op("Mul", said, graph.constant(math.sqrt(1 - share**2)))
    seen = graph.op("Mul", graph.op("MatMul", seen, back), graph.constant(share))
    return graph.unit(graph.op("Add", said, seen))


def _late(graph: Graph, weights: Weights, name: str, seen: str) -> str:
    last = len(BLOCKS) + 1
    seen = _blocks(graph, weights, name + "blocks.", seen, range(SHARED, last))
    return _convolution(graph, weights, f"{name}blocks.{last}.0", seen)


def _blocks(graph: Graph, weights: Weights, name: str, pixels: str, numbers: range) -> str:
    """Inverted residuals under their numbers in the backbone, where 0 is the stem."""
    for number in numbers:
        block = BLOCKS[number - 1]
        at = f"{name}{number}.conv."
        inner, part = pixels, 0
        if block.expansion != 1:
            inner = _convolution(graph, weights, f"{at}{part}.0", inner)
            part += 1
        inner = _convolution(graph, weights, f"{at}{part}.0", inner, stride=block.stride)
        inner = _convolution(graph, weights, f"{at}{part + 1}", inner, is_linear=True)
        pixels = graph.op("Add", pixels, inner) if block.has_shortcut else inner
    return pixels


def _normal_torch(graph: Graph, weights: Weights, name: str, rows: str) -> str:
    return graph.layer_norm(rows, weights[name + ".weight"], weights[name + ".bias"], EPSILON_TORCH)


def _convolution(
    graph: Graph,
    weights: Weights,
    name: str,
    pixels: str,
    *,
    stride: int = 1,
    is_linear: bool = False,
) -> str:
    """A convolution, and ReLU6 unless linear; one channel a group wherever the weights say so."""
    weight = weights[name + ".weight"]
    edge = weight.shape[2] // 2
    is_depthwise = weight.shape[1] == 1
    if name.startswith("branches.") and not is_depthwise:
        kept = graph.packed(weight)
    elif name.startswith(("branches.", *FIRST)):
        kept = graph.half(weight)
    else:
        kept = graph.constant(weight)
    mapped = graph.op(
        "Conv",
        pixels,
        kept,
        graph.constant(weights[name + ".bias"]),
        strides=[stride, stride],
        pads=[0, 0, 1, 1] if stride == 2 else [edge] * 4,
        group=len(weight) if is_depthwise else 1,
    )
    if is_linear:
        return mapped
    return graph.op("Clip", mapped, graph.constant(0.0), graph.constant(6.0))
