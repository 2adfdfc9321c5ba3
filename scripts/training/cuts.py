"""Fit the cuts of a model: from which cosine on things count as related, alike or copies.

    python -m scripts.training.cuts [--model FOLDER] [--data FOLDER]

Compares `train` photos and captions that have nothing to do with each other, as the product places
them, and writes what they reach by chance into the calibration in the model's `model.json`; and how
surely a label fits, learnt in `naming`. What `calibrate` wrote there stays.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latent.items import Vectors
from latent.media.decode import Limits, decode
from latent.media.fingerprints import picture_hash, prints_of
from latent.models import mini
from latent.models.artifact import Artifact
from latent.models.calibration import Calibration
from latent.models.compiled import CompiledEmbedder
from latent.models.cuts import Cut, Cuts
from latent.models.embedder import Embedder
from latent.settings import Settings
from scripts.training import naming
from scripts.training.calibrate import write
from scripts.training.held import members

PHOTOS = 3_000
BATCH = 32
RELATED, ALIKE, NEAR_COPY = 0.02, 0.001, 1e-6
"""Shares of chance pairs that reach a cut."""

SAME = 0.3
"""Photos whose hashes are nearer than this are copies, and no chance pair."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", type=Path, default=mini.folder())
    given = parser.parse_args()
    settings = Settings()
    embedder = CompiledEmbedder(given.model, threads=settings.threads)
    cuts = fitted(embedder, given.data, settings)
    known = Artifact(given.model).manifest.calibration or Calibration()
    calibration = known.model_copy(update={"cuts": cuts})
    write(given.model, calibration, fingerprint=embedder.space.fingerprint)
    print(cuts.model_dump_json(indent=2))


def fitted(embedder: Embedder, data: Path, settings: Settings) -> Cuts:
    """The cuts that chance pairs of the data give."""
    names, captions = _chosen(data)
    files = members(data / "captioned_photos.tar")
    pictures, hashes = _placed(embedder, [files[name] for name in names], settings)
    texts = np.concatenate(
        [embedder.embed_texts(captions[i : i + BATCH]) for i in range(0, len(captions), BATCH)]
    )
    bits = np.unpackbits(prints_of(hashes)[0], axis=1).astype(np.float32)
    unlike = bits @ (1 - bits.T)
    is_chance = np.triu((unlike + unlike.T) / bits.shape[1] > SAME, 1)
    seen, said = (pictures @ pictures.T)[is_chance], (texts @ texts.T)[is_chance]
    shown = (texts @ pictures.T)[is_chance]
    return Cuts(
        pictures=Cut(
            related=_reached(seen, RELATED),
            alike=_reached(seen, ALIKE),
            near_copy=_reached(seen, NEAR_COPY),
        ),
        texts=Cut(related=_reached(said, RELATED), alike=_reached(said, ALIKE)),
        across=Cut(related=_reached(shown, RELATED)),
        naming_pictures=naming.of_pictures(embedder, data, settings),
        naming_texts=naming.of_texts(embedder, data, settings),
    )


def _chosen(data: Path) -> tuple[list[str], list[str]]:
    """Some `train` photos, and one caption of each."""
    with (data / "captioned_photos.tsv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    captions = {row["file"]: row["caption"] for row in rows if row["split"] == "train"}
    names = random.Random(0).sample(sorted(captions), PHOTOS)
    return names, [captions[name] for name in names]


def _placed(
    embedder: Embedder, contents: Sequence[bytes], settings: Settings
) -> tuple[Vectors, list[str]]:
    limits, side = Limits.of(settings), embedder.picture_side
    vectors, hashes = [], []
    for start in range(0, len(contents), BATCH):
        batch = [
            decode(content, name="photo", limits=limits, side=side).picture
            for content in contents[start : start + BATCH]
        ]
        hashes += [picture_hash(picture) for picture in batch]
        vectors.append(embedder.embed_images([embedder.prepare(picture) for picture in batch]))
    return np.concatenate(vectors), hashes


def _reached(scores: Vectors, share: float) -> float:
    return round(float(np.quantile(scores, 1 - share)), 4)


if __name__ == "__main__":
    main()
