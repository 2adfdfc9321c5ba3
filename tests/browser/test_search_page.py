"""The search page in a browser: the whole ways of a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from visits import ROOT, Visit, browsing, filled, served, square, visiting

from latent.settings import Settings
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import Scope

CARD = "#grid .card"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as opened:
        yield opened


@contextmanager
def service(folder: Path, **given: Any) -> Iterator[str]:
    """The URL of a service that has the pictures and texts."""
    chosen = Settings(data=folder, model="colours", threads=2, min_relevance=0.5, port=0, **given)
    with served(chosen) as found:
        filled(found)
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service that nobody writes to."""
    with service(tmp_path_factory.mktemp("data")) as url:
        yield url


@pytest.fixture
def visit(browser: Any, shared: str) -> Iterator[Visit]:
    with visiting(browser, shared) as opened:
        yield opened


@pytest.fixture
def own(browser: Any, tmp_path: Path) -> Iterator[Visit]:
    """A visit to a service of one's own, which may be written to."""
    with service(tmp_path / "data") as url, visiting(browser, url) as opened:
        yield opened


def names(page: Any) -> list[str]:
    """The hits as a screen reader names them, without their relevance, in order."""
    cards = page.locator("#grid > li").evaluate_all(
        "all => all.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)"
        ".map(one => one.firstChild.getAttribute('aria-label'))"
    )
    return [re.sub(", relevance.*", "", name) for name in cards]


def status(visit: Visit, text: str) -> None:
    visit.until(
        "text => document.getElementById('status').textContent === text"
        " && !document.getElementById('results').hasAttribute('aria-busy')",
        text,
    )


def test_everything_is_there_before_anything_is_asked(visit: Visit) -> None:
    page = visit.see()
    status(visit, "10 items")
    assert names(page)[0] == "Photo red.png"
    assert page.locator(f"{CARD}.image img.here").first.is_visible()
    visit.keep("browse")


def test_words_find_as_they_are_typed_and_stand_in_the_address(visit: Visit) -> None:
    page = visit.see()
    page.keyboard.press("/")
    page.keyboard.type("something green")
    visit.until("document.title.startsWith('something green')")
    visit.until("document.getElementById('status').textContent.endsWith('2 hits')")
    assert set(names(page)[:2]) == {"Photo green.png", "Text 1"}
    assert "something+green" in page.url
    again = visit.see(page.evaluate("location.hash"))
    assert again.locator("#words").input_value() == "something green"
    assert set(names(again)[:2]) == {"Photo green.png", "Text 1"}
    width = again.locator(f"{CARD} .sure i").first.evaluate("bar => bar.style.width")
    assert 50 <= float(width.rstrip("%")) <= 100
    visit.keep("search")


def test_no_match_is_said_plainly_with_the_nearest_below(visit: Visit) -> None:
    page = visit.see("#q=zebra")
    status(visit, "No match")
    assert page.locator("#nothing h2").inner_text() == "No match"
    assert "zebra" in page.locator("#nothing").inner_text()
    assert "The nearest" in page.locator("#nothing").inner_text()
    assert page.locator(CARD).count() == 10
    visit.keep("no-match")


def test_a_chosen_picture_finds_its_like_and_can_be_shared(visit: Visit, photos: Path) -> None:
    page = visit.see()
    page.set_input_files("#picture", photos / "blue.png")
    page.wait_for_selector("#parts li img")
    page.wait_for_selector(f"{CARD}[aria-label^='Text 2']")
    address = page.evaluate("location.hash")
    again = visit.see(address)
    again.wait_for_selector("#parts li img")
    assert set(names(again)[:2]) == {"Photo blue.png", "Text 2"}


DROP = """async ({bytes, zone, name}) => {
  const kept = new DataTransfer();
  kept.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
  const send = (kind, target) => target.dispatchEvent(
    new DragEvent(kind, {dataTransfer: kept, bubbles: true, cancelable: true}));
  send('dragenter', document.body);
  const target = document.querySelector(`[data-drop=${zone}]`);
  send('dragover', target);
  send('drop', target);
}"""


