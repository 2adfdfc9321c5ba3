"""What those who administer see on the page, and others do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from visits import Visit, browsing, filled, served, visiting

import nearfield
from latent.settings import Settings
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import Scope


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as opened:
        yield opened


def opened(visit: Visit, name: str) -> Any:
    """The sheet of collections, with one of its lines opened."""
    visit.page.get_by_role("button", name="Collections", exact=True).click()
    visit.page.locator("#collections summary", has_text=name).click()
    return visit.page.locator("#collections details[open] .opened")


def test_keys_are_made_shown_once_and_taken_back(browser: Any, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, model="colours", threads=2, port=0)
    with served(settings) as url:
        filled(url)
        with visiting(browser, url) as visit:
            page = visit.see()
            room = opened(visit, "Keys")
            page.get_by_label("Name of the key").wait_for()
            assert "There are none" in room.inner_text()
            page.get_by_label("Name of the key").fill("boss")
            page.get_by_role("button", name="Make a key").click()
            page.locator("#collections .secret code").wait_for()
            boss = page.locator("#collections .secret code").inner_text()
            page.get_by_label("Name of the key").fill("reader")
            page.get_by_label("What it may do").select_option("read")
            page.get_by_label("Only for these collections").fill("main")
            page.get_by_role("button", name="Make a key").click()
            page.locator("#collections li", has_text="reader").wait_for()
            visit.until(
                "old => document.querySelector('#collections .secret code').textContent !== old",
                boss,
            )
            secret = page.locator("#collections .secret code").inner_text()
            assert "in main" in page.locator("#collections li", has_text="reader").inner_text()
            visit.keep("keys")
            search = f"{url}/v1/collections/main/search?q=red"
            assert httpx2.get(search).status_code == 401
            assert httpx2.get(search, headers={"X-API-Key": secret}).status_code == 200
            page.get_by_role("button", name="Take back the key reader").click()
            page.locator("#collections li", has_text="reader").wait_for(state="detached")
            assert httpx2.get(search, headers={"X-API-Key": secret}).status_code == 401
            assert secret not in page.content()
            page.get_by_role("button", name="Take back the key boss").click()
            visit.until("document.querySelector('#collections [role=alert]').textContent !== ''")
            assert all(re.search("40[039]", one) for one in visit.wrong)
            visit.wrong.clear()  # the browser notes that the last one was not taken back


def test_failed_files_are_listed_with_the_reason(browser: Any, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", model="colours", threads=2, port=0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "mine" / "note.txt").write_text("a green thing", encoding="utf-8")
    words = ["index", str(tmp_path / "mine"), "--data", str(settings.data), "--model", "colours"]
    CliRunner().invoke(nearfield.main, words)
    with served(settings) as url, visiting(browser, url) as visit:
        visit.see()
        room = opened(visit, "1 file could not be read")
        room.locator("li").wait_for()
        assert "broken.png" in room.inner_text()
        assert "picture" in room.inner_text()
        assert str(tmp_path) not in visit.page.content()
        visit.keep("failures")
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        visit.page.locator("#collections summary", has_text="Keys").click()
        visit.page.get_by_label("Name of the key").wait_for()
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            found = axe.Axe().run(visit.page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


def test_a_key_that_reads_sees_nothing_of_it(browser: Any, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, model="colours", threads=2, port=0)
    secrets = {}
    for scope in (Scope.ADMIN, Scope.READ):
        key, secrets[scope] = new_key(f"the-{scope}", scope)
        Keyring.of(settings).add(key)
    with served(settings) as url:
        filled(url, {"X-API-Key": secrets[Scope.ADMIN]})
        with visiting(browser, url) as visit:
            visit.page.goto(url)
            visit.page.get_by_label("Key", exact=True).fill(secrets[Scope.READ])
            visit.page.get_by_role("button", name="Use it").click()
            visit.until("document.getElementById('status').textContent === '10 items'")
            room = opened(visit, "Keys")
            room.locator("[role=alert]").wait_for()
            assert "Only those who administer see this" in room.inner_text()
            assert "the-admin" not in visit.page.content()
            assert all(re.search("40[13]", one) for one in visit.wrong)
            visit.wrong.clear()
