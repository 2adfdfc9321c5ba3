"""Rows written as numpy reads them, which forgets why the system refused ("80000 requested …").

Knows nothing about what the rows mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from latent.items import Vectors


def save(path: Path, rows: NDArray[Any]) -> None:
    """As `np.save`. Raises OSError with the system's own reason."""
    rows = np.ascontiguousarray(rows)
    with path.open("wb") as stream:
        npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(rows))
        stream.write(rows.data)


def save_parts(path: Path, parts: Iterable[Vectors], shape: tuple[int, int]) -> None:
    """Vectors, part after part, of this shape in all. Raises as `save`."""
    with path.open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(stream, header)
        for part in parts:
            stream.write(np.ascontiguousarray(part, "<f4").data)
