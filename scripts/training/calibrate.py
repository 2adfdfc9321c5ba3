"""Fit the calibration of a compiled model and write it into its `model.json`.

    python -m scripts.training.calibrate [--model FOLDER] [--data FOLDER] [--kept FOLDER]

Learns from the `train` photos and captions of the data folder, from photos of named classes, and
from the documentation of Python's standard library; the `val` photos and the questions of
`benchmarks/unanswerable.txt` are left for testing. The fingerprint of the model stays as it is.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latent.items import Modality, Vectors
from latent.models import mini
from latent.models.artifact import MANIFEST, Artifact, Manifest
from latent.models.calibrating.examples import Pairs, alone, examples, learnt, parted, usual_of
from latent.models.calibration import Calibration, Curve, pair
from latent.models.compiled import CompiledEmbedder
from latent.models.cuts import Cuts
from latent.models.embedder import Embedder
from scripts.training import foreign
from scripts.training.held import members

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
UNSEEN = ROOT / "benchmarks" / "unanswerable.txt"
DOGS = range(151, 269)
"""Numbers of ImageNet classes that are dogs, wolves among them; captions say no more than dog."""
CAPTIONED = 3_000  # photos whose captions are placed
FEW = 60  # captions among passages about something else
EACH_CLASS = 8  # small photos of a class
SIZES = [round(float(size)) for size in np.geomspace(100, 5_000, 120)]
"""Of collections. Curves learnt from smaller ones as well did worse at every size from 5 to 500 on
other photos: in so few, what the model learnt by heart stands out too well."""
AT_ONCE = 64


@dataclass(frozen=True)
class Material:
    """Unit rows of everything that is learnt from.

    `photos` `(n, dim)` and two captions each of the first of them, `captions` and `others`. `crops`
    are parts of those photos. `small` photos have a class each, `small_classes`; `strange_photos`
    show what neither captions nor those classes name. `strange` are questions about nothing there
    is; `heads` and `bodies` are of passages.
    """

    photos: Vectors
    crops: Vectors
    captions: Vectors
    others: Vectors
    small: Vectors
    small_classes: NDArray[np.int64]
    strange_photos: Vectors
    strange: Vectors
    heads: Vectors
    bodies: Vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=mini.folder())
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--kept", type=Path, help="where placed things are kept for another run")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    embedder = CompiledEmbedder(asked.model, threads=asked.threads)
    material = kept_material(embedder, asked.data, asked.kept)
    given = tasks(material)
    calibration = Calibration(
        curves={name: fit(name, worlds) for name, worlds in given.items()},
        alone={name: alone(worlds[0], seed=6) for name, worlds in given.items()},
        cuts=cuts_in(asked.model),
        about=f"{datetime.now(UTC).date().isoformat()}; {ABOUT}",
    )
    write(asked.model, calibration, fingerprint=embedder.space.fingerprint)


ABOUT = (
    "train photos and captions of Flickr8k, Tiny ImageNet and ImageNet photos,"
    " the documentation of Python's standard library"
)


def tasks(material: Material) -> dict[str, list[Pairs]]:
    """What is asked and found for each pair of modalities, in one world or in several."""
    text, image = Modality.TEXT, Modality.IMAGE
    return {
        pair(text, image): [_words_for_photos(material)],
        pair(text, text): _words_for_texts(material),
        pair(image, text): _photos_for_texts(material),
        pair(image, image): [_photos_for_photos(material)],
    }


def _words_for_photos(material: Material) -> Pairs:
    return Pairs(
        material.photos,
        np.arange(len(material.photos)),
        material.captions,
        np.arange(len(material.captions)),
        np.concatenate([material.strange, material.heads[::4]]),
    )


def _words_for_texts(material: Material) -> list[Pairs]:
    """Captions, passages, and both: as many of each, and few captions among passages."""
    captions, others = material.captions, material.others
    heads, bodies = material.heads, material.bodies
    numbers, passages = np.arange(len(captions)), np.arange(len(bodies)) + len(captions)
    worlds = [
        Pairs(others, numbers, captions, numbers, np.concatenate([material.strange, heads])),
        Pairs(bodies, passages, heads, passages, np.concatenate([material.strange, captions[::3]])),
    ]
    for count in (len(bodies), FEW):
        labels = np.r_[numbers[:count], passages]
        found = np.concatenate([others[:count], bodies])
        asked = np.concatenate([captions[:count], heads])
        worlds.append(Pairs(found, labels, asked, labels, material.strange))
    return worlds


def _photos_for_texts(material: Material) -> list[Pairs]:
    """Captions, and few of them among passages about something else."""
    others, bodies = material.others, material.bodies
    numbers, passages = np.arange(len(others)), np.arange(len(bodies)) + len(others)
    strange, photos = material.strange_photos, material.photos
    return [
        Pairs(others, numbers, photos[: len(others)], numbers, strange),
        Pairs(
            np.concatenate([others[:FEW], bodies]),
            np.r_[numbers[:FEW], passages],
            photos[:FEW],
            numbers[:FEW],
            strange,
        ),
    ]


def _photos_for_photos(material: Material) -> Pairs:
    everything = np.arange(len(material.photos))
    of_class = material.small_classes + len(everything)
    # Two small photos of a class ask for the others of it; every other class is never shown.
    is_asking = np.arange(len(of_class)) % EACH_CLASS < 2
    is_shown = material.small_classes % 2 == 0
    asks, rest = is_asking & is_shown, ~is_asking & is_shown
    return Pairs(
        np.concatenate([material.photos, material.small[rest]]),
        np.r_[everything, of_class[rest]],
        np.concatenate([material.crops, material.small[asks]]),
        np.r_[np.arange(len(material.crops)), of_class[asks]],
        np.concatenate([material.strange_photos[::2], material.small[~is_shown & is_asking]]),
    )


def fit(name: str, worlds: Sequence[Pairs]) -> Curve:
    """The curve of a pair; how well it parts what it was not fitted on is logged."""
    usual = usual_of(worlds[0])
    sizes = SIZES[:: len(worlds)]
    halves = [pairs.halves(seed=1) for pairs in worlds]
    sides = [[examples(half[i], usual, sizes=sizes, seed=2) for half in halves] for i in (0, 1)]
    crossed = [parted(learnt(sides[i], usual), one) for i in (0, 1) for one in sides[1 - i]]
    curve = learnt([examples(one, usual, sizes=sizes, seed=3) for one in worlds], usual)
    log.info("%s: AUROC %.4f on what it was not fitted on; %s", name, np.mean(crossed), curve)
    return curve


def cuts_in(folder: Path) -> Cuts | None:
    """The cuts that are in the manifest already; `cuts` fits them."""
    known = Artifact(folder).manifest.calibration
    return known.cuts if known else None


def write(folder: Path, calibration: Calibration, *, fingerprint: str) -> None:
    """Put the calibration of the model of that fingerprint into its manifest, and nothing else."""
    before = Artifact(folder).manifest
    if before.fingerprint != fingerprint:
        raise SystemExit(f"{folder} holds another model by now; calibrate again")
    fields = before.model_dump(mode="json", exclude_defaults=True)
    fields |= {"format": before.format, "calibration": calibration.model_dump(mode="json")}
    after = Manifest.model_validate(fields)
    if after.fingerprint != before.fingerprint:
        raise SystemExit("the calibration would change the fingerprint of the model")
    ordered = {name: fields[name] for name in Manifest.model_fields if name in fields}
    (folder / MANIFEST).write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n")
    log.info("written to %s", folder / MANIFEST)


# --- what is learnt from --------------------------------------------------------------------------


def kept_material(embedder: Embedder, data: Path, kept: Path | None) -> Material:
    """The material, placed anew or as it is kept for this very model."""
    path = kept / f"{embedder.space.fingerprint[:16]}.npz" if kept else None
    if path and path.is_file():
        with np.load(path) as stored:
            return Material(**stored)
    material = place(embedder, data)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **asdict(material))
    return material


def place(embedder: Embedder, data: Path) -> Material:
    """Place everything with the model."""
    own, captions = _captioned(data)
    names = [line.split(",")[0].strip() for line in _lines(data / "imagenet_labels.txt")[1:]]
    plain = [name for number, name in enumerate(names) if number not in DOGS]
    spared = [word for line in _lines(UNSEEN) for word in foreign.words(line)]
    everyday = [caption for pair in captions for caption in pair]
    log.info("placing photos")
    files = members(data / "captioned_photos.tar")
    pictures = [files[name] for name in own]
    small, small_classes = _small(data)
    readable = [
        (head, body)
        for head, body in foreign.passages()
        if len(embedder.token_spans(body)) <= embedder.max_tokens
    ]
    heads, bodies = zip(*readable, strict=True)
    strange = foreign.questions(foreign.absent(plain, everyday, spared), seed=4)
    log.info(
        "%d photos, %d captions, %d strange questions", len(own), 2 * len(captions), len(strange)
    )
    return Material(
        photos=_photos(embedder, pictures),
        crops=_photos(embedder, pictures[: len(captions) // 10], share=0.6),
        captions=embedder.embed_texts([one for one, _ in captions]),
        others=embedder.embed_texts([two for _, two in captions]),
        small=_photos(embedder, small),
        small_classes=small_classes,
        strange_photos=_photos(embedder, _strange_photos(data, plain, everyday)),
        strange=embedder.embed_texts(strange),
        heads=embedder.embed_texts(list(heads)),
        bodies=embedder.embed_texts(list(bodies)),
    )


def _captioned(data: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Names of the `train` photos in random order, and two captions of each of the first."""
    with (data / "captioned_photos.tsv").open(newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        given = [(row["file"], row["caption"]) for row in rows if row["split"] == "train"]
    by_file = {
        name: [caption for _, caption in group]
        for name, group in groupby(given, lambda row: row[0])
    }
    names = list(by_file)
    chance = np.random.default_rng(5)
    chance.shuffle(names)
    both = [chance.permutation(by_file[name])[:2].tolist() for name in names[:CAPTIONED]]
    return names, [(one, two) for one, two in both]


def _small(data: Path) -> tuple[list[bytes], NDArray[np.int64]]:
    by_class: dict[str, list[bytes]] = {}
    for name, content in sorted(members(data / "tiny_class_photos.tar").items()):
        by_class.setdefault(name.split("_")[0], []).append(content)
    photos = [content for group in by_class.values() for content in group[:EACH_CLASS]]
    counts = [min(EACH_CLASS, len(group)) for group in by_class.values()]
    return photos, np.repeat(np.arange(len(counts)), counts)


def _strange_photos(data: Path, plain: Sequence[str], everyday: Sequence[str]) -> list[bytes]:
    """Photos of classes that captions never name and that the small photos do not show."""
    absent = set(foreign.absent(plain, everyday))
    shown = {name.split("_")[0] for name in members(data / "tiny_class_photos.tar")}
    photos = members(data / "class_photos.tar").items()
    return [
        content
        for name, content in sorted(photos)
        if name.split("_")[0] not in shown and _class_name(name) in absent
    ]


def _class_name(file: str) -> str:
    return Path(file).stem.split("_", 1)[1].replace("_", " ")


def _photos(embedder: Embedder, contents: Sequence[bytes], *, share: float = 1.0) -> Vectors:
    """Places of photos, or of their middle `share`."""
    parts = [
        embedder.embed_images([embedder.prepare(picture) for picture in _opened(batch, share)])
        for start in range(0, len(contents), AT_ONCE)
        if (batch := contents[start : start + AT_ONCE])
    ]
    return np.concatenate(parts)


def _opened(contents: Sequence[bytes], share: float) -> Iterator[Image.Image]:
    for content in contents:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as photo:
            width, height = photo.size
            left, top = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
            yield photo.convert("RGB").crop((left, top, width - left, height - top))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


if __name__ == "__main__":
    main()