def dropped(page: Any, path: Path, zone: str) -> None:
    page.evaluate(DROP, {"bytes": list(path.read_bytes()), "zone": zone, "name": path.name})


def test_a_dropped_picture_with_words_and_a_minus_leads_away(visit: Visit, photos: Path) -> None:
    page = visit.see("#q=green")
    dropped(page, photos / "red.png", "find")
    page.wait_for_selector("#parts li")
    page.wait_for_selector(f"{CARD}[aria-label^='Photo red']")
    page.get_by_role("button", name="Less of the picture (part 1)").click()
    page.wait_for_selector("#parts li.minus")
    page.wait_for_selector("#results:not([aria-busy])")
    visit.until("!document.querySelector(\"#grid [aria-label^='Photo red']\")")
    assert "Photo green.png" in names(page)
    page.locator("#parts input").fill("0.3")
    visit.until("location.hash.includes('p=-0.3%3Aimage')")
    page.go_back()
    visit.until("location.hash.includes('p=-1%3Aimage')")
    visit.keep("mix")


PASTE = """async (bytes) => {
  const kept = new DataTransfer();
  kept.items.add(new File([new Uint8Array(bytes)], 'pasted.png', {type: 'image/png'}));
  document.body.dispatchEvent(new ClipboardEvent('paste',
    {clipboardData: kept, bubbles: true, cancelable: true}));
}"""


def test_a_pasted_picture_joins_the_question(visit: Visit, photos: Path) -> None:
    page = visit.see()
    page.evaluate(PASTE, list((photos / "green.png").read_bytes()))
    page.wait_for_selector("#parts li img")
    visit.until("/hits?$/.test(document.getElementById('status').textContent)")
    assert set(names(page)[:2]) == {"Photo green.png", "Text 1"}


def test_several_pictures_are_dropped_at_once_and_weighed(visit: Visit, photos: Path) -> None:
    page = visit.see()
    for name in ("red.png", "blue.png"):
        dropped(page, photos / name, "find")
        page.wait_for_timeout(200)
    visit.until("document.querySelectorAll('#parts li img').length === 2")
    page.get_by_role("slider", name="Weight of the picture (part 1)").fill("2")
    visit.until("location.hash.includes('p=2%3Aimage')")
    page.get_by_role("button", name="Remove the picture (part 2)").click()
    visit.until("document.querySelectorAll('#parts li').length === 1")
    page.wait_for_selector("#results:not([aria-busy])")
    assert names(page)[0] == "Photo red.png"


def test_the_drop_zones_show_themselves_and_go(visit: Visit) -> None:
    page = visit.see()
    send = """kind => {
      const kept = new DataTransfer();
      kept.items.add(new File(['x'], 'x.png', {type: 'image/png'}));
      document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: kept, bubbles: true}));
    }"""
    page.evaluate(send, "dragenter")
    assert page.get_by_text("Find what is like it").is_visible()
    visit.keep("drop")
    page.evaluate(send, "dragleave")
    assert not page.get_by_text("Find what is like it").is_visible()
    page.evaluate(send, "dragenter")
    page.keyboard.press("Escape")
    assert not page.get_by_text("Find what is like it").is_visible()


def test_a_hit_is_dragged_into_the_box(visit: Visit) -> None:
    page = visit.see("#q=green")
    page.locator(f"{CARD}[aria-label^='Photo green']").drag_to(page.locator("#words"))
    visit.until("location.hash.includes('id%3Agreen')")


def test_a_question_that_leads_nowhere_is_told(visit: Visit) -> None:
    page = visit.see("#p=-1%3Atext%3Agreen")
    page.locator("#told p").wait_for()
    assert page.locator("#told").inner_text().strip()
    visit.wrong.clear()  # the browser notes the answer 400


