"""How fast the page is, in Chromium, against a service that runs: prints a table.

    python tests/browser/measuring.py http://127.0.0.1:8000 --collection photos [--map]

Search as one types: from a key to the hits of its question in the document, the pause after it
among it. Scrolling and the map: milliseconds between frames while something moves in each of them,
by requestAnimationFrame, which a browser calls 60 times a second at most. Holds nothing against a
target: how fast a machine is, no test can promise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table
from visits import browsing

TYPED = (
    "a dog in the snow",
    "two children at the sea",
    "red car in a street",
    "people around a table",
    "a man on a bicycle",
)
TYPE = """async (words) => {
  const input = document.getElementById("words"), grid = document.getElementById("grid");
  const drawn = () => new Promise((done) => {
    const seen = new MutationObserver(() => { seen.disconnect(); done(performance.now()); });
    seen.observe(grid, {childList: true});
  });
  const took = [];
  for (let end = 3; end <= words.length; end++) {
    const until = drawn(), began = performance.now();
    input.value = words.slice(0, end);
    input.dispatchEvent(new Event("input", {bubbles: true}));
    took.push(await until - began);
    await new Promise((done) => setTimeout(done, 400));
  }
  return took;
}"""
FRAMES = """async ([seconds, kind]) => {
  const canvas = document.querySelector("#map canvas");
  const at = (share) => ({
    clientX: 300 + 200 * Math.sin(share), clientY: 300 + 100 * Math.cos(share),
    pointerId: 1, bubbles: true, button: 0,
  });
  const moves = {
    scroll: () => scrollBy(0, 45),
    zoom: (now) => canvas.dispatchEvent(new WheelEvent("wheel",
      {deltaY: Math.sin(now / 1500) * 40, cancelable: true, bubbles: true})),
    pan: (now) => canvas.dispatchEvent(new PointerEvent("pointermove", at(now / 700))),
  };
  if (kind === "pan") {
    canvas.setPointerCapture = () => {};
    canvas.dispatchEvent(new PointerEvent("pointerdown", at(0)));
  }
  const took = [], began = performance.now();
  let last = null;
  await new Promise((done) => {
    const frame = (now) => {
      if (last !== null) took.push(now - last);
      last = now;
      moves[kind](now - began);
      if (now - began < seconds * 1000) requestAnimationFrame(frame);
      else done();
    };
    requestAnimationFrame(frame);
  });
  return took;
}"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("url")
    asked.add_argument("--collection", default="main")
    asked.add_argument("--seconds", type=float, default=8.0)
    asked.add_argument("--map", action="store_true", help="its map must have been made")
    given = asked.parse_args()
    table = Table("what", "median ms", "95 % ms", "worst ms", "count")
    with browsing() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{given.url}/#c={given.collection}")
        page.wait_for_selector("#results:not([aria-busy])", timeout=120_000)
        typed = [one for said in TYPED for one in page.evaluate(TYPE, said)]
        row(table, "a key, to its hits", typed)
        page.goto("about:blank")
        page.goto(f"{given.url}/#c={given.collection}")
        page.wait_for_selector("#results:not([aria-busy])")
        for part in ("first", "later"):
            row(table, f"scrolling, {part}", page.evaluate(FRAMES, [given.seconds, "scroll"]))
        shown = page.evaluate("document.getElementById('grid').offsetHeight")
        if given.map:
            page.goto(f"{given.url}/#c={given.collection}&view=map")
            page.locator("#map canvas").wait_for(timeout=120_000)
            page.wait_for_timeout(1500)
            for kind in ("zoom", "pan"):
                row(table, f"the map, {kind}", page.evaluate(FRAMES, [given.seconds, kind]))
    Console().print(table)
    Console().print(f"the grid was {shown} pixels high in the end")


def row(table: Table, name: str, took: Sequence[Any]) -> None:
    late = quantiles(took, n=20)[-1]
    table.add_row(name, f"{median(took):.1f}", f"{late:.1f}", f"{max(took):.1f}", str(len(took)))


if __name__ == "__main__":
    main()
