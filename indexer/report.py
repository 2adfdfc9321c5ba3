"""What a run did. Knows nothing about how."""

from __future__ import annotations

from dataclasses import dataclass, field

from latent.items import JSON


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be read, and why, in one line."""

    uri: str
    reason: str


@dataclass(slots=True)
class Report:
    """What a run did, in files (of a manifest: in rows); `items` is what the collection holds now.

    `indexed` counts what is new or changed, among it `reused`, whose vectors were known already
    because the same content was there under another name. `failed` names what could not be read,
    whether that was found in this run or in one before.
    """

    collection: str
    indexed: int = 0
    reused: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list)
    items: int = 0
    seconds: float = 0.0

    def fail(self, uri: str, reason: str) -> None:
        """Note what could not be read, and why."""
        self.failed.append(Failure(uri, " ".join(reason.split())))

    def as_json(self) -> dict[str, JSON]:
        """The object that `index --json` prints."""
        return {
            "collection": self.collection,
            "indexed": self.indexed,
            "reused": self.reused,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "failed": [{"uri": one.uri, "reason": one.reason} for one in self.failed],
            "items": self.items,
            "seconds": round(self.seconds, 3),
        }