def test_an_item_that_is_gone_is_told_and_the_page_stays(visit: Visit) -> None:
    page = visit.see("#q=green&item=nobody")
    page.locator("#told p").wait_for()
    assert "nobody" in page.locator("#told").inner_text()
    assert not page.locator("#hit").is_visible()
    visit.until("!location.hash.includes('item=')")
    visit.wrong.clear()  # the browser notes the answer 404


def test_what_is_no_picture_is_refused_by_name(visit: Visit, tmp_path: Path) -> None:
    page = visit.see()
    (tmp_path / "fake.png").write_bytes(b"no picture")
    page.set_input_files("#picture", tmp_path / "fake.png")
    page.wait_for_selector("#told p")
    assert "fake.png is no picture" in page.locator("#told").inner_text()


def test_filters_narrow_and_are_taken_off(visit: Visit) -> None:
    page = visit.see()
    page.locator("[data-filter='author=Ada']").check()
    status(visit, "1 item")
    assert names(page) == ["Text 1"]
    page.locator("[data-filter='author=Ben']").check()
    status(visit, "2 items")
    page.get_by_role("button", name=re.compile("Remove the filter Author")).click()
    status(visit, "10 items")
    page.get_by_role("button", name="Photos", exact=True).click()
    status(visit, "8 items")
    page.go_back()
    status(visit, "10 items")


def test_a_filter_that_nothing_meets_says_so(visit: Visit) -> None:
    page = visit.see('#f={"author":"Nobody"}')
    assert "Nothing here has all of these" in page.locator("#nothing").inner_text()
    page.get_by_role("button", name="Take all filters off").click()
    status(visit, "10 items")


def test_hits_are_sorted_by_a_field(visit: Visit) -> None:
    page = visit.see("#q=a+thing&kind=text&all=1")
    page.locator("#sort").select_option("year:desc")
    visit.until("location.hash.includes('sort=year')")
    page.wait_for_selector("#results:not([aria-busy])")
    assert names(page) == ["Text 2", "Text 1"]


def test_a_hit_opens_and_leads_on(visit: Visit) -> None:
    page = visit.see("#q=green")
    page.locator(f"{CARD}[aria-label^='Photo green']").click()
    dialog = page.locator("#hit")
    dialog.locator("h2").wait_for()
    assert dialog.locator("h2").inner_text() == "green.png"
    dialog.locator(".near .strip li").first.wait_for()
    assert "No copies" in dialog.locator(".copies").inner_text()
    assert "squares" in dialog.locator("dl").inner_text()
    visit.keep("hit")
    dialog.get_by_role("button", name="More like this").click()
    page.wait_for_selector("#parts li")
    page.wait_for_selector(f"{CARD}[aria-label^='Text 1']")
    assert not dialog.is_visible()
    assert "id%3Agreen" in page.url


def test_less_like_this_leads_away_from_it(visit: Visit) -> None:
    page = visit.see("#q=green+blue&item=blue")
    page.locator("#hit").get_by_role("button", name="Less like this").click()
    page.wait_for_selector("#parts li.minus")
    visit.until("!document.querySelector(\"#grid [aria-label^='Photo blue']\")")
    assert names(page)[0] in ("Photo green.png", "Text 1")


def test_copies_are_shown_in_tiers(own: Visit, photos: Path) -> None:
    with Image.open(photos / "green.png") as picture:
        picture.save(photos / "again.bmp")
    with httpx2.Client(base_url=own.url) as client:
        files = [("files", (name, (photos / name).read_bytes())) for name in ("again.bmp",)]
        client.post("/v1/collections/main/items/upload", files=files).raise_for_status()
    page = own.see("#item=green")
    page.locator("#hit .copies .strip li").first.wait_for()
    assert re.search("same picture|near copy", page.locator("#hit .copies").inner_text())
    assert "again.bmp" in page.locator("#hit .copies").inner_text()


