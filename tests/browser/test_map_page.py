"""The map in a browser: a second view of the same state."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from visits import Visit, browsing, filled, served, visiting

from latent.models.colours import COLOURS
from latent.settings import Settings

LIT = (0xC2, 0x41, 0x0C)  # a hit on the map, in light


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with some eighty items, and no map yet."""
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(data=folder, model="colours", threads=2, min_relevance=0.5, port=0)
    with served(settings) as found:
        filled(found)
        items = [
            {"id": f"{colour}/{number}", "text": f"{colour} and {other}, number {number}"}
            for colour in COLOURS
            for number, other in enumerate(COLOURS)
        ]
        items.append({"id": "strange", "text": "zebra crossing"})  # of no colour
        with httpx2.Client(base_url=found, timeout=60) as client:
            client.put("/v1/collections/main/items", json={"items": items}).raise_for_status()
        yield found


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Visit]:
    with visiting(browser, url, color_scheme="light") as opened:
        yield opened


def lit(page: Any) -> int:
    """How many pixels of the map have the colour of a hit."""
    shown = Image.open(BytesIO(page.locator("#map canvas").screenshot())).convert("RGB")
    counts = {colour: count for count, colour in shown.getcolors(1 << 24) or []}
    return counts.get(LIT, 0)


def made(visit: Visit, fragment: str) -> Any:
    """The page on its map, which is made first if there is none."""
    page = visit.see(fragment)
    page.locator("#map canvas, #map .strong").first.wait_for()
    if page.locator("#map .strong").count():
        page.get_by_role("button", name="Make a map").click()
    page.locator("#map canvas").wait_for(timeout=180_000)
    page.wait_for_timeout(300)
    return page


def test_a_map_is_made_on_demand_and_is_a_view_of_the_same_state(visit: Visit) -> None:
    page = made(visit, "#view=map")
    page.get_by_role("button", name="Map", exact=True).click()
    page.locator("#grid .card").first.wait_for()
    assert not page.locator("#map").is_visible()
    page.go_back()
    page.locator("#map canvas").wait_for()
    visit.keep("map")


def test_hits_light_up_on_the_map(visit: Visit) -> None:
    page = made(visit, "#view=map")
    legend = lit(page)
    assert legend < 100
    page.locator("#words").fill("green")
    page.wait_for_selector("#results:not([aria-busy])")
    visit.until("document.getElementById('status').textContent.includes('hit')")
    page.wait_for_timeout(300)
    assert lit(page) > legend + 50
    visit.keep("map-hits")


def test_all_hits_light_up_on_the_map_not_the_first_page_of_them(visit: Visit) -> None:
    many(visit.url)
    few = made(visit, "#c=many&q=red&all=1&view=map&f=%7B%22n%22%3A%7B%22%24lt%22%3A60%7D%7D")
    visit.until("document.getElementById('status').textContent === '60 hits'")
    few.wait_for_timeout(500)
    some = lit(few)
    page = made(visit, "#c=many&q=red&all=1&view=map")
    visit.until("document.getElementById('status').textContent === '600 hits'")
    page.wait_for_timeout(500)
    assert lit(page) > 3 * some
    visit.keep("map-all-hits")


def many(url: str) -> None:
    """A collection `many` of six hundred vectors, which lie everywhere."""
    rows = np.random.default_rng(5).normal(size=(600, 16)).tolist()
    items = [
        {"id": str(n), "vector": row, "modality": "text", "metadata": {"n": n}}
        for n, row in enumerate(rows)
    ]
    with httpx2.Client(base_url=url, timeout=60) as client:
        client.put("/v1/collections/many", json={"model": "colours"}).raise_for_status()
        client.put("/v1/collections/many/items", json={"items": items}).raise_for_status()


def test_what_is_close_shows_itself_and_opens(visit: Visit) -> None:
    page = made(visit, "#view=map")
    assert page.locator("#map .point").count() == 0
    page.locator("#map canvas").focus()
    for _ in range(12):
        if page.locator("#map .point").count():
            break
        page.keyboard.press("+")
        page.wait_for_timeout(100)
    visit.keep("map-close")
    page.locator("#map .point").first.dispatch_event("click")
    page.locator("#hit h2").wait_for()
    assert "item=" in page.url


