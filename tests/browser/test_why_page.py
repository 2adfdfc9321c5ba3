"""Why a hit is one, in a browser: what of it speaks for the question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from visits import Visit, browsing, filled, served, visiting

from latent.settings import Settings


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(data=folder, model="colours", threads=2, min_relevance=0.5, port=0)
    with served(settings) as found:
        filled(found)
        long = "a stone and a green leaf and a red rose 🌹 and a green tree"
        with httpx2.Client(base_url=found, timeout=60) as client:
            items = [{"id": "long", "text": long}]
            client.put("/v1/collections/main/items", json={"items": items}).raise_for_status()
        yield found


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Visit]:
    with visiting(browser, url) as opened:
        yield opened


def test_a_photo_shows_what_speaks_for_the_question(visit: Visit) -> None:
    page = visit.see("#q=green&item=green")
    page.get_by_role("button", name="Why?").click()
    page.locator("#hit .framed canvas").wait_for()
    told = page.locator("#hit .why").inner_text()
    assert "Its likeness to “green” is 1.00" in told  # of eight photos nothing more can be said
    assert "Deletion test" not in told
    page.locator("#hit .why summary").click()
    assert "Deletion test" in page.locator("#hit .why").inner_text()
    assert "why=1" in page.url
    box = page.locator("#hit .framed canvas").bounding_box()
    assert box == page.locator("#hit .framed img").bounding_box()
    visit.keep("why-photo")
    page.get_by_role("button", name="Why?").click()
    visit.until("!document.querySelector('#hit .framed canvas')")
    assert page.locator("#hit .why").inner_text() == ""


def test_words_of_a_text_are_marked_where_they_speak_for_it(visit: Visit) -> None:
    page = visit.see("#q=green&item=long&why=1&all=1")
    page.locator("#hit mark").first.wait_for()
    marked = page.locator("#hit mark.for").all_inner_texts()
    assert "green" in marked
    text = page.locator("#hit .passage p").inner_text()
    assert text == "a stone and a green leaf and a red rose 🌹 and a green tree"
    visit.keep("why-text")


def test_each_part_of_a_mix_says_what_it_gave(visit: Visit) -> None:
    page = visit.see("#q=green&p=-0.5%3Atext%3Ared&item=green&why=1")
    page.locator("#hit .why summary").click()
    told = page.locator("#hit .gave li").all_inner_texts()
    assert len(told) == 2
    assert "“green”" in told[0]
    assert "+" in told[0]
    assert "“red”" in told[1]


def test_where_it_cannot_be_relied_on_the_page_says_so(visit: Visit) -> None:
    page = visit.see("#q=green&item=notes%2F1&why=1")
    page.locator("#hit .why .doubt").wait_for()
    assert "too short" in page.locator("#hit .why .doubt").inner_text()


def test_without_a_question_it_says_what_is_in_the_vector(visit: Visit) -> None:
    page = visit.see("#item=green")
    page.get_by_role("button", name="What is in it?").click()
    page.locator("#hit .why summary").click()
    assert "cosine" in page.locator("#hit .why").inner_text()
    way = page.locator("#hit .account .mix button").first
    word = way.get_attribute("aria-label")
    way.click()
    visit.until("location.hash.includes('q=')")
    assert word == f"Search for {page.locator('#words').input_value()}"


def test_one_sentence_says_how_near_it_is_and_few_words_what_else_is_seen(visit: Visit) -> None:
    items = [
        {"id": f"{colour}/{n}", "text": f"a {colour} thing, number {n}"}
        for colour in ("green", "red", "blue")
        for n in range(12)
    ]
    with httpx2.Client(base_url=visit.url, timeout=60) as client:
        client.put("/v1/collections/more", json={"model": "colours"}).raise_for_status()
        client.put("/v1/collections/more/items", json={"items": items}).raise_for_status()
    page = visit.see("#c=more&q=green&all=1&item=green%2F3&why=1")
    page.locator("#hit .why h3").first.wait_for()
    told = page.locator("#hit .why > p").first.inner_text()
    found = re.fullmatch(r"It is nearer to “green” than (\d+) of 100 texts here\.", told)
    assert found and int(found[1]) > 60
    assert page.locator("#hit .also button").count() <= 3
    assert "green" not in page.locator("#hit .also button").all_inner_texts()
    visit.keep("why-sentence")
    page = visit.see("#c=more&q=green&all=1&item=red%2F3&why=1")
    page.get_by_text("It is not near to “green”").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_reason(visit: Visit, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    visit.page.emulate_media(color_scheme=scheme)
    for fragment, wanted in {"green": ".framed canvas", "long": "mark"}.items():
        page = visit.see(f"#q=green&p=-0.5%3Atext%3Ared&all=1&item={fragment}&why=1")
        page.locator(f"#hit {wanted}").first.wait_for()
        page.locator("#hit .why summary").click()
        page.wait_for_timeout(300)
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