def test_the_keyboard_goes_everywhere(visit: Visit) -> None:
    page = visit.see("#q=green")
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    first = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert first.startswith(("Photo green", "Text 1"))
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert second != first
    page.keyboard.press("Enter")
    page.locator("#hit h2").wait_for()
    page.keyboard.press("ArrowLeft")
    visit.until("!location.hash.includes('item=notes')")
    page.keyboard.press("Escape")
    visit.until("!location.hash.includes('item=')")
    assert not page.locator("#hit").is_visible()
    assert page.evaluate("document.activeElement.classList.contains('card')")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.press("Escape")
    status(visit, "10 items")


def test_uploads_are_told_one_by_one_with_the_reason(own: Visit, tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "purple").save(tmp_path / "new.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page = own.see()
    page.get_by_role("button", name="Add", exact=True).click()
    page.set_input_files("#uploads input", [tmp_path / "new.png", tmp_path / "broken.png"])
    page.locator("#uploads li.indexed").wait_for()
    page.locator("#uploads li.failed").wait_for()
    assert "new.png" in page.locator("#uploads li.indexed").inner_text()
    assert "not a" in page.locator("#uploads li.failed").inner_text()
    own.keep("upload")
    page.keyboard.press("Escape")
    status(own, "11 items")


def test_a_picture_dropped_on_the_other_half_is_added(own: Visit, tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "purple").save(tmp_path / "new.png")
    page = own.see()
    dropped(page, tmp_path / "new.png", "add")
    page.locator("#uploads li.indexed").wait_for()


def test_collections_tell_what_they_hold(visit: Visit) -> None:
    page = visit.see()
    page.get_by_role("button", name="Collections").click()
    page.locator("#collections article").wait_for()
    told = page.locator("#collections").inner_text()
    assert "8 photos, 2 texts" in told
    assert "colours" in told


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_nothing_is_wider_than_the_window(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 800})
    for view, fragment in {
        "all": "",
        "hits": "#q=green&p=-0.5%3Atext%3Aa+long+part+of+words",
        "hit": "#item=green",
    }.items():
        page = visit.see(fragment)
        if view == "hit":
            page.locator("#hit .near .strip li").first.wait_for()
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, view
        visit.keep(f"{view}-{width}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "fragment", ["", "#q=green&p=0.5%3Aid%3Ablue", "#q=zebra", "#item=green", "#item=notes%2F1"]
)
def test_axe_finds_nothing(visit: Visit, scheme: str, fragment: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    visit.page.emulate_media(color_scheme=scheme)
    page = visit.see(fragment)
    if "item" in fragment:
        page.locator("#hit .near .strip li").first.wait_for()
    page.wait_for_timeout(300)  # what fades in is there
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


def test_only_what_is_near_is_in_the_document(own: Visit) -> None:
    items = [
        {"id": f"many/{number}", "text": f"a red thing, number {number}"} for number in range(1500)
    ]
    with httpx2.Client(base_url=own.url, timeout=60) as client:
        for start in range(0, 1500, 250):
            client.put(
                "/v1/collections/main/items", json={"items": items[start : start + 250]}
            ).raise_for_status()
    page = own.see("#kind=text")
    status(own, "1,502 items")
    for _ in range(40):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(50)
        if page.locator("#grid > li[aria-posinset='1502']").count():
            break
    assert page.locator("#grid > li[aria-posinset='1502']").count() == 1
    assert page.locator("#grid > li").count() < 150


def test_all_files_of_the_page_are_in_the_package() -> None:
    page = ROOT / "service" / "web" / "page"
    named = set(
        re.findall(
            r'(?:from |src=|href=)"(?:web/|\./)([\w.]+)"',
            "".join(file.read_text(encoding="utf-8") for file in page.iterdir()),
        )
    )
    assert named
    assert named <= {file.name for file in page.iterdir()}


def test_a_key_is_asked_for_and_used_for_pictures_too(browser: Any, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, model="colours", threads=2, published="0.0.0.0", port=0)
    secrets = {}
    for scope in (Scope.ADMIN, Scope.READ):
        key, secrets[scope] = new_key(str(scope), scope)
        Keyring.of(settings).add(key)
    with served(settings) as url:
        filled(url, {"X-API-Key": secrets[Scope.ADMIN]})
        with visiting(browser, url) as visit:
            visit.page.goto(url)
            visit.page.get_by_label("Key", exact=True).fill(secrets[Scope.READ])
            visit.page.get_by_role("button", name="Use it").click()
            status(visit, "10 items")
            visit.page.locator(f"{CARD} img.here").first.wait_for()
            dropped_file = {"name": "new.png", "mimeType": "image/png", "buffer": square("purple")}
            visit.page.get_by_role("button", name="Add", exact=True).click()
            visit.page.set_input_files("#uploads input", dropped_file)
            visit.page.locator("#uploads li.failed").wait_for()
            assert "this needs write" in visit.page.locator("#uploads li.failed").inner_text()
            # The browser itself notes every refusal; there must be nothing else.
            assert all(re.search("40[13]", one) for one in visit.wrong)
            visit.wrong.clear()


def test_a_service_that_does_not_answer_is_told_and_tried_again(visit: Visit) -> None:
    page = visit.see()
    page.route("**/query", lambda route: route.abort())
    page.locator("#words").fill("green")
    page.locator("#told button").wait_for()
    assert "does not answer" in page.locator("#told").inner_text()
    visit.keep("failed")
    page.unroute("**/query")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(f"{CARD}[aria-label^='Photo green']")
    visit.until("!document.getElementById('told').innerText")
    visit.wrong.clear()  # the browser notes the request that was cut off


def test_on_a_phone_the_controls_take_two_lines(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 740})
    page = visit.see("#q=green")
    shown = page.locator(".bar > *").all()
    boxes = [box for box in (one.bounding_box() for one in shown) if box]
    lines: list[float] = []
    for middle in sorted(box["y"] + box["height"] / 2 for box in boxes):
        if not lines or middle - lines[-1] > 12:
            lines.append(middle)
    assert len(lines) == 2
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    visit.keep("controls-360")


