"""Which models there are: one table from the form of a name to how it is loaded.

The only place that picks an embedder. Imports a model's library when such a model is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latent.errors import InputError, ModelUnavailableError
from latent.items import Modality
from latent.models import mini
from latent.models.artifact import Artifact
from latent.models.colours import ColourEmbedder
from latent.models.embedder import Embedder
from latent.models.places import place_of
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What there is to know of a model; `size` is in bytes, None where nothing is stored."""

    name: str
    kind: str
    dim: int
    modalities: frozenset[Modality]
    max_tokens: int
    picture_side: int
    fingerprint: str
    size: int | None
    licence: str
    about: str
    measured: dict[str, float]


@dataclass(frozen=True, slots=True)
class Form:
    """A form that names may take, and what such a name leads to."""

    form: str
    kind: str
    about: str
    load: Callable[[str, Settings], Embedder]


def _mini(_: str, settings: Settings) -> Embedder:
    from latent.models.compiled import CompiledEmbedder

    return CompiledEmbedder(mini.folder(), threads=settings.threads, name="mini")


def _colours(_: str, __: Settings) -> Embedder:
    return ColourEmbedder()


def _vectors(dim: str, _: Settings) -> Embedder:
    if not re.fullmatch("[0-9]{1,9}", dim):
        raise InputError(f"'vectors:{dim}' needs a dimension, as in 'vectors:384'")
    return VectorsOnly(int(dim))


def _compiled(path: str, settings: Settings) -> Embedder:
    from latent.models.compiled import CompiledEmbedder

    folder = place_of(path) or Path(path)
    return CompiledEmbedder(folder, threads=settings.threads, name=f"compiled:{folder}")


def _openclip(name: str, settings: Settings) -> Embedder:
    try:
        from latent.models.openclip import OpenClipEmbedder
    except (ImportError, OSError, RuntimeError) as error:
        raise _missing("openclip:" + name, error) from error
    return OpenClipEmbedder(name, threads=settings.threads)


def _sentence(name: str, settings: Settings) -> Embedder:
    try:
        from latent.models.sentence import SentenceEmbedder
    except (ImportError, OSError, RuntimeError) as error:
        raise _missing("sentence:" + name, error) from error
    return SentenceEmbedder(name, threads=settings.threads)


def _missing(name: str, error: Exception) -> ModelUnavailableError:
    """A wheel of torchvision that does not fit torch fails with an error of any of three kinds."""
    return ModelUnavailableError(
        f"{name} needs libraries that cannot be imported here ({error});"
        " run 'scripts/setup --models' or pip install open_clip_torch sentence-transformers"
    )


FORMS: tuple[Form, ...] = (
    Form("mini", "compiled", "pictures and English texts; bundled, works offline", _mini),
    Form("colours", "toy", "knows eight colours; for trying things and for tests", _colours),
    Form(
        "openclip:ARCH[/PRETRAINED]",
        "open_clip",
        "any open_clip model, as in openclip:ViT-B-32/laion2b_s34b_b79k; its weights are fetched",
        _openclip,
    ),
    Form(
        "openclip:[ARCH@]PATH",
        "open_clip",
        "open_clip weights of your own: a folder with open_clip_config.json, or a file",
        _openclip,
    ),
    Form(
        "sentence:NAME-OR-PATH",
        "sentence-transformers",
        "any sentence-transformers model; its CLIP models take pictures too",
        _sentence,
    ),
    Form("compiled:PATH", "compiled", "a folder with a model compiled to ONNX", _compiled),
    Form("vectors:DIM", "vectors", "your own vectors of DIM dimensions; embeds nothing", _vectors),
)
"""Every form of a model's name. What stands before the colon decides."""

BUNDLED = ("mini", "colours")
"""Names that need neither a download nor a path."""


def load(name: str, settings: Settings) -> Embedder:
    """Open a model by name.

    Raises:
        InputError: the name has none of the forms.
        ModelUnavailableError: it cannot be loaded; says what was tried and what to do.
    """
    form, rest = _form_of(name)
    return form.load(rest, settings)


def describe(name: str, settings: Settings) -> ModelCard:
    """The card of a model; models that are not compiled are loaded for it.

    Raises:
        InputError, ModelUnavailableError: as `load`.
    """
    form, rest = _form_of(name)
    embedder = form.load(rest, settings)
    space = embedder.space
    known = _artifact_of(form, rest)
    return ModelCard(
        name=space.model,
        kind=form.kind,
        dim=space.dim,
        modalities=space.modalities,
        max_tokens=embedder.max_tokens,
        picture_side=embedder.picture_side,
        fingerprint=space.fingerprint,
        size=known.size if known else getattr(embedder, "size", None),
        licence=known.manifest.card.licence if known else "",
        about=(known.manifest.card.about if known else "") or form.about,
        measured=known.manifest.card.measured if known else {},
    )


def bundled(settings: Settings) -> list[ModelCard]:
    """Cards of the models that are always here."""
    return [describe(name, settings) for name in BUNDLED]


def _artifact_of(form: Form, rest: str) -> Artifact | None:
    if form.kind != "compiled":
        return None
    return Artifact(Path(rest).expanduser() if rest else mini.folder())


def _form_of(name: str) -> tuple[Form, str]:
    """The form a name has and what it says after the colon.

    Raises:
        InputError: it has none; lists them.
    """
    prefix, colon, rest = name.partition(":")
    for form in FORMS:
        wanted, wants_rest, _ = form.form.partition(":")
        if prefix == wanted and bool(rest) == bool(wants_rest) and colon == wants_rest:
            return form, rest
    forms = "; ".join(form.form for form in FORMS)
    raise InputError(f"{name!r} is no model; a model is named by one of: {forms}")
