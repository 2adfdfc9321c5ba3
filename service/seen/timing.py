"""How long each stage of one request took.

Knows nothing about what the stages do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from latent.clock import Clock

STAGES = ("decode", "embed", "search", "catalog")


class Timings(Clock):
    """A clock of a request's stages; what is told of it is in milliseconds."""

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

    def took_ms(self) -> Mapping[str, float]:
        """Milliseconds by stage, rounded to microseconds; 0.0 where a stage did not happen."""
        return {stage: round(1000 * seconds, 3) for stage, seconds in self.seconds.items()}