PINCH = """([from, to]) => {
  const canvas = document.querySelector("#map canvas"), at = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};  // no such finger is there
  const touch = (kind, pointerId, across) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId, bubbles: true, pointerType: "touch",
    clientX: at.left + at.width / 2 + across, clientY: at.top + at.height / 2,
  }));
  touch("pointerdown", 1, -from);
  touch("pointerdown", 2, from);
  for (let step = 1; step <= 20; step++) {
    const far = from + ((to - from) * step) / 20;
    touch("pointermove", 1, -far);
    touch("pointermove", 2, far);
  }
  touch("pointerup", 1, -to);
  touch("pointerup", 2, to);
}"""


def test_two_fingers_come_closer_and_go_back_and_open_nothing(visit: Visit) -> None:
    page = made(visit, "#view=map")
    afar = page.locator("#map .place.upper:visible")
    assert afar.count() > 0
    page.evaluate(PINCH, [15, 240])
    visit.until("!document.querySelector('#map .place.upper:not([hidden])')")
    page.evaluate(PINCH, [240, 15])
    visit.until("Boolean(document.querySelector('#map .place.upper:not([hidden])'))")
    assert not page.locator("#hit").is_visible()
    assert "item=" not in page.url


def test_a_hit_that_was_opened_on_the_map_is_closed_to_the_map(visit: Visit) -> None:
    """There is no grid to go back to; nothing goes wrong, which every visit ends with."""
    made(visit, "#view=map")
    page = visit.see("#q=green&view=map&item=green")
    page.locator("#map canvas").wait_for()
    page.locator("#hit h2").wait_for()
    page.keyboard.press("Escape")
    visit.until("!document.getElementById('hit').open")
    page.locator("#words").press("ArrowDown")
    page.wait_for_timeout(100)
    assert page.locator("#map canvas").is_visible()


def test_groups_stand_beside_the_map_in_two_levels(visit: Visit) -> None:
    page = made(visit, "#view=map")
    legend = lit(page)
    beside = page.get_by_role("complementary", name="Groups")
    beside.locator("details:not(.strange) summary").first.click()
    beside.locator("details[open] .strip .card").first.wait_for()
    assert "At its centre" in beside.inner_text()
    beside.locator("details[open] .lower").first.click()
    visit.until("location.hash.includes('group=')")
    page.wait_for_timeout(300)
    visit.keep("map-group")
    assert lit(page) > legend + 50
    again = made(visit, page.evaluate("location.hash"))
    assert again.locator(".beside details.here[open]").count() == 1
    beside.locator("details[open] .strip .card").first.click()
    page.locator("#hit h2").wait_for()


def groups_of(url: str, **given: str) -> Any:
    with httpx2.Client(base_url=url, timeout=60) as client:
        return client.get("/v1/collections/main/groups", params=given).raise_for_status().json()


def test_a_chosen_group_is_lit_while_something_else_is_searched_for(visit: Visit) -> None:
    page = made(visit, "#view=map")
    page.wait_for_timeout(500)
    legend = lit(page)
    number = groups_of(visit.url, id="red/0")["spot"]["group"]
    page = made(visit, f"#q=green&view=map&group={number}")
    visit.until("document.getElementById('status').textContent.includes('hit')")
    page.wait_for_timeout(500)
    assert lit(page) > legend + 50
    legend_says = page.locator("#map .legend").inner_text()
    assert "this group" in legend_says and "hits" in legend_says
    visit.keep("map-group-and-hits")


def test_examples_are_those_of_the_inner_group_that_is_shown(visit: Visit) -> None:
    made(visit, "#view=map")
    groups = groups_of(visit.url)["groups"]
    inner = min(
        (one for one in groups if sum(g["parent"] == one["parent"] for g in groups) > 1),
        key=lambda one: (one["parent"] is None, one["items"]),
    )
    with httpx2.Client(base_url=visit.url, timeout=60) as client:
        body = {"filter": {"$id": {"$in": inner["central"]}}, "limit": 100}
        items = client.post("/v1/collections/main/items/scroll", json=body).json()["items"]
    page = made(visit, f"#view=map&group={inner['number']}")
    first = page.locator(".beside details.here .strip").first
    first.locator(".card").first.wait_for()
    visit.until(
        "(ids) => [...document.querySelector('.beside details.here .strip').children]"
        ".every((one) => ids.includes(one.firstChild.title))",
        [item["uri"] for item in items],
    )
    beneath = page.locator(".beside .lower[aria-current=true]")
    assert beneath.bounding_box()["y"] < first.bounding_box()["y"]


def test_an_order_is_offered_for_the_grid_alone(visit: Visit) -> None:
    page = made(visit, "#view=map")
    assert not page.locator("#sorting").is_visible()
    page.get_by_role("button", name="Map", exact=True).click()
    page.locator("#sorting").wait_for()


