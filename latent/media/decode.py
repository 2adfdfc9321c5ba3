"""Bytes in, an upright RGB picture of moderate size out, with what it says about itself.

The size is read before the pixels, and what is too large is refused before anything is decoded.
Bytes may come from strangers: whatever Pillow raises becomes one of three errors of ours. Safe in
many threads; each holds one full-size picture at most. Knows nothing about models but the side in
pixels they look at, and nothing about folders, uploads or the catalog.
"""

from __future__ import annotations

import math
import struct
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, UnidentifiedImageError

from latent.errors import ImageTooLargeError, SourceMissingError, UnreadableImageError
from latent.items import JSON
from latent.media import exif
from latent.media.containers import pixels_to_decode
from latent.media.scans import check_scans
from latent.settings import Settings

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
    | {".avif", ".heic", ".heif", ".hif"}
)
"""How names of pictures end; the content decides which format it is."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
HEIC = "HEIF"  # Pillow's name for the container; the reader joins when first needed
NAMES = {"MPO": "jpeg", "HEIF": "heic"}  # MPO: a JPEG with more pictures behind the first

MARKS = {
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
}
"""How files begin, for telling a damaged picture from what is none."""

KEPT = 2  # the short side leaves with at least this many times the side a model looks at …
DRAFTED = 1.5  # … or this many, where libjpeg averages: at 1/8 it need not transform at all
OVERLAP = 2  # times the limit of pixels: what the parts of one picture may have together
LONGEST = 16  # … and the long side with at most this many times
BAND_PIXELS = 4_000_000  # heavy conversions see this much of a picture at a time

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

HOSTILE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow's readers raise on damaged or hostile bytes, found by feeding them such."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused: files with more bytes, pictures with more pixels, or that take too long.

    The time is looked at between the steps of decoding: whenever more bytes are read, and between
    bands. A single step is not interrupted; what it may cost is bounded by pixels and scans.
    """

    max_pixels: int
    max_bytes: int
    max_seconds: float = 30.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(settings.max_pixels, settings.max_image_bytes, settings.max_decode_seconds)


@dataclass(frozen=True, slots=True)
class Decoded:
    """An upright RGB picture, shrunk toward what the model looks at, and its facts.

    `facts` are metadata: `width`, `height` (of the whole picture, upright), `format`, and what
    `latent.media.exif.facts_of` found.
    """

    picture: Image.Image
    facts: dict[str, JSON]


def decode(source: bytes | Path, *, name: str, limits: Limits, side: int) -> Decoded:
    """Read a picture for a model that looks at `side` by `side` pixels; `name` is for messages.

    Raises:
        UnreadableImageError: no picture, or a damaged one; says why in one line.
        ImageTooLargeError: more bytes or pixels than `limits`, and nothing was decoded; or it took
            too long.
        SourceMissingError: the file is not there.
    """
    content = _read(source, name, limits)
    clock = _Clock(name, limits.max_seconds)
    with _translated(name, content):
        _hush_pillow()
        _let_pillow_go_as_far_as(limits)
        _check_parts(name, content, limits)
        with Image.open(_Watched(content, clock), formats=_formats_for(content)) as picture:
            width, height = picture.size
            _check_pixels(name, width, height, limits)
            if picture.format in ("JPEG", "MPO"):  # libjpeg decodes at 1/2, 1/4, 1/8 by itself
                check_scans(name, content)
                least = math.ceil(DRAFTED * side)
                picture.draft(None, (least, least))
                picture.decodermaxblock = len(content)  # it copies what is left of each block
            picture.load()
            orientation = exif.orientation_of(picture)
            facts = exif.facts_of(picture)
            small = _shrunk(picture, side, clock)
            kind = NAMES.get(str(picture.format), str(picture.format).lower())
    if orientation >= 5:
        width, height = height, width
    if orientation in UPRIGHT:
        small = small.transpose(UPRIGHT[orientation])
    return Decoded(small, {"width": width, "height": height, "format": kind, **facts})


def _read(source: bytes | Path, name: str, limits: Limits) -> bytes:
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > limits.max_bytes:
            raise ImageTooLargeError(f"{name}: {size:,} bytes; the limit is {limits.max_bytes:,}")
        content = source if isinstance(source, bytes) else source.read_bytes()
    except FileNotFoundError as error:
        raise SourceMissingError(f"{name}: there is no such file") from error
    except OSError as error:
        raise UnreadableImageError(name, error.strerror or str(error)) from error
    if not content:
        raise UnreadableImageError(name, "the file is empty")
    return content


@contextmanager
def _translated(name: str, content: bytes) -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(f"{name}: far too many pixels to decode safely") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError(name, _what_it_is_instead(content)) from error
    except MemoryError as error:
        raise UnreadableImageError(name, "not enough memory to decode it") from error
    except HOSTILE as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableImageError(name, reason or f"damaged ({type(error).__name__})") from error


def _what_it_is_instead(content: bytes) -> str:
    for mark, kind in MARKS.items():
        if content.startswith(mark):  # such as a TIFF of three 64-bit floats a pixel
            return f"a {kind} that is damaged, or of a kind that is not read here"
    start = content[:512]
    readable = sum(byte >= 32 or byte in b"\t\n\r" for byte in start) == len(start)
    if readable and b"\0" not in start:
        try:
            start.decode("utf-8", "strict" if len(content) <= 512 else "ignore")
        except UnicodeDecodeError:
            return "no picture format that is known here"
        return "it holds text, not a picture"
    return "no picture format that is known here"


