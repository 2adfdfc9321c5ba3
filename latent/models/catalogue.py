"""Known good models by what they are for, with figures that others published.

Reads `catalogue.toml`, where every fact stands with its source. Knows no library of models: nothing
is loaded or downloaded, and what a model does when loaded is for `registry`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from latent.items import Modality
from latent.models.cards import Figure, ModelCard

JOBS = {
    "smallest": "little to download, quick on any computer",
    "balanced": "much better answers, still at ease on a processor",
    "best": "the best answers, slow without an accelerator",
    "multilingual": "pictures and texts, asked for in many languages",
    "texts": "texts only, with texts to find them",
}
"""What models are for, in the order they are listed."""

KINDS = {"openclip": "open_clip", "sentence": "sentence-transformers"}
BYTES = 4
"""Of a weight, as all models of the catalogue are stored."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models that can be had, and what the bundled ones do not say of themselves."""

    models: tuple[ModelCard, ...]
    bundled: dict[str, dict[str, Any]]

    def find(self, name: str) -> ModelCard | None:
        """The card of the model of exactly this name; None if the catalogue has none."""
        return next((card for card in self.models if card.name == name), None)

    def complete(self, card: ModelCard) -> ModelCard:
        """The card of a bundled model, with what the catalogue knows besides."""
        return replace(card, **self.bundled.get(card.name, {}))


@cache
def read() -> Catalogue:
    """The catalogue that comes with Nearfield."""
    text = files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    models = tuple(_card(told, data["measures"], data["sources"]) for told in data["model"])
    bundled = {
        name: {**told, "jobs": tuple(told["jobs"])} for name, told in data["bundled"].items()
    }
    return Catalogue(models, bundled)


def _card(told: dict[str, Any], measures: dict[str, str], sources: dict[str, str]) -> ModelCard:
    """The card of one table of the file; a key that no card has is a TypeError."""
    figures = tuple(
        Figure(one["what"], one["value"], measures[one["what"]], sources[one["source"]])
        for one in told.get("figures", [])
    )
    takes_pictures = "picture_side" in told
    unknown: dict[str, Any] = {
        "max_tokens": None,
        "picture_side": None,
        "fingerprint": None,
        "measured": {},
    }
    return ModelCard(
        **{
            **unknown,
            **told,
            "kind": KINDS[told["name"].partition(":")[0]],
            "modalities": frozenset(Modality) if takes_pictures else frozenset({Modality.TEXT}),
            "size": told["parameters"] * BYTES,
            "jobs": tuple(told["jobs"]),
            "figures": figures,
        }
    )
