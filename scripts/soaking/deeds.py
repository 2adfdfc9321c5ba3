"""What a writer did and was doing when it was killed: a journal of deeds, and what they add up to.

A deed is written down before it begins and again when it is done, which is when the store has
acknowledged it. Knows nothing about stores.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

LIVE, NOTES = "live", "notes"
"""The two collections: items that are put one by one, and a folder that is indexed."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One write. `put` gives the version of each item by its name; `collection` is whose."""

    kind: str
    collection: str = LIVE
    put: Mapping[str, int] = field(default_factory=dict)
    drop: tuple[str, ...] = ()

    def after(self, versions: Mapping[str, int]) -> dict[str, int]:
        """What there is when it is done."""
        left = {name: version for name, version in versions.items() if name not in self.drop}
        return left | dict(self.put)


class Journal:
    """A file of deeds that outlives the process that writes it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def begin(self, deed: Deed) -> None:
        self._write({"begun": asdict(deed)})

    def done(self) -> None:
        """The last deed was acknowledged."""
        self._write({"done": True})

    def _write(self, line: dict[str, object]) -> None:
        # One call of the system: the line is there whole, or the process was killed before it.
        os.write(self._file, json.dumps(line).encode() + b"\n")


def told(path: Path) -> Iterator[tuple[Deed, bool]]:
    """The deeds of a journal in order, each with whether it was acknowledged."""
    begun: Deed | None = None
    for line in path.read_text().splitlines() if path.exists() else ():
        entry = json.loads(line)
        if "begun" in entry:
            begun = Deed(**entry["begun"] | {"drop": tuple(entry["begun"]["drop"])})
        elif begun is not None:
            yield begun, True
            begun = None
    if begun is not None:
        yield begun, False