def _check_pixels(name: str, width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise UnreadableImageError(name, "it has no pixels")
    if width * height > limits.max_pixels:
        raise ImageTooLargeError(
            f"{name}: {width} x {height} is {width * height / 1e6:.1f} megapixels; "
            f"the limit is {limits.max_pixels / 1e6:g}"
        )


def _is_container(content: bytes) -> bool:
    """Whether it is a HEIC or an AVIF."""
    return content[4:8] == b"ftyp"


def _check_parts(name: str, content: bytes, limits: Limits) -> None:
    """What a picture is put together of is decoded however little of it is seen."""
    if not _is_container(content):
        return
    pixels = pixels_to_decode(content, unknown=limits.max_pixels)
    if pixels > OVERLAP * limits.max_pixels:
        raise ImageTooLargeError(
            f"{name}: it is put together of {pixels / 1e6:,.0f} megapixels; "
            f"the limit is {OVERLAP * limits.max_pixels / 1e6:g}"
        )


class _Clock:
    """The time one picture may take."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raises ImageTooLargeError once the time is over."""
        if time.monotonic() > self._end:
            raise ImageTooLargeError(
                f"{self._name}: it takes more than {self._seconds:g} seconds to decode"
            )


class _Watched(BytesIO):
    """Bytes that look at the clock whenever some are read."""

    def __init__(self, content: bytes, clock: _Clock) -> None:
        super().__init__(content)
        self._clock = clock

    def read(self, size: int | None = -1, /) -> bytes:
        self._clock.check()
        return super().read(size)


# --- Pillow's ways --------------------------------------------------------------------------


@cache
def _register_heic() -> None:
    import pillow_heif  # here, because most collections never need it

    pillow_heif.register_heif_opener()


def _formats_for(content: bytes) -> tuple[str, ...]:
    if not _is_container(content):
        return FORMATS
    _register_heic()
    return (*FORMATS, HEIC)  # after AVIF, which shares the container and refuses what is not its


PILLOW = r"PIL\."  # its modules, as a filter of warnings names them
_hush = Lock()


def _hush_pillow() -> None:
    """Let Pillow's warnings (damaged EXIF, a size it finds large) be no noise.

    `warnings.catch_warnings` is not safe in threads, so the filter is put in once and stays. It is
    looked for each time, because test runners and applications reset the filters.
    """
    with _hush:
        if not any(getattr(entry[3], "pattern", None) == PILLOW for entry in warnings.filters):
            warnings.filterwarnings("ignore", module=PILLOW)


def _let_pillow_go_as_far_as(limits: Limits) -> None:
    """Raise Pillow's own limit, never lower it: sizes are checked here, by a setting."""
    if Image.MAX_IMAGE_PIXELS is not None and limits.max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limits.max_pixels


# --- pixels ---------------------------------------------------------------------------------


def _shrunk(picture: Image.Image, side: int, clock: _Clock) -> Image.Image:
    """RGB, averaged down by a whole number, band by band so that conversions stay small."""
    width, height = picture.size
    factor = max(
        1, min(width, height) // (KEPT * side), math.ceil(max(width, height) / (LONGEST * side))
    )
    if factor == 1 and picture.mode == "RGB" and not picture.has_transparency_data:
        whole = picture.copy()  # most photos, once libjpeg has averaged
        whole.info = {}  # no profile or comment of the file goes on with the pixels
        return whole
    small = Image.new("RGB", (math.ceil(width / factor), math.ceil(height / factor)))
    span = _span(picture)
    rows = factor * max(1, BAND_PIXELS // (width * factor))
    for top in range(0, height, rows):
        clock.check()
        band = picture.crop((0, top, width, min(height, top + rows)))
        small.paste(_rgb(band, span).reduce(factor), (0, top // factor))
    return small


def _span(picture: Image.Image) -> tuple[float, float] | None:
    """The values that become black and white, for pictures of more than 8 bits a channel."""
    if picture.mode.startswith("I;16"):
        return 0, 65535
    if picture.mode not in ("I", "F"):
        return None
    low, high = (float(end) for end in picture.getextrema())  # type: ignore[arg-type]
    if not (math.isfinite(low) and math.isfinite(high)):
        return 0, 1
    ceilings = (1, 255, 65535) if picture.mode == "F" else (255, 65535)
    for ceiling in ceilings:
        if low >= 0 and high <= ceiling:
            return 0, ceiling
    return low, high


def _rgb(band: Image.Image, span: tuple[float, float] | None) -> Image.Image:
    if span is not None:
        low, high = span
        with np.errstate(invalid="ignore"):  # of floats that are no numbers, in the cast already
            numbers = np.nan_to_num(
                np.asarray(band, dtype=np.float64), nan=low, posinf=high, neginf=low
            )
        grey = ((numbers - low) * (255 / max(high - low, 1e-9))).clip(0, 255).round()
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if band.has_transparency_data:
        white = Image.new("RGBA", band.size, "white")
        white.alpha_composite(band.convert("RGBA"))
        return white.convert("RGB")
    return band.convert("RGB")
