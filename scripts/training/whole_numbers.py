"""Convolutions in 8 bits, where that costs no quality: a third of their time.

The scales are fixed when it is made, from photos it is shown, so that a row still does not depend
on what else is in its batch. Knows nothing about training.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

AT_ONCE = 8


def in_whole_numbers(graph: bytes, pictures: NDArray[np.uint8]) -> bytes:
    """The same graph with its plain convolutions, and what lies between them, in 8 bits.

    Plain are those whose weights stand in the graph as they are; packed ones stay in float32.
    Weights have one scale a channel, activations one a layer: the least and the most that the
    pictures `(n, size, size, 3)` make of it (Jacob et al., arXiv 1712.05877).
    """
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(graph)
        quantize_static(
            str(before),
            str(after),
            _Shown(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Clip", "Add"],
            nodes_to_quantize=list(_between_convolutions(onnx.load_from_string(graph))),
        )
        return after.read_bytes()


def _between_convolutions(model: onnx.ModelProto) -> Iterator[str]:
    """Names of plain convolutions, of what cuts them off, and of the shortcuts past them."""
    constants = {constant.name for constant in model.graph.initializer}
    plain: set[str] = set()
    for node in model.graph.node:
        is_plain = node.op_type == "Conv" and node.input[1] in constants
        if is_plain:
            plain.add(node.output[0])
        if is_plain or (node.op_type in ("Clip", "Add") and plain & set(node.input)):
            yield node.name


class _Shown(CalibrationDataReader):  # type: ignore[misc]
    """Pictures, some at a time."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self._batches = iter(np.array_split(pictures, -(-len(pictures) // AT_ONCE)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}
