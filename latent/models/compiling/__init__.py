"""Any model becomes an artifact that serves without torch, if it places things where it should.

Reading order: `compile_model` here and `trial`; what is compiled (`parts`, `openclip_parts`,
`sentence_parts`); how (`exporting`, `plainer`, `quantising`); what it is held against (`samples`,
`parity`, `report`). Needs the extra `models`; what it writes does not. Knows nothing about
collections.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latent.errors import InputError, ModelUnavailableError
from latent.models import registry
from latent.models.artifact import Artifact
from latent.models.compiling.parity import Parity, Speed
from latent.models.compiling.report import PRECISIONS, Check, Report, Variant
from latent.models.compiling.samples import Samples, samples_for
from latent.models.embedder import Embedder
from latent.settings import Settings

if TYPE_CHECKING:
    from latent.models.compiling.trial import Trial

__all__ = ["Check", "Parity", "Report", "Speed", "Variant", "compile_model", "name_of"]


def compile_model(
    source: Embedder | str,
    folder: Path,
    *,
    settings: Settings,
    precision: Literal["auto", "float32", "int8"] = "auto",
    photos: Sequence[Path] = (),
    texts: Sequence[str] | None = None,
    replace: bool = False,
    progress: Callable[[str], object] = lambda stage: None,
) -> Report:
    """Write `source` as an artifact into `folder`, if it holds what is asked of its precision.

    Args:
        source: an open_clip or sentence-transformers model, or its name.
        precision: `auto` keeps int8 where it holds and is faster, else float32.
        photos: files that parity is measured on; without any, pictures are made for it.
        texts: the same for texts; None means those that come with the package.
        replace: put it in the place of an artifact that is there.
        progress: called with a few words at each stage.

    Raises:
        InputError: the model is of a kind that is not compiled, or the folder is in use.
        ModelUnavailableError: it cannot be loaded or exported.
    """
    _require_free(folder, replace)
    progress(f"opening {source}" if isinstance(source, str) else "looking at the model")
    # What is exported, and what it is held against, is the arithmetic of the processor.
    settings = settings.model_copy(update={"device": "cpu"})
    embedder = registry.load(source, settings) if isinstance(source, str) else source
    trial = _trial(embedder, samples_for(embedder, photos, texts), settings, progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".compiling-", dir=folder.parent) as place:
        wanted = PRECISIONS if precision == "auto" else (precision,)
        variants = tuple(trial.variants(Path(place), wanted))
        kept = _best(variants)
        if kept is not None:
            trial.seal(Path(place) / kept.precision, kept)
            _put(Path(place) / kept.precision, folder, Path(place) / "old")
    return Report(
        embedder.space.model,
        folder,
        kept.precision if kept else None,
        variants,
        len(trial.pictures),
        len(trial.samples.texts),
        trial.samples.are_photos,
    )


def name_of(model: str) -> str:
    """A name for the folder of a compiled model: `openclip:A/b` is `A-b`, a path its last part."""
    _, _, rest = model.partition(":")
    before, at, path = rest.rpartition("@")
    if at or Path(rest).is_absolute():
        rest = "-".join(filter(None, [before, Path(path or rest).stem]))
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", rest).strip("-.") or "model"


def _trial(
    embedder: Embedder, samples: Samples, settings: Settings, progress: Callable[[str], object]
) -> Trial:
    """Where torch and onnx are first needed.

    Raises:
        ModelUnavailableError: they are not installed.
    """
    try:
        from latent.models.compiling.trial import Trial
    except ImportError as error:
        raise ModelUnavailableError(
            f"compiling needs libraries that cannot be imported here ({error});"
            " run 'scripts/setup --models' or pip install torch onnx onnxscript"
        ) from error
    return Trial(embedder, samples, settings, progress)


def _best(variants: Sequence[Variant]) -> Variant | None:
    """The fastest that holds; by pictures, where the model takes them."""

    def pace(variant: Variant) -> float:
        return variant.speed.images or variant.speed.texts or 0.0

    return max((one for one in variants if one.held), key=pace, default=None)


def _require_free(folder: Path, replace: bool) -> None:
    if folder.exists() and not replace:
        raise InputError(f"{folder} is there already; remove it, or let it be replaced")
    if folder.exists():
        try:
            Artifact(folder)
        except ModelUnavailableError as error:
            raise InputError(f"{folder} is no compiled model and is not replaced") from error


def _put(made: Path, folder: Path, old: Path) -> None:
    """Let the new one stand where the old one stood, or where nothing was."""
    if folder.exists():
        folder.rename(old)
    try:
        made.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
