"""Which models there are: one table from the form of a name to how it is loaded.

The only place that picks an embedder. Imports a model's library when such a model is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from latent.errors import InputError, ModelUnavailableError
from latent.items import Modality
from latent.models import catalogue, kept_calibrations, mini
from latent.models.artifact import MANIFEST, Artifact, Card, Manifest
from latent.models.calibration import Calibration
from latent.models.cards import ModelCard, card_of_artifact
from latent.models.colours import ColourEmbedder
from latent.models.cuts import UNFITTED, Cuts
from latent.models.embedder import Embedder
from latent.models.places import place_of
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from latent.space import Space


@dataclass(frozen=True, slots=True)
class Form:
    """A form that names may take, and what such a name leads to."""

    form: str
    kind: str
    about: str
    load: Callable[[str, Settings], Embedder]


def _mini(_: str, settings: Settings) -> Embedder:
    from latent.models.compiled import CompiledEmbedder

    return CompiledEmbedder(
        mini.folder(), threads=settings.threads, name="mini", device=settings.device
    )


def _colours(_: str, __: Settings) -> Embedder:
    return ColourEmbedder()


def _vectors(dim: str, _: Settings) -> Embedder:
    if not re.fullmatch("[0-9]{1,9}", dim):
        raise InputError(f"'vectors:{dim}' needs a dimension, as in 'vectors:384'")
    return VectorsOnly(int(dim))


def _compiled(path: str, settings: Settings) -> Embedder:
    from latent.models.compiled import CompiledEmbedder

    folder = compiled_folder(path, settings)
    return CompiledEmbedder(
        folder, threads=settings.threads, name=f"compiled:{folder}", device=settings.device
    )


def compiled_folder(name: str, settings: Settings) -> Path:
    """Where `compiled:NAME` lies: in the data folder if such a model was compiled there."""
    if Path(name).name == name and (known := place_of(str(settings.data / COMPILED / name))):
        return known
    return place_of(name) or Path(name)


def _openclip(name: str, settings: Settings) -> Embedder:
    try:
        from latent.models.devices import chosen
        from latent.models.openclip import OpenClipEmbedder
    except (ImportError, OSError, RuntimeError) as error:
        raise _missing("openclip:" + name, error) from error
    return OpenClipEmbedder(name, threads=settings.threads, device=chosen(settings.device))


def _sentence(name: str, settings: Settings) -> Embedder:
    try:
        from latent.models.devices import chosen
        from latent.models.sentence import SentenceEmbedder
    except (ImportError, OSError, RuntimeError) as error:
        raise _missing("sentence:" + name, error) from error
    return SentenceEmbedder(name, threads=settings.threads, device=chosen(settings.device))


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
    Form(
        "compiled:NAME-OR-PATH",
        "compiled",
        "a model compiled to ONNX: its name in the data folder, or its folder",
        _compiled,
    ),
    Form("vectors:DIM", "vectors", "your own vectors of DIM dimensions; embeds nothing", _vectors),
)
"""Every form of a model's name. What stands before the colon decides."""

BUNDLED = ("mini", "colours")
"""Names that need neither a download nor a path."""

COMPILED = "models"
"""Where in the data folder compiled models lie, each in a folder of its own."""


def load(name: str, settings: Settings) -> Embedder:
    """Open a model by name.

    Raises:
        InputError: the name has none of the forms.
        ModelUnavailableError: it cannot be loaded; says what was tried and what to do.
    """
    form, rest = _form_of(name)
    return form.load(rest, settings)


def describe(name: str, settings: Settings) -> ModelCard:
    """The card of a model: as the catalogue has it, else loaded for it.

    Raises:
        InputError, ModelUnavailableError: as `load`.
    """
    form, rest = _form_of(name)
    known = catalogue.read()
    return known.find(name) or known.complete(_loaded_card(form, rest, settings))


