"""Nothing outside of a folder is read through it, whatever a path says and wherever links lead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.below import open_file
from indexer.pipeline import index
from indexer.reading import read_bytes
from indexer.sources import is_below, listing
from latent.errors import InputError
from latent.settings import Settings
from latent.store import Store

INSIDE, SECRET = b"inside", b"secret"
LINKS = {
    "to-file": "../outside/secret.png",
    "to-folder": "../outside",
    "to-root": "/",
    "round": "round",
    "up": "..",
    "within": "sub",
}
STEPS = st.sampled_from(
    ["..", ".", "", "sub", "deep", "a.png", "secret.png", "outside", "root", *LINKS, "a\0b", "/"]
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with files and links of every kind, beside a folder with a secret."""
    house = tmp_path_factory.mktemp("house")
    (house / "root" / "sub" / "deep").mkdir(parents=True)
    (house / "outside" / "sub").mkdir(parents=True)
    for folder in ("root", "root/sub", "root/sub/deep"):
        (house / folder / "a.png").write_bytes(INSIDE)
        for name, target in LINKS.items():
            (house / folder / name).symlink_to(target)
    for folder in ("outside", "outside/sub"):
        (house / folder / "secret.png").write_bytes(SECRET)
        (house / folder / "a.png").write_bytes(SECRET)
    return house


def read(path: str, root: str) -> bytes | None:
    try:
        return read_bytes(path, "it", 100, root=root)[0]
    except InputError:
        return None


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=7), st.sampled_from(["/", "//", "/./"]), st.booleans())
def test_no_path_reads_what_is_outside(
    house: Path, steps: list[str], between: str, is_absolute: bool
) -> None:
    root = str(house / "root")
    way = between.join(steps)
    assert read(way if is_absolute else f"{root}/{way}", root) in (None, INSIDE)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_no_name_at_all_reads_what_is_outside(house: Path, name: str) -> None:
    root = str(house / "root")
    assert read(f"{root}/{name}", root) in (None, INSIDE)
    assert read(name, root) is None


def test_files_inside_are_read_however_deep(house: Path) -> None:
    root = str(house / "root")
    for path in ("a.png", "sub/a.png", "sub/deep/a.png"):
        assert read(f"{root}/{path}", root) == INSIDE


def test_a_link_is_named_as_the_reason(house: Path) -> None:
    root = str(house / "root")
    for path in ("to-file", "to-folder/a.png", "within/a.png"):
        with pytest.raises(InputError, match="a link on the way to it is not followed"):
            read_bytes(f"{root}/{path}", "it", 100, root=root)


def test_no_descriptor_is_left_open(house: Path) -> None:
    root = str(house / "root")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("a.png", "sub/deep/a.png", "sub/none", "to-folder/a.png", "sub/to-file", "none/a"):
        with suppress(OSError):
            os.close(open_file(f"{root}/{path}", root))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_walk_lists_no_link(house: Path) -> None:
    found = [file.path for file in listing(house / "root").files]
    assert len(found) == 3
    assert all(is_below(os.path.realpath(path), str(house / "root")) for path in found)


# --- the whole way ------------------------------------------------------------------------------


@pytest.fixture
def away(tmp_path: Path, photos: Path) -> Iterator[Path]:
    """A folder outside, with a picture that nobody is to see."""
    away = tmp_path / "away"
    away.mkdir()
    (photos / "green.png").rename(away / "secret.png")
    yield away


def test_a_folder_that_becomes_a_link_after_it_was_listed_is_not_followed(
    store: Store, settings: Settings, photos: Path, away: Path
) -> None:
    (photos / "sub").mkdir()
    (photos / "sub" / "secret.png").write_bytes((photos / "red.png").read_bytes())
    (file,) = [one for one in listing(photos).files if one.path.endswith("secret.png")]
    (photos / "sub").rename(photos / "was")
    (photos / "sub").symlink_to(away)
    with pytest.raises(InputError, match="link"):
        read_bytes(file.path, file.uri, 10_000_000, root=file.root)


@pytest.mark.parametrize(
    "named",
    [
        "../away/secret.png",
        "{away}/secret.png",
        "sub/../../away/secret.png",
        "link.png",
        "l/secret.png",
    ],
)
def test_a_manifest_reads_nothing_outside_of_its_folder(
    store: Store, settings: Settings, photos: Path, away: Path, named: str
) -> None:
    (photos / "link.png").symlink_to(away / "secret.png")
    (photos / "l").symlink_to(away)
    manifest = photos / "rows.csv"
    manifest.write_text(f"image\nred.png\n{named.format(away=away)}\n")
    report = index([manifest], store.ensure("main"), store.embedder(), settings)
    assert report.indexed == 1
    (failure,) = report.failed
    assert "outside" in failure.reason or "link" in failure.reason


def test_folders_that_are_named_are_read_too(
    store: Store, settings: Settings, photos: Path, away: Path
) -> None:
    manifest = photos / "rows.csv"
    manifest.write_text("image\n../away/secret.png\n")
    with_roots = settings.model_copy(update={"roots": f"/nowhere:{away}"})
    report = index([manifest], store.ensure("main"), store.embedder(), with_roots)
    assert (report.indexed, report.failed) == (1, [])


def test_what_was_indexed_from_a_place_that_is_not_allowed_any_more_stays(
    store: Store, settings: Settings, photos: Path, away: Path
) -> None:
    manifest = photos / "rows.csv"
    manifest.write_text("image,id\n../away/secret.png,a\n")
    with_roots = settings.model_copy(update={"roots": str(away)})
    index([manifest], store.ensure("main"), store.embedder(), with_roots)
    report = index([manifest], store.ensure("main"), store.embedder(), settings)
    assert len(report.failed) == 1
    assert store.collection("main").count() == 1
