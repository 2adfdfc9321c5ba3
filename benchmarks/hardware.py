"""The machine a bench runs on: what it is called, and the most it can multiply.

Knows nothing about models.
"""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from benchmarks.rows import UnmeasuredError
from benchmarks.turns import in_turn

if TYPE_CHECKING:
    import torch

SIDE = 2048  # of the matrices that are multiplied: large enough for every core to be busy
KNOWN = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd", "i8mm")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def hardware() -> str:
    """Processor, what it knows that matters here, cores, memory, Python."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    said = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"^model name\s*: (.*)$", said, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.*)$", said, re.MULTILINE)
    known = [flag for flag in KNOWN if flags and flag in flags[1].split()]
    return (
        f"{name[1] if name else platform.processor() or platform.machine()} ({' '.join(known)}), "
        f"{cores()} cores, {pages / 2**30:.0f} GiB, Python {platform.python_version()}"
    )


def named(*packages: str) -> str:
    """Packages with their versions, as the other side of a ratio is named."""
    return ", ".join(f"{package} {_version(package)}" for package in packages)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise UnmeasuredError(f"{package} is not installed") from error


def peak_float32(threads: int, *, rounds: int, side: int = SIDE) -> float:
    """Operations a second of a large float32 product in torch."""
    import torch

    torch.set_num_threads(threads)
    a, b = torch.rand(side, side), torch.rand(side, side)
    took = in_turn({"product": lambda: torch.mm(a, b)}, rounds=rounds)
    return float(2 * side**3 / took["product"])


def peak_on(device: str, kind: torch.dtype, *, rounds: int, side: int = 2 * SIDE) -> float:
    """Operations a second of a large product on a device, in one arithmetic of torch."""
    import torch

    a, b = (torch.rand(side, side, device=device).to(kind) for _ in range(2))
    took = in_turn({"product": lambda: torch.mm(a, b).flatten()[0].item()}, rounds=rounds)
    return float(2 * side**3 / took["product"])


def peak_int8(threads: int, *, rounds: int, side: int = SIDE) -> float:
    """Operations a second of a large product of uint8 and int8 in ONNX Runtime."""
    import onnx
    from onnx import TensorProto, helper

    shape = [side, side]
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "product",
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, shape),
            helper.make_tensor_value_info("b", TensorProto.INT8, shape),
        ],
        [helper.make_tensor_value_info("c", TensorProto.INT32, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    chance = np.random.default_rng(1)
    given = {
        "a": chance.integers(0, 255, shape, dtype=np.uint8),
        "b": chance.integers(-128, 127, shape, dtype=np.int8),
    }
    took = in_turn({"product": lambda: session.run(None, given)}, rounds=rounds)
    return float(2 * side**3 / took["product"])
