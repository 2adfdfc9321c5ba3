"""Graphs in float32 become graphs that multiply in 8 bits.

Each product with fixed weights is done in integers. Weights get one scale a column; activations get
one scale a row, when they are run, so that a row depends on nothing beside it in the batch: one
scale for a whole run, as ONNX Runtime's own quantiser has it, would break that promise, and is less
exact. Before, each channel's size is shared out between activations and weights by the square
root (SmoothQuant, arXiv 2211.10438), for which a few things are run through the graph. Weights are
kept as small as a processor without VNNI needs them to be, so that a graph lands at the same places
everywhere. Knows ONNX and nothing about models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Feed = Mapping[str, NDArray[np.generic]]

CONTRIB = "com.microsoft"
MIDDLE = 128  # the unsigned number that stands for zero
LARGE_TABLE = 1_000_000
"""Values; larger tables of token embeddings are stored in 16 bits."""

Floats = NDArray[np.float32]


def in_8_bits(graph: bytes, examples: Iterable[Feed]) -> bytes:
    """The same graph with its matrix products in 8 bits; `examples` show how large values get."""
    model = onnx.load_model_from_string(graph)
    quantiser = _Quantiser(model)
    quantiser.smooth(_largest(model, quantiser.activations(), examples))
    quantiser.rewrite()
    model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    return bytes(model.SerializeToString())


def _largest(
    model: onnx.ModelProto, names: Sequence[str], examples: Iterable[Feed]
) -> dict[str, Floats]:
    """The largest magnitude each channel of these values reaches."""
    if not names:
        return {}
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        opened.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    takes = [one.name for one in session.get_inputs()]
    largest: dict[str, Floats] = {}
    for example in examples:
        values = session.run(list(names), {name: example[name] for name in takes})
        for name, value in zip(names, values, strict=True):
            here = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, np.float32(0)), here)
    return largest


class _Quantiser:
    """Rewrites one graph in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._before = list(model.graph.node)
        self._weights = {one.name: one for one in model.graph.initializer}
        self._nodes: list[onnx.NodeProto] = []
        self._rows: dict[str, tuple[str, str]] = {}
        self._products = [node for node in self._before if self._is_product(node)]
        self._constant("q_middle", np.uint8(MIDDLE))
        self._constant("q_zero", np.int8(0))
        self._constant("q_step", np.float32(1 / 127))
        self._constant("q_last", np.array([-1], np.int64))

    def activations(self) -> list[str]:
        """What is multiplied with weights."""
        return list(dict.fromkeys(node.input[0] for node in self._products))

    def smooth(self, largest: Mapping[str, Floats]) -> None:
        """Divide each channel of an activation by what its weights are multiplied with."""
        for name in largest:
            products = [node for node in self._products if node.input[0] == name]
            matrices = [self._matrix(node) for node in products]
            weights = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
            share = np.sqrt(np.maximum(largest[name], 1e-5) / np.maximum(weights, 1e-5))
            for node, matrix in zip(products, matrices, strict=True):
                self._replace(node, (matrix * share[:, None]).astype(np.float32))
            self._divide(name, products, (1 / share).astype(np.float32))

    def rewrite(self) -> None:
        """Put the products in integers."""
        products = {id(node) for node in self._products}
        for node in self._before:
            if id(node) in products:
                self._multiply(node)
            elif node.op_type == "Gather" and self._is_large_table(node.input[0]):
                self._look_up(node)
            else:
                self._nodes.append(node)
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        self._drop_unused()

    def _is_product(self, node: onnx.NodeProto) -> bool:
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in self._weights:
            return False
        usual = {"transA": 0, "alpha": 1.0, "beta": 1.0}
        if any(_attributes(node).get(name, value) != value for name, value in usual.items()):
            return False
        return len(self._weights[node.input[1]].dims) == 2

    def _is_large_table(self, name: str) -> bool:
        table = self._weights.get(name)
        if table is None or table.data_type != onnx.TensorProto.FLOAT:
            return False
        readers = [node for node in self._before if name in node.input]
        return len(readers) == 1 and int(np.prod(table.dims)) > LARGE_TABLE

    def _matrix(self, node: onnx.NodeProto) -> Floats:
        """The weights of a product, `(in, out)`."""
        matrix: Floats = numpy_helper.to_array(self._weights[node.input[1]])
        return matrix.T if _attributes(node).get("transB") else matrix

    def _replace(self, node: onnx.NodeProto, matrix: Floats) -> None:
        """Give a product weights of its own, `(in, out)`."""
        node.input[1] = self._constant(f"{node.output[0]}_weights", np.ascontiguousarray(matrix))
        if node.op_type == "Gemm":
            del node.attribute[:]

    def _divide(self, name: str, products: Sequence[onnx.NodeProto], factor: Floats) -> None:
        """Multiply an activation by `factor`: in the layer norm before it, or by a new node."""
        readers = [node for node in self._before if name in node.input]
        maker = next((node for node in self._before if name in node.output), None)
        is_output = any(name == one.name for one in self._graph.output)
        if (
            maker is not None
            and maker.op_type == "LayerNormalization"
            and len(readers) == len(products)
            and not is_output
            and all(one in self._weights for one in maker.input[1:])
        ):
            for place, old in list(enumerate(maker.input))[1:]:
                scaled = numpy_helper.to_array(self._weights[old]) * factor
                maker.input[place] = self._constant(f"{name}_smooth_{place}", scaled)
            return
        scale = self._constant(f"{name}_smooth", factor)
        divided = f"{name}_divided"
        place = next(n for n, one in enumerate(self._before) if one is products[0])
        self._before.insert(place, helper.make_node("Mul", [name, scale], [divided]))
        for product in products:
            product.input[0] = divided

    def _multiply(self, node: onnx.NodeProto) -> None:
        matrix, out = self._matrix(node), node.output[0]
        scale = np.maximum(_most_together(matrix), 1e-12) / 127
        whole = np.ascontiguousarray(np.round(matrix / scale).astype(np.int8))
        rows, row_scale = self._in_rows(node.input[0])
        self._add(
            "MatMulIntegerToFloat",
            [
                rows,
                self._constant(f"{out}_int8", whole),
                "q_step",
                self._constant(f"{out}_scale", scale.astype(np.float32)),
                "q_middle",
                "q_zero",
            ],
            f"{out}_product",
            domain=CONTRIB,
        )
        bias = node.input[2] if len(node.input) > 2 else None
        self._add("Mul", [f"{out}_product", row_scale], f"{out}_scaled" if bias else out)
        if bias:
            self._add("Add", [f"{out}_scaled", bias], out)

    def _in_rows(self, name: str) -> tuple[str, str]:
        """An activation in 8 bits, and the largest of each row; made once for all that read it.

        A row of zeros becomes 0 / 0 and then any whole number, which the row's largest makes 0.
        """
        if name not in self._rows:
            size = self._add("Abs", [name], f"{name}_size")
            most = self._add("ReduceMax", [size, "q_last"], f"{name}_most", keepdims=1)
            even = self._add("Div", [name, most], f"{name}_even")
            whole = self._add("QuantizeLinear", [even, "q_step", "q_middle"], f"{name}_uint8")
            self._rows[name] = (whole, most)
        return self._rows[name]

    def _look_up(self, node: onnx.NodeProto) -> None:
        """A table of embeddings in 16 bits; what is looked up goes on in 32."""
        table = numpy_helper.to_array(self._weights[node.input[0]]).astype(np.float16)
        out = node.output[0]
        node.input[0] = self._constant(f"{out}_table", table)
        node.output[0] = f"{out}_half"
        self._nodes.append(node)
        self._add("Cast", [f"{out}_half"], out, to=onnx.TensorProto.FLOAT)

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        self._weights[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _drop_unused(self) -> None:
        used = {name for node in self._graph.node for name in node.input}
        kept = [one for name, one in self._weights.items() if name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)


def _most_together(matrix: Floats) -> Floats:
    """The largest magnitude of each column `(out,)`: of one weight, or of two neighbours' sum.

    Processors without VNNI (`vpmaddubsw`) add the products of two neighbours in 16 bits and cut off
    what is larger. An activation is at most 255; two weights that together are at most 128 (127,
    and 1 by rounding) stay below. Those of unlike signs never add up.
    """
    even = np.concatenate([matrix, np.zeros((len(matrix) % 2, matrix.shape[1]), np.float32)])
    first, second = even[0::2], even[1::2]
    sizes = [np.abs(some).max(axis=0) for some in (first, second, first + second)]
    most: Floats = np.max(sizes, axis=0)
    return most


def _attributes(node: onnx.NodeProto) -> dict[str, object]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
