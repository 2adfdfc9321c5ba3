"""Photos for benches: as many as asked, as large as asked, no two with the same bytes."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.photos import Kind, encoded, make_photos
from benchmarks.texts import fresh_texts
from latent.media.decode import Limits, decode
from latent.settings import Settings

KIND = Kind("tiny", 96, 72, 3.0)


def test_photos_are_drawn_where_there_are_none(tmp_path: Path) -> None:
    made = make_photos(KIND, tmp_path / "a", count=5, distinct=2, archive=tmp_path / "no.tar")
    contents = [file.read_bytes() for file in sorted((tmp_path / "a").iterdir())]
    assert len(set(contents)) == made.count == 5
    pictures = [Image.open(BytesIO(content)).convert("RGB") for content in contents]
    assert {picture.size for picture in pictures} == {(96, 72)}
    pixels = [np.asarray(picture) for picture in pictures]
    assert (pixels[0] == pixels[2]).all()
    assert (pixels[0] != pixels[1]).any()
    assert "5 tiny JPEGs" in made.about
    assert "2 distinct, enlarged from drawn pictures" in made.about


def test_real_photos_are_enlarged_upright_or_lying(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        for name, size in (("a.jpg", (40, 30)), ("b.jpg", (30, 40))):
            content = encoded(Image.new("RGB", size, (200, 30, 30)))
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    folder = tmp_path / "a"
    made = make_photos(KIND, folder, count=2, distinct=2, archive=tmp_path / "photos.tar")
    assert "real photos" in made.about
    contents = [file.read_bytes() for file in sorted(folder.iterdir())]
    lying, upright = (Image.open(BytesIO(content)) for content in contents)
    assert (lying.size, upright.size) == ((96, 72), (72, 96))
    red, green, _ = np.asarray(lying).reshape(-1, 3).mean(axis=0)
    assert red > 150 > 90 > green


def test_a_made_photo_reads_as_one_of_a_camera(tmp_path: Path) -> None:
    make_photos(KIND, tmp_path / "a", count=1, distinct=1, archive=tmp_path / "no.tar")
    limits = Limits.of(Settings())
    facts = decode(tmp_path / "a" / "00000.jpg", name="it", limits=limits, side=16).facts
    assert (facts["width"], facts["height"], facts["format"]) == (96, 72, "jpeg")
    assert facts["camera"] == "Nearfield Bench"


def test_other_seeds_give_other_texts() -> None:
    assert fresh_texts(8, seed=1) == fresh_texts(8, seed=1)
    assert not set(fresh_texts(50, seed=1)) & set(fresh_texts(50, seed=2))
