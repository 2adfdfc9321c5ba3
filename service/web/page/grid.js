// The hits, as a justified grid. Only what can be seen, and a little around it, is in the document.

import { el, nameOf } from "./elements.js";
import { justified, shape } from "./justify.js";
import { picture } from "./service.js";

export class Grid {
  #root; #open; #near; #items = []; #laid = { rows: [], height: 0 }; #shown = new Map();
  #current = 0; #collection = ""; #rowOf = []; #asked = false; #mark; #markOf;

  /**
   * `open(item)` is called for a hit that is chosen, `near()` when the end comes into sight, `mark(item, as)`
   * for y and n; `markOf(id)` says what an item is marked.
   */
  constructor(root, { open, near, mark, markOf }) {
    this.#mark = mark;
    this.#markOf = markOf;
    this.#root = root;
    this.#open = open;
    this.#near = near;
    addEventListener("scroll", () => this.#later(), { passive: true });
    new ResizeObserver(() => this.#lay()).observe(root);
    root.addEventListener("keydown", (event) => this.#key(event));
  }

  get items() { return this.#items; }

  show(collection, items) {
    this.#collection = collection;
    this.#items = items;
    this.#current = 0;
    this.#shown.forEach((shown) => shown.remove());
    this.#shown.clear();
    this.#lay();
  }

  add(items) {
    this.#items = [...this.#items, ...items];
    this.#lay();
  }

  /** Show marks as they are now. */
  marked() {
    this.#shown.forEach((made, index) => this.#label(made.firstChild, this.#items[index]));
  }

  #label(button, item) {
    const mark = this.#markOf(item.id);
    button.classList.toggle("yes", mark === true);
    button.classList.toggle("no", mark === false);
    button.setAttribute("aria-label", said(item) + (mark === undefined ? "" : mark ? ", marked yes" : ", marked no"));
  }

  focus(index = this.#current) {
    if (!this.#laid.rows.length) return; // nothing is here, or the map is shown
    this.#current = Math.max(0, Math.min(this.#items.length - 1, index));
    const row = this.#laid.rows[this.#rowOf[this.#current]];
    const top = this.#root.getBoundingClientRect().top + row.top;
    const head = document.querySelector(".top").offsetHeight + 12;
    if (top < head) scrollBy(0, top - head);
    else if (top + row.height > innerHeight - 12) scrollBy(0, top + row.height - innerHeight + 12);
    this.#draw();
    this.#shown.get(this.#current)?.firstChild.focus({ preventScroll: true });
  }

  #lay() {
    const width = this.#root.clientWidth;
    if (!width) { // the map is shown: what was laid out is of other items by now
      this.#laid = { rows: [], height: 0 };
      return;
    }
    const wished = width < 520 ? 150 : width < 1100 ? 190 : width < 1900 ? 230 : 280;
    this.#laid = justified(this.#items.map(shape), width, wished);
    this.#rowOf = [];
    this.#laid.rows.forEach((row, number) => row.boxes.forEach((box) => { this.#rowOf[box.index] = number; }));
    this.#root.style.height = `${this.#laid.height}px`;
    this.#draw(true);
  }

  #later() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#draw();
    });
  }

  #draw(moved = false) {
    if (!this.#laid.rows.length) return;
    const above = this.#root.getBoundingClientRect().top;
    const from = -above - innerHeight * 0.75, to = -above + innerHeight * 1.75;
    const { rows } = this.#laid;
    let low = 0, high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].top + rows[middle].height < from) low = middle + 1;
      else high = middle;
    }
    const wanted = new Set();
    for (let number = low; number < rows.length && rows[number].top < to; number++) {
      for (const box of rows[number].boxes) {
        wanted.add(box.index);
        const there = this.#shown.get(box.index);
        if (there && !moved) continue;
        const made = there ?? this.#make(box.index);
        place(made, rows[number], box);
      }
    }
    for (const [index, made] of this.#shown) {
      if (wanted.has(index)) made.firstChild.tabIndex = index === this.#current ? 0 : -1;
      else if (!made.contains(document.activeElement)) {
        made.remove();
        this.#shown.delete(index);
      }
    }
    if (this.#items.length && !wanted.has(this.#current) && wanted.size) {
      const first = Math.min(...wanted);
      this.#shown.get(first).firstChild.tabIndex = 0;
    }
    if (this.#items.length && to >= this.#laid.height) this.#near();
  }

  #make(index) {
    const item = this.#items[index];
    const button = el("button", {
      type: "button", class: `card ${item.modality}`, "aria-label": said(item), draggable: "true",
      tabindex: index === this.#current ? 0 : -1,
      onclick: () => { this.#current = index; this.#open(item); },
      onfocus: () => { this.#current = index; },
      ondragstart: (event) => event.dataTransfer.setData("application/x-nearfield-id", item.id),
    }, ...inside(this.#collection, item));
    this.#label(button, item);
    const made = el("li", { "aria-posinset": index + 1, "aria-setsize": this.#items.length }, button);
    this.#root.append(made);
    this.#shown.set(index, made);
    return made;
  }

  #key(event) {
    const to = {
      ArrowRight: () => this.#current + 1, ArrowLeft: () => this.#current - 1,
      ArrowDown: () => this.#across(1), ArrowUp: () => this.#across(-1),
      Home: () => 0, End: () => this.#items.length - 1,
    }[event.key];
    if ("yn".includes(event.key)) this.#mark(this.#items[this.#current], event.key === "y");
    if (!to || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.key === "ArrowUp" && this.#rowOf[this.#current] === 0) document.getElementById("words").focus();
    else this.focus(to());
  }

  /** The one in the next row that stands most nearly below. */
  #across(step) {
    const number = this.#rowOf[this.#current], row = this.#laid.rows[number + step];
    if (!row) return this.#current;
    const here = this.#laid.rows[number].boxes.find((box) => box.index === this.#current);
    const middle = here.left + here.width / 2;
    const far = (box) => Math.abs(box.left + box.width / 2 - middle);
    return row.boxes.reduce((best, box) => (far(box) < far(best) ? box : best)).index;
  }
}

function place(made, row, box) {
  made.style.transform = `translate(${box.left}px, ${row.top}px)`;
  made.style.width = `${box.width}px`;
  made.style.height = `${row.height}px`;
}

export const percent = (share) => `${Math.round(share * 100)} %`;

function said(item) {
  const kind = item.modality === "image" ? "Photo" : "Text";
  const sure = typeof item.relevance === "number" ? `, relevance ${percent(item.relevance)}` : "";
  return `${kind} ${nameOf(item)}${sure}`;
}

/** What a card holds, here and in other lists of items. */
export function inside(collection, item, size = 512) {
  const name = el("span", { class: "name" }, nameOf(item));
  const bar = el("span", { class: "sure", "aria-hidden": true }, el("i"));
  bar.firstChild.style.width = `${100 * (item.relevance ?? 0)}%`;
  const parts = item.modality === "image"
    ? [picture(collection, item, size), name]
    : [name, el("span", { class: "words" }, item.text ?? item.uri)];
  return typeof item.relevance === "number" ? [...parts, bar] : parts;
}
