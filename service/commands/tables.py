"""Answers at a prompt: as tables for people, as JSON for programs.

Knows nothing about how they were found.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from latent.items import JSON, Hit
from latent.media.origins import file_of
from latent.models.cards import ModelCard
from latent.models.catalogue import JOBS
from latent.models.registry import Form
from latent.settings import Settings
from service.query import Answer, Mode, Question, Walked

SNIPPET = 90  # characters of a text that are shown
LICENCE = 14  # characters that a list has for a licence
COLUMNS = ("COCO", "ImageNet", "search")  # figures of others that a list has room for
FACTS = "    {:>5} {:>6}  {:<9} {:<14} {:>6} {:>8} {:>6}  {}"
HEADER = FACTS.format("dim", "MB", "languages", "licence", *COLUMNS, "source")


def answer_json(answer: Answer) -> dict[str, JSON]:
    """An answer, best first. `path` is told to this machine's own command line alone."""
    explained: dict[str, JSON] = {}
    if answer.explain is not None:
        explained["explain"] = dict(answer.explain)
    return {
        "collection": answer.collection,
        "model": answer.model,
        "match": answer.match,
        "cursor": answer.cursor,
        "hits": [hit_json(hit) for hit in answer.hits],
        "took_ms": dict(answer.took_ms),
        **explained,
    }


def hits_table(hits: Sequence[Hit]) -> Table:
    """Rank, score, kind, where it came from, and the beginning of a text.

    Also how surely it is what was meant, which side found it, and how many further hits its group
    has, where there is that.
    """
    further = {
        "relevance": ["" if hit.relevance is None else f"{hit.relevance:.2f}" for hit in hits],
        "found by": [" + ".join(hit.found_by) for hit in hits],
        "others": [str(hit.group.others) if hit.group else "" for hit in hits],
    }
    for name in hits[0].concepts if hits else ():
        further[name] = [f"{hit.concepts[name]:.2f}" for hit in hits]
    shown = {name: values for name, values in further.items() if any(values)}
    table = _table()
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("kind")
    for name in shown:
        table.add_column(name)
    table.add_column("where", overflow="fold")
    table.add_column("text", overflow="fold")
    for rank, hit in enumerate(hits, 1):
        item = hit.item
        more = [values[rank - 1] for values in shown.values()]
        row = [str(rank), _score(hit), item.modality.value, *more, item.uri or item.id]
        # As Text, for markup in square brackets is no markup of ours.
        table.add_row(*map(Text, [*row, _snippet(hit)]))
    return table


def nothing_found(question: Question, settings: Settings, candidates: int) -> str:
    """What is said where there are no hits, of so many items that the filter lets pass."""
    if not candidates:
        return "nothing matches the filter" if question.where else "there is nothing to search"
    least = settings.min_relevance if question.min_relevance is None else question.min_relevance
    if question.mode is Mode.KEYWORD or not least:
        return "nothing matches"
    return "nothing here is surely what you meant; --min-relevance 0 shows the nearest all the same"


def walk_json(walked: Walked) -> dict[str, JSON]:
    """A walk, from start to end."""
    steps: list[JSON] = [{"at": step.at, **hit_json(step.hit)} for step in walked.steps]
    return {
        "collection": walked.collection,
        "model": walked.model,
        "angle": walked.angle,
        "steps": steps,
        "took_ms": dict(walked.took_ms),
    }


def walk_table(walked: Walked) -> Table:
    """How far along, score, kind, where it came from, and the beginning of a text."""
    table = _table()
    table.add_column("at", justify="right")
    table.add_column("score", justify="right")
    table.add_column("kind")
    table.add_column("where", overflow="fold")
    table.add_column("text", overflow="fold")
    for step in walked.steps:
        item = step.hit.item
        row = [f"{step.at:.2f}", _score(step.hit), item.modality.value, item.uri or item.id]
        table.add_row(*map(Text, [*row, _snippet(step.hit)]))
    return table


def explain_table(explain: Mapping[str, JSON]) -> Table:
    """How hits were found, a line each."""
    table = _table()
    table.show_header = False
    for name, value in explain.items():
        table.add_row(name.replace("_", " "), _words(value))
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


