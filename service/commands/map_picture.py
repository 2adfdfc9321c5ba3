"""A map as a picture: every item a dot in the colour of its group, the groups named.

Knows nothing about how a map is made.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw

from service.commands.sheet import INK, PAPER, font
from service.explore.surveys import Survey

SIDE, MARGIN = 1600, 80


def drawn(survey: Survey) -> Image.Image:
    """The whole map; an RGB picture."""
    found = survey.landscape
    picture = Image.new("RGB", (SIDE, SIDE), PAPER)
    pen = ImageDraw.Draw(picture)
    parents = np.array([-1 if one.parent is None else one.parent for one in found.groups])
    tops = [number for number, group in enumerate(found.groups) if group.parent is None]
    upper = parents[found.labels] if len(found.groups) else found.labels
    half = SIDE / 2 - MARGIN
    places = np.column_stack([found.points[:, 0], -found.points[:, 1]]) * half + SIDE / 2
    radius = max(1.0, min(8.0, 300 / max(1, len(places)) ** 0.5))
    for (x, y), number in zip(places.tolist(), upper.tolist(), strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), _colour(number, len(tops)))
    for number in tops:
        members = upper == number
        if members.any():
            x, y = np.median(places[members], axis=0)
            name = ", ".join(found.groups[number].words[:2]) or f"group {number}"
            pen.text((x, y), name, INK, font(26), anchor="mm", stroke_width=4, stroke_fill=PAPER)
    return picture


def _colour(number: int, of: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(number / max(1, of), 0.58 + 0.12 * (number % 2), 0.55)
    return round(255 * red), round(255 * green), round(255 * blue)
