"""A contact sheet: the hits of a search as one picture, best first, each with its score.

Knows nothing about how the hits were found.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from latent.errors import InputError, NearfieldError
from latent.items import Hit, Modality
from latent.media.decode import Limits, decode
from latent.media.origins import file_of

MARK, SOFTWARE = "Nearfield contact sheet", 0x0131  # in EXIF, so that a sheet knows its like
CELL, GAP, LINE = 240, 16, 22
PAPER, INK, QUIET, CARD = (250, 250, 248), (28, 28, 30), (110, 110, 115), (236, 235, 230)


def contact_sheet(
    title: str, hits: Sequence[Hit], limits: Limits, *, columns: int = 5
) -> Image.Image:
    """Hits in rows of `columns`, photos cropped to squares, texts as cards; an RGB picture.

    A photo that cannot be read any more leaves a card that says so.
    """
    rows = max(1, -(-len(hits) // columns))
    columns = min(columns, max(1, len(hits)))
    width = GAP + columns * (CELL + GAP)
    sheet = Image.new("RGB", (width, 2 * GAP + 30 + rows * (CELL + 2 * LINE + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP), textwrap.shorten(title, width // 11), INK, font(22))
    for place, hit in enumerate(hits):
        left = GAP + (place % columns) * (CELL + GAP)
        top = 2 * GAP + 30 + (place // columns) * (CELL + 2 * LINE + GAP)
        sheet.paste(_cell(hit, limits), (left, top))
        pen.text((left, top + CELL + 4), f"{hit.score:.3f}", INK, font(16))
        name = hit.item.uri or hit.item.id
        short = name if len(name) <= 30 else "…" + name[-29:]
        pen.text((left, top + CELL + 4 + LINE), short, QUIET, font(14))
    return sheet


def write_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet in the format its suffix names, over an older sheet, but over nothing else.

    Raises:
        InputError: no such format, the file cannot be written, or it is something else.
    """
    if path.exists() and not _is_sheet(path):
        raise InputError(f"{path} is there and is no sheet; it stays as it is, choose another name")
    mark = Image.Exif()
    mark[SOFTWARE] = MARK
    try:
        sheet.save(path, exif=mark)
    except (OSError, ValueError) as error:
        raise InputError(f"the sheet cannot be written to {path}: {error}") from error


def _is_sheet(path: Path) -> bool:
    try:
        with Image.open(path, formats=["PNG", "JPEG", "WEBP", "TIFF"]) as picture:
            return picture.getexif().get(SOFTWARE) == MARK
    except (OSError, ValueError, SyntaxError):
        return False


def _cell(hit: Hit, limits: Limits) -> Image.Image:
    if hit.item.modality is Modality.TEXT:
        return _card(hit.item.text or "")
    path = file_of(hit.item)
    if path is None:
        return _card(hit.item.text or "a picture whose file is not known")
    try:
        decoded = decode(path, name=hit.item.uri, limits=limits, side=CELL)
    except NearfieldError as error:
        return _card(str(error))
    return ImageOps.fit(decoded.picture, (CELL, CELL))


def _card(text: str) -> Image.Image:
    card = Image.new("RGB", (CELL, CELL), CARD)
    lines = textwrap.wrap(" ".join(text.split()), 28, max_lines=11, placeholder=" …")
    ImageDraw.Draw(card).multiline_text((14, 14), "\n".join(lines), INK, font(14), spacing=6)
    return card


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of the system, or Pillow's own, which knows no more than English letters."""
    for name in (
        "NotoSans-Regular.ttf",
        "DejaVuSans.ttf",
        "LiberationSans-Regular.ttf",
        "Arial.ttf",
    ):
        with suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)
