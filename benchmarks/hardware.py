"""The machine a bench runs on: what it is called, and the most it can multiply.

Knows nothing about models.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.rows import UnmeasuredError

if TYPE_CHECKING:
    import torch

SIDE = 2048  # of the matrices that are multiplied: large enough for every core to be busy
PEAKS = 4  # as many rounds as others have
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
    """Operations a second of a large float32 product, in torch or ONNX Runtime: what is more."""
    import torch

    torch.set_num_threads(threads)
    a, b = torch.rand(side, side), torch.rand(side, side)
    in_onnx = _product("MatMul", [a.numpy(), b.numpy()], threads)
    in_torch = 2 * side**3 / _least_seconds(lambda: torch.mm(a, b), rounds)
    return float(max(in_torch, 2 * side**3 / _least_seconds(in_onnx, rounds)))


def peak_on(device: str, kind: torch.dtype, *, rounds: int, side: int = 2 * SIDE) -> float:
    """Operations a second of a large product on a device, in one arithmetic of torch."""
    import torch

    a, b = (torch.rand(side, side, device=device).to(kind) for _ in range(2))
    least = _least_seconds(lambda: torch.mm(a, b).flatten()[0].item(), rounds)
    return float(2 * side**3 / least)


def peak_int8(threads: int, *, rounds: int, side: int = SIDE) -> float:
    """Operations a second of a large product of uint8 and int8 in ONNX Runtime."""
    chance = np.random.default_rng(1)
    given = [
        chance.integers(0, 255, (side, side), dtype=np.uint8),
        chance.integers(-128, 127, (side, side), dtype=np.int8),
    ]
    return 2 * side**3 / _least_seconds(_product("MatMulInteger", given, threads), rounds)


def _least_seconds(work: Callable[[], object], rounds: int) -> float:
    """Of some rounds, after one that does not count: a peak is the most there is."""
    work()
    took = []
    for _ in range(PEAKS * rounds):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def _product(
    operator: str, given: Sequence[NDArray[np.generic]], threads: int
) -> Callable[[], object]:
    """Runs one product of two square matrices in ONNX Runtime."""
    import onnx
    from onnx import helper

    names, shape = ("a", "b"), list(given[0].shape)
    kinds = [helper.np_dtype_to_tensor_dtype(one.dtype) for one in given]
    made = onnx.TensorProto.INT32 if operator == "MatMulInteger" else kinds[0]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["c"])],
        "product",
        [
            helper.make_tensor_value_info(name, kind, shape)
            for name, kind in zip(names, kinds, strict=True)
        ],
        [helper.make_tensor_value_info("c", made, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = dict(zip(names, given, strict=True))
    return lambda: session.run(None, feed)
