"""The two towers of `mini` as ONNX graphs: MiniLM for texts, MobileNetV2 with a head for pictures.

Knows the names of their weights and nothing about files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from scripts.training.backbone import STAGES
from scripts.training.graph import Graph

Weights = Mapping[str, NDArray[np.float32]]

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
    """`pixels` `(n, size, size, 3)` uint8 to `vectors` `(n, dim)`, unit rows."""
    graph = Graph()
    pixels = graph.op("Cast", "pixels", to=TensorProto.FLOAT)
    pixels = graph.op("Sub", graph.op("Div", pixels, graph.constant(127.5)), graph.constant(1.0))
    pixels = graph.op("Transpose", pixels, perm=[0, 3, 1, 2])
    features = _backbone(graph, weights, pixels)
    features = graph.layer_norm(
        features, weights["norm.weight"], weights["norm.bias"], EPSILON_TORCH
    )
    straight = graph.linear(features, weights["straight.weight"], weights["straight.bias"])
    bent = graph.op(
        "Gelu", graph.linear(features, weights["bent.0.weight"], weights["bent.0.bias"])
    )
    bent = graph.linear(bent, weights["bent.3.weight"], weights["bent.3.bias"])
    rows = graph.unit(graph.op("Add", straight, bent))
    shape = (TensorProto.UINT8, ("n", size, size, 3))
    return graph.finish(rows, len(weights["straight.bias"]), {"pixels": shape})


def _backbone(graph: Graph, weights: Weights, pixels: str) -> str:
    """The layers of `backbone.MobileNetV2`, in its order and under its names."""
    pixels = _convolution(graph, weights, "backbone.features.0.0", pixels, stride=2)
    block, channels = 1, 32
    for expansion, outputs, repeats, first in STAGES:
        for repeat in range(repeats):
            stride = first if repeat == 0 else 1
            name = f"backbone.features.{block}.conv."
            inner, part = pixels, 0
            if expansion != 1:
                inner = _convolution(graph, weights, f"{name}{part}.0", inner)
                part += 1
            inner = _convolution(graph, weights, f"{name}{part}.0", inner, stride=stride)
            inner = _convolution(graph, weights, f"{name}{part + 1}", inner, is_linear=True)
            has_shortcut = stride == 1 and channels == outputs
            pixels = graph.op("Add", pixels, inner) if has_shortcut else inner
            block, channels = block + 1, outputs
    pixels = _convolution(graph, weights, f"backbone.features.{block}.0", pixels)
    return graph.op("ReduceMean", pixels, graph.constant([2, 3]), keepdims=0)


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
    is_depthwise = weight.shape[1] == 1
    edge = weight.shape[2] // 2
    mapped = graph.op(
        "Conv",
        pixels,
        graph.half(weight),
        graph.constant(weights[name + ".bias"]),
        strides=[stride, stride],
        pads=[0, 0, 1, 1] if stride == 2 else [edge] * 4,
        group=len(weight) if is_depthwise else 1,
    )
    if is_linear:
        return mapped
    return graph.op("Clip", mapped, graph.constant(0.0), graph.constant(6.0))