def cards_text(cards: Sequence[ModelCard], jobs: Iterable[str]) -> Text:
    """The models of each job: a line with the name, whole, and one with what it costs and finds.

    For 80 columns; a name or a link may be wider, and is to be copied whole.
    """
    figures = [figure for card in cards for figure in card.figures if figure.what in COLUMNS]
    links = list(dict.fromkeys(figure.source for figure in figures))
    lines = [HEADER]
    for job in jobs:
        lines += _group(f"{job}: {JOBS[job]}", [c for c in cards if job in c.jobs], links)
    lines += _group("compiled here", [card for card in cards if not card.jobs], links)
    meanings = {figure.what: figure.means for figure in figures}
    lines += ["", *(f"{what}: {means}" for what, means in meanings.items()), *_numbered(links)]
    return Text("\n".join(lines))


def _group(title: str, cards: Sequence[ModelCard], links: Sequence[str]) -> Iterator[str]:
    if cards:
        yield from ("", title)
    for card in cards:
        yield f"  {card.name}"
        yield _facts(card, links)
        if recalls := [f"{key} {value:.3f}" for key, value in _own_recall(card).items()]:
            yield f"    measured by us on its own photos: {', '.join(recalls)}"


def _facts(card: ModelCard, links: Sequence[str]) -> str:
    figures = {figure.what: figure for figure in card.figures if figure.what in COLUMNS}
    sources = {figure.source for figure in figures.values()}
    numbers = ",".join(str(n) for n, link in enumerate(links, 1) if link in sources)
    return FACTS.format(
        card.dim,
        "–" if card.size is None else f"{card.size / 1e6:,.0f}",
        card.languages or "–",
        (card.licence if len(card.licence) <= LICENCE else "see its card") or "–",
        *(f"{figures[what].value:.3f}" if what in figures else "–" for what in COLUMNS),
        f"[{numbers}]" if numbers else "",
    ).rstrip()


def _numbered(links: Sequence[str]) -> list[str]:
    return [f"[{number}] {link}" for number, link in enumerate(links, 1)]


def _own_recall(card: ModelCard) -> dict[str, float]:
    """What the artifact says of finding a photo by its caption."""
    prefix = "text_to_image_recall_at_"
    return {
        f"recall@{name.removeprefix(prefix)}": value
        for name, value in card.measured.items()
        if name.startswith(prefix)
    }


def card_json(card: ModelCard) -> dict[str, JSON]:
    """All there is to know of a model."""
    return {
        **asdict(card),
        "modalities": sorted(one.value for one in card.modalities),
        "jobs": list(card.jobs),
        "figures": [asdict(figure) for figure in card.figures],
    }


def card_table(card: ModelCard) -> Table:
    """The same, a line each; links stand below it, numbered."""
    table = _table()
    table.show_header = False
    links = _links(card)
    for field, value in card_json(card).items():
        if field == "size" and card.size is not None:
            table.add_row(field, f"{card.size / 1e6:,.1f} MB")
        elif field not in ("link", "figures"):
            table.add_row(field, Text(_words(value)))
    for figure in card.figures:
        number = links.index(figure.source) + 1
        table.add_row(figure.what, Text(f"{figure.value:.3f} [{number}] {figure.means}"))
    return table


def card_links(card: ModelCard) -> Text:
    """Where the figures of a card are published, and its weights; empty if nowhere."""
    weights = [f"weights: {card.link}"] if card.link else []
    return Text("\n".join([*_numbered(_links(card)), *weights]))


def _links(card: ModelCard) -> list[str]:
    return list(dict.fromkeys(figure.source for figure in card.figures))


def _table() -> Table:
    return Table(box=None, pad_edge=False)


def hit_json(hit: Hit) -> dict[str, JSON]:
    """An item that was found, and how near and sure it is."""
    item = hit.item
    further: dict[str, JSON] = {}
    if hit.relevance is not None:
        further["relevance"] = hit.relevance
    if hit.found_by:
        further["found_by"] = list(hit.found_by)
    if hit.group is not None:
        further["group"] = {"value": hit.group.value, "others": hit.group.others}
    if hit.concepts:
        further["concepts"] = dict(hit.concepts)
    return {
        "id": item.id,
        "uri": item.uri,
        "modality": item.modality.value,
        "score": None if math.isnan(hit.score) else hit.score,
        "metadata": dict(item.metadata),
        "text": item.text,
        "passage": asdict(item.passage) if item.passage else None,
        "path": str(path) if (path := file_of(item)) else None,
        **further,
    }


def _score(hit: Hit) -> str:
    return "–" if math.isnan(hit.score) else f"{hit.score:.3f}"


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