def test_where_there_is_no_collection_words_change_nothing_of_what_is_said(
    browser: Any, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path / "data", model="colours", threads=2, port=0)
    with served(settings) as url, visiting(browser, url) as visit:
        page = visit.see()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        page.fill("#words", "green")
        page.press("#words", "Enter")
        visit.until("() => location.hash.includes('green')")
        assert page.get_by_text("There is no collection yet").is_visible()
        assert [one for one in asked if "/v1/" in one] == []


def test_going_back_does_not_open_what_was_closed(visit: Visit) -> None:
    page = visit.see()
    page.locator("#words").fill("green")
    status(visit, "2 hits")
    page.locator(f"{CARD}[aria-label^='Photo green']").click()
    page.locator("#hit h2").wait_for()
    page.keyboard.press("ArrowRight" if names(page)[0].startswith("Photo") else "ArrowLeft")
    visit.until("location.hash.includes('item=notes')")
    page.keyboard.press("Escape")
    visit.until("!location.hash.includes('item=')")
    page.go_back()
    visit.until("!location.hash.includes('green')")
    assert not page.locator("#hit").is_visible()


def test_a_hit_that_came_by_its_address_is_closed_to_the_hits_around_it(visit: Visit) -> None:
    page = visit.see("#q=green&item=green")
    page.locator("#hit h2").wait_for()
    page.go_back()
    visit.until("!document.getElementById('hit').open")
    assert "q=green" in page.url
    page.go_back()
    assert page.url == "about:blank"


def test_of_what_is_merely_like_a_picture_there_is_no_verdict(visit: Visit) -> None:
    page = visit.see("#p=1%3Aid%3Ared&kind=text")
    status(visit, "The nearest first")
    assert not page.locator("#nothing").is_visible()
    assert page.locator(CARD).count() == 2
    visit.see("#p=1%3Aid%3Ared&q=zebra&kind=text")
    status(visit, "No match")


