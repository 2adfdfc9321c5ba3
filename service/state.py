"""What an app holds while it is open: models, threads, and for the search app the store.

Opened by the lifespan, closed in reverse order. Knows nothing about routes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image

from latent.errors import NearfieldError, UnknownCollectionError, UnsupportedMediaError
from latent.memory import give_back
from latent.models import registry
from latent.models.embedder import Embedder
from latent.models.loaded import LoadedModels
from latent.settings import Settings
from latent.space import Space
from latent.store import Store
from latent.wiring import open_store
from service.embedding.placing import Placer
from service.embedding.workers import Workers
from service.entrance.door import Door
from service.explore.explorer import Explorer
from service.explore.sweeping import keep_sweeping
from service.query import QueryEngine
from service.seen.metrics import Metrics

log = logging.getLogger(__name__)

WARM_AGAIN = 1.0  # seconds until a warming that failed is tried again; each time twice as long
LONGEST_PAUSE = 60.0  # seconds between two such tries
PUBLISH_EVERY = 5.0  # seconds between two looks at whether a snapshot is due
WORTH_A_SNAPSHOT = 1_000  # changes; fewer are searched exactly at no cost one could notice


class Readiness:
    """Whether the service is warm, and if not, why."""

    def __init__(self) -> None:
        self._reason: str | None = "the model is being loaded"
        self._others: str | None = None
        self._is_stopping = False
        self._tell: Callable[[], None] = lambda: None

    @property
    def reason(self) -> str | None:
        """Why not yet; None when ready."""
        return "the service is stopping" if self._is_stopping else self._reason or self._others

    def reached(self) -> None:
        self._reason = None
        self._tell()

    def tell(self, tell: Callable[[], None]) -> None:
        """Call `tell` once this process is warm."""
        self._tell = tell
        if self._reason is None:
            tell()

    def wait_for(self, others: str | None) -> None:
        """Not ready, however warm this process is, until there are no others to wait for."""
        self._others = others

    def missed(self, reason: str) -> None:
        self._reason = reason

    def stop(self) -> None:
        """Not ready any more, whatever else is reached: the service is about to end."""
        self._is_stopping = True


@dataclass(frozen=True)
class State:
    """What every app holds. `embedder` may block while a model is loaded."""

    settings: Settings
    metrics: Metrics
    door: Door
    workers: Workers
    placer: Placer
    readiness: Readiness
    embedder: Callable[[str | None], Embedder]

    def served_models(self, may_see: Callable[[str], bool] = bool) -> set[str]:
        """Names of the models that requests may use; those of collections that one may see."""
        return {self.settings.model, *registry.BUNDLED}

    def serves(self, model: str) -> bool:
        """Whether requests may use the model."""
        return model in self.served_models()

    def space_of(self, model: str) -> Space:
        """The space of a model that is served. Raises ModelUnavailableError."""
        return self.embedder(model).space

    def about(self, model: str) -> str:
        """A model in one line."""
        kind = model.partition(":")[0]
        forms = (form for form in registry.FORMS if form.form.partition(":")[0] == kind)
        return next((form.about for form in forms), "")


@dataclass(frozen=True)
class SearchState(State):
    """What the search app holds besides: the store, and the engine that asks it."""

    store: Store
    engine: QueryEngine
    explorer: Explorer
    long_work: Door = field(default_factory=partial(Door, 1))

    def served_models(self, may_see: Callable[[str], bool] = bool) -> set[str]:
        used = {space.model for name, space in self.store.spaces().items() if may_see(name)}
        return super().served_models() | used

    def serves(self, model: str) -> bool:
        # Most requests name the default model, and need not ask the catalog.
        return model in super().served_models() or model in self.served_models()

    def space_of(self, model: str) -> Space:
        """Known from a collection, or by loading the model."""
        used = {space.model: space for space in self.store.spaces().values()}
        return used.get(model) or super().space_of(model)


@asynccontextmanager
async def open_similarity_state(settings: Settings, metrics: Metrics) -> AsyncIterator[State]:
    """Models and threads; no catalog and no data folder."""
    async with _threads(settings, metrics) as (workers, placer):
        models = LoadedModels(settings, registry.load, stand_in=registry.stand_in)
        state = State(
            settings=settings,
            metrics=metrics,
            door=door_of(settings),
            workers=workers,
            placer=placer,
            readiness=Readiness(),
            embedder=models.embedder,
        )
        metrics.watch_requests(lambda: state.door.count, lambda: state.door.room)
        warm = partial(keep_warming, state.readiness, lambda: warm_model(state.embedder(None)))
        async with _in_background(warm):
            yield state


@asynccontextmanager
async def open_search_state(settings: Settings, metrics: Metrics) -> AsyncIterator[SearchState]:
    """Everything; the store is opened here and nowhere else."""
    with ExitStack() as stack:
        store = await asyncio.to_thread(stack.enter_context, open_store(settings))
        async with _threads(settings, metrics) as (workers, placer):
            explorer = Explorer(store)
            state = SearchState(
                settings=settings,
                metrics=metrics,
                door=door_of(settings),
                workers=workers,
                placer=placer,
                readiness=Readiness(),
                embedder=store.embedder,
                store=store,
                engine=QueryEngine(store, explorer.surveys),
                explorer=explorer,
            )
            metrics.watch_requests(lambda: state.door.count, lambda: state.door.room)
            metrics.watch_collections(store.collections)
            warm = partial(keep_warming, state.readiness, lambda: warm_store(store))
            try:
                async with (
                    _in_background(partial(keep_publishing, store)),
                    _in_background(partial(keep_sweeping, store)),
                    _in_background(warm),
                ):
                    yield state
            finally:
                await asyncio.to_thread(state.explorer.close)


def door_of(settings: Settings) -> Door:
    """Room for a batch in the model and those who may wait behind it, if it is not for long."""
    return Door(
        settings.batch_size + settings.max_waiting,
        patience=settings.max_wait_ms / 1000,
        least=settings.threads,
    )


def warm_model(embedder: Embedder) -> None:
    """Have a model do a little, so that the first request does not pay for what is lazy."""
    beside_each_other(*_warmings(embedder))


def warm_store(store: Store) -> None:
    """Load the default model, and the index of every collection."""
    beside_each_other(*_warmings(store.embedder()), partial(_warm_indexes, store))


def beside_each_other(*works: Callable[[], None]) -> None:
    """Do all of it, each in a thread of its own; raises what the first of them raises."""
    with ThreadPoolExecutor(len(works)) as pool:
        under_way = [pool.submit(work) for work in works]
    for work in under_way:
        work.result()


def _warmings(embedder: Embedder) -> tuple[Callable[[], None], Callable[[], None]]:
    """What has each tower do a little: they are read, checked and made ready apart."""

    def texts() -> None:
        with suppress(UnsupportedMediaError):
            embedder.embed_texts(["warm"])

    def pictures() -> None:
        with suppress(UnsupportedMediaError):
            embedder.embed_images([embedder.prepare(Image.new("RGB", (64, 64)))])

    return texts, pictures


def _warm_indexes(store: Store) -> None:
    for name, space in store.spaces().items():
        with suppress(UnknownCollectionError):  # deleted meanwhile
            collection = store.collection(name)
            collection.nearest(np.eye(1, space.dim, dtype=np.float32)[0], 1)
            collection.background()


def publish_what_is_due(store: Store) -> list[str]:
    """Make the snapshots that are due, and samples; gives the names of collections with the former.

    What goes wrong with one is logged: the catalog has everything, and a next time comes.
    """
    published = []
    for name in store.spaces():
        try:
            collection = store.collection(name)
            if collection.publish(least=WORTH_A_SNAPSHOT, threads=1):
                published.append(name)
            collection.refresh()
        except NearfieldError as error:
            log.warning("collection %r was not published: %s", name, error)
    return published


async def keep_warming(
    readiness: Readiness,
    warm: Callable[[], None],
    stop: asyncio.Event,
    *,
    pause: float = WARM_AGAIN,
) -> None:
    """Try to get warm until it is done or `stop` is set, after longer and longer pauses."""
    while not stop.is_set():
        try:
            await asyncio.to_thread(warm)
        except NearfieldError as error:
            log.warning("the service is not ready: %s", error)
            readiness.missed(str(error))
        except Exception:
            log.exception("the service is not ready")
            readiness.missed("getting ready failed; the log of the service has the details")
        else:
            give_back()
            readiness.reached()
            return
        await _pause(stop, pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def keep_publishing(
    store: Store, stop: asyncio.Event, *, pause: float = PUBLISH_EVERY
) -> None:
    """Publish what is due until `stop` is set; what goes wrong is logged, and a next time comes."""
    while not stop.is_set():
        work = asyncio.create_task(asyncio.to_thread(publish_what_is_due, store))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            store.stop_publishing()  # a large one takes minutes, and nobody waits for that
        stopped.cancel()
        try:
            await work
        except NearfieldError as error:
            log.warning("nothing was published: %s", error)
        except Exception:
            log.exception("nothing was published")
        await _pause(stop, pause)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


@asynccontextmanager
async def _threads(settings: Settings, metrics: Metrics) -> AsyncIterator[tuple[Workers, Placer]]:
    workers = Workers(settings.threads)
    placer = Placer(settings, workers, on_batch=metrics.count_batch, on_known=metrics.count_known)
    metrics.watch_waiting(lambda: placer.waiting)
    try:
        yield workers, placer
    finally:
        await placer.close()
        workers.close()


@asynccontextmanager
async def _in_background(
    work: Callable[[asyncio.Event], Coroutine[None, None, None]],
) -> AsyncIterator[None]:
    """Run `work` beside the block; at its end tell it to stop, and wait.

    Not cancelled: a thread would go on, with a store that is closed under its feet.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(work(stop))
    try:
        yield
    finally:
        stop.set()
        await task
