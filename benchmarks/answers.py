"""The bench of answers: what is measured, by the names `--only` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import checks, labels, nouns, relevance
from benchmarks.bench import Bench
from benchmarks.rows import Row

Section = Callable[[Bench], Iterator[Row]]

SECTIONS: dict[str, Section] = {
    "relevance": relevance.rows,
    "nouns": nouns.rows,
    "copies": checks.copies_rows,
    "wordings": checks.texts_rows,
    "labels": labels.rows,
    "duplicates": checks.duplicates_rows,
}
