"""What `nearfield plan` says, held against files that were really written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from latent.catalog.database import PAGE
from latent.index import sizes as sizes_of_pages
from latent.index.bases import Kind, Quantisation, build, write_file
from latent.index.sizes import SERVICE, build_seconds, most_items, sizes, stored_size
from latent.items import Item, Modality
from latent.settings import Settings
from latent.wiring import CATALOG, INDEX, open_store
from nearfield import main

GIB = 2**30


def random_rows(count: int, dim: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(0).standard_normal((count, dim), np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize("quantisation", Quantisation)
@pytest.mark.parametrize("dim", [24, 96])
def test_a_graph_takes_the_memory_that_was_planned(
    tmp_path: Path, quantisation: Quantisation, dim: int
) -> None:
    count = 3_000
    base = build(
        np.arange(count, dtype=np.int64),
        random_rows(count, dim),
        Kind.HNSW,
        quantisation=quantisation,
    )
    write_file(base, tmp_path / "index")
    in_order = len(base.keys) * 8  # of the rows of the graph, as it is served
    real = (tmp_path / "index").stat().st_size + base.keys.nbytes + in_order
    if quantisation is Quantisation.PQ:
        real -= 4 * 256 * dim  # its words, which any number of items share
    planned = sizes(count, dim, quantisation=quantisation, exact=0, cores=1)
    assert planned.memory == pytest.approx(real, rel=0.01)


@pytest.mark.parametrize("dim", [64, 384, 512, 768, 1_024, 1_536])
@pytest.mark.parametrize("exact", [100, 10_000])
def test_a_collection_takes_the_room_on_disk_that_was_planned(
    settings: Settings, dim: int, exact: int
) -> None:
    count = 1_500
    settings = settings.model_copy(update={"exact_limit": exact})
    with open_store(settings) as store:
        collection = store.ensure("main", f"vectors:{dim}")
        rows = random_rows(count, dim)
        collection.put(
            [Item(f"i{n}", Modality.IMAGE, row, uri=f"{n}.jpg") for n, row in enumerate(rows)]
        )
        collection.publish()
        assert collection.summary().index["kind"] == ("hnsw" if exact < count else "exact")
    planned = sizes(count, dim, quantisation=Quantisation.SQ8, exact=exact, cores=1)
    assert planned.catalog == pytest.approx((settings.data / CATALOG).stat().st_size, rel=0.08)
    real = sum(file.stat().st_size for file in (settings.data / INDEX).glob("*/*/*"))
    assert planned.snapshot == pytest.approx(real, rel=0.02)
    twice = 4 * dim * count if exact < count else 0  # while vectors are put into order
    assert planned.disk == planned.catalog + 2 * planned.snapshot + twice


def test_a_vector_longer_than_half_a_page_takes_a_whole_one() -> None:
    assert stored_size(384) == PAGE / 5
    assert stored_size(1_024) == stored_size(1_536) == PAGE
    assert stored_size(2_048) > PAGE


def test_pages_are_as_large_as_the_catalog_makes_them() -> None:
    assert sizes_of_pages.PAGE == PAGE


def test_more_items_take_longer_than_in_proportion_and_more_cores_less() -> None:
    assert build_seconds(10**7, 384, cores=1) > 10 * build_seconds(10**6, 384, cores=1)
    assert build_seconds(10**6, 384, cores=4) == build_seconds(10**6, 384, cores=1) / 4


def test_a_machine_holds_what_fits_twice_and_is_built_within_a_day() -> None:
    by_memory = most_items(8 * GIB, 512, quantisation=Quantisation.SQ8, cores=1_000)
    there = sizes(by_memory, 512, quantisation=Quantisation.SQ8, exact=0, cores=1)
    assert 2 * there.memory == pytest.approx(8 * GIB - SERVICE, rel=0.01)
    by_time = most_items(10**15, 512, quantisation=Quantisation.SQ8, cores=4)
    assert build_seconds(by_time, 512, cores=4) == pytest.approx(86_400, rel=0.001)
    assert most_items(GIB // 4, 512, quantisation=Quantisation.PQ, cores=4) == 0


def planned(*words: str) -> dict[str, Any]:
    ended = CliRunner().invoke(main, ["plan", *words, "--json"])
    assert ended.exit_code == 0, ended.output
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_a_large_plan_compares_all_codes_and_says_where_one_machine_ends() -> None:
    found = planned("--items", "50M", "--dim", "512", "--memory", "64", "--cores", "8")
    assert (found["items"], found["dim"], found["cores"]) == (50_000_000, 512, 8)
    ways = found["ways"]
    assert [way["quantisation"] for way in ways] == [one.value for one in Quantisation]
    memory = [way["memory"] for way in ways]
    assert memory[0] == max(memory) > 110e9
    assert memory[-2] == min(memory)
    assert [way["fits"] for way in ways] == [way["most_items"] >= 50_000_000 for way in ways]
    assert not ways[0]["fits"]
    small = planned("--items", "50M", "--dim", "512", "--memory", "4")["ways"]
    assert not any(way["fits"] for way in small)
    ended = CliRunner().invoke(main, ["plan", "--items", "50M", "--memory", "4"])
    assert "is not enough" in ended.output


def test_a_small_plan_compares_everything() -> None:
    found = planned("--items", "20k")
    (way,) = found["ways"]
    assert (way["kind"], way["build_seconds"], way["recall"], way["fits"]) == ("exact", 0, 1, True)
    ended = CliRunner().invoke(main, ["plan", "--items", "20,000"])
    assert "Few enough" in ended.output


@pytest.mark.parametrize("items", ["many", "0", "-3", "1.5", "5T", "", "1e9"])
def test_what_is_no_number_of_things_is_wrong_use(items: str) -> None:
    ended = CliRunner().invoke(main, ["plan", "--items", items])
    assert ended.exit_code == 2
    assert "--items" in ended.output
