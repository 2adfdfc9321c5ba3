"""A graph that is ready to run: what it takes is checked, and its work is shared out to threads.

Knows ONNX Runtime, and nothing about pictures and texts. One run of a graph does not fill several
cores as well as several runs of one thread each do, so work in parts is done by as many callers of
one session as there are threads, and a little work, such as a short query, by one of them. Only a
single part with more to do is run on all threads at once, by a session that is opened for it: each
has the weights again, so it is made when such work comes a second time, and nobody waits for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from latent.errors import ModelUnavailableError
from latent.items import Vectors
from latent.memory import give_back
from latent.settings import Device

log = logging.getLogger(__name__)

T = TypeVar("T")

Feed: TypeAlias = Mapping[str, NDArray[np.generic]]
"""What one run takes, by the name of the input."""

LITTLE = 32
"""Values of an input, such as tokens, that are done sooner by one thread than by all: those would
wait for each other after every product. On all of four cores it is twice the processor's time."""

LARGEST_TWICE = 512_000_000
"""Bytes; of a larger graph there is only one session, since each holds the weights again."""

PROCESSOR, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
IN_8_BITS = b"MatMulInteger"
"""Products of a graph in 8 bits, by name. On CUDA there are none: they would go to and fro."""

_ERRORS: tuple[type[Exception], ...] = tuple(
    kind
    for kind in vars(ort.capi.onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)


class Once(Generic[T]):
    """Something made when it is first asked for, by one thread."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: T | None = None

    def get(self) -> T:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return self._made


class Aside(Generic[T]):
    """Something made on a thread once it was asked for twice. Until it is there, there is none."""

    def __init__(
        self, make: Callable[[], T], submit: Callable[[Callable[[], T]], Future[T]]
    ) -> None:
        """`submit` has a thread do the making."""
        self._make = make
        self._submit = submit
        self._lock = threading.Lock()
        self._is_wanted = False
        self._making: Future[T] | None = None

    def get(self) -> T | None:
        with self._lock:
            if self._is_wanted and self._making is None:
                self._making = self._submit(self._make)
            self._is_wanted = True
        return self._making.result() if self._making and self._making.done() else None

    def settle(self) -> None:
        """Wait for what is being made."""
        if self._making is not None:
            self._making.result()


class Tower:
    """A graph with the one output `vectors`; may be run from several threads at once."""

    def __init__(
        self,
        path: Path,
        read: Callable[[], bytes],
        *,
        dim: int,
        threads: int,
        device: Device = "cpu",
        is_exact: bool = False,
    ) -> None:
        """Open the graph.

        Args:
            path: for messages.
            read: gives the bytes of the graph.
            is_exact: multiply 8 bits without overflow, which costs time. Processors without VNNI
                add two products in 16 bits, where large sums are cut off.

        Raises:
            ModelUnavailableError: it is no graph, or gives no `(n, dim)` float32 `vectors`; or
                the device is not there.
        """
        content = read()
        self.path = path
        on = providers(device, content, ort.get_available_providers())
        is_only = threads == 1 or len(content) > LARGEST_TWICE or CUDA in on
        self._read, self._threads = read, threads
        self._open = partial(_session, path, on=on, is_exact=is_exact)
        self._first = self._open(content, threads if is_only else 1)
        gives = [(part.name, part.type, part.shape[1:]) for part in self._first.get_outputs()]
        if gives != [("vectors", "tensor(float)", [dim])]:
            raise ModelUnavailableError(
                f"{path} gives {gives}, but should give 'vectors' of {dim} dimensions"
            )
        self.takes = {part.name: (part.type, len(part.shape)) for part in self._first.get_inputs()}
        self._callers = Once(lambda: ThreadPoolExecutor(threads, thread_name_prefix=path.name))
        self._has_callers = not is_only
        self._all = Aside(self._for_all, lambda make: self._callers.get().submit(make))

    def run(self, parts: Sequence[Feed]) -> list[Vectors]:
        """The vectors of each part, in order.

        Raises:
            ModelUnavailableError: the graph fails on what it was given.
        """
        if not self._has_callers:
            return [self.run_first(part) for part in parts]
        if len(parts) > 1:
            return list(self._callers.get().map(self.run_first, parts))
        return [self._run_alone(part) for part in parts]

    def run_first(self, part: Feed) -> Vectors:
        """The vectors of one part, by the session that is open already.

        Raises: as `run`.
        """
        return self._run(self._first, part)

    def settle(self) -> None:
        """Wait until no session is being opened."""
        self._all.settle()

    def _run_alone(self, part: Feed) -> Vectors:
        is_little = max(value.size for value in part.values()) <= LITTLE
        session = None if is_little else self._all.get()
        return self.run_first(part) if session is None else self._run(session, part)

    def _for_all(self) -> ort.InferenceSession:
        """A session on all threads; the first one, where there can be no other."""
        try:
            session = self._open(self._read(), self._threads)
        except (ModelUnavailableError, MemoryError, RuntimeError) as error:  # or no more threads
            log.warning("one thread goes on with what all were to do: %r", error)
            return self._first
        give_back()
        return session

    def _run(self, session: ort.InferenceSession, part: Feed) -> Vectors:
        wanted = {name: part[name] for name in self.takes}
        try:
            rows: Vectors = session.run(None, wanted)[0]
        except _ERRORS as error:
            raise ModelUnavailableError(
                f"{self.path} fails on what its own tokenizer or settings in model.json gave it:"
                f" {_first_line(error)}"
            ) from error
        return rows


def providers(device: Device, content: bytes, offered: Sequence[str]) -> list[str]:
    """What runs a graph, of what ONNX Runtime offers here: the first that knows an operator.

    Raises:
        ModelUnavailableError: CUDA is wanted and not offered.
    """
    if device == "cpu" or IN_8_BITS in content:
        return [PROCESSOR]
    if CUDA in offered:
        return [CUDA, PROCESSOR]
    if device == "cuda":
        raise ModelUnavailableError(
            "NEARFIELD_DEVICE is cuda, but ONNX Runtime offers no CUDA here: install"
            " onnxruntime-gpu in its place, or set NEARFIELD_DEVICE to auto or cpu"
        )
    return [PROCESSOR]


def _session(
    path: Path, content: bytes, threads: int, *, on: Sequence[str], is_exact: bool
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it would print is in the error that is raised
    # Spinning threads take the cores from whoever decodes and searches beside the model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.x64quantprecision", str(int(is_exact)))
    # A graph may name files that hold its weights. No hash covers those, and without this they
    # would be looked for in the folder the program was started in: let there be none.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path / "none")
    )
    try:
        session = ort.InferenceSession(content, options, providers=list(on))
    except _ERRORS as error:
        raise ModelUnavailableError(
            f"{path} is no graph that can be run: {_first_line(error)}"
        ) from error
    # It would keep all bytes of the graph beside what it made of them, to begin anew elsewhere.
    session.disable_fallback()
    session._model_bytes = None
    return session


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
