"""What libraries' own transforms need done before them. Knows nothing about models."""

from __future__ import annotations

from PIL import Image

LONGEST_ASPECT = 8


def without_extremes(picture: Image.Image, longest: int = LONGEST_ASPECT) -> Image.Image:
    """The middle of a picture more than `longest` times as long as wide; any other as it is.

    Transforms that first scale the short side would make a panorama of 10,000 × 1 pixels
    2,240,000 pixels long, only to cut out its middle.
    """
    short = min(picture.size)
    width, height = (min(side, longest * short) for side in picture.size)
    if (width, height) == picture.size:
        return picture
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))
