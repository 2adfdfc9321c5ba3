"""What all tests share: settings on a temporary folder, a store, small pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from latent.models.colours import COLOURS
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The `colours` model, a fresh data folder, two threads, small batches; nothing is cut off."""
    return Settings(
        data=tmp_path / "data", model="colours", threads=2, batch_size=4, min_relevance=0
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of one-coloured pictures: red.png, green.png, …"""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (24, 16), colour).save(folder / f"{name}.png")
    return folder
