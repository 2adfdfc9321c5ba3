"""What there is to know of a model, told or measured.

Knows nothing about which models exist, and loads none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latent.items import Modality
from latent.models.artifact import Artifact


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement that others published: `what` in a word, what that `means`, and its source."""

    what: str
    value: float
    means: str
    source: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What there is to know of a model; None and "" stand for what is not known.

    `size` is in bytes, of what is stored or would be downloaded. `measured` are numbers of our own
    from the model's artifact, `figures` those that others published.
    """

    name: str
    kind: str
    dim: int
    modalities: frozenset[Modality]
    max_tokens: int | None
    picture_side: int | None
    fingerprint: str | None
    size: int | None
    licence: str
    about: str
    measured: dict[str, float]
    jobs: tuple[str, ...] = ()
    languages: str = ""
    parameters: int | None = None
    terms: str = ""
    link: str = ""
    figures: tuple[Figure, ...] = ()


def card_of_artifact(name: str, folder: Path) -> ModelCard:
    """The card of a compiled model, from its manifest alone.

    Raises:
        ModelUnavailableError: the folder holds no compiled model.
    """
    artifact = Artifact(folder)
    manifest = artifact.manifest
    return ModelCard(
        name=name,
        kind="compiled",
        dim=manifest.dim,
        modalities=manifest.modalities,
        max_tokens=manifest.text.max_tokens if manifest.text else 0,
        picture_side=manifest.image.size if manifest.image else None,
        fingerprint=manifest.fingerprint,
        size=artifact.size,
        licence=manifest.card.licence,
        about=manifest.card.about,
        measured=manifest.card.measured,
    )
