"""A service with eight one-coloured pictures and two texts, and a browser that looks at it.

Skipped, with the reason, where there is no Chromium or no Playwright. Screenshots are kept under
build/screenshots, for people to look at.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from PIL import Image

from latent.models.colours import COLOURS
from latent.settings import Settings
from service.app import search_app
from service.entrance.server import listen

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
ARGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]  # root in a container; WebGL without a GPU
PATIENCE = 20.0  # seconds until a test that waits for what never comes fails
TEXTS = [
    {"id": "notes/1", "text": "a green thing", "metadata": {"author": "Ada", "year": 2020}},
    {"id": "notes/2", "text": "a blue thing", "metadata": {"author": "Ben", "year": 2024}},
]


def chromium() -> str | None:
    """Where Chromium is: Debian's, or the one that NEARFIELD_CHROMIUM names."""
    named = os.environ.get("NEARFIELD_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The URL of a service on a thread of its own."""
    with listen(settings) as (listener, url):
        server = uvicorn.Server(uvicorn.Config(search_app(settings), log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()


def square(colour: str | tuple[int, int, int]) -> bytes:
    """A one-coloured picture, as a PNG."""
    kept = BytesIO()
    Image.new("RGB", (24, 16), colour).save(kept, "PNG")
    return kept.getvalue()


def filled(url: str, headers: dict[str, str] | None = None) -> None:
    """Make the collection `main`: the pictures, with a colour's name as id, and the texts."""
    with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
        client.put("/v1/collections/main", json={"model": "colours"}).raise_for_status()
        files = [("files", (f"{name}.png", square(of))) for name, of in COLOURS.items()]
        ids = {"ids": list(COLOURS), "metadata": '{"folder": "squares"}'}
        client.post("/v1/collections/main/items/upload", files=files, data=ids).raise_for_status()
        client.put("/v1/collections/main/items", json={"items": TEXTS}).raise_for_status()


@dataclass
class Visit:
    """A page that somebody looks at, and everything that went wrong in it."""

    page: Any
    url: str
    wrong: list[str] = field(default_factory=list)

    def until(self, expression: str, given: Any = None) -> None:
        """Wait until that is true in the page, whose policy lets nothing be evaluated there."""
        last = time.monotonic() + PATIENCE
        while not self.page.evaluate(expression, given):
            assert time.monotonic() < last, f"never came true: {expression}"
            self.page.wait_for_timeout(20)

    def see(self, fragment: str = "") -> Any:
        """Go there, and wait until it is drawn."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/{fragment}")
        self.page.wait_for_selector("#results:not([aria-busy])")
        return self.page

    def keep(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(300)  # pictures fade in
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@contextmanager
def browsing() -> Iterator[Any]:
    """Chromium; skips the test that asks for it where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield opened
        opened.close()


@contextmanager
def visiting(browser: Any, url: str, **given: Any) -> Iterator[Visit]:
    """A visit that must end with nothing wrong: no error in the console, no other host."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **given})
    page = context.new_page()
    visit = Visit(page, url)
    page.on("pageerror", lambda error: visit.wrong.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: visit.wrong.append(f"console: {said.text}") if said.type == "error" else None,
    )
    page.on("request", lambda asked: _note_other_hosts(visit, asked.url))
    try:
        yield visit
    finally:
        context.close()
    assert visit.wrong == [], visit.wrong


def _note_other_hosts(visit: Visit, asked: str) -> None:
    if not asked.startswith((visit.url, "data:", f"blob:{visit.url}", "about:")):
        visit.wrong.append(f"asked another host: {asked}")
