"""What a HEIC or AVIF container has a decoder do: how many pixels its pictures are made of.

A grid names the pictures that it is put together of, and may name the same one 65,000 times: two
thousand bytes, a small picture to look at, and hours of decoding. libheif holds what it decodes
against the sizes that the container says, so the sizes can be counted beforehand (ISO/IEC 14496-12
and 23008-12). Knows nothing about pixels.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

MOST_SAID = 100_000  # boxes, properties and parts of items; a photo of a phone has a few hundred
DEEPEST = 8  # grids of grids of grids; phones write one
ENDLESS = 1 << 60


@dataclass
class _Meta:
    """What boxes say: sizes in pixels by property, properties and parts by item."""

    sizes: list[int] = field(default_factory=list)
    properties: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    parts: defaultdict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    said: int = 0

    def count(self, many: int = 1) -> None:
        """Raises ValueError where so much is said that reading it would take long."""
        self.said += many
        if self.said > MOST_SAID:
            raise ValueError("it has too many boxes")


def pixels_to_decode(content: bytes, *, unknown: int) -> int:
    """The most pixels that one picture of the container is made of, its parts counted.

    A picture that does not say its size counts as `unknown`.

    Raises:
        ValueError: the boxes cannot be understood.
    """
    meta = _Meta()
    view = memoryview(content)
    try:
        for kind, box in _boxes(view, meta):
            if kind == b"meta":
                _read_meta(box[4:], meta)
    except (struct.error, IndexError) as error:
        raise ValueError("its boxes are damaged") from error
    known: dict[int, int] = {}
    items = meta.properties.keys() | meta.parts.keys()
    return max((_pixels(item, meta, unknown, known, 0) for item in items), default=0)


def _pixels(item: int, meta: _Meta, unknown: int, known: dict[int, int], depth: int) -> int:
    if depth > DEEPEST:  # or a picture made of itself
        return ENDLESS
    if item not in known:
        if parts := meta.parts.get(item):
            known[item] = sum(
                count * _pixels(part, meta, unknown, known, depth + 1)
                for part, count in parts.items()
            )
        else:
            said = [meta.sizes[one - 1] for one in meta.properties[item] if one <= len(meta.sizes)]
            known[item] = max(said, default=0) or unknown
    return known[item]


def _boxes(view: memoryview, meta: _Meta) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    while at + 8 <= len(view):
        meta.count()
        size, kind = struct.unpack_from(">I4s", view, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", view, at + 8)
            head = 16
        if size == 0:
            size = len(view) - at
        if size < head:
            raise ValueError("its boxes are damaged")
        yield kind, view[at + head : at + size]
        at += size


def _read_meta(box: memoryview, meta: _Meta) -> None:
    for kind, inner in _boxes(box, meta):
        if kind == b"iref":
            _read_references(inner, meta)
        elif kind == b"iprp":
            for name, properties in _boxes(inner, meta):
                if name == b"ipco":
                    _read_sizes(properties, meta)
                elif name == b"ipma":
                    _read_associations(properties, meta)


def _read_sizes(box: memoryview, meta: _Meta) -> None:
    """A number for each property, in order; 0 for those that are no sizes."""
    for kind, inner in _boxes(box, meta):
        width, height = struct.unpack_from(">4xII", inner) if kind == b"ispe" else (0, 0)
        meta.sizes.append(width * height)


def _read_associations(box: memoryview, meta: _Meta) -> None:
    version, is_long = box[0], box[3] & 1
    (count,) = struct.unpack_from(">4xI", box)
    at = 8
    for _ in range(count):
        item, many = struct.unpack_from(">IB" if version else ">HB", box, at)
        at += 5 if version else 3
        meta.count(1 + many)
        for _ in range(many):
            (index,) = struct.unpack_from(">H" if is_long else ">B", box, at)
            at += 2 if is_long else 1
            meta.properties[item].append(index & (0x7FFF if is_long else 0x7F))


def _read_references(box: memoryview, meta: _Meta) -> None:
    is_wide = box[0] > 0
    for kind, inner in _boxes(box[4:], meta):
        if kind != b"dimg":  # others say what belongs together, not what is made of what
            continue
        item, count = struct.unpack_from(">IH" if is_wide else ">HH", inner)
        start, width = (6, 4) if is_wide else (4, 2)
        if start + count * width > len(inner):
            raise ValueError("its boxes are damaged")
        named = np.frombuffer(inner, ">u4" if is_wide else ">u2", count, start)
        parts = Counter(named.tolist())
        meta.count(len(parts))
        meta.parts[item].update(parts)