def test_what_is_like_nothing_else_is_a_list(visit: Visit) -> None:
    page = made(visit, "#view=map")
    page.locator(".beside .strange summary").click()
    page.locator(".beside .strange .card").first.wait_for()
    visit.keep("map-outliers")


def test_a_hit_leads_to_its_group(visit: Visit) -> None:
    made(visit, "#view=map")
    page = visit.see("#item=green%2F1")
    page.locator("#hit .levels button").first.wait_for()
    page.locator("#hit .levels button").last.click()
    page.locator("#map canvas").wait_for()
    assert "group=" in page.url
    assert not page.locator("#hit").is_visible()
    page.locator(".beside details.here[open]").wait_for()


def hits(page: Any) -> int:
    """How many items or hits the page says there are."""
    page.wait_for_selector("#results:not([aria-busy])")
    return int(page.locator("#status").inner_text().split()[0])


def test_a_lasso_on_the_map_narrows_the_search_and_stands_in_the_address(visit: Visit) -> None:
    page = made(visit, "#view=map")
    everything = hits(page)
    page.get_by_role("button", name="Lasso").click()
    box = page.locator("#map canvas").bounding_box()
    left, top, width, height = (box[name] for name in ("x", "y", "width", "height"))
    page.mouse.move(left + width * 0.5, top + 20)
    page.mouse.down()
    for across, down in ((0.2, 0.2), (0.1, 0.5), (0.2, 0.8), (0.5, 0.95)):
        page.mouse.move(left + width * across, top + height * down, steps=5)
    page.mouse.up()
    visit.until("location.hash.includes('area=')")
    page.wait_for_timeout(300)
    some = hits(page)
    assert 0 < some < everything
    visit.keep("map-lasso")
    address = page.evaluate("location.hash")
    again = made(visit, address)
    assert hits(again) == some
    again.get_by_role("button", name="Map", exact=True).click()
    again.locator("#grid .card").first.wait_for()
    assert again.locator("#grid .card").count() <= some
    again.locator("#words").fill("green")
    visit.until("document.title.startsWith('green')")
    again.get_by_role("button", name="Remove the filter An area of the map").click()
    visit.until("!location.hash.includes('area=')")


def test_what_is_in_sight_can_be_asked_for_without_a_pointer(visit: Visit) -> None:
    page = made(visit, "#view=map")
    everything = hits(page)
    page.locator("#map canvas").focus()
    for _ in range(4):
        page.keyboard.press("+")
    page.wait_for_timeout(200)
    page.get_by_role("button", name="Only what is in sight").press("Enter")
    visit.until("location.hash.includes('area=')")
    page.wait_for_timeout(200)
    assert hits(page) < everything


def test_axe_finds_nothing_on_the_map(visit: Visit) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        page = made(visit, "#view=map&q=green")
        page.locator(".beside summary").first.click()
        page.locator(".beside .strip .card").first.wait_for()
        page.wait_for_timeout(300)
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], scheme


def test_the_map_fits_a_small_window(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 740})
    page = made(visit, "#view=map")
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0
    visit.keep("map-360")


def test_an_open_hit_offers_to_find_groups_where_there_are_none(visit: Visit) -> None:
    with httpx2.Client(base_url=visit.url, timeout=60) as client:
        client.put("/v1/collections/others", json={"model": "colours"}).raise_for_status()
        items = [{"id": f"{one}/{n}", "text": f"{one}, {n}"} for one in COLOURS for n in range(5)]
        client.put("/v1/collections/others/items", json={"items": items}).raise_for_status()
    page = visit.see("#c=others&item=green%2F1")
    page.get_by_role("button", name="Find groups").click()
    page.locator("#hit .levels button").first.wait_for(timeout=180_000)
    assert not page.get_by_role("button", name="Find groups").is_visible()


def test_the_map_marks_the_hit_that_was_opened_last(visit: Visit) -> None:
    made(visit, "#view=map")
    page = visit.see("#item=green%2F1")
    page.locator("#hit .levels button").last.click()
    page.locator("#map canvas").wait_for()
    page.get_by_role("button", name="All of it", exact=True).click()
    mark = page.locator(".sky > .opened:visible, .point.last")
    mark.wait_for()
    assert "opened last" in page.locator("#map .legend").inner_text()
    visit.keep("map-opened")
    before = mark.bounding_box()
    page.locator("#map canvas").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert mark.bounding_box()["x"] < before["x"]
    fresh = made(visit, "#view=map")
    assert fresh.locator(".sky > .opened:visible, .point.last").count() == 0
