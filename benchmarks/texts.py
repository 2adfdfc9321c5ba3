"""Short texts as people ask them, each another one, so that no cache has seen it."""

from __future__ import annotations

import random

SUBJECTS = ("two dogs", "three children", "an old man", "a young woman", "people", "a small bird")
DOINGS = ("running", "playing", "sleeping", "standing", "jumping", "reading", "eating", "waiting")
PLACES = ("in the snow", "on the grass", "at the beach", "under trees", "by a lake", "in a market")
THINGS = ("red", "blue", "green", "white", "large", "bright", "wooden", "broken", "empty", "round")
OBJECTS = ("boat", "bicycle", "house", "flower", "mountain", "window", "table", "street", "bridge")


def fresh_texts(count: int, *, seed: int | str) -> list[str]:
    """Texts of about a dozen words; other seeds give other texts."""
    chance = random.Random(f"texts {seed}")
    parts = (SUBJECTS, DOINGS, PLACES)
    texts = []
    for _ in range(count):
        begun = " ".join(chance.choice(part) for part in parts)
        seen = (f"a {chance.choice(THINGS)} {chance.choice(OBJECTS)}" for _ in range(2))
        texts.append(f"{begun} near {' and '.join(seen)}")
    return texts
