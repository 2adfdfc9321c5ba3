// Marks on the map where the hit lies that is open, or was opened last. Knows nothing of its map.

import { el } from "./elements.js";

export class Opened {
  #ids = []; #place = -1; #id = "";
  ring = el("i", { class: "opened", "aria-hidden": true, hidden: true });
  legend = el("span", { hidden: true }, el("i", { class: "opened" }), "opened last");

  /** The items of the map that is shown, in its order. */
  among(ids) {
    this.#ids = ids;
    this.is(this.#id);
  }

  /** This item was opened last. */
  is(id) {
    this.#id = id;
    this.#place = id ? this.#ids.indexOf(id) : -1;
    this.legend.hidden = this.#place < 0;
  }

  /** Draw it; `spot(place)` gives pixels, `thumbs` are the items that show themselves, by place. */
  draw(spot, thumbs) {
    for (const [place, thumb] of thumbs) thumb.classList.toggle("last", place === this.#place);
    this.ring.hidden = this.#place < 0 || thumbs.has(this.#place);
    if (this.ring.hidden) return;
    const [left, top] = spot(this.#place);
    this.ring.style.transform = `translate(${left}px, ${top}px) translate(-50%, -50%)`;
  }
}
