"""Answers at a prompt: as tables for people, as JSON for programs.

Knows nothing about how they were found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from latent.items import JSON, Hit
from latent.models.registry import Form, ModelCard
from service.files import file_of
from service.query import Answer

SNIPPET = 90  # characters of a text that are shown


def answer_json(answer: Answer) -> dict[str, JSON]:
    """An answer, best first. `path` is told to this machine's own command line alone."""
    return {
        "collection": answer.collection,
        "model": answer.model,
        "hits": [_hit_json(hit) for hit in answer.hits],
        "took_ms": dict(answer.took_ms),
    }


def hits_table(hits: Sequence[Hit]) -> Table:
    """Rank, score, kind, where it came from, and the beginning of a text."""
    table = _table()
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("kind")
    table.add_column("where", overflow="fold")
    table.add_column("text", overflow="fold")
    for rank, hit in enumerate(hits, 1):
        item = hit.item
        row = [str(rank), f"{hit.score:.3f}", item.modality.value, item.uri or item.id]
        # As Text, for markup in square brackets is no markup of ours.
        table.add_row(*map(Text, [*row, _snippet(hit)]))
    return table


def scores_table(things: Sequence[str], scores: Sequence[Sequence[float]]) -> Table:
    """The cosine of each pair."""
    table = _table()
    table.add_column("")
    table.add_column("what", overflow="fold")
    for number in range(1, len(things) + 1):
        table.add_column(str(number), justify="right")
    for number, (given, row) in enumerate(zip(things, scores, strict=True), 1):
        label = Text(_short(given))
        table.add_row(str(number), label, *(f"{score:.3f}" for score in row))
    return table


def forms_table(forms: Sequence[Form]) -> Table:
    """The forms that names of models take."""
    table = _table()
    for column in ("name", "kind", "what it is"):
        table.add_column(column, overflow="fold")
    for form in forms:
        table.add_row(*map(Text, (form.form, form.kind, form.about)))
    return table


def card_json(card: ModelCard) -> dict[str, JSON]:
    """All there is to know of a model."""
    return {**asdict(card), "modalities": sorted(one.value for one in card.modalities)}


def card_table(card: Mapping[str, JSON]) -> Table:
    """The same, a line each."""
    table = _table()
    table.show_header = False
    for field, value in card.items():
        table.add_row(field, Text(_words(value)))
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False)


def _hit_json(hit: Hit) -> JSON:
    item = hit.item
    return {
        "id": item.id,
        "uri": item.uri,
        "modality": item.modality.value,
        "score": hit.score,
        "metadata": dict(item.metadata),
        "text": item.text,
        "passage": asdict(item.passage) if item.passage else None,
        "path": str(path) if (path := file_of(item)) else None,
    }


def _snippet(hit: Hit) -> str:
    """The beginning of a text, and which passage of its document it is."""
    text = _short(" ".join((hit.item.text or "").split()))
    passage = hit.item.passage
    if passage is None or passage.of == 1:
        return text
    return f"({passage.number + 1} of {passage.of}) {text}"


def _short(text: str) -> str:
    return text if len(text) <= SNIPPET else f"{text[:SNIPPET].rstrip()}…"


def _words(value: JSON) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(_words(inner) for inner in value) or "–"
    return "–" if value in (None, "") else str(value)
