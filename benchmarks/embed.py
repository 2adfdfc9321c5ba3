"""The bench of embedding: what is measured, by the names `--only` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import accelerator, files, peers, serving, towers
from benchmarks.bench import MINI, VIT, Bench
from benchmarks.rows import Row

Section = Callable[[Bench], Iterator[Row]]

SECTIONS: dict[str, Section] = {
    "text": towers.one_text,
    "images": towers.pictures,
    "files-mini": lambda bench: files.rows_of(bench, MINI),
    "files-vit": lambda bench: files.rows_of(bench, VIT),
    "peers-texts": peers.texts,
    "peers-files": peers.pictures,
    "service-mini": lambda bench: serving.embeddings(bench, MINI),
    "service-vit": lambda bench: serving.embeddings(bench, VIT),
    "service-search": serving.queries,
    "accelerator": accelerator.rows,
}
