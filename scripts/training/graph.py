"""Writes ONNX graphs by hand: one call for an operator, one for a constant.

By hand rather than traced, so that the graph is as small as its drawing: weights are int8 or
float16 in the file and float32 at work, which keeps a row the same whatever else is in the batch
(int8 arithmetic with one scale a batch does not). Knows nothing about any particular model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
IR_VERSION = 10
BLOCK = 64
"""Weights of one output channel that share a scale."""


class Graph:
    """An ONNX graph that grows by one operator at a time."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic] | float | Sequence[int]) -> str:
        """Keep a constant; floats become float32, whole numbers int64."""
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Apply a standard operator; gives the name of its output."""
        output = f"{kind}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def half(self, weight: NDArray[np.float32]) -> str:
        """A constant that is float16 in the file."""
        return self.op("Cast", self.constant(weight.astype(np.float16)), to=TensorProto.FLOAT)

    def packed(self, weight: NDArray[np.float32]) -> str:
        """A constant `(out, …)` that is int8 in the file, with a scale for each `BLOCK` of inputs.

        It is unpacked by plain operators, which ONNX Runtime folds into one float32 constant when
        it loads. A DequantizeLinear it would keep: unpacked at every call, or fused into int8
        arithmetic that differs from processor to processor.
        """
        rows = weight.reshape(len(weight), -1)
        width = BLOCK if rows.shape[1] % BLOCK == 0 else rows.shape[1]
        blocks = rows.reshape(len(rows), -1, width)
        scales = np.maximum(np.abs(blocks).max(2, keepdims=True) / 127, 1e-12)
        whole = self.constant(np.round(blocks / scales).astype(np.int8))
        unpacked = self.op("Cast", whole, to=TensorProto.FLOAT)
        unpacked = self.op("Mul", unpacked, self.constant(scales))
        return self.op("Reshape", unpacked, self.constant(list(weight.shape)))

    def linear(self, rows: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """`rows @ weight.T + bias`; the weight `(out, in)` is packed."""
        matrix = self.op("Transpose", self.packed(weight), perm=[1, 0])
        return self.op("Add", self.op("MatMul", rows, matrix), self.constant(bias))

    def look_up(self, table: NDArray[np.float32], ids: str) -> str:
        """Rows of an int8 table `(n, dim)`, one scale a row; only those asked for are unpacked."""
        scales = np.maximum(np.abs(table).max(1, keepdims=True) / 127, 1e-12)
        whole = np.round(table / scales).astype(np.int8)
        rows = self.op("Gather", self.constant(whole), ids)
        unpacked = self.op("Cast", rows, to=TensorProto.FLOAT)
        return self.op("Mul", unpacked, self.op("Gather", self.constant(scales), ids))

    def layer_norm(
        self, rows: str, weight: NDArray[np.float32], bias: NDArray[np.float32], epsilon: float
    ) -> str:
        """Normalise the last axis."""
        return self.op(
            "LayerNormalization",
            rows,
            self.constant(weight),
            self.constant(bias),
            axis=-1,
            epsilon=epsilon,
        )

    def unit(self, rows: str) -> str:
        """Rows of length 1."""
        length = self.op("ReduceL2", rows, self.constant([1]), keepdims=1)
        return self.op("Div", rows, length)

    def finish(
        self, vectors: str, dim: int, inputs: dict[str, tuple[int, Sequence[str | int]]]
    ) -> bytes:
        """The checked model as bytes: named inputs (type, shape), and `vectors` `(n, dim)`."""
        self._nodes.append(helper.make_node("Identity", [vectors], ["vectors"]))
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "tower",
                [helper.make_tensor_value_info(n, *described) for n, described in inputs.items()],
                [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", dim])],
                self._constants,
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="nearfield",
        )
        onnx.checker.check_model(model, full_check=True)
        packed: bytes = model.SerializeToString()
        return packed
