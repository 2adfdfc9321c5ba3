"""What the measurements of one run share: how thorough it is, photos, weights, compiled models.

Everything is made when it is first asked for, below one temporary folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from benchmarks.hardware import cores
from benchmarks.photos import LARGE, SMALL, Kind, Photos, make_photos
from benchmarks.rows import UnmeasuredError
from benchmarks.turns import ROUNDS
from latent.models import registry
from latent.models.embedder import Embedder
from latent.settings import Settings

ARCHITECTURE = "ViT-B-32"
MINI, VIT = "mini", ARCHITECTURE

Precision: TypeAlias = Literal["float32", "int8"]
FLOAT32: Final = "float32"
INT8: Final = "int8"


@dataclass(frozen=True)
class Bench:
    """One run. `is_quick` tells only that everything works: its figures mean nothing."""

    folder: Path
    is_quick: bool = False
    other_python: Path | None = None

    @property
    def rounds(self) -> int:
        return 1 if self.is_quick else ROUNDS

    @property
    def threads(self) -> int:
        return cores()

    @property
    def count(self) -> int:
        """Photos of each kind."""
        return 24 if self.is_quick else 1_000

    @cached_property
    def large(self) -> Photos:
        return self._photos(LARGE)

    @cached_property
    def small(self) -> Photos:
        return self._photos(SMALL)

    def photos(self, kind: Kind) -> Photos:
        return self.large if kind is LARGE else self.small

    def _photos(self, kind: Kind) -> Photos:
        folder = self.folder / kind.name.replace(" ", "-")
        return make_photos(kind, folder, count=self.count, distinct=2 if self.is_quick else 50)

    def settings(self, *, threads: int | None = None, **more: Any) -> Settings:
        return Settings(threads=threads or self.threads, **more)

    @cached_property
    def weights(self) -> Path:
        """Random weights of ViT-B-32, as open_clip makes them: speed does not depend on them."""
        import open_clip
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        model = open_clip.create_model(ARCHITECTURE, pretrained=None)
        path = self.folder / f"{ARCHITECTURE}.safetensors"
        save_file(model.state_dict(), path)
        return path

    @cached_property
    def eager(self) -> Any:
        """The open_clip model of these weights: what open_clip's own examples make."""
        import open_clip

        model = open_clip.create_model(ARCHITECTURE, pretrained=None)
        open_clip.load_checkpoint(model, str(self.weights))
        return model.eval()

    def compiled(self, precision: Precision) -> Path:
        """The folder of the same model, compiled.

        Raises:
            UnmeasuredError: it failed its own checks.
        """
        from latent.models.compiling import compile_model

        folder = self.folder / f"{ARCHITECTURE}-{precision}"
        if not folder.exists():
            photos = sorted(self.small.folder.iterdir())[:24]
            report = compile_model(
                f"openclip:{ARCHITECTURE}@{self.weights}",
                folder,
                settings=self.settings(),
                precision=precision,
                photos=photos,
            )
            if report.kept != precision:
                raise UnmeasuredError(f"{ARCHITECTURE} in {precision}: {'; '.join(report.failed)}")
        return folder

    def name_of(self, model: str) -> str:
        """How Nearfield is told to use `mini`, or ViT-B-32 in its fastest form that holds."""
        if model == MINI:
            return MINI
        try:
            return f"compiled:{self.compiled(INT8)}"
        except UnmeasuredError:
            return f"compiled:{self.compiled(FLOAT32)}"

    def embedder(self, name: str, *, threads: int | None = None) -> Embedder:
        return registry.load(name, self.settings(threads=threads))
