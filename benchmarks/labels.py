"""How often the right label is given, and how often none where the right one is not there.

Photos of one class each, of the half of the classes that the sureness was not learnt from, and
captions of `val` photos, whose labels are words in them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import MINI, Bench
from benchmarks.photos import REAL
from benchmarks.rows import Row, UnmeasuredError
from latent.models import registry
from latent.models.cuts import Sureness
from scripts.training.naming import COUNTS, Named, named_captions, named_photos
from service.checks.classify import NONE_FROM, sure

BINS = 10


def rows(bench: Bench) -> Iterator[Row]:
    """For lists of labels of several lengths: right labels kept, absent ones told, calibration."""
    if not (REAL / "class_photos.tar").is_file():
        raise UnmeasuredError("the photos of classes are not here")
    embedder = bench.embedder(MINI)
    cuts = registry.cuts(embedder.space, bench.settings())
    photos = named_photos(embedder, REAL, bench.settings()).halves()[1]
    captions = named_captions(embedder, REAL, "val")
    for what, named, sureness in (
        ("photos", photos, cuts.naming_pictures),
        ("captions", captions, cuts.naming_texts),
    ):
        for count in COUNTS:
            if count < named.cosines.shape[1]:
                yield from _of(what, named, sureness, count)


def _of(what: str, named: Named, sureness: Sureness, count: int) -> Iterator[Row]:
    there: list[tuple[float, NDArray[np.float64]]] = []
    absent: list[float] = []
    for cosines, is_there in named.trials((count,)):
        none, shares = sure(cosines, sureness)
        if is_there:
            there.append((none, shares))
        else:
            absent.append(none)
    right = np.array([shares.argmax() == 0 for _, shares in there])
    kept = np.array([none < NONE_FROM for none, _ in there])
    told = np.array(absent) >= NONE_FROM
    name, how = f"labels: {what}, {count}", f"{len(there)} with the right label, as many without"
    yield Row(f"{name}: right label first", float(right.mean()), "", how)
    yield Row(f"{name}: right label given", float((right & kept).mean()), "", how)
    yield Row(f"{name}: none where it is absent", float(told.mean()), "", how)
    sureness_of = np.array([none for none, _ in there] + absent)
    is_none = np.array([False] * len(there) + [True] * len(absent))
    error = calibration_error(sureness_of, is_none)
    yield Row(f"{name}: calibration error of none", error, "", f"{BINS} bins; {how}")


def calibration_error(told: NDArray[np.float64], true: NDArray[np.bool_]) -> float:
    """How far what was told is from how often it was true, over bins, each by its size."""
    bins = np.minimum((told * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(told[bins == one].mean() - true[bins == one].mean()) * (bins == one).mean()
            for one in range(BINS)
            if (bins == one).any()
        )
    )
