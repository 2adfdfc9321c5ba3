"""Models compiled to ONNX: pictures and texts become vectors with no torch in sight.

Knows tokenizers, and nothing about how a model was made. Each tower is opened when it is first
needed: a text query never loads the image tower.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from latent.errors import InputError, ModelUnavailableError, UnsupportedMediaError
from latent.items import Modality, Vectors
from latent.models.artifact import Artifact, ImageInput, TextInput
from latent.models.cleaning import Cleaning, cleaned, remembering, spans_of_words
from latent.models.embedder import Prepared
from latent.models.fitting import fitted
from latent.models.texts import LONGEST_TOKEN, require_whole, whole
from latent.models.towers import LITTLE, Feed, Once, Tower
from latent.settings import Device
from latent.space import Space

TOKENS_AT_ONCE = 1_024
"""Most tokens in one run, padding counted: bounds the memory of attention."""
PADDED = 1.2  # tokens with padding, of those without, in a batch of texts that are about as long
TEXTS_AT_ONCE = 128
LONGEST_WORD = 100  # characters; a longer one is a single unknown token to BERT's tokenizer
PICTURES_AT_ONCE = 8  # more in one run are no faster, and in 8 bits slower

PROBE_TEXT = "two dogs"
PROBE_COSINE = 0.999
"""How near a known thing must land to where it landed when the model was compiled."""


class CompiledEmbedder:
    """An `Embedder` that runs the graphs of an artifact folder."""

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        name: str | None = None,
        device: Device = "cpu",
        is_exact: bool = False,
    ) -> None:
        """Read the manifest; the towers are opened later.

        Args:
            is_exact: compute as a processor does that cuts no sums of 8 bits off (`Tower`), without
                trying how this one does.

        Raises:
            ModelUnavailableError: the folder holds no compiled model.
        """
        artifact = Artifact(folder)
        manifest = artifact.manifest
        self._image, self._text = manifest.image, manifest.text
        self._space = Space(
            name or manifest.name, manifest.dim, manifest.fingerprint, manifest.modalities
        )
        self._threads = threads
        opened = _Opener(artifact, threads, device, is_exact=is_exact)
        self._tokenizer = Once(opened.tokenizer)
        how: Cleaning = self._text.clean if self._text else "none"
        self._count = remembering(partial(_count, self._tokenizer, how))
        self._text_tower = Once(lambda: opened.text_tower(self._tokenizer.get()))
        self._image_tower = Once(opened.image_tower)

    @property
    def space(self) -> Space:
        return self._space

    @property
    def picture_side(self) -> int:
        return self._image.size if self._image else 1

    @property
    def picture_patch(self) -> int:
        return 0

    @property
    def max_tokens(self) -> int:
        return self._text.max_tokens if self._text else 0

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        if self._text is None:
            return []
        if self._text.clean == "none":
            encoding = self._tokenizer.get().encode(whole(text), add_special_tokens=False)
            return [(start, end) for start, end in encoding.offsets]
        return spans_of_words(whole(text), self._count)

    def prepare(self, picture: Image.Image) -> Prepared:
        return fitted(picture, self._wants_pictures())

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        self._wants_pictures()
        feeds = self.picture_feeds(pictures)
        placed = self._image_tower.get().run(feeds) if feeds else []
        return np.concatenate([np.empty((0, self._space.dim), np.float32), *placed])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self._wants_texts()
        rows = np.empty((len(texts), self._space.dim), dtype=np.float32)
        if texts:
            batches, feeds = self.text_feeds(texts)
            for batch, placed in zip(batches, self._text_tower.get().run(feeds), strict=True):
                rows[batch] = placed
        return rows

    def picture_feeds(self, pictures: Sequence[Prepared]) -> list[Feed]:
        """What the runs of the image tower take, in order."""
        count, threads = len(pictures), self._threads
        rounds = -(-count // (PICTURES_AT_ONCE * threads))
        runs = min(count, rounds * threads)  # as many for each thread, and about as large
        feeds: list[Feed] = []
        for run in range(runs):
            some = pictures[run * count // runs : (run + 1) * count // runs]
            feeds.append({"pixels": np.stack([np.asarray(one, dtype=np.uint8) for one in some])})
        return feeds

    def text_feeds(self, texts: Sequence[str]) -> tuple[list[list[int]], list[Feed]]:
        """Which texts go into each run of the text tower, and what the runs take.

        Raises:
            InputError: a text is empty or too long.
        """
        wanted = self._wants_texts()
        require_whole(texts)
        sequences = self._sequences(texts, wanted)
        lengths = [wanted.pad_to or len(one) for one in sequences]
        share = math.ceil(PADDED * sum(lengths) / self._threads)  # so that all threads have some
        batches = list(_alike(lengths, most=min(TOKENS_AT_ONCE, max(LITTLE, share))))
        feeds = [_feed([sequences[number] for number in batch], wanted) for batch in batches]
        return batches, feeds

    def probes(self) -> dict[Modality, list[float]]:
        """Where known things land, to be kept in the manifest and held against elsewhere."""
        rows: dict[Modality, Vectors] = {}
        if self._image:
            rows[Modality.IMAGE] = self.embed_images([probe_pixels(self._image.size)])
        if self._text:
            rows[Modality.TEXT] = self.embed_texts([PROBE_TEXT])
        return {
            modality: [round(value, 5) for value in placed[0].tolist()]
            for modality, placed in rows.items()
        }

    def _sequences(self, texts: Sequence[str], wanted: TextInput) -> list[list[int]]:
        """The tokens of each text, with markers and prompt; none is empty or too long."""
        tokenizer = self._tokenizer.get()
        for text in texts:
            _refuse_by_its_beginning(text, wanted, tokenizer)
        clean = [wanted.prompt + cleaned(text, wanted.clean) for text in texts]
        extra = len(tokenizer.encode(wanted.prompt).ids)
        sequences = [encoding.ids for encoding in tokenizer.encode_batch(clean)]
        for sequence in sequences:
            _check_length(len(sequence) - extra, wanted.max_tokens)
        return sequences

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


class _Opener:
    """Opens the parts of an artifact and checks that they are what they should be."""

    def __init__(
        self, artifact: Artifact, threads: int, device: Device, *, is_exact: bool = False
    ) -> None:
        self._artifact = artifact
        self._threads = threads
        self._device = device
        self._is_exact = is_exact

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

    def text_tower(self, tokenizer: Tokenizer) -> Tower:
        wanted = self._artifact.manifest.text
        assert wanted is not None
        tower = self._tower(wanted.graph)
        number = ("tensor(int64)", 2)
        if tower.takes not in ({"ids": number}, {"ids": number, "mask": number}):
            _refuse_inputs(tower, "'ids' and perhaps 'mask', (n, tokens) int64")
        self._require_same_vocabulary(tower, tokenizer, wanted)
        probe = tokenizer.encode(wanted.prompt + PROBE_TEXT).ids
        return self._as_compiled(tower, Modality.TEXT, _feed([probe], wanted))

    def image_tower(self) -> Tower:
        assert self._artifact.manifest.image is not None
        tower = self._tower(self._artifact.manifest.image.graph)
        if tower.takes != {"pixels": ("tensor(uint8)", 4)}:
            _refuse_inputs(tower, "'pixels', (n, size, size, 3) uint8")
        probe = probe_pixels(self._artifact.manifest.image.size)
        return self._as_compiled(tower, Modality.IMAGE, {"pixels": probe[None]})

    def _tower(self, name: str, *, is_exact: bool = False) -> Tower:
        artifact = self._artifact
        return Tower(
            artifact.folder / name,
            lambda: artifact.read(name),
            dim=artifact.manifest.dim,
            threads=self._threads,
            device=self._device,
            is_exact=is_exact or self._is_exact,
        )

    def _require_same_vocabulary(
        self, tower: Tower, tokenizer: Tokenizer, wanted: TextInput
    ) -> None:
        """Try the last token, lest a tokenizer of another model be found out by some later text."""
        path = self._artifact.folder / wanted.tokenizer
        longest = wanted.max_tokens + len(tokenizer.encode(wanted.prompt).ids)
        if wanted.pad_to is not None and longest > wanted.pad_to:
            raise ModelUnavailableError(
                f"{path} makes up to {longest} tokens of a text; {tower.path} takes {wanted.pad_to}"
            )
        last = max(0, tokenizer.get_vocab_size() - 1)
        try:
            tower.run_first(_feed([[last, last]], wanted))
        except ModelUnavailableError as error:
            raise ModelUnavailableError(
                f"{path} has {last + 1} tokens, and {tower.path} fails on the last: they are of"
                " two models"
            ) from error

    def _as_compiled(self, tower: Tower, modality: Modality, feed: Feed) -> Tower:
        """A tower that puts a known thing where it landed when the artifact was made.

        Raises:
            ModelUnavailableError: even exact arithmetic puts it elsewhere.
        """
        expected = self._artifact.manifest.probes.get(modality)
        if not expected:
            return tower
        known = np.asarray(expected, np.float32)
        if float(tower.run_first(feed)[0] @ known) >= PROBE_COSINE:
            return tower
        tower = self._tower(tower.path.name, is_exact=True)
        cosine = float(tower.run_first(feed)[0] @ known)
        if not cosine >= PROBE_COSINE:
            raise ModelUnavailableError(
                f"{tower.path} computes otherwise here than where it was compiled (cosine"
                f" {cosine:.3f}): compile the model on this machine, or with --precision float32"
            )
        return tower


def probe_pixels(size: int) -> NDArray[np.uint8]:
    """A picture that is the same everywhere: `(size, size, 3)` uint8, slopes and waves."""
    down, across = np.mgrid[0:size, 0:size] * (255 // max(1, size - 1) + 1)
    return np.stack([down % 256, across % 256, (down * 3 + across * 2) % 256], -1).astype(np.uint8)


def _refuse_inputs(tower: Tower, should: str) -> None:
    raise ModelUnavailableError(f"{tower.path} takes {tower.takes}, but should take {should}")


def _count(tokenizer: Once[Tokenizer], how: Cleaning, text: str) -> int:
    """How many tokens a piece of text has, cleaned as the model wants it."""
    return len(tokenizer.get().encode(cleaned(text, how), add_special_tokens=False).ids)


def _refuse_by_its_beginning(text: str, wanted: TextInput, tokenizer: Tokenizer) -> None:
    """Spare the tokenizer the rest of a text whose beginning is too long already.

    A tokenizer takes a second and 200 MB for each megabyte.
    """
    beginning = text[: wanted.max_tokens * LONGEST_TOKEN]
    if len(beginning) < len(text):
        clean = cleaned(beginning, wanted.clean)
        tokens = tokenizer.encode(clean, add_special_tokens=False).ids
        # The word at the cut may fall into more tokens than it would as a whole.
        if len(tokens) > wanted.max_tokens + LONGEST_WORD:
            raise InputError(
                f"the text has over {wanted.max_tokens + LONGEST_WORD} tokens;"
                f" this model reads {wanted.max_tokens}"
            )


def _check_length(count: int, max_tokens: int) -> None:
    """Refuse what has no place, or would be cut."""
    if count <= 0:
        raise InputError("an empty text has no place in the space")
    if count > max_tokens:
        raise InputError(f"the text has {count} tokens; this model reads {max_tokens}")


def _alike(lengths: Sequence[int], *, most: int) -> Iterator[list[int]]:
    """Batches of positions with about the same length, so that little padding is computed.

    A batch has at most `most` tokens, or one text.
    """
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        is_full = (len(batch) + 1) * lengths[number] > most or len(batch) == TEXTS_AT_ONCE
        if batch and (is_full or lengths[number] > 1.5 * lengths[batch[0]] + 4):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _feed(sequences: Sequence[Sequence[int]], wanted: TextInput) -> Feed:
    """Token ids and the mask of what is real, both `(n, longest)`, or as long as is wanted."""
    longest = wanted.pad_to or max(map(len, sequences))
    ids = np.full((len(sequences), longest), wanted.pad, dtype=np.int64)
    mask: NDArray[np.int64] = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return {"ids": ids, "mask": mask}
