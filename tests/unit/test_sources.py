"""What there is to read below a path: sorted, nothing twice, nothing from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indexer.sources import Kind, is_below, is_gone, kind_of, listing, require
from latent.errors import InputError, SourceMissingError, UnsupportedMediaError


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def uris(path: Path) -> list[str]:
    return [file.uri for file in listing(path).files]


def test_a_folder_gives_all_below_it_in_order_with_its_own_name_in_front(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    make(folder, "b.jpg", "a.txt", "2024/dog.JPG", "2024/more/z.heic", "2023/cat.webp")
    assert uris(folder) == [
        "photos/a.txt",
        "photos/b.jpg",
        "photos/2023/cat.webp",
        "photos/2024/dog.JPG",
        "photos/2024/more/z.heic",
    ]


def test_what_is_not_for_us_is_passed_over_in_a_folder(tmp_path: Path) -> None:
    make(tmp_path / "f", "a.exe", "rows.csv", "v.npy", ".hidden.jpg", ".git/b.jpg", "noending")
    assert listing(tmp_path / "f").files == []
    assert listing(tmp_path / "f").unreadable == []


def test_a_single_file_goes_by_its_name(tmp_path: Path) -> None:
    make(tmp_path, "dog.jpg", "rows.CSV")
    assert uris(tmp_path / "dog.jpg") == ["dog.jpg"]
    assert listing(tmp_path / "rows.CSV").files[0].kind is Kind.MANIFEST
    assert not listing(tmp_path / "dog.jpg").is_folder


def test_paths_are_absolute_however_the_folder_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "photos", "dog.jpg")
    monkeypatch.chdir(tmp_path / "photos")
    (file,) = listing(Path()).files
    assert (file.path, file.uri) == (str(tmp_path / "photos" / "dog.jpg"), "photos/dog.jpg")
    assert listing(Path("../photos/")).files == [file]


def test_links_below_a_folder_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "inside/a.jpg", "outside/secret.jpg")
    (tmp_path / "inside/loop").symlink_to(tmp_path / "inside")
    (tmp_path / "inside/away").symlink_to(tmp_path / "outside")
    (tmp_path / "inside/away.jpg").symlink_to(tmp_path / "outside/secret.jpg")
    (tmp_path / "inside/broken.jpg").symlink_to(tmp_path / "nowhere")
    assert uris(tmp_path / "inside") == ["inside/a.jpg"]


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "real/a.jpg")
    (tmp_path / "album").symlink_to(tmp_path / "real")
    assert uris(tmp_path / "album") == ["album/a.jpg"]


def test_a_pipe_that_looks_like_a_picture_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    os.mkfifo(tmp_path / "f" / "pipe.jpg")
    assert uris(tmp_path / "f") == []
    with pytest.raises(UnsupportedMediaError):
        listing(tmp_path / "f" / "pipe.jpg")


def test_a_folder_as_deep_as_it_gets_is_walked(tmp_path: Path) -> None:
    deep = tmp_path / "f" / "/".join(["d"] * 900)
    deep.mkdir(parents=True)
    make(deep, "a.txt")
    assert len(uris(tmp_path / "f")) == 1


def test_a_missing_path_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match="no such file"):
        listing(tmp_path / "nowhere")
    make(tmp_path, "a.jpg")
    with pytest.raises(SourceMissingError):
        require(tmp_path / "a.jpg" / "below")


def test_a_file_of_another_kind_is_refused_when_it_is_named(tmp_path: Path) -> None:
    make(tmp_path, "program.exe")
    with pytest.raises(UnsupportedMediaError, match=r"\.webp"):
        require(tmp_path / "program.exe")


def test_a_name_that_is_not_unicode_is_reported_and_not_read(tmp_path: Path) -> None:
    make(tmp_path / "f", "good.jpg")
    with open(os.fsencode(tmp_path / "f") + b"/caf\xe9.jpg", "wb") as file:  # noqa: PTH123
        file.write(b"x")
    found = listing(tmp_path / "f")
    assert [file.uri for file in found.files] == ["f/good.jpg"]
    assert [one.reason for one in found.unreadable] == ["its name is not UTF-8"]
    with pytest.raises(InputError, match="UTF-8"):
        require(Path(os.fsdecode(os.fsencode(tmp_path / "f") + b"/caf\xe9.jpg")))


def test_a_folder_one_may_not_look_into_is_reported_and_hides_what_is_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "f", "a.jpg", "locked/b.jpg")
    scan = os.scandir

    def scan_or_refuse(path: str) -> object:  # root may look everywhere, so chmod shows nothing
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", scan_or_refuse)
    found = listing(tmp_path / "f")
    assert [file.uri for file in found.files] == ["f/a.jpg"]
    assert [(one.uri, one.reason) for one in found.unreadable] == [
        ("f/locked", "Permission denied")
    ]
    assert found.hides(str(tmp_path / "f/locked/b.jpg"))
    assert not found.hides(str(tmp_path / "f/locked2/b.jpg"))
    with pytest.raises(InputError, match="Permission denied"):
        listing(tmp_path / "f" / "locked")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpeg", Kind.PICTURE),
        ("A.HEIC", Kind.PICTURE),
        ("a.htm", Kind.TEXT),
        ("a.parquet", Kind.MANIFEST),
        ("a.pdf", None),
        ("jpg", None),
    ],
)
def test_the_suffix_says_how_a_file_is_read(name: str, kind: Kind | None) -> None:
    assert kind_of(name) is kind


def test_below_is_not_beside() -> None:
    assert is_below("/a/b/c", "/a/b")
    assert is_below("/a/b", "/a/b")
    assert is_below("/a", "/")
    assert not is_below("/a/bc", "/a/b")


def test_gone_is_only_what_is_surely_gone(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "rows.csv")
    assert not is_gone(str(tmp_path / "a.jpg"))
    assert is_gone(str(tmp_path / "b.jpg"))
    assert is_gone(str(tmp_path / "a.jpg" / "was-a-folder.jpg"))
    assert not is_gone(str(tmp_path / "rows.csv" / "line 3"))
    assert is_gone(str(tmp_path / "other.csv" / "line 3"))


def test_a_file_whose_name_a_folder_or_a_pipe_has_taken_is_gone(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to("on a disk that is not here now")
    assert is_gone(str(tmp_path / "folder.jpg"))
    assert is_gone(str(tmp_path / "pipe.jpg"))
    assert not is_gone(str(tmp_path / "link.jpg"))
