"""Models compiled to ONNX: pictures and texts become vectors with no torch in sight.

Knows ONNX Runtime and tokenizers, and nothing about how a model was made. Each tower is opened
when it is first needed: a text query never loads the image tower.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Encoding, Tokenizer

from latent.errors import InputError, ModelUnavailableError, UnsupportedMediaError
from latent.items import Vectors
from latent.models.artifact import Artifact, ImageInput, TextInput
from latent.models.embedder import Prepared
from latent.models.texts import LONGEST_TOKEN, require_whole, whole
from latent.space import Space

T = TypeVar("T")

TOKENS_AT_ONCE = 4_096
"""Most tokens in one run, padding counted: bounds the memory of attention."""
TEXTS_AT_ONCE = 128
LONGEST_WORD = 100  # characters; a longer one is a single unknown token to BERT's tokenizer
PICTURES_AT_ONCE = 16


class CompiledEmbedder:
    """An `Embedder` that runs the graphs of an artifact folder on the CPU."""

    def __init__(self, folder: Path, *, threads: int, name: str | None = None) -> None:
        """Read the manifest; the towers are opened later.

        Raises:
            ModelUnavailableError: the folder holds no compiled model.
        """
        artifact = Artifact(folder)
        manifest = artifact.manifest
        self._image, self._text = manifest.image, manifest.text
        self._space = Space(
            name or manifest.name, manifest.dim, manifest.fingerprint, manifest.modalities
        )
        opened = _Opener(artifact, threads)
        self._tokenizer = _Once(opened.tokenizer)
        self._text_tower = _Once(opened.text_tower)
        self._image_tower = _Once(opened.image_tower)

    @property
    def space(self) -> Space:
        return self._space

    @property
    def picture_side(self) -> int:
        return self._image.size if self._image else 1

    @property
    def max_tokens(self) -> int:
        return self._text.max_tokens if self._text else 0

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        if self._text is None:
            return []
        encoding = self._tokenizer.get().encode(whole(text), add_special_tokens=False)
        return [(start, end) for start, end in encoding.offsets]

    def prepare(self, picture: Image.Image) -> Prepared:
        wanted = self._wants_pictures()
        if picture.mode != "RGB":
            picture = picture.convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) / 2, (picture.height - side) / 2
        box = (left, top, left + side, top + side) if wanted.fit == "crop" else None
        how = Image.Resampling[wanted.resample.upper()]
        return np.asarray(picture.resize((wanted.size, wanted.size), how, box=box))

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        self._wants_pictures()
        rows = np.empty((len(pictures), self._space.dim), dtype=np.float32)
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            part = slice(start, start + PICTURES_AT_ONCE)
            pixels = np.stack([np.asarray(picture, dtype=np.uint8) for picture in pictures[part]])
            rows[part] = self._image_tower.get().run(None, {"pixels": pixels})[0]
        return rows

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        wanted = self._wants_texts()
        rows = np.empty((len(texts), self._space.dim), dtype=np.float32)
        require_whole(texts)
        for text in texts:
            self._refuse_by_its_beginning(text, wanted.max_tokens)
        encodings = self._tokenizer.get().encode_batch(list(texts))
        for encoding in encodings:
            _check_length(encoding, wanted.max_tokens)
        for numbers in _alike([len(encoding.ids) for encoding in encodings]):
            ids, mask = _padded([encodings[number].ids for number in numbers])
            rows[numbers] = self._text_tower.get().run(None, {"ids": ids, "mask": mask})[0]
        return rows

    def _refuse_by_its_beginning(self, text: str, limit: int) -> None:
        """Spare the tokenizer the rest of a text whose beginning is too long already.

        A tokenizer takes a second and 200 MB for each megabyte.
        """
        beginning = text[: limit * LONGEST_TOKEN]
        if len(beginning) < len(text):
            tokens = self._tokenizer.get().encode(beginning, add_special_tokens=False).ids
            # The word at the cut may fall into more tokens than it would as a whole.
            if len(tokens) > limit + LONGEST_WORD:
                raise InputError(
                    f"the text has over {limit + LONGEST_WORD} tokens; this model reads {limit}"
                )

    def _wants_pictures(self) -> ImageInput:
        if self._image is None:
            raise UnsupportedMediaError(
                f"the model {self._space.model} takes texts only; 'mini' and openclip:… models"
                " take pictures"
            )
        return self._image

    def _wants_texts(self) -> TextInput:
        if self._text is None:
            raise UnsupportedMediaError(
                f"the model {self._space.model} takes pictures only; 'mini' and openclip:… models"
                " take texts"
            )
        return self._text


class _Once(Generic[T]):
    """Something made when it is first asked for, by one thread."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: T | None = None

    def get(self) -> T:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return self._made


