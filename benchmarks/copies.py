"""Copies of photos as people make them: twenty kinds of change, each at three strengths.

Each kind says which tier a copy of it belongs to: what leaves the whole picture to be seen is the
same picture, what cuts, turns or covers it is a near copy. Knows nothing about hashes and models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from service.checks.tiers import Tier

Change = Callable[[Image.Image, float], bytes]


@dataclass(frozen=True, slots=True)
class Copying:
    """One kind of change: the tier its copies are to reach, and three strengths, mild to hard."""

    name: str
    tier: Tier
    change: Change
    strengths: tuple[float, float, float]

    def copies(self, picture: Image.Image) -> list[bytes]:
        """A file for each strength."""
        return [self.change(picture, strength) for strength in self.strengths]


def as_jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    return _encoded(picture, "JPEG", quality=quality)


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _jpeg_quality(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(picture, int(strength))


def _format(picture: Image.Image, strength: float) -> bytes:
    if strength == 0:
        return _encoded(picture, "PNG")
    return _encoded(picture, "WEBP", quality=int(strength))


def _resize(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(_scaled(picture, strength, strength))


def _aspect(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(_scaled(picture, strength, 1.0))


def _blur(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(picture.filter(ImageFilter.GaussianBlur(strength)))


def _sharpen(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(picture.filter(ImageFilter.UnsharpMask(2, int(strength), 1)))


def _noise(picture: Image.Image, strength: float) -> bytes:
    grain = np.random.default_rng(0).normal(0, strength, (picture.height, picture.width, 3))
    pixels = np.asarray(picture, dtype=np.float32) + grain
    return as_jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def _brightness(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(ImageEnhance.Brightness(picture).enhance(strength))


def _contrast(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(ImageEnhance.Contrast(picture).enhance(strength))


def _saturation(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(ImageEnhance.Color(picture).enhance(strength))


def _greyscale(picture: Image.Image, strength: float) -> bytes:
    """Grey, at 0 with the tint of old prints, at 2 hard."""
    grey = picture.convert("L")
    if strength == 1:
        return as_jpeg(ImageOps.colorize(grey, "#201408", "#fff0d0"))
    return as_jpeg((ImageOps.autocontrast(grey, 5) if strength == 2 else grey).convert("RGB"))


def _gamma(picture: Image.Image, strength: float) -> bytes:
    table = [round(255 * (level / 255) ** strength) for level in range(256)]
    return as_jpeg(picture.point(table * 3))


def _posterise(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(ImageOps.posterize(picture, int(strength)))


def _crop(picture: Image.Image, strength: float) -> bytes:
    """Keep so much of each side, a little off the middle."""
    width, height = round(picture.width * strength), round(picture.height * strength)
    left, top = round(0.35 * (picture.width - width)), round(0.6 * (picture.height - height))
    return as_jpeg(picture.crop((left, top, left + width, top + height)))


def _flip(picture: Image.Image, strength: float) -> bytes:
    """Mirrored; at 1 upside down, at 2 mirrored and a little cropped."""
    if strength == 1:
        return as_jpeg(ImageOps.flip(picture))
    mirrored = ImageOps.mirror(picture)
    return _crop(mirrored, 0.9) if strength == 2 else as_jpeg(mirrored)


def _rotate(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(picture.rotate(strength, Image.Resampling.BICUBIC))


def _text(picture: Image.Image, strength: float) -> bytes:
    """A caption across the picture, its letters as high as this share of it."""
    made = picture.copy()
    font = ImageFont.load_default(max(8, strength * picture.height))
    place = (picture.width / 2, picture.height * 0.7)
    ImageDraw.Draw(made).text(
        place,
        "SAMPLE ONLY",
        "white",
        font,
        anchor="mm",
        stroke_width=2,
        stroke_fill="black",
    )
    return as_jpeg(made)


def _border(picture: Image.Image, strength: float) -> bytes:
    return as_jpeg(ImageOps.expand(picture, round(strength * picture.height), "white"))


def _mosaic(picture: Image.Image, strength: float) -> bytes:
    """A corner made unrecognisable."""
    size = (round(picture.width * strength), round(picture.height * strength))
    made = picture.copy()
    blocks = picture.crop((0, 0, *size)).resize((4, 4), Image.Resampling.BOX)
    made.paste(blocks.resize(size, Image.Resampling.NEAREST), (0, 0))
    return as_jpeg(made)


def _screenshot(picture: Image.Image, strength: float) -> bytes:
    """On a screen that is so many times as high, below a bar."""
    width, height = picture.size
    screen = Image.new("RGB", (width, round(height * strength)), "#18181c")
    top = round(0.6 * (screen.height - height))
    screen.paste(picture, (0, top))
    ImageDraw.Draw(screen).rectangle((0, 0, width, top // 2), fill="#f0f0f0")
    return as_jpeg(screen)


def _scaled(picture: Image.Image, across: float, down: float) -> Image.Image:
    size = (max(1, round(picture.width * across)), max(1, round(picture.height * down)))
    return picture.resize(size, Image.Resampling.BICUBIC)


SAME, NEAR = Tier.SAME_PICTURE, Tier.NEAR_COPY

COPYINGS = (
    Copying("JPEG quality", SAME, _jpeg_quality, (60, 30, 10)),
    Copying("format", SAME, _format, (0, 70, 20)),
    Copying("size", SAME, _resize, (0.7, 2.0, 0.35)),
    Copying("aspect", SAME, _aspect, (0.9, 0.75, 0.5)),
    Copying("blur", SAME, _blur, (0.7, 1.5, 3.0)),
    Copying("sharpening", SAME, _sharpen, (80, 200, 500)),
    Copying("noise", SAME, _noise, (6, 15, 35)),
    Copying("brightness", SAME, _brightness, (0.8, 1.35, 0.5)),
    Copying("contrast", SAME, _contrast, (1.2, 0.7, 0.45)),
    Copying("saturation", SAME, _saturation, (0.7, 1.5, 2.5)),
    Copying("greyscale", SAME, _greyscale, (0, 1, 2)),
    Copying("gamma", SAME, _gamma, (0.8, 1.4, 2.0)),
    Copying("posterising", SAME, _posterise, (4, 3, 2)),
    Copying("crop", NEAR, _crop, (0.9, 0.75, 0.6)),
    Copying("flip", NEAR, _flip, (0, 2, 1)),
    Copying("rotation", NEAR, _rotate, (2, 5, 12)),
    Copying("text across", NEAR, _text, (0.08, 0.12, 0.2)),
    Copying("border", NEAR, _border, (0.04, 0.1, 0.2)),
    Copying("mosaic corner", NEAR, _mosaic, (0.2, 0.35, 0.5)),
    Copying("screenshot", NEAR, _screenshot, (1.2, 1.5, 2.0)),
)
"""All kinds; what decides the tier is what one still sees, not how much the file changed."""
