// A line drawn around a part of the map, which then narrows the search. Knows no points and no hits.

import { el } from "./elements.js";

const APART = 4; // pixels between two corners while drawing
const MOST = 48; // corners that are kept, so that the area fits into an address

export const rounded = (place) => place.map((one) => Math.round(one * 1000) / 1000);

const svg = (tag, given = {}) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(given)) made.setAttribute(name, value);
  return made;
};

function drawn(path) {
  const sign = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  sign.append(svg("path", { d: path }));
  return sign;
}

/** The sign of a window: its four corners. */
export const cornered = () => drawn("M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5");

export class Lasso {
  #place; #spot; #done; #line = svg("polygon"); #drawn = null;

  /** `place` makes places of pixels, `spot` pixels of places, `done(area)` is given the corners. */
  constructor({ place, spot, done }) {
    this.#place = place;
    this.#spot = spot;
    this.#done = done;
    this.drawing = svg("svg", { class: "lasso", "aria-hidden": "true" });
    this.drawing.append(this.#line);
    const sign = drawn("M7 16c-3-1-4-3-4-5 0-4 4-7 9-7s9 3 9 7-4 7-9 7c-2 0-3 0-5-1m0-1c0 3 0 4-2 6");
    this.button = el("button", {
      type: "button", "aria-pressed": "false", "aria-label": "Lasso: draw around a part of the map", title: "Lasso: draw around a part of the map",
      onclick: () => this.#turn(!this.isOn),
    }, sign);
  }

  get isOn() { return this.button.getAttribute("aria-pressed") === "true"; }

  #turn(isOn) {
    this.button.setAttribute("aria-pressed", String(isOn));
    this.drawing.parentElement?.classList.toggle("drawing", isOn);
  }

  /** Follow the map: draw the area where it lies now. */
  show(area) {
    const corners = this.#drawn ?? area.map(([x, y]) => this.#spot(x, y));
    this.#line.setAttribute("points", corners.map((one) => one.join(",")).join(" "));
  }

  /** Draw until the pointer is lifted. */
  draw(down) {
    const canvas = down.target;
    this.#drawn = [[down.offsetX, down.offsetY]];
    canvas.setPointerCapture(down.pointerId);
    const move = (event) => {
      const [left, top] = this.#drawn.at(-1);
      if (Math.hypot(event.offsetX - left, event.offsetY - top) < APART) return;
      this.#drawn.push([event.offsetX, event.offsetY]);
      this.show([]);
    };
    const up = (event) => {
      for (const kind of ["pointermove", "pointerup", "pointercancel"]) canvas.removeEventListener(kind, kind === "pointermove" ? move : up);
      const corners = thinned(this.#drawn);
      this.#drawn = null;
      this.#turn(false);
      this.show([]);
      if (event.type === "pointerup" && corners.length > 2) this.#done(corners.map((one) => rounded(this.#place(...one))));
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
  }
}

/** Few corners that run along the same line: those that matter least go first. */
function thinned(corners) {
  const left = [...corners];
  const matters = (i) => {
    const [a, b, c] = [left.at(i - 1), left[i], left[(i + 1) % left.length]];
    return Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2;
  };
  while (left.length > 3) {
    let least = Infinity, at = -1;
    for (let i = 0; i < left.length; i++) {
      const area = matters(i);
      if (area < least) [least, at] = [area, i];
    }
    if (left.length <= MOST && least > 3) break;
    left.splice(at, 1);
  }
  return left;
}
