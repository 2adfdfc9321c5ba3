"""One model, tried in one precision after the other: written, opened, held against its source.

Knows every step of compiling, and none in detail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latent.errors import InputError
from latent.items import Vectors
from latent.media.decode import Limits
from latent.models import registry
from latent.models.artifact import Artifact, write_artifact
from latent.models.compiled import CompiledEmbedder
from latent.models.compiling.exporting import image_graph, text_graph
from latent.models.compiling.parity import parity, speed, unsteadiness
from latent.models.compiling.parts import Parts
from latent.models.compiling.quantising import in_8_bits
from latent.models.compiling.report import Check, Precision, Variant, checks_of
from latent.models.compiling.samples import (
    Samples,
    calibration_pictures,
    calibration_texts,
    prepared,
    short_enough,
)
from latent.models.embedder import Embedder, Prepared
from latent.settings import Settings

SPEED_PICTURES, SPEED_TEXTS = 16, 32


@dataclass(slots=True)
class _Source:
    """What the source makes of the samples."""

    pictures: list[Prepared]
    image_rows: Vectors
    text_rows: Vectors


class Trial:
    """One model, tried in one precision after the other."""

    def __init__(
        self,
        embedder: Embedder,
        samples: Samples,
        settings: Settings,
        progress: Callable[[str], object],
    ) -> None:
        self._embedder = embedder
        self._settings = settings
        self._progress = progress
        self._parts = _parts_of(embedder)
        self.samples = samples
        progress("placing the samples with the source")
        ready, read = prepared(embedder, samples.pictures, Limits.of(settings))
        self.pictures = [samples.pictures[number] for number in read]
        none = np.empty((0, embedder.space.dim), np.float32)
        self._source = _Source(
            ready,
            embedder.embed_images(ready) if ready else none,
            embedder.embed_texts(samples.texts) if samples.texts else none,
        )

    def variants(self, place: Path, wanted: Sequence[Precision]) -> list[Variant]:
        """Each precision, in a folder of its own below `place`."""
        self._write(place / "float32", self._graphs())
        variants = [self._variant(place / "float32", "float32")] if "float32" in wanted else []
        if "int8" in wanted:
            self._progress("int8: quantising")
            self._write(place / "int8", self._quantised(place / "float32"))
            variants.append(self._variant(place / "int8", "int8"))
        return variants

    def seal(self, folder: Path, variant: Variant) -> None:
        """Let the artifact stand for the space of its source, since it holds what it should."""
        artifact = Artifact(folder)
        manifest = artifact.manifest
        files = {name: artifact.read(name) for name in manifest.files}
        space = self._embedder.space
        compiled = CompiledEmbedder(folder, threads=1)
        stands_for = {
            "model": space.model,
            "fingerprint": space.fingerprint,
            "checked": manifest.own_fingerprint,
        }
        card = {
            "about": f"{space.model}, compiled in {variant.precision}",
            "measured": variant.measured,
        }
        told = manifest.model_dump(exclude={"files", "card"}, exclude_none=True)
        told |= {"card": card, "stands_for": stands_for, "probes": compiled.probes()}
        if known := registry.calibration(space, self._settings):
            told["calibration"] = known.model_dump()
        write_artifact(folder, files, told)

    def _graphs(self) -> dict[str, bytes]:
        graphs: dict[str, bytes] = {}
        if self._parts.image:
            self._progress("exporting the image tower")
            graphs[self._parts.image.wanted.graph] = image_graph(self._parts.image)
        if self._parts.text:
            self._progress("exporting the text tower")
            graphs[self._parts.text.wanted.graph] = text_graph(self._parts.text)
        return graphs

    def _quantised(self, float32: Path) -> dict[str, bytes]:
        """The graphs in 8 bits, with what only calibrates them and is not measured."""
        artifact, compiled = Artifact(float32), CompiledEmbedder(float32, threads=1)
        graphs: dict[str, bytes] = {}
        if artifact.manifest.image:
            ready, _ = prepared(compiled, calibration_pictures(), Limits.of(self._settings))
            name = artifact.manifest.image.graph
            graphs[name] = in_8_bits(artifact.read(name), compiled.picture_feeds(ready))
        if artifact.manifest.text:
            some = list(short_enough(compiled, calibration_texts()))
            name = artifact.manifest.text.graph
            graphs[name] = in_8_bits(artifact.read(name), compiled.text_feeds(some)[1])
        return graphs

    def _variant(self, folder: Path, precision: Precision) -> Variant:
        compiled = CompiledEmbedder(folder, threads=self._settings.threads)
        self._progress(f"{precision}: measuring parity")
        checks: list[Check] = []
        images = texts = None
        ready: list[Prepared] = []
        if self.pictures:
            ready, _ = prepared(compiled, self.pictures, Limits.of(self._settings))
            images = parity(self._source.image_rows, compiled.embed_images(ready))
            moved = unsteadiness(
                lambda some: compiled.embed_images([ready[number] for number in some]), len(ready)
            )
            checks += checks_of(precision, "pictures", images, moved)
        own = self.samples.texts
        if own:
            texts = parity(self._source.text_rows, compiled.embed_texts(own))
            moved = unsteadiness(
                lambda some: compiled.embed_texts([own[number] for number in some]), len(own)
            )
            checks += checks_of(precision, "texts", texts, moved)
        self._progress(f"{precision}: measuring speed")
        few = (self._source.pictures[:SPEED_PICTURES], ready[:SPEED_PICTURES])
        taken = speed(self._embedder, compiled, few, own[:SPEED_TEXTS])
        return Variant(precision, Artifact(folder).size, images, texts, taken, tuple(checks))

    def _write(self, folder: Path, graphs: dict[str, bytes]) -> None:
        files = dict(graphs)
        manifest: dict[str, object] = {
            "name": self._embedder.space.model,
            "dim": self._embedder.space.dim,
        }
        image, text = self._parts.image, self._parts.text
        if image:
            manifest["image"] = image.wanted.model_dump()
        if text:
            manifest["text"] = text.wanted.model_dump()
            files[text.wanted.tokenizer] = text.tokenizer.encode()
        write_artifact(folder, files, manifest)


def _parts_of(embedder: Embedder) -> Parts:
    """The parts of a model, by what loaded it.

    Raises:
        InputError: it is of no kind that is compiled.
    """
    # By name, so that neither library is imported for a model of the other.
    kinds = {kind.__name__ for kind in type(embedder).__mro__}
    if "OpenClipEmbedder" in kinds:
        from latent.models.compiling import openclip_parts

        return openclip_parts.parts_of(embedder)  # type: ignore[arg-type]
    if "SentenceEmbedder" in kinds:
        from latent.models.compiling import sentence_parts

        return sentence_parts.parts_of(embedder)  # type: ignore[arg-type]
    raise InputError(
        f"{embedder.space.model} is not compiled: only openclip:… and sentence:… models are"
    )
