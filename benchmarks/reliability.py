"""Draws how often hits were meant against their relevance: `python -m benchmarks.reliability`.

Asks the same questions as the bench of answers. Knows nothing about how relevance is computed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageFont

from benchmarks.bench import Bench
from benchmarks.relevance import judge, opened, reliability

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "reliability.webp"
SIDE, EDGE = 480, 72
PAPER, INK, QUIET, DOT = (250, 250, 248), (28, 28, 30), (200, 200, 196), (11, 107, 203)


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=PICTURE)
def main(out: Path) -> None:
    """Ask every question, and draw."""
    with (
        tempfile.TemporaryDirectory(prefix="nearfield-bench-") as folder,
        opened(Bench(Path(folder))) as (store, val),
    ):
        asked = judge(store, val, captions=len(val.captions))
    drawn(reliability(asked)).save(out, quality=90)
    click.echo(str(out))


def drawn(points: Sequence[tuple[float, float, float]]) -> Image.Image:
    """Points `(relevance, share meant, share of all)`; a point's area is its share of all."""
    picture = Image.new("RGB", (SIDE + 2 * EDGE, SIDE + 2 * EDGE), PAPER)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(18)
    for tenth in range(0, 11, 2):
        across, _ = _at(tenth / 10, 0)
        _, down = _at(0, tenth / 10)
        pen.line([(across, EDGE), (across, EDGE + SIDE)], QUIET)
        pen.line([(EDGE, down), (EDGE + SIDE, down)], QUIET)
        pen.text((across, EDGE + SIDE + 10), f"{tenth / 10:g}", INK, font, anchor="ma")
        pen.text((EDGE - 10, down), f"{tenth / 10:g}", INK, font, anchor="rm")
    pen.line([_at(0, 0), _at(1, 1)], QUIET, 3)
    pen.line([_at(x, y) for x, y, _ in points], DOT, 2)
    for x, y, share in points:
        across, down = _at(x, y)
        radius = 4 + 30 * share**0.5
        pen.ellipse((across - radius, down - radius, across + radius, down + radius), DOT)
    pen.text((EDGE + SIDE / 2, SIDE + 2 * EDGE - 14), "relevance", INK, font, anchor="ms")
    pen.text((EDGE, EDGE - 16), "share of hits that were meant", INK, font, anchor="ls")
    return picture


def _at(x: float, y: float) -> tuple[float, float]:
    return EDGE + SIDE * x, EDGE + SIDE * (1 - y)


if __name__ == "__main__":
    main()
