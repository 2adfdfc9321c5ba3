"""How long each stage of one request took.

Knows nothing about what the stages do.
"""

from __future__ import annotations

from collections.abc import Iterable

from latent.clock import Clock

STAGES = ("decode", "embed", "search", "catalog")


class Timings(Clock):
    """A clock of a request's stages: 0 for each that did not happen."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(STAGES, 0.0))

    def add(self, other: Timings) -> None:
        """Count what another has counted, too."""
        for stage, seconds in other.seconds.items():
            self.seconds[stage] += seconds

    def share(self, several: Iterable[Timings]) -> None:
        """Let each of several count an equal part of this."""
        some = list(several)
        part = Timings()
        part.seconds = {stage: all_ / max(1, len(some)) for stage, all_ in self.seconds.items()}
        for one in some:
            one.add(part)