class _Opener:
    """Opens the parts of an artifact and checks that they are what they should be."""

    def __init__(self, artifact: Artifact, threads: int) -> None:
        self._artifact = artifact
        self._threads = threads

    def tokenizer(self) -> Tokenizer:
        assert self._artifact.manifest.text is not None
        name = self._artifact.manifest.text.tokenizer
        content = self._artifact.read(name)
        try:
            tokenizer = Tokenizer.from_buffer(content)
        except Exception as error:  # tokenizers raises no other class
            raise ModelUnavailableError(
                f"{self._artifact.folder / name} is no tokenizer: {error}"
            ) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # "[SEP]" in a text is five characters, no marker
        return tokenizer

    def text_tower(self) -> ort.InferenceSession:
        assert self._artifact.manifest.text is not None
        wants = {"ids": ("tensor(int64)", 2), "mask": ("tensor(int64)", 2)}
        return self._session(self._artifact.manifest.text.graph, wants)

    def image_tower(self) -> ort.InferenceSession:
        assert self._artifact.manifest.image is not None
        wants = {"pixels": ("tensor(uint8)", 4)}
        return self._session(self._artifact.manifest.image.graph, wants)

    def _session(self, name: str, wants: dict[str, tuple[str, int]]) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what it would print is in the error that is raised
        # Spinning threads take the cores from whoever decodes and searches beside the model.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = self._artifact.folder / name
        try:
            session = ort.InferenceSession(
                self._artifact.read(name), options, providers=["CPUExecutionProvider"]
            )
        except _ORT_ERRORS as error:
            raise ModelUnavailableError(f"{path} is no graph that can be run: {error}") from error
        takes = {part.name: (part.type, len(part.shape)) for part in session.get_inputs()}
        gives = [(part.name, part.type, part.shape[1:]) for part in session.get_outputs()]
        if takes != wants:
            raise ModelUnavailableError(f"{path} takes {takes}, but should take {wants}")
        if gives != [("vectors", "tensor(float)", [self._artifact.manifest.dim])]:
            raise ModelUnavailableError(
                f"{path} gives {gives}, but should give 'vectors'"
                f" of {self._artifact.manifest.dim} dimensions"
            )
        return session


_ORT_ERRORS = tuple(
    vars(ort.capi.onnxruntime_pybind11_state)[name]
    for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
)


def _check_length(encoding: Encoding, max_tokens: int) -> None:
    """Refuse what has no place, or would be cut."""
    count = len(encoding.ids) - sum(encoding.special_tokens_mask)
    if count == 0:
        raise InputError("an empty text has no place in the space")
    if count > max_tokens:
        raise InputError(f"the text has {count} tokens; this model reads {max_tokens}")


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Batches of positions with about the same length, so that little padding is computed."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        is_full = (len(batch) + 1) * lengths[number] > TOKENS_AT_ONCE or len(batch) == TEXTS_AT_ONCE
        if batch and (is_full or lengths[number] > 1.5 * lengths[batch[0]] + 4):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _padded(
    sequences: Sequence[Sequence[int]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and the mask of what is real, both `(n, longest)`."""
    ids = np.zeros((len(sequences), max(map(len, sequences))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask
