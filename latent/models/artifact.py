"""A compiled model on disk: a folder with `model.json` and the files it names.

    model.json       name, dimension, SHA-256 of each file, what the towers want, the model card
    image.onnx       `pixels` (n, size, size, 3) uint8            -> `vectors` (n, dim) float32
    text.onnx        `ids` and perhaps `mask` (n, tokens) int64   -> `vectors` (n, dim) float32
    tokenizer.json   as the tokenizers library writes it

Either tower may be missing. Whatever normalises pixels or rows is inside the graphs. Knows
nothing about running them; `compiled` does.

An artifact is a space of its own, unless it was compiled from a model and placed the same things
close enough to where that model places them: then it stands for the model's space, and says so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from latent.errors import ModelUnavailableError
from latent.items import Modality
from latent.models.calibration import Calibration

MANIFEST = "model.json"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageInput(_Strict):
    """How a picture becomes pixels.

    `squash` presses it into a square; `crop` scales its middle square; `shortest` scales its short
    side, in whole pixels, and then cuts out the middle; `pad` scales its long side and fills up.
    """

    graph: str = "image.onnx"
    size: int = Field(gt=0, le=4096)
    fit: Literal["squash", "crop", "shortest", "pad"]
    resample: Literal["bilinear", "bicubic"] = "bilinear"
    cut: Literal["nearest", "down"] = Field(
        "nearest", description="Where a middle between two pixels begins: open_clip's way, or not."
    )
    fill: int = Field(0, ge=0, le=255, description="Grey value of what is filled up.")
    longest_aspect: int | None = Field(
        None, gt=0, description="Of a picture longer than so many times its width, the middle."
    )


class TextInput(_Strict):
    """How a text becomes tokens; `max_tokens` counts no markers and no prompt."""

    graph: str = "text.onnx"
    tokenizer: str = "tokenizer.json"
    max_tokens: int = Field(gt=0, le=1_000_000)
    clean: Literal["none", "whitespace", "lower", "canonicalize"] = "none"
    prompt: str = Field("", description="Stands before every text.")
    pad: int = Field(0, ge=0, description="The token that fills up shorter texts.")
    pad_to: int | None = Field(
        None, gt=0, description="Every text is filled up to so many tokens, markers counted."
    )


class StandsFor(_Strict):
    """The model in whose space the artifact is, by parity that was measured when it was made.

    `checked` is the own fingerprint of the artifact that was measured: one that was changed since
    stands for nothing.
    """

    model: str = Field(min_length=1)
    fingerprint: str = Field(min_length=1)
    checked: str


class Card(_Strict):
    """What people should know of the model before they use it."""

    about: str = ""
    licence: str = ""
    measured: dict[str, float] = Field(default_factory=dict)


class Manifest(_Strict):
    """`model.json`."""

    format: Literal[1] = 1
    name: str = Field(min_length=1)
    dim: int = Field(gt=0, le=65_536)
    image: ImageInput | None = None
    text: TextInput | None = None
    files: dict[str, str]
    stands_for: StandsFor | None = None
    probes: dict[Modality, list[float]] = Field(
        default_factory=dict,
        description="Rows of known things as they came out where the artifact was made: processors"
        " without the right instructions multiply 8 bits less exactly, and are found out.",
    )
    calibration: Calibration | None = None
    nouns: tuple[str, ...] = Field(
        (),
        max_length=8,
        description="Sentences with {} for a bare noun in a question; their mean place stands for"
        " it. Stored texts are placed as they are.",
    )
    card: Card = Card()

    @model_validator(mode="after")
    def _names_its_files(self) -> Manifest:
        wanted = [self.image.graph] if self.image else []
        wanted += [self.text.graph, self.text.tokenizer] if self.text else []
        if not wanted:
            raise ValueError("neither an image nor a text tower")
        for name in wanted:
            if name not in self.files:
                raise ValueError(f"{name} has no SHA-256 under 'files'")
        if not all(_PLAIN_NAME.fullmatch(name) for name in self.files):
            raise ValueError("'files' must name files of this folder")
        return self

    @model_validator(mode="after")
    def _has_room_for_nouns(self) -> Manifest:
        if any(form.count("{}") != 1 for form in self.nouns):
            raise ValueError("each of 'nouns' must have {} once, where the noun is to stand")
        return self

    @model_validator(mode="after")
    def _is_what_was_checked(self) -> Manifest:
        if self.stands_for is not None and self.stands_for.checked != self.own_fingerprint:
            raise ValueError("it was changed after its parity was checked; compile it again")
        if any(len(probe) != self.dim for probe in self.probes.values()):
            raise ValueError("'probes' are of another dimension")
        return self

    @property
    def modalities(self) -> frozenset[Modality]:
        """What the model takes."""
        towers = {Modality.IMAGE: self.image, Modality.TEXT: self.text}
        return frozenset(modality for modality, tower in towers.items() if tower is not None)

    @property
    def fingerprint(self) -> str:
        """Of the space the artifact places things in."""
        return self.stands_for.fingerprint if self.stands_for else self.own_fingerprint

    @property
    def own_fingerprint(self) -> str:
        """Changes whenever the same input would land elsewhere; what is known of it does not."""
        decisive = self.model_dump(
            include={"format", "dim", "image", "text", "files"}, exclude_defaults=True
        )
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


class Artifact:
    """A folder and its manifest; every byte is held against the manifest before it is used."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest.

        Raises:
            ModelUnavailableError: there is none, or it cannot be understood.
        """
        self.folder = folder
        path = folder / MANIFEST
        try:
            self.manifest = Manifest.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ModelUnavailableError(
                f"{folder} holds no compiled model: {MANIFEST}: {error.strerror}"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ModelUnavailableError(
                f"{path} cannot be understood: {where}: {first['msg']}"
            ) from error

    @property
    def size(self) -> int:
        """Bytes of all files that the manifest names and that are there."""
        paths = (self.folder / name for name in self.manifest.files)
        return sum(path.stat().st_size for path in paths if path.is_file())

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            ModelUnavailableError: it is missing, or not the file the manifest means.
        """
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelUnavailableError(
                f"the compiled model misses {path}: {error.strerror}"
            ) from error
        if hashlib.sha256(content).hexdigest() != self.manifest.files[name]:
            raise ModelUnavailableError(
                f"{path} is damaged or of another model: its SHA-256 is not the one in {MANIFEST};"
                " install the model again"
            )
        return content


def write_artifact(
    folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, object]
) -> Artifact:
    """Write the files and, last, the manifest that names them; `manifest` leaves `files` out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    complete = Manifest.model_validate({**manifest, "files": hashes})
    (folder / MANIFEST).write_text(complete.model_dump_json(indent=2) + "\n")
    return Artifact(folder)
