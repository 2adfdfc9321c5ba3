"""Concepts, what hits have in common, and sorting from one thing to another, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from visits import Visit, browsing, filled, served, visiting

from latent.settings import Settings

CARD = "#grid .card"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as opened:
        yield opened


@pytest.fixture
def visit(browser: Any, tmp_path: Any) -> Iterator[Visit]:
    settings = Settings(data=tmp_path, model="colours", threads=2, min_relevance=0.5, port=0)
    with served(settings) as url:
        filled(url)
        items = [
            {"id": f"{colour}/{number}", "text": f"{colour} thing, number {number}"}
            for colour in ("red", "blue")
            for number in range(6)
        ]
        with httpx2.Client(base_url=url, timeout=60) as client:
            client.put("/v1/collections/main/items", json={"items": items}).raise_for_status()
        with visiting(browser, url) as opened:
            yield opened


def card(page: Any, item_id: str) -> Any:
    """The card of one of the texts: its name is the last step of its id."""
    colour, number = item_id.split("/")
    return page.locator(f"{CARD}.text", has_text=f"{colour} thing, number {number}")


def test_a_concept_is_taught_used_and_forgotten(visit: Visit) -> None:
    page = visit.see("#kind=text")
    page.get_by_role("button", name="Concepts", exact=True).click()
    page.locator("#teach h2").wait_for()
    for number in range(5):
        card(page, f"red/{number}").click()
        card(page, f"blue/{number}").click(click_count=1)
        card(page, f"blue/{number}").click(click_count=1)
    assert page.locator(f"{CARD}.yes").count() == 5
    assert page.locator(f"{CARD}.no").count() == 5
    assert "marked no" in (card(page, "blue/0").get_attribute("aria-label") or "")
    page.get_by_label("Name of the concept").fill("warm")
    visit.keep("concept-marks")
    page.get_by_role("button", name="Learn it").click()
    page.get_by_role("button", name="Search for warm").wait_for()
    assert "100 % of the time (10 examples)" in page.locator("#teach").inner_text()
    page.get_by_role("button", name="Search for warm").click()
    visit.until("location.hash.includes('concept%3Awarm')")
    page.wait_for_selector("#results:not([aria-busy])")
    first = page.locator("#grid > li[aria-posinset='1'] .card").inner_text()
    assert "red" in first.lower()
    page.get_by_role("button", name="Only what has warm").click()
    page.get_by_role("button", name="Remove the filter Concept warm: at least 50 %").wait_for()
    page.wait_for_selector("#results:not([aria-busy])")
    assert card(page, "blue/0").count() == 0
    visit.keep("concept")
    page.get_by_role("button", name="Remove the filter Concept").click()
    page.get_by_role("button", name="Remove the concept warm").click()
    page.get_by_role("button", name="Forget warm").click()
    page.get_by_role("button", name="Forget warm").wait_for(state="detached")


def test_few_examples_are_told_to_be_too_few(visit: Visit) -> None:
    page = visit.see("#kind=text&teach=1")
    page.locator("#teach h2").wait_for()
    assert page.get_by_role("button", name="Learn it").is_disabled()
    for item_id, key in {"red/0": "y", "red/1": "y", "blue/0": "n", "blue/1": "n"}.items():
        card(page, item_id).focus()
        page.keyboard.press(key)
    page.get_by_label("Name of the concept").fill("warm")
    page.get_by_role("button", name="Learn it").click()
    page.locator("#teach .unsure").wait_for()
    assert "too little to rely on" in page.locator("#teach .unsure").inner_text()


def test_what_hits_share_is_added_or_taken_away_with_one_click(visit: Visit) -> None:
    page = visit.see("#q=red&all=1")
    page.locator("#meanings li").first.wait_for()
    visit.keep("meanings")
    less = page.locator("#meanings .minus").first
    name = (less.get_attribute("aria-label") or "").removeprefix("Less ")
    less.click()
    visit.until("document.querySelectorAll('#parts li.minus').length === 1")
    assert name in page.locator("#parts").inner_text()


def test_items_are_sorted_from_one_thing_to_another(visit: Visit) -> None:
    page = visit.see("#kind=text")
    page.locator("#sort").select_option(label="from one thing to another")
    page.get_by_label("From", exact=True).fill("a blue thing")
    page.get_by_label("to", exact=True).fill("a red thing")
    page.keyboard.press("Enter")
    visit.until("location.hash.includes('from=')")
    page.wait_for_selector("#results:not([aria-busy])")
    visit.until("document.getElementById('status').textContent.startsWith('Furthest')")
    count = page.locator("#grid > li").count()
    first = page.locator("#grid > li[aria-posinset='1']").inner_text()
    last = page.locator(f"#grid > li[aria-posinset='{count}']").inner_text()
    assert "blue" in first
    assert "red" in last
    visit.keep("axis")
    again = visit.see("#q=a+thing&all=1&kind=text&from=a+blue+thing&to=a+red+thing")
    assert "from “a blue thing” to “a red thing”" in again.locator("#status").inner_text()
    assert "blue" in again.locator("#grid > li[aria-posinset='1']").inner_text()


def test_open_hits_and_concepts_are_ends_to_sort_between(visit: Visit) -> None:
    page = visit.see("#kind=image&item=blue")
    page.get_by_role("button", name="Sort from this").click()
    page.locator("#axis-from-item img").wait_for()
    assert not page.locator("#hit").is_visible()
    page.locator("#grid > li .card", has=page.locator("img")).first.wait_for()
    page = visit.see("#kind=image&from=id%3Ablue&item=red")
    page.get_by_role("button", name="Sort up to this").click()
    visit.until("document.getElementById('status').textContent.startsWith('Furthest')")
    assert "the chosen item" in page.locator("#status").inner_text()
    count = page.locator("#grid > li").count()
    first, last = (page.locator(f"#grid > li[aria-posinset='{n}']") for n in (1, count))
    assert "blue" in (first.locator("button").first.get_attribute("aria-label") or "")
    assert "red" in (last.locator("button").first.get_attribute("aria-label") or "")
    visit.keep("axis-of-items")
    page = visit.see("#kind=image&from=id%3Ablue")
    page.locator("#axis-to").fill("red")
    page.locator("#axis-to").press("Enter")
    visit.until("document.getElementById('status').textContent.includes('“red”')")
    page = visit.see("#kind=image&from=id%3Ablue")
    page.get_by_role("button", name="Say it in words instead").click()
    visit.until("document.activeElement.id === 'axis-from'")
    page = visit.see("#kind=image&from=id%3Ablue&to=id%3Ared")
    page.get_by_role("button", name="Say it in words instead").last.click()
    page.locator("#axis-to").wait_for()
    marks = {"yes": ["green", "yellow"], "no": ["red", "blue"]}
    with httpx2.Client(base_url=visit.url, timeout=60) as client:
        client.put("/v1/collections/main/concepts/greenish", json=marks).raise_for_status()
    page = visit.see("#kind=image&from=red&to=concept%3Agreenish")
    visit.until("document.getElementById('status').textContent.includes('the concept greenish')")
    page.locator("#axis-to").focus()
    visit.until("document.querySelectorAll('#axis-ends option').length > 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_a_concept_is_taught(visit: Visit, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    visit.page.emulate_media(color_scheme=scheme)
    page = visit.see("#q=red&all=1&teach=1&from=blue&to=red")
    page.locator("#teach h2").wait_for()
    page.locator("#meanings li").first.wait_for()
    for place in (1, 2, 2):
        page.locator(f"#grid > li[aria-posinset='{place}'] .card").click()
    page.wait_for_timeout(300)
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
