"""What came of compiling: each precision that was tried, what it was held against, what was kept.

Knows nothing about how any of it was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from latent.models.compiling.parity import STABLE, Parity, Speed

Precision: TypeAlias = Literal["float32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")

LEAST: Mapping[Precision, float] = {"float32": 0.9999, "int8": 0.99}
"""The cosine to the source that every single thing must reach."""

MEAN: Mapping[Precision, float] = {"float32": 0.9999, "int8": 0.995}
"""The cosine to the source that is reached on average."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something measured, and the bound it was held against."""

    what: str
    value: float
    bound: float
    held: bool

    def __str__(self) -> str:
        return f"{self.what} is {self.value:.5g}, and should be {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Variant:
    """The model in one precision; `bytes` is what its files take."""

    precision: Precision
    bytes: int
    images: Parity | None
    texts: Parity | None
    speed: Speed
    checks: tuple[Check, ...]

    @property
    def held(self) -> bool:
        """Whether every check held."""
        return all(check.held for check in self.checks)

    @property
    def measured(self) -> dict[str, float]:
        """For the card."""
        numbers: dict[str, float] = {}
        for kind, one in (("image", self.images), ("text", self.texts)):
            if one is not None:
                numbers[f"{kind}_cosine_to_source_least"] = round(one.least, 5)
                numbers[f"{kind}_cosine_to_source_mean"] = round(one.mean, 5)
                numbers[f"{kind}_neighbours_of_source"] = round(one.overlap, 3)
        return numbers


@dataclass(frozen=True, slots=True)
class Report:
    """`kept` is the precision in `folder`; None where nothing was written."""

    model: str
    folder: Path
    kept: Precision | None
    variants: tuple[Variant, ...]
    pictures: int
    texts: int
    are_photos: bool

    @property
    def failed(self) -> tuple[str, ...]:
        """The checks that did not hold, in words."""
        return tuple(
            f"{variant.precision}: {check}"
            for variant in self.variants
            for check in variant.checks
            if not check.held
        )


def checks_of(precision: Precision, kind: str, found: Parity, unsteady: float) -> Iterator[Check]:
    """What a precision must hold for one kind of thing."""
    bounds = (
        (f"least cosine of {kind}", found.least, LEAST[precision]),
        (f"mean cosine of {kind}", found.mean, MEAN[precision]),
    )
    for what, value, bound in bounds:
        yield Check(what, value, bound, value >= bound)
    yield Check(f"change of {kind} with their batch", unsteady, STABLE, unsteady <= STABLE)
