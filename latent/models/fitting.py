"""Pictures become the pixels that a compiled model was told to want.

The arithmetic of `shortest` and `pad` is that of torchvision and open_clip, rounding and all, so
that the same picture becomes the same pixels here and there. Knows nothing about graphs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latent.models.artifact import ImageInput
from latent.models.pictures import without_extremes


def fitted(picture: Image.Image, wanted: ImageInput) -> NDArray[np.uint8]:
    """The pixels of a picture: `(size, size, 3)` uint8."""
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    if wanted.longest_aspect is not None:
        picture = without_extremes(picture, wanted.longest_aspect)
    how = Image.Resampling[wanted.resample.upper()]
    square = (wanted.size, wanted.size)
    if wanted.fit == "squash":
        fit = picture.resize(square, how)
    elif wanted.fit == "crop":
        fit = picture.resize(square, how, box=_middle_square(picture))
    elif wanted.fit == "shortest":
        fit = _cut(picture.resize(_short_side_scaled(picture, wanted.size), how), wanted)
    else:
        fit = _cut(picture.resize(_long_side_scaled(picture, wanted.size), how), wanted)
    return np.asarray(fit)


def _middle_square(picture: Image.Image) -> tuple[float, float, float, float]:
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    return (left, top, left + side, top + side)


def _short_side_scaled(picture: Image.Image, size: int) -> tuple[int, int]:
    """As torchvision's `Resize(size)`: the long side is rounded down."""
    width, height = picture.size
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def _long_side_scaled(picture: Image.Image, size: int) -> tuple[int, int]:
    """As open_clip's `ResizeKeepRatio(size, longest=1)`, but no side vanishes."""
    ratio = max(picture.size) / size
    width, height = (max(1, round(side / ratio)) for side in picture.size)
    return width, height


def _cut(picture: Image.Image, wanted: ImageInput) -> Image.Image:
    """The middle square, filled up where the picture is smaller."""
    size = wanted.size
    width, height = (max(side, size) for side in picture.size)
    if (width, height) != picture.size:
        whole = Image.new("RGB", (width, height), (wanted.fill,) * 3)
        whole.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
        picture = whole
    begin = round if wanted.cut == "nearest" else int
    left, top = begin((width - size) / 2.0), begin((height - size) / 2.0)
    return picture.crop((left, top, left + size, top + size))
