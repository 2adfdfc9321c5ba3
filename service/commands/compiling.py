"""The command `models compile`: which photos parity is measured on, and what is said of it.

Knows nothing about how a model is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from latent.errors import SourceMissingError
from latent.items import JSON, Modality
from latent.media.decode import SUFFIXES
from latent.media.origins import file_of
from latent.models.compiling.parity import Parity
from latent.models.compiling.report import Report, Variant
from latent.models.registry import COMPILED
from latent.settings import Settings
from latent.terminal import console
from latent.wiring import CATALOG, open_store

ENOUGH = 512
"""Photos of one collection that are looked at; compiling takes a spread of them."""


def photos_below(folder: Path) -> list[Path]:
    """Pictures in a folder and below, by name.

    Raises:
        SourceMissingError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise SourceMissingError(f"there is no folder {folder}")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise SourceMissingError(f"there is no picture in {folder}")
    return found


def photos_of_collections(settings: Settings) -> list[Path]:
    """Pictures that the user's own collections hold and that are still there."""
    if settings.catalog_url is None and not (settings.data / CATALOG).is_file():
        return []
    with open_store(settings, must_exist=True) as store:
        paths = [
            file_of(item)
            for name in store.spaces()
            for item in store.collection(name).scroll(ENOUGH, modality=Modality.IMAGE)
        ]
    return [path for path in dict.fromkeys(paths) if path is not None and path.is_file()]


@contextmanager
def telling() -> Iterator[Callable[[str], object]]:
    """Something that shows the stage on standard error: in place, or in a log line by line."""
    if not console.is_terminal:
        yield console.print
        return
    with console.status("starting") as status:
        yield status.update


def report_json(report: Report, settings: Settings) -> dict[str, JSON]:
    """All that was measured, and what was kept."""
    return {
        "model": report.model,
        "kept": report.kept,
        "name": name_in(report.folder, settings) if report.kept else None,
        "folder": str(report.folder) if report.kept else None,
        "pictures": report.pictures,
        "are_photos": report.are_photos,
        "texts": report.texts,
        "precisions": [
            {
                "precision": one.precision,
                "bytes": one.bytes,
                "held": one.held,
                "images": asdict(one.images) if one.images else None,
                "texts": asdict(one.texts) if one.texts else None,
                "speed": asdict(one.speed),
            }
            for one in report.variants
        ],
        "failed": list(report.failed),
    }


def report_table(report: Report) -> Table:
    """A column for each precision, and a line for each measure."""
    table = Table(box=None, pad_edge=False)
    table.add_column(f"against {report.model}", overflow="fold")
    for one in report.variants:
        table.add_column(one.precision, justify="right")
    for measure, value in _MEASURES.items():
        cells = [value(one) for one in report.variants]
        if any(cells):
            table.add_row(measure, *(cell or "–" for cell in cells))
    return table


def outcome(report: Report, settings: Settings) -> Text:
    """What was kept and how to use it, or why nothing was; and what parity was measured on."""
    lines = []
    if report.pictures and not report.are_photos:
        lines.append(
            f"Parity was measured on {report.pictures} made pictures, not on photos;"
            " name a folder of yours with --photos."
        )
    if report.kept is None:
        lines += ["Nothing is kept:", *(f"  {failed}" for failed in report.failed)]
    else:
        name = name_in(report.folder, settings)
        lines += [f"Kept in {report.kept}: {report.folder}"]
        lines += [f"Not kept: {failed}" for failed in report.failed]
        lines += [f"Use it: nearfield index FOLDER --collection NAME --model {name}"]
        lines += [f"It is of the same space as {report.model}."]
    return Text("\n".join(lines))


def name_in(folder: Path, settings: Settings) -> str:
    """What the model is called from now on."""
    is_in_data = folder.resolve().parent == (settings.data / COMPILED).resolve()
    return f"compiled:{folder.name if is_in_data else folder.resolve()}"


def _least(kind: Parity | None) -> str:
    return f"{kind.least:.5f}" if kind else ""


def _mean(kind: Parity | None) -> str:
    return f"{kind.mean:.5f}" if kind else ""


def _share(kind: Parity | None) -> str:
    return f"{kind.overlap:.0%}" if kind else ""


def _times(ratio: float | None) -> str:
    return f"{ratio:.1f}×" if ratio else ""


_MEASURES: dict[str, Callable[[Variant], str]] = {
    "files": lambda one: f"{one.bytes / 1e6:,.1f} MB",
    "pictures: least cosine": lambda one: _least(one.images),
    "pictures: mean cosine": lambda one: _mean(one.images),
    "pictures: same ten neighbours": lambda one: _share(one.images),
    "pictures: as fast as torch": lambda one: _times(one.speed.images),
    "texts: least cosine": lambda one: _least(one.texts),
    "texts: mean cosine": lambda one: _mean(one.texts),
    "texts: same ten neighbours": lambda one: _share(one.texts),
    "texts: as fast as torch": lambda one: _times(one.speed.texts),
    "one short text: as fast as torch": lambda one: _times(one.speed.one_text),
    "every check held": lambda one: "yes" if one.held else "no",
}
