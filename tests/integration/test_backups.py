"""Backups: whole, of one moment, made while others write, and checked before they count."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from latent import backups
from latent.backups import MANIFEST, Backup
from latent.catalog.tables import SCHEMA
from latent.collection import Collection
from latent.errors import InputError, NewerCatalogError, SourceMissingError, StoreError
from latent.items import Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.wiring import CATALOG, open_store
from nearfield import main


def item(name: str) -> Item:
    row = np.random.default_rng(sum(map(ord, name))).standard_normal(DIM).astype(np.float32)
    return Item(name, Modality.TEXT, row / np.linalg.norm(row), text=f"text of {name}")


def elsewhere(settings: Settings) -> Settings:
    return settings.model_copy(update={"data": settings.data.with_name("restored")})


def written(settings: Settings, path: Path) -> Backup:
    return backups.write(settings, path, lambda done, total: None)


@pytest.fixture
def saved(settings: Settings, tmp_path: Path) -> Path:
    """A backup of three items and a picture of an upload."""
    with open_store(settings) as store:
        store.ensure("main").put([item("a"), item("b")])
        store.ensure("other").put([item("c")])
    upload = settings.data / "views" / "uid" / "uploads" / "x.webp"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"picture")
    (settings.data / "keys.json").write_text("{}")
    written(settings, tmp_path / "saved")
    return tmp_path / "saved"


def require_restored(settings: Settings) -> Collection:
    with open_store(settings) as store:
        collection = store.collection("main")
        assert {one.id for one in collection.scroll(9)} == {"a", "b"}
        assert collection.nearest(item("a").vector, 1)[0].item.id == "a"
        assert store.collection("other").count() == 1
        assert collection.verify() == store.collection("other").verify() == []
        collection.put([item("new")])
        assert collection.drop(["a"]) == 1
    assert (settings.data / "views" / "uid" / "uploads" / "x.webp").read_bytes() == b"picture"
    assert (settings.data / "keys.json").read_text() == "{}"
    assert not list(settings.data.glob(".restoring*"))
    return collection


@pytest.mark.parametrize("name", ["folder", "file.tar"])
def test_what_was_there_is_there_again(settings: Settings, saved: Path, name: str) -> None:
    made = written(settings, saved.parent / name)
    assert made.collections == {"main": 2, "other": 1}
    assert set(made.files) == {CATALOG, "keys.json", "views/uid/uploads/x.webp"}
    assert (saved.parent / name).is_file() == (name == "file.tar")
    assert not list(saved.parent.glob("*.part"))
    assert backups.restore(elsewhere(settings), saved.parent / name) == made
    require_restored(elsewhere(settings))


def test_a_backup_while_a_writer_writes_is_of_one_moment(
    settings: Settings, tmp_path: Path
) -> None:
    stop = threading.Event()
    acknowledged = [0]

    def keep_writing() -> None:
        with open_store(settings) as store:
            collection = store.collection("main")
            number = 0
            while not stop.is_set():
                pair = [item(f"{half}{number}") for half in "ab"]
                collection.put([*pair, item("last")])
                if number % 3 == 0:
                    collection.drop([f"a{number}", f"b{number}"])
                number += 1
                acknowledged[0] = number

    with open_store(settings) as store:
        store.ensure("main").put([item(f"x{n}") for n in range(3_000)])
        writer = threading.Thread(target=keep_writing)
        writer.start()
        for round_ in range(3):
            seen: list[int] = []

            def watch(done: int, total: int, seen: list[int] = seen) -> None:
                # Not until the writer has committed something more does the copy go on.
                before = acknowledged[0]
                while acknowledged[0] == before and writer.is_alive():
                    stop.wait(0.002)
                seen.append(done)

            least = acknowledged[0]
            made = backups.write(settings, tmp_path / f"saved{round_}", watch)
            assert seen
            into = settings.model_copy(update={"data": tmp_path / f"again{round_}"})
            assert backups.restore(into, tmp_path / f"saved{round_}") == made
            with open_store(into) as copy:
                collection = copy.collection("main")
                assert collection.verify() == []
                ids = {one.id for one in collection.scroll(99_999)}
                assert len(ids) == made.collections["main"]
                numbers = {name[1:] for name in ids if name[0] in "ab"}
                assert ids >= {half + number for half in "ab" for number in numbers}
                assert {str(n) for n in range(least) if n % 3} <= numbers
        stop.set()
        writer.join()
        assert store.collection("main").verify() == []


def test_a_folder_that_holds_something_is_not_restored_into(
    settings: Settings, saved: Path
) -> None:
    before = (settings.data / CATALOG).read_bytes()
    with pytest.raises(InputError, match="not empty"):
        backups.restore(settings, saved)
    assert (settings.data / CATALOG).read_bytes() == before
    with pytest.raises(InputError, match="there already"):
        written(settings, saved)
    with pytest.raises(InputError, match="there already"):
        written(settings, settings.data / CATALOG)


@pytest.mark.parametrize("name", [CATALOG, MANIFEST, "views/uid/uploads/x.webp"])
@pytest.mark.parametrize("harm", ["cut", "flipped", "gone"])
def test_a_damaged_backup_restores_nothing(
    settings: Settings, saved: Path, name: str, harm: str
) -> None:
    file = saved / name
    content = bytearray(file.read_bytes())
    if harm == "gone":
        file.unlink()
    else:
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content if harm == "flipped" else content[: len(content) // 2])
    with pytest.raises((StoreError, InputError), match=r"damaged|no backup"):
        backups.restore(elsewhere(settings), saved)
    assert not list(elsewhere(settings).data.iterdir())


def test_a_restore_that_was_killed_can_be_begun_again(settings: Settings, saved: Path) -> None:
    into = elsewhere(settings)
    shutil.copytree(saved, into.data / backups.STAGING)
    backups.restore(into, saved)
    require_restored(into)


def killed_before_the_catalog_had_its_name(saved: Path, data: Path) -> None:
    """What a restore has left that was killed just before its last step."""
    shutil.copytree(saved, data / backups.STAGING)
    for name in ("keys.json", "views/uid/uploads/x.webp"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / backups.STAGING / name).rename(data / name)


def test_a_restore_that_was_killed_near_its_end_can_be_begun_again(
    settings: Settings, saved: Path
) -> None:
    into = elsewhere(settings)
    killed_before_the_catalog_had_its_name(saved, into.data)
    backups.restore(into, saved)
    require_restored(into)


def test_what_is_of_no_restore_is_never_removed_by_one(settings: Settings, saved: Path) -> None:
    into = elsewhere(settings)
    killed_before_the_catalog_had_its_name(saved, into.data)
    (into.data / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        backups.restore(into, saved)
    assert (into.data / "mine.txt").read_text() == "mine"
    assert (into.data / "keys.json").is_file()


def test_neither_is_anything_beside_a_link_of_somebody_else(
    settings: Settings, saved: Path
) -> None:
    into = elsewhere(settings)
    killed_before_the_catalog_had_its_name(saved, into.data)
    (into.data / "views" / "mine").symlink_to("nowhere")
    with pytest.raises(InputError, match="not empty"):
        backups.restore(into, saved)
    assert (into.data / "views" / "mine").is_symlink()
    assert (into.data / "keys.json").is_file()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("schema", SCHEMA + 1, NewerCatalogError),
        ("format", 99, NewerCatalogError),
        ("files", {"../../x": [1, "a"]}, StoreError),
        ("files", {}, StoreError),
        ("files", 3, StoreError),
    ],
)
def test_a_manifest_that_says_too_much_is_refused(
    settings: Settings, saved: Path, field: str, value: object, error: type[Exception]
) -> None:
    said = json.loads((saved / MANIFEST).read_text()) | {field: value}
    (saved / MANIFEST).write_text(json.dumps(said))
    with pytest.raises(error):
        backups.restore(elsewhere(settings), saved)


def test_what_is_no_backup_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match="there is no backup"):
        backups.restore(settings, tmp_path / "nowhere")
    with pytest.raises(SourceMissingError, match="nothing indexed"):
        written(settings, tmp_path / "saved")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar").write_text("no archive at all")
    for name in ("empty", "text.tar"):
        with pytest.raises(InputError, match="is no backup"):
            backups.restore(settings, tmp_path / name)
    elsewhere_lies = settings.model_copy(update={"catalog_url": "postgresql://here/it"})
    with pytest.raises(InputError, match="pg_dump"):
        written(elsewhere_lies, tmp_path / "saved")


def test_a_backup_without_room_leaves_nothing_behind(settings: Settings, saved: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        written(settings, settings.data / CATALOG / "below-a-file")
    assert {one.name for one in saved.parent.iterdir()} == {"data", "saved"}


def test_both_commands_at_a_prompt(settings: Settings, saved: Path) -> None:
    runner = CliRunner()
    path, data = str(saved.parent / "again.tar"), str(elsewhere(settings).data)
    result = runner.invoke(main, ["backup", path, "--data", str(settings.data), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["collections"] == {"main": 2, "other": 1}
    result = runner.invoke(main, ["restore", path, "--data", data])
    assert result.exit_code == 0, result.output
    assert "restored 3 items of 2 collections" in result.stdout
    require_restored(elsewhere(settings))
    assert runner.invoke(main, ["restore", path, "--data", data]).exit_code == 1
