"""What the apps hold: models loaded once, snapshots when due, warmth; and who may name what."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import pytest

from latent.collection import Collection
from latent.errors import InputError, ModelUnavailableError, UnknownCollectionError
from latent.items import Item, Modality
from latent.models import registry
from latent.models.colours import ColourEmbedder
from latent.models.loaded import LoadedModels
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from latent.space import Space
from latent.store import Store
from latent.wiring import open_store
from service.desk import is_local
from service.seen.timing import Timings
from service.state import (
    Readiness,
    beside_each_other,
    keep_publishing,
    keep_warming,
    publish_what_is_due,
    warm_model,
    warm_store,
)

PATIENCE = 10  # seconds until a test that waits for what never comes fails


def items(number: int) -> list[Item]:
    rows = np.eye(number, 16, dtype=np.float32)
    return [Item(str(n), Modality.TEXT, row) for n, row in enumerate(rows)]


def test_what_must_get_warm_does_so_beside_each_other() -> None:
    met = threading.Barrier(3)

    def meet() -> None:
        met.wait(PATIENCE)  # each waits for all of them

    beside_each_other(meet, meet, meet)


def test_what_keeps_one_from_getting_warm_is_told_once_all_are_done() -> None:
    done = []

    def fail() -> None:
        raise ModelUnavailableError("no weights")

    with pytest.raises(ModelUnavailableError, match="no weights"):
        beside_each_other(fail, lambda: done.append(True))
    assert done


def test_a_snapshot_is_made_when_it_is_due(settings: Settings) -> None:
    with open_store(settings.model_copy(update={"delta_limit": 5})) as store:
        store.ensure("idle")
        busy = store.ensure("busy")
        busy.put(items(4))
        assert publish_what_is_due(store) == []
        busy.put(items(8))
        assert publish_what_is_due(store) == ["busy"]
        assert busy.summary().index["snapshot"] is not None
        assert publish_what_is_due(store) == []


def test_what_cannot_be_published_is_logged_and_keeps_no_other_from_it(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(settings.model_copy(update={"delta_limit": 5})) as store:
        store.ensure("broken").put(items(8))
        (settings.data / "index").rename(settings.data / "away")
        (settings.data / "index").write_text("in the way")
        assert publish_what_is_due(store) == []
        assert "broken" in caplog.text
        (settings.data / "index").unlink()
        assert publish_what_is_due(store) == ["broken"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_model_is_loaded_once(settings: Settings) -> None:
    models = LoadedModels(settings, registry.load)
    assert models.embedder() is models.embedder("colours")
    with pytest.raises(InputError):
        models.embedder("nonsense")


def test_what_embeds_nothing_is_warm_as_it_is(store: Store) -> None:
    warm_model(VectorsOnly(3))
    store.ensure("mine", "vectors:3")
    warm_store(store)


class Shrinking:
    """A store whose collections are all deleted once their names are known."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embedder(self) -> ColourEmbedder:
        return ColourEmbedder()

    def spaces(self) -> Mapping[str, Space]:
        return dict.fromkeys(("one", "other"), ColourEmbedder().space)

    def collection(self, name: str) -> Collection:
        self.asked.append(name)
        raise UnknownCollectionError(name)


def test_a_collection_deleted_while_warming_is_passed_over() -> None:
    store = Shrinking()
    warm_store(cast(Store, store))
    assert store.asked == ["one", "other"]


def test_a_warming_that_failed_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    readiness = Readiness()
    failures: list[Exception] = [ModelUnavailableError("no weights"), RuntimeError("a surprise")]
    seen: list[str | None] = []

    def warm() -> None:
        seen.append(readiness.reason)
        if failures:
            raise failures.pop(0)

    asyncio.run(keep_warming(readiness, warm, asyncio.Event(), pause=0))
    assert readiness.reason is None
    assert seen[1] == "no weights"
    assert seen[2] is not None
    assert "a surprise" not in seen[2]
    assert "a surprise" in caplog.text


def test_warming_stops_between_two_tries() -> None:
    readiness = Readiness()

    async def told_to_stop() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def warm() -> None:
            loop.call_soon_threadsafe(stop.set)
            raise ModelUnavailableError("no weights")

        await asyncio.wait_for(keep_warming(readiness, warm, stop, pause=3_600), PATIENCE)

    asyncio.run(told_to_stop())
    assert readiness.reason == "no weights"


class Surprising:
    """A store that fails as nobody foresaw; the second time it says so."""

    def __init__(self, twice: Callable[[], object]) -> None:
        self._twice = twice
        self._asked = 0

    def stop_publishing(self) -> None:
        pass

    def spaces(self) -> Mapping[str, Space]:
        self._asked += 1
        if self._asked == 2:
            self._twice()
        raise RuntimeError("a surprise")


def test_publishing_goes_on_after_a_surprise(caplog: pytest.LogCaptureFixture) -> None:
    async def asked_twice() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        store = Surprising(lambda: loop.call_soon_threadsafe(stop.set))
        await asyncio.wait_for(keep_publishing(cast(Store, store), stop, pause=0), PATIENCE)

    asyncio.run(asked_twice())
    assert len([record for record in caplog.records if record.exc_info]) == 2


def test_readiness_says_why_not() -> None:
    readiness = Readiness()
    assert readiness.reason
    readiness.missed("no weights")
    assert readiness.reason == "no weights"
    readiness.reached()
    assert readiness.reason is None


@pytest.mark.parametrize(
    "model",
    [
        "compiled:model",
        "openclip:/weights.pt",
        "openclip:ViT-B-32@/weights.pt",
        "openclip:~/weights",
        "sentence:../model",
        "sentence:./model",
        "sentence:a/../../model",
        "sentence:latent",
    ],
)
def test_names_that_lead_to_a_file_are_local(model: str) -> None:
    assert is_local(model)


@pytest.mark.parametrize(
    "model",
    ["mini", "colours", "vectors:3", "openclip:ViT-B-32/laion2b_s34b_b79k", "sentence:org/name"],
)
def test_names_of_public_models_are_not_local(model: str) -> None:
    assert not is_local(model)


def test_times_add_up_by_stage_also_when_it_fails() -> None:
    timings = Timings()
    with pytest.raises(ValueError, match="mine"), timings.measure("embed"):
        raise ValueError("mine")
    once = timings.took_ms()["embed"]
    with timings.measure("embed"):
        pass
    assert timings.took_ms()["embed"] >= once > 0
    assert timings.took_ms()["search"] == 0
