"""Is something like this in the collection already?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from latent.items import Hit
from service.answers import CheckAnswer, HitAnswer
from service.parts import Part, Picture, Text
from service.routes.asking import SearchDeskNow, router
from service.schemas import CheckBody

routes = router("search")

IDENTICAL = 0.9999  # cosine; the same picture decoded twice differs by less


@routes.post(
    "/v1/collections/{collection}/check",
    response_model=CheckAnswer,
    response_model_exclude_unset=True,
)
async def check(collection: str, body: CheckBody, desk: SearchDeskNow) -> CheckAnswer:
    """Compare one thing with a collection: `identical`, `near` (at least `threshold`) or `none`."""
    question = await desk.run(body.question)
    answer = await desk.search(collection, question)
    matches = [hit for hit in answer.hits if hit.score >= body.threshold]
    tier = tier_of(matches, question.parts)
    return CheckAnswer(
        collection=answer.collection,
        model=answer.model,
        is_match=tier != "none",
        tier=tier,
        threshold=body.threshold,
        matches=[HitAnswer.of_hit(hit) for hit in matches],
        took_ms=dict(answer.took_ms),
    )


def tier_of(matches: Sequence[Hit], parts: Sequence[Part]) -> Literal["identical", "near", "none"]:
    """How close the matches come to what was asked."""
    asked = _hash_of(parts)
    if any(_same(hit, asked) for hit in matches):
        return "identical"
    return "near" if matches else "none"


def _same(hit: Hit, asked: str | None) -> bool:
    known = hit.item.content_hash
    return hit.score >= IDENTICAL or (known is not None and known == asked)


def _hash_of(parts: Sequence[Part]) -> str | None:
    """The content hash of a question that is one text or one picture."""
    if len(parts) != 1:
        return None
    match parts[0].what:
        case Text(text):
            return hashlib.sha256(text.encode()).hexdigest()
        case Picture(content):
            return hashlib.sha256(content).hexdigest()
        case _:
            return None