def test_a_text_that_is_part_of_a_question_is_not_asked_for_as_a_picture(visit: Visit) -> None:
    page = visit.see("#p=1%3Aid%3Anotes%2F1&p=0.5%3Aid%3Agreen")
    page.locator("#parts .thumb.text").wait_for()  # an error in the console would fail the visit
    page.locator("#parts .thumb img.here").wait_for()
    assert page.locator("#parts .thumb").count() == 2


def test_fields_stay_while_one_narrows_and_count_nothing(visit: Visit) -> None:
    fields = "[...document.querySelectorAll('#filters details')].map(one => one.dataset.field)"
    page = visit.see()
    before = page.evaluate(fields)
    assert "folder" in before or "width" in before
    page.locator("[data-filter='author=Ada']").check()
    status(visit, "1 item")
    assert page.evaluate(fields) == before
    ben = page.locator("#filters details[data-field=author] label", has_text="Ben")
    assert ben.locator(".count").inner_text() == "1"  # as if it were not filtered by itself
    page.get_by_role("button", name="Photos", exact=True).click()
    page.wait_for_selector("#nothing h2")
    assert page.evaluate(fields) == before
    assert ben.locator(".count").inner_text() == "0"
    visit.keep("filters-narrow")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_buttons_of_an_open_hit_stay_in_one_place(visit: Visit, size: tuple[int, int]) -> None:
    visit.page.set_viewport_size({"width": size[0], "height": size[1]})
    page = visit.see("#item=red")
    page.locator("#hit .near .strip li").first.wait_for()
    ways = page.locator("#hit").get_by_role("button", name="More like this")
    place = ways.bounding_box()
    visit.keep(f"hit-{size[0]}")
    seen = set()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
        page.locator("#hit .near .strip li").first.wait_for()
        seen.add(page.locator("#hit h2").inner_text())
        assert ways.bounding_box() == place
    assert {"2", "green.png"} <= seen


def test_a_map_that_nobody_makes_any_more_is_told(visit: Visit) -> None:
    left: dict[str, Any] = {"collection": "main", "state": "none", "building": None, "map": None}
    asked: list[str] = []

    def answer(route: Any) -> None:
        is_begun = route.request.method == "POST"
        asked.append(route.request.method)
        route.fulfill(json={**left, "state": "building" if is_begun else "none"})

    page = visit.see("#view=map")
    page.route(re.compile(r"/map(\?points=false)?$"), answer)
    page.get_by_role("button", name="Make a map").click()
    page.get_by_text("Nobody is making it any more").wait_for()
    page.wait_for_timeout(1000)  # as long as more than one look takes
    assert asked == ["POST", "GET"]
    assert page.get_by_role("button", name="Make a map").is_enabled()


def test_what_is_less_relevant_joins_behind_the_hits_that_stay(
    browser: Any, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, model="colours", threads=2, min_relevance=0.3, port=0)
    colours = ("red", "blue", "yellow", "white")
    items = [{"id": f"{one}/{n}", "text": f"a {one} thing"} for one in colours for n in range(60)]
    with served(settings) as url, visiting(browser, url) as visit:
        filled(url)
        with httpx2.Client(base_url=url, timeout=60) as client:
            client.put("/v1/collections/main/items", json={"items": items}).raise_for_status()
        page = visit.see("#q=red")
        status(visit, "61 hits")
        page.get_by_role("button", name="Show what is less relevant").scroll_into_view_if_needed()
        above = page.evaluate("scrollY")
        page.get_by_role("button", name="Show what is less relevant").click()
        status(visit, "100 hits so far")
        assert page.evaluate("scrollY") == above > 0
        assert page.locator("#grid > li[aria-posinset='62']").count() == 1
        assert set(names(page)) >= {"Text 59"}