def listed(settings: Settings, on_broken: Callable[[str], object]) -> list[ModelCard]:
    """Cards of the bundled model, of those compiled into the data folder, and of the catalogue.

    Loads none. A folder that cannot be understood goes to `on_broken`, in words.
    """
    known = catalogue.read()
    cards = [known.complete(card_of_artifact("mini", mini.folder()))]
    for manifest in sorted((settings.data / COMPILED).glob(f"*/{MANIFEST}")):
        try:
            cards.append(card_of_artifact(f"compiled:{manifest.parent.name}", manifest.parent))
        except ModelUnavailableError as error:
            on_broken(str(error))
    return [*cards, *known.models]


def stand_in(space: Space, settings: Settings) -> str | None:
    """The compiled model of the data folder that places things in a space, if there is one."""
    if _form_of(space.model)[0].kind == "compiled":
        return None
    for manifest in sorted((settings.data / COMPILED).glob(f"*/{MANIFEST}")):
        try:
            known = Artifact(manifest.parent).manifest
        except ModelUnavailableError:
            continue  # `models list` names it
        if known.fingerprint == space.fingerprint and known.modalities >= space.modalities:
            return f"compiled:{manifest.parent.name}"
    return None


def calibration(space: Space, settings: Settings) -> Calibration | None:
    """What was learnt of the scores of a space: here, and what its model carries besides."""
    own, carried = kept_calibrations.of(space, settings), _carried(space, settings)
    return carried if own is None else own.over(carried or Calibration())


def cuts(space: Space, settings: Settings) -> Cuts:
    """What the cosines of a space stand for; `UNFITTED` where nobody learnt it of its model."""
    known = calibration(space, settings)
    return (known.cuts if known else None) or UNFITTED


def nouns(space: Space, settings: Settings) -> tuple[str, ...]:
    """The sentences that the model of a space wants bare nouns of questions put into, if any."""
    manifest = _manifest(space, settings)
    return manifest.nouns if manifest else ()


def _carried(space: Space, settings: Settings) -> Calibration | None:
    """What the model of a space carries."""
    manifest = _manifest(space, settings)
    return manifest.calibration if manifest else None


def _manifest(space: Space, settings: Settings) -> Manifest | None:
    """The manifest of the compiled model of a space, if it is one and still there."""
    try:
        folder = _folder_of(*_form_of(space.model), settings)
        if folder is None:
            return None
        changed = (folder / MANIFEST).stat().st_mtime_ns
        return _manifest_in(folder, space.fingerprint, changed)
    except (InputError, ModelUnavailableError, OSError):
        return None  # the model is gone; its vectors can be searched still


@lru_cache
def _manifest_in(folder: Path, fingerprint: str, _changed: int) -> Manifest | None:
    """Asked for with every question, so read once for each state of the manifest."""
    manifest = Artifact(folder).manifest
    return manifest if manifest.fingerprint == fingerprint else None


def _loaded_card(form: Form, rest: str, settings: Settings) -> ModelCard:
    embedder = form.load(rest, settings)
    space = embedder.space
    folder = _folder_of(form, rest, settings)
    artifact = Artifact(folder) if folder else None
    told = artifact.manifest.card if artifact else Card()
    return ModelCard(
        name=space.model,
        kind=form.kind,
        dim=space.dim,
        modalities=space.modalities,
        max_tokens=embedder.max_tokens,
        picture_side=embedder.picture_side if Modality.IMAGE in space.modalities else None,
        fingerprint=space.fingerprint,
        size=artifact.size if artifact else getattr(embedder, "size", None),
        licence=told.licence,
        about=told.about or form.about,
        measured=told.measured,
    )


def _folder_of(form: Form, rest: str, settings: Settings) -> Path | None:
    """Where the artifact of a compiled model lies; None for a model of another kind."""
    if form.kind != "compiled":
        return None
    return compiled_folder(rest, settings) if rest else mini.folder()


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
