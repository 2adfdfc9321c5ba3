"""Many questions of one request: checked one by one, placed as one batch, searched together.

What is wrong with one question is its own alone. Knows nothing about bodies and responses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from latent.errors import InputError, SpaceMismatchError
from latent.filters.language import All, Among, Filter
from latent.items import Vector
from service.desk import SearchDesk
from service.embedding.batching import Outcome
from service.embedding.placing import all_placed
from service.query import Answer, Plan, Question, Refusal
from service.seen.timing import Timings

R = TypeVar("R")

MOST_HITS = 10_000  # of all questions of a request together
MOST_KEYS = 16_000_000  # that areas and concepts leave of a collection, eight bytes each
TURN = 32  # questions that are looked at before other requests get their turn


@dataclass(frozen=True, slots=True)
class Asked(Generic[R]):
    """A question, as it is made, and what becomes of its answer; both are called in a thread."""

    question: Callable[[], Question]
    shaped: Callable[[Answer], R]


class Narrowed:
    """What areas and concepts of all questions of a request leave, held once where it is the same.

    All plans are there at once, and each may hold the keys of nearly all items there are.
    """

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._most = most
        self._held: dict[str, Among] = {}
        self._count = 0

    def shared(self, tree: Filter | None) -> Filter | None:
        """The same filter, with keys that are held for another question in the place of equal ones.

        Raises:
            InputError: all of them together would be too many.
        """
        parts = tree.parts if isinstance(tree, All) else (tree,)
        new = {one.name: one for one in parts if isinstance(one, Among)}
        new = {name: one for name, one in new.items() if name not in self._held}
        count = self._count + sum(len(one.keys) for one in new.values())
        if count > self._most:
            raise InputError(
                f"areas and concepts of these questions leave more than {self._most:,} items "
                "together; ask fewer of them at once"
            )
        self._held |= new
        self._count = count
        if isinstance(tree, All):
            return All(tuple(self._held[p.name] if isinstance(p, Among) else p for p in tree.parts))
        return self._held[tree.name] if isinstance(tree, Among) else tree


async def answered(
    desk: SearchDesk, name: str, asked: Sequence[Asked[R]], refused: Callable[[Refusal], R]
) -> list[R]:
    """Ask a collection many questions; gives for each its answer, or `refused` of why not.

    Raises:
        UnknownCollectionError: there is no such collection.
        InputError: they ask for too many hits together.
        OverloadedError: too many requests wait for the model.
    """
    plans: list[Plan | Refusal] = []
    narrowed = Narrowed()
    for start in range(0, len(asked), TURN):
        plans += await desk.run(_planned, desk, name, asked[start : start + TURN], narrowed)
    _require_few_hits(plans)
    places = await _places(desk, [plan for plan in plans if isinstance(plan, Plan)])
    outcomes = iter(places)
    given = [
        list(islice(outcomes, len(plan.things))) if isinstance(plan, Plan) else [] for plan in plans
    ]
    found: list[R] = []
    for start in range(0, len(plans), TURN):
        turn = slice(start, start + TURN)
        some = list(zip(asked[turn], plans[turn], given[turn], strict=True))
        found += await desk.state.workers.search(_answered, desk, some, refused)
    for plan in plans:
        if isinstance(plan, Plan):
            desk.timings.add(plan.timings)
    return found


def _planned(
    desk: SearchDesk, name: str, asked: Sequence[Asked[R]], narrowed: Narrowed
) -> list[Plan | Refusal]:
    """Each question checked, or why it cannot be asked."""
    plans: list[Plan | Refusal] = []
    engine, store = desk.state.engine, desk.state.store
    with store.at_one_moment():
        store.collection(name)
        for one in asked:
            try:
                plan = engine.plan(name, one.question(), Timings())
                plans.append(replace(plan, where=narrowed.shared(plan.where)))
            except (InputError, SpaceMismatchError) as error:
                plans.append(error)
    return plans


def _require_few_hits(plans: Sequence[Plan | Refusal]) -> None:
    """Raises InputError: they ask for too many hits together."""
    hits = sum(plan.question.k for plan in plans if isinstance(plan, Plan))
    if hits > MOST_HITS:
        raise InputError(f"these questions ask for {hits} hits together; at most {MOST_HITS} do")


async def _places(desk: SearchDesk, plans: Sequence[Plan]) -> Sequence[Outcome]:
    """The places of all things of all plans, one after the other."""
    things = [thing for plan in plans for thing in plan.things]
    if not things:
        return []
    return await desk.outcomes(await desk.embedder_for(plans[0].collection), things)


def _answered(
    desk: SearchDesk,
    some: Sequence[tuple[Asked[R], Plan | Refusal, Sequence[Outcome]]],
    refused: Callable[[Refusal], R],
) -> list[R]:
    """The answers in their form; those that can be are searched together."""
    found: dict[int, Answer | Refusal] = {}
    ready: dict[int, tuple[Plan, Sequence[Vector]]] = {}
    for number, (_, plan, outcomes) in enumerate(some):
        if not isinstance(plan, Plan):
            found[number] = plan
            continue
        try:
            ready[number] = plan, all_placed(outcomes)
        except InputError as error:
            found[number] = error
    with desk.state.store.at_one_moment():
        answers = desk.state.engine.answers(list(ready.values()))
        found.update(zip(ready, answers, strict=True))
        return [
            one.shaped(answer) if isinstance(answer := found[number], Answer) else refused(answer)
            for number, (one, _, _) in enumerate(some)
        ]
