"""Torch modules become ONNX graphs in one file each.

Knows torch's exporter, and nothing about models.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from latent.errors import ModelUnavailableError
from latent.models.compiling.parts import ImagePart, TextPart
from latent.models.compiling.plainer import plainer
from latent.models.torch_weights import FOREIGN_LOADING_ERRORS, plain

OPSET = 20  # the first with an operator for GELU; what ONNX Runtime 1.20 knows
LARGEST = 2_000_000_000
"""Bytes; the format of ONNX files ends at 2 GiB, and weights in files beside are not supported."""


def image_graph(part: ImagePart) -> bytes:
    """`pixels (n, size, size, 3) uint8` to `vectors`.

    Raises:
        ModelUnavailableError: torch cannot export it, or it is too large.
    """
    side = part.wanted.size
    pixels = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    inputs, axes = {"pixels": pixels}, {"pixels": {0: "n"}}
    return _exported(part.module, inputs, axes, of="image", blocks=part.blocks)


def text_graph(part: TextPart) -> bytes:
    """`ids (n, tokens) int64`, and `mask` if it is wanted, to `vectors`.

    Raises:
        ModelUnavailableError: torch cannot export it, or it is too large.
    """
    wanted = part.wanted
    length = wanted.pad_to or min(7, wanted.max_tokens)
    ids = torch.full((2, length), wanted.pad, dtype=torch.int64)
    # Two real tokens that differ, so that no tower finds its text empty.
    ids[:, 0], ids[:, 1] = 1, 2
    axes = {0: "n"} if wanted.pad_to else {0: "n", 1: "t"}
    inputs = {"ids": ids, "mask": torch.ones_like(ids)} if part.wants_mask else {"ids": ids}
    return _exported(part.module, inputs, {name: dict(axes) for name in inputs}, of="text")


def _exported(
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    axes: Mapping[str, dict[int, str]],
    *,
    of: str,
    blocks: torch.nn.ModuleList | None = None,
) -> bytes:
    free = {name: dict.fromkeys(some, torch.export.Dim.DYNAMIC) for name, some in axes.items()}
    try:
        with _quiet(), torch.no_grad(), plainer(module, blocks=blocks):
            program = torch.onnx.export(
                module.eval(),
                tuple(inputs.values()),
                dynamo=True,
                input_names=list(inputs),
                output_names=["vectors"],
                dynamic_shapes=tuple(free.values()),
                opset_version=OPSET,
                verbose=False,
            )
    except (*FOREIGN_LOADING_ERRORS, torch.onnx.errors.OnnxExporterError) as error:
        raise ModelUnavailableError(
            f"the {of} tower cannot be compiled: torch does not export it"
            f" ({plain(error.__cause__ or error)})"
        ) from error
    assert program is not None
    return _serialised(program, axes, of)


def _serialised(
    program: torch.onnx.ONNXProgram, axes: Mapping[str, dict[int, str]], of: str
) -> bytes:
    size = sum(
        value.const_value.nbytes
        for value in program.model.graph.initializers.values()
        if value.const_value is not None
    )
    if size > LARGEST:
        raise ModelUnavailableError(
            f"the {of} tower has {size / 1e9:.1f} GB of weights; an ONNX file holds 2 GB, and"
            " several files for one tower are not supported"
        )
    proto = program.model_proto
    for put in proto.graph.input:  # names for people; the exporter numbers the axes
        for axis, name in axes[put.name].items():
            put.type.tensor_type.shape.dim[axis].dim_param = name
    # What the exporter notes of each node is of no use later, and names files of this machine.
    del proto.metadata_props[:], proto.graph.metadata_props[:]
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        del value.metadata_props[:]
    return bytes(proto.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns and logs about things that nobody here can change."""
    was = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(was)
