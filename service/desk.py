"""The desk: does for one request what must not happen on the event loop, and keeps its time.

Knows nothing about bodies and responses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, TypeVar

from latent.collection import Collection
from latent.errors import InputError
from latent.items import Vector
from latent.models.embedder import Embedder
from latent.models.places import place_of, without_places
from service.embedding.batching import Outcome
from service.embedding.placing import all_placed
from service.engine.parts import Thing
from service.engine.standing import Standing
from service.engine.walks import WalkPlan
from service.fetching.fetch import Fetcher
from service.query import Answer, Plan, Question, Walk, Walked
from service.seen.timing import Timings
from service.state import SearchState, State

P = ParamSpec("P")
R = TypeVar("R")


class Desk:
    """Models and threads, for one request."""

    def __init__(self, state: State, timings: Timings, fetcher: Fetcher | None = None) -> None:
        self.state = state
        self.timings = timings
        self.fetcher = fetcher or Fetcher()

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Blocking work, in a thread."""
        return await self.state.workers.run(work, *args, **kwargs)

    async def look(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Work that may look at all items of a collection; short requests do not wait for it."""
        return await self.state.workers.long(work, *args, **kwargs)

    async def embedder(self, model: str | None) -> Embedder:
        """A model that is served here, by name; raises as `served`."""
        return await self.run(self.served, model)

    def served(self, model: str | None) -> Embedder:
        """A model that is served here, by name; blocks while it is loaded.

        Raises:
            InputError: it is not among those that are.
            ModelUnavailableError: its weights cannot be had.
        """
        if model is not None and not self.state.serves(model):
            shown = {without_places(name): name for name in self.state.served_models()}
            if model in shown:
                return self.state.embedder(shown[model])
            served = ", ".join(sorted(shown))
            raise InputError(f"model {model!r} is not served here; there are: {served}")
        return self.state.embedder(model)

    async def placed(
        self,
        asked: Callable[[], tuple[Embedder, Sequence[Thing]]],
        shaped: Callable[[Embedder, Sequence[Thing], Sequence[Vector]], R],
        names: Sequence[str],
    ) -> R:
        """Place the things that `asked` gives, for the answer as `shaped` gives it of their places.

        As `SearchDesk.searched`, both are called in a thread, and where the model has nothing to do
        one hand-over suffices.

        Raises:
            InputError: a thing has no place; it is called by its name.
            OverloadedError: too many requests wait already.
        """
        placer = self.state.placer

        def begun() -> Callable[[], R] | tuple[Embedder, Sequence[Thing]]:
            embedder, things = asked()
            alone = self.state.door.count <= 1
            rows = placer.now(embedder, things, self.timings, is_alone=alone, names=names)
            if rows is None:
                return embedder, things
            answer = shaped(embedder, things, rows)
            return lambda: answer

        step = await self.run(begun)
        if not isinstance(step, tuple):
            return step()
        embedder, things = step
        return await self.run(shaped, embedder, things, await self.place(embedder, things, names))

    async def outcomes(self, embedder: Embedder, things: Sequence[Thing]) -> list[Outcome]:
        """One outcome for each thing: its place, or why it has none."""
        return await self.state.placer.place(embedder, things, self.timings)

    async def place(
        self, embedder: Embedder, things: Sequence[Thing], names: Sequence[str] | None = None
    ) -> list[Vector]:
        """The place of every thing.

        Raises:
            InputError: the first of them that has none, called by its name.
        """
        return all_placed(await self.outcomes(embedder, things), names)

    def require_few(self, things: Sequence[object], what: str) -> None:
        """Refuse requests with nothing in them, or with more than the limit.

        Raises:
            InputError: naming the limit.
        """
        most = self.state.settings.max_batch_items
        if not 1 <= len(things) <= most:
            raise InputError(f"{what} must hold between 1 and {most} things, not {len(things)}")


class SearchDesk(Desk):
    """The collections too."""

    def __init__(
        self, state: SearchState, timings: Timings, fetcher: Fetcher | None = None
    ) -> None:
        super().__init__(state, timings, fetcher)
        self.state: SearchState = state

    async def search(self, name: str, question: Question) -> Answer:
        """Ask a collection; raises as `QueryEngine.search`, and OverloadedError."""
        return await self.searched(name, lambda: question, lambda answer: answer)

    async def searched(
        self, name: str, asked: Callable[[], Question], shaped: Callable[[Answer], R]
    ) -> R:
        """Ask a collection what `asked` gives, for the answer as `shaped` gives it.

        Both are called in a thread: one hand-over to it suffices where no model is needed or it has
        nothing to do, and each costs as much as a tenth of a search. Raises as they do, as
        `QueryEngine.search`, and OverloadedError.
        """
        engine, store = self.state.engine, self.state.store

        def begun() -> Callable[[], R] | tuple[Embedder, Plan]:
            with store.at_one_moment():
                plan = engine.plan(name, asked(), self.timings)
                if not plan.things:
                    answer = ended(plan, [])
                    return lambda: answer
                embedder = store.embedder_for(plan.collection)
                alone = self.state.door.count <= 1
                placed = self.state.placer.now(embedder, plan.things, self.timings, is_alone=alone)
                if placed is None:
                    return embedder, plan
                answer = ended(plan, placed)
            return lambda: answer

        def ended(plan: Plan, placed: Sequence[Vector]) -> R:
            with store.at_one_moment():
                return shaped(engine.answer(plan, placed))

        step = await self.state.workers.search(begun)
        if not isinstance(step, tuple):
            return step()
        embedder, plan = step
        placed = await self.place(embedder, plan.things)
        return await self.state.workers.search(ended, plan, placed)

    async def standing(self, name: str, question: Question, most: int) -> Standing:
        """All hits of a question by key; raises as `QueryEngine.search`, and OverloadedError."""
        engine = self.state.engine
        plan = await self.look(engine.plan, name, question, self.timings)
        placed = await self._places(plan)
        return await self.look(engine.standing, plan, placed, most)

    async def walk(self, name: str, walk: Walk) -> Walked:
        """Walk through a collection; raises as `QueryEngine.walk`, and OverloadedError."""
        engine = self.state.engine
        plan = await self.run(engine.plan_walk, name, walk, self.timings)
        return await self.run(engine.answer_walk, plan, await self._places(plan))

    async def collection(self, name: str) -> Collection:
        """The collection of that name.

        Raises:
            UnknownCollectionError: there is none.
        """
        return await self.run(self.state.store.collection, name)

    async def see_map(self, name: str, areas: Iterable[object | None]) -> None:
        """Have the map of a collection in memory, if any of these is an area of it."""
        if any(area is not None for area in areas):
            await self.load_map(await self.collection(name))

    async def load_map(self, collection: Collection, least: int = 0) -> None:
        """Have the map of a collection in memory, at the sequence `least` or later.

        It may have to be read and followed first, which takes as long as the collection is large;
        those who search have few threads, and would all wait for it.
        """
        surveys = self.state.explorer.surveys
        if not await self.run(surveys.is_in_memory, collection, least):
            await self.look(surveys.seen, collection, least)

    async def embedder_for(self, collection: Collection) -> Embedder:
        """The model the collection was made with.

        Raises:
            SpaceMismatchError: the model of that name places things elsewhere by now.
        """
        return await self.run(self.state.store.embedder_for, collection)

    async def ensure(self, name: str, model: str | None) -> Collection:
        """The collection of that name, made if it is not there.

        Raises:
            SpaceMismatchError: it is there, with another model.
            InputError: no fit name, or a model that requests may not name.
        """
        return await self.run(self._ensure, name, model)

    async def _places(self, plan: Plan | WalkPlan) -> Sequence[Vector]:
        if not plan.things:
            return []
        return await self.place(await self.embedder_for(plan.collection), plan.things)

    def _ensure(self, name: str, model: str | None) -> Collection:
        if model is not None and is_local(model) and not self.state.serves(model):
            raise InputError(
                f"model {model!r} names a place on this machine, which requests may not; make the "
                "collection at the command line with 'nearfield index --model'"
            )
        return self.state.store.ensure(name, model)


def is_local(model: str) -> bool:
    """Whether the name of a model leads to a file of this machine."""
    kind, _, rest = model.partition(":")
    pieces = [piece for piece in rest.split("@") if piece]
    return kind == "compiled" or any(
        piece[0] in "/.~\\" or ".." in piece or place_of(piece) for piece in pieces
    )
