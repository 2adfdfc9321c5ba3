"""What a picture says about itself: when, with what and where it was taken, and which way is up.

Every fact is optional: one that is missing, damaged or hostile is left out and never fails a
picture. Knows nothing about pixels or files.
Source: CIPA DC-008 (Exif 3.0), sections 4.6.5 to 4.6.7.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

from latent.items import JSON

LONGEST_FACT = 100  # characters; camera names are short, hostile ones need not be

DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
"""What Pillow and our own reading raise on damaged EXIF."""

Tags = Mapping[int, Any]


def orientation_of(picture: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; 1 where there is none that can be read."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return int(value) if 1 <= int(value) <= 8 else 1
    except DAMAGED:
        return 1


def facts_of(picture: Image.Image) -> dict[str, JSON]:
    """Those of `taken_at`, `camera`, `latitude`, `longitude`, `altitude` that can be read.

    `taken_at` is ISO 8601, with the offset from UTC if the camera noted it; degrees are signed,
    north and east positive; the altitude is in metres above the sea.
    """
    try:
        exif = picture.getexif()
        details: Tags = exif.get_ifd(ExifTags.IFD.Exif)
    except DAMAGED:
        return {}
    try:
        place: Tags = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except DAMAGED:
        place = {}
    readings: dict[str, Callable[[], JSON]] = {
        "taken_at": lambda: _taken_at(details),
        "camera": lambda: _camera(exif),
        "latitude": lambda: _degrees(place, ExifTags.GPS.GPSLatitude, "S", 90),
        "longitude": lambda: _degrees(place, ExifTags.GPS.GPSLongitude, "W", 180),
        "altitude": lambda: _altitude(place),
    }
    facts: dict[str, JSON] = {}
    for name, read in readings.items():
        try:
            fact = read()
        except DAMAGED:
            continue
        if fact is not None:
            facts[name] = fact
    if ("latitude" in facts) != ("longitude" in facts):  # half a place is no place
        facts.pop("latitude", None)
        facts.pop("longitude", None)
    return facts


def _taken_at(details: Tags) -> str | None:
    for moment, offset in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
    ):
        written = _words(details.get(moment))
        if not written:
            continue
        try:
            taken = datetime.strptime(written[:19], "%Y:%m:%d %H:%M:%S")
        except ValueError:  # "0000:00:00 00:00:00" of a camera whose clock was never set
            continue
        zone = _words(details.get(offset))
        try:
            return datetime.fromisoformat(taken.isoformat() + zone).isoformat()
        except ValueError:
            return taken.isoformat()
    return None


def _camera(exif: Tags) -> str | None:
    make, model = _words(exif.get(ExifTags.Base.Make)), _words(exif.get(ExifTags.Base.Model))
    if make and model and make.split()[0].lower() == model.split()[0].lower():
        return model  # "Canon" and "Canon EOS 5D"
    return f"{make} {model}".strip() or None


def _degrees(place: Tags, tag: int, negative: str, limit: int) -> float | None:
    if tag not in place:
        return None
    parts = [float(part) for part in place[tag]]
    degrees = sum(part / minutes for part, minutes in zip(parts, (1.0, 60.0, 3600.0), strict=False))
    if not parts or not math.isfinite(degrees) or not 0 <= degrees <= limit:
        return None
    reference = _words(place.get(tag - 1)).upper()  # N, S, E, W stand one tag before
    return round(-degrees if reference == negative else degrees, 7)


def _altitude(place: Tags) -> float | None:
    if ExifTags.GPS.GPSAltitude not in place:
        return None
    metres = float(place[ExifTags.GPS.GPSAltitude])
    if not math.isfinite(metres):
        return None
    below = place.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\x01")
    return round(-metres if below else metres, 2)


def _words(value: object) -> str:
    """Printable text of a tag: no NULs, no control characters, not endless."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return ""
    text = text.split("\0")[0][: LONGEST_FACT * 10].encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_FACT]
