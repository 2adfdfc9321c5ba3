// The map: every item as a point, near things near. Hits light up; close by, photos show themselves.
// What its groups are stands beside it, in `groups.js`.

import { building } from "./building.js";
import { byId, el, fill, plural } from "./elements.js";
import { follow } from "./fingers.js";
import { showGroups } from "./groups.js";
import { cornered, Lasso, rounded } from "./lasso.js";
import { Names } from "./names.js";
import { Opened } from "./opened.js";
import { Pace } from "./pace.js";
import { LEVELS, LIT, Points, RING } from "./points.js";
import { ask, at, column, picture } from "./service.js";

const ROOM = 6500; // square pixels for each item, from which on all in sight are shown themselves
const MOST_SHOWN = 200; // so many of them
const REACH = 14; // pixels around a point that count as it
const LEAST = 0.03; // of the map's width is shown at least, where a group is gone into

export class MapView {
  #room = byId("map"); #open; #loaded = null; #points = null; #view = { x: 0, y: 0, zoom: 1 }; #viewed = "";
  #pace = new Pace(LEVELS, () => this.#later());
  #hits = []; #places = new Set(); #everywhere; #again = null; #asked = false; #names = null; #thumbs = new Map(); #canvas = null; #turn = 0; #group = "";
  #width = 1; #height = 1; #colours = null; #isLit = () => false; #enter; #within; #lasso; #area = []; #beside; #opened = new Opened(); #sized = new ResizeObserver(() => this.#later());

  /**
   * `open(id)` is called for a point that is chosen, `enter(group)` for a group, `within(area)` for a part;
   * `everywhere(sequence)` gives the places of all hits, null where those that are shown are all.
   */
  constructor({ open, enter, within, everywhere }) {
    this.#everywhere = everywhere;
    this.#within = within;
    this.#open = open;
    this.#enter = enter;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colours = null;
      this.#later();
    });
  }

  /** Mark the item that was opened last. */
  mark(id) {
    this.#opened.is(id);
    this.#later();
  }

  hide() {
    this.#turn += 1;
    this.#room.hidden = true;
  }

  /** Show the map of a collection, with these hits lit; in a group that is gone into, its items are, and hits have a ring. */
  async show(collection, hits, { group = "", area = [] }) {
    const isAsked = hits !== this.#hits;
    this.#room.hidden = false;
    this.#area = area;
    if (isAsked) {
      this.#hits = hits;
      this.#places = new Set();
    }
    if (this.#loaded?.collection === collection) {
      this.#inside(group);
      if (isAsked) await this.#lightAll(group);
      return;
    }
    const turn = ++this.#turn;
    this.#loaded = null;
    fill(this.#room, el("p", { class: "nothing" }, "Loading the map …"));
    const [found, grouped] = await Promise.all([ask(at(collection, "/map")), ask(at(collection, "/groups"))]);
    if (turn !== this.#turn) return;
    if (!found.points) {
      this.#missing(collection, found, turn);
      return;
    }
    this.#group = "";
    this.#ready(collection, found, grouped);
    this.#inside(group);
    await this.#lightAll(group);
  }

  /** Light up all hits, also those far beyond the first, on a map that is loaded again where it is too old for them. */
  async #lightAll(group) {
    const hits = this.#hits, loaded = this.#loaded;
    if (!hits.length || !this.#points) return;
    const found = await this.#everywhere(loaded.sequence).catch((error) => {
      if (error.name !== "AbortError") throw error;
      return null;
    });
    if (!found || hits !== this.#hits || loaded !== this.#loaded) return;
    if (found.sequence === loaded.sequence) {
      this.#places = new Set(found.places);
      this.#light();
    } else if (this.#again !== hits) {
      this.#again = hits; // once: while others write, it is always too old
      this.#loaded = null;
      await this.show(loaded.collection, hits, { group, area: this.#area });
    }
  }

  /** Go into a group, and light it up. */
  #inside(number) {
    if (number !== this.#group) {
      this.#group = number;
      if (number !== "") this.#fit(this.#members(Number(number)));
    }
    this.#beside?.(number);
    this.#light();
  }

  /** Whether a point is in a group of either level. */
  #members(number) {
    const { lower, parents } = this.#loaded;
    return (i) => lower[i] === number || parents.get(lower[i]) === number;
  }

  /** Come so close that these points are in sight, but for those that lie far from the others. */
  #fit(isOne) {
    const sides = [this.#loaded.x, this.#loaded.y].map((all) => whiskers(all.filter((_, i) => isOne(i)).sort()));
    const [[west, east], [south, north]] = sides;
    const zoom = 1.7 / Math.max(east - west, north - south, LEAST);
    this.#to((west + east) / 2, (south + north) / 2, Math.max(1, zoom));
  }

  #missing(collection, found, turn) {
    fill(this.#room, el("div", { class: "nothing" }, el("h2", {}, "There is no map of this collection yet"),
      el("p", {}, "It places every item among those it is like. Large collections take a few minutes."),
      building(collection, {
        name: "Make a map", isBuilding: found.state === "building", isWanted: () => turn === this.#turn,
        done: () => this.show(collection, this.#hits, { group: this.#group, area: this.#area }),
      })));
  }

  #ready(collection, found, grouped) {
    const { ids } = found.points, { groups } = grouped;
    const x = column(found.points.x, Float32Array), y = column(found.points.y, Float32Array);
    this.#loaded = { collection, sequence: found.map.sequence, ids, x, y, isText: column(found.points.is_text, Uint8Array),
      lower: column(found.points.group, Int32Array), parents: new Map(groups.map((one) => [one.number, one.parent])) };
    if (this.#viewed !== collection) this.#view = { x: 0, y: 0, zoom: 1 };
    this.#viewed = collection;
    this.#opened.among(ids);
    this.#thumbs.clear();
    this.#canvas = el("canvas", {
      tabindex: 0, role: "application",
      "aria-label": `Map of ${plural(ids.length, "item", "items")}. Arrows move, plus and minus zoom. Close by, items can be chosen.`,
      onkeydown: (event) => this.#key(event), onwheel: (event) => this.#wheel(event),
    });
    follow(this.#canvas, {
      begins: (event) => {
        const isLine = this.#lasso.isOn || event.shiftKey;
        if (isLine) this.#lasso.draw(event);
        return isLine;
      },
      dragged: (across, down) => this.#to(this.#view.x - across / this.#unit, this.#view.y + down / this.#unit, this.#view.zoom),
      pinched: (by, left, top) => this.#zoom(by, left, top),
      tapped: (left, top) => this.#choose(left, top),
    });
    this.#names = new Names(groups, this.#loaded, (number) => { this.#group = ""; this.#enter(number); });
    const zoom = (by, name, sign) => el("button", { type: "button", "aria-label": name, onclick: () => this.#zoom(by) }, sign);
    this.#lasso = new Lasso({ place: (left, top) => this.#place(left, top), spot: (x, y) => this.#spot(x, y), done: this.#within });
    const sky = el("div", { class: "sky" }, this.#canvas, this.#lasso.drawing, el("div", { class: "near-by" }), this.#opened.ring, this.#names.labels,
      el("div", { class: "zoom" }, zoom(1.6, "Closer", "+"), zoom(1 / 1.6, "Farther", "−"),
        el("button", { type: "button", "aria-label": "All of it", title: "All of it", onclick: () => this.#all() }, "○"),
        this.#lasso.button, el("button", {
          type: "button", "aria-label": "Only what is in sight", title: "Only what is in sight", onclick: () => this.#inSight(),
        }, cornered())),
      el("p", { class: "legend" },
        el("span", {}, el("i", { class: "photo" }), "photos"), el("span", {}, el("i", { class: "words" }), "texts"),
        el("span", {}, el("i", { class: "lit" }), el("b", { class: "what" }, "hits")),
        el("span", { class: "ringed" }, el("i", { class: "ring" }), "hits"), this.#opened.legend));
    const beside = el("aside", { class: "beside", "aria-label": "Groups" });
    fill(this.#room, sky, beside);
    this.#beside = showGroups(beside, { ...grouped, collection }, { open: this.#open, enter: this.#enter });
    this.#sized.disconnect();
    this.#sized.observe(sky);
    try {
      this.#points = new Points(this.#canvas);
    } catch (error) {
      fill(this.#room, el("p", { class: "nothing" }, error.message));
      return;
    }
    this.#light();
  }

  #light() {
    if (!this.#points) return;
    const { ids, x, y, isText } = this.#loaded;
    const hits = new Set(this.#hits.map((hit) => hit.id));
    const isHit = (i) => this.#places.has(i) || hits.has(ids[i]), isIn = this.#group === "" ? null : this.#members(Number(this.#group));
    this.#isLit = isIn ?? isHit;
    const rings = isIn ? isHit : () => false;
    this.#room.querySelector(".legend .what").textContent = isIn ? "this group" : "hits";
    this.#room.querySelector(".legend .ringed").hidden = !(isIn && hits.size);
    this.#points.load(x, y, ids.map((_, i) => (this.#isLit(i) ? LIT : isText[i]) + (rings(i) ? RING : 0)));
    this.#later();
  }

  #later() {
    if (this.#asked || !this.#loaded || this.#room.hidden) return;
    this.#asked = true;
    requestAnimationFrame((now) => {
      this.#asked = false;
      if (!this.#loaded || this.#room.hidden) return;
      this.#draw();
      if (this.#pace.isMoving) requestAnimationFrame((next) => this.#pace.took(next - now));
    });
  }

  /** Pixels of one unit of the map. */
  get #unit() { return (Math.min(this.#width, this.#height) / 2.15) * this.#view.zoom; }

  #spot(x, y) {
    return [this.#width / 2 + (x - this.#view.x) * this.#unit, this.#height / 2 - (y - this.#view.y) * this.#unit];
  }

  /** Where on the map a pixel is. */
  #place(left, top) {
    return [this.#view.x + (left - this.#width / 2) / this.#unit, this.#view.y - (top - this.#height / 2) / this.#unit];
  }

  #draw() {
    const canvas = this.#canvas;
    // Asked once, before anything is moved: each later look would have the browser lay out anew.
    const { clientWidth: width, clientHeight: height } = canvas;
    [this.#width, this.#height] = [width, height];
    const dense = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    const count = this.#loaded.ids.length;
    const size = Math.max(2, Math.min(11, (130 / Math.sqrt(count)) * Math.sqrt(this.#view.zoom))) * dense;
    this.#points.draw({
      middle: [this.#view.x, this.#view.y], scale: [(2 * this.#unit) / width, (2 * this.#unit) / height],
      size, colours: this.#colours ??= colours(this.#room), isLit: this.#hits.length > 0 || this.#group !== "",
      levels: this.#pace.levels,
    });
    this.#lasso.show(this.#area);
    this.#names.draw({ width, height, zoom: this.#view.zoom, chosen: this.#group, spot: (x, y) => this.#spot(x, y) });
    this.#drawNear(width, height);
    this.#opened.draw((i) => this.#spot(this.#loaded.x[i], this.#loaded.y[i]), this.#thumbs);
  }

  #drawNear(width, height) {
    const { collection, ids, x, y, isText } = this.#loaded;
    const across = width / 2 / this.#unit, down = height / 2 / this.#unit;
    const seen = [], close = Math.min(MOST_SHOWN, (width * height) / ROOM);
    for (let i = 0; i < ids.length && seen.length <= close; i++) {
      if (Math.abs(x[i] - this.#view.x) < across && Math.abs(y[i] - this.#view.y) < down) seen.push(i);
    }
    const wanted = new Set(seen.length <= close ? seen : []);
    for (const [i, made] of this.#thumbs) {
      if (!wanted.has(i)) {
        made.remove();
        this.#thumbs.delete(i);
      }
    }
    for (const i of wanted) {
      if (!this.#thumbs.has(i)) this.#thumbs.set(i, this.#thumb(collection, ids[i], isText[i]));
      const [left, top] = this.#spot(x[i], y[i]);
      this.#thumbs.get(i).classList.toggle("lit", this.#isLit(i));
      this.#thumbs.get(i).style.transform = `translate(${left}px, ${top}px) translate(-50%, -50%)`;
    }
  }

  #thumb(collection, id, isText) {
    const made = el("button", {
      type: "button", class: isText ? "point text" : "point", "aria-label": `${isText ? "Text" : "Photo"} ${id}`,
      onclick: () => this.#open(id),
    }, isText ? "¶" : picture(collection, { id }, 128));
    this.#room.querySelector(".near-by").append(made);
    return made;
  }

  #to(x, y, zoom) {
    this.#view = { x, y, zoom: Math.max(0.7, Math.min(400, zoom)) };
    this.#pace.moved();
    this.#later();
  }

  #all() {
    this.#to(0, 0, 1);
    if (this.#group !== "") this.#enter("");
  }

  #zoom(by, left = this.#width / 2, top = this.#height / 2) {
    const zoom = Math.max(0.7, Math.min(400, this.#view.zoom * by)), done = zoom / this.#view.zoom;
    const x = (left - this.#width / 2) / this.#unit, y = (this.#height / 2 - top) / this.#unit;
    this.#to(this.#view.x + x * (1 - 1 / done), this.#view.y + y * (1 - 1 / done), zoom);
  }

  #wheel(event) {
    event.preventDefault();
    this.#zoom(Math.exp(-event.deltaY * 0.0016), event.offsetX, event.offsetY);
  }

  #key(event) {
    const step = 0.15 / this.#view.zoom;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (by) this.#to(this.#view.x + by[0], this.#view.y + by[1], this.#view.zoom);
    else if (event.key === "+" || event.key === "=") this.#zoom(1.4);
    else if (event.key === "-") this.#zoom(1 / 1.4);
    else return;
    event.preventDefault();
  }

  #inSight() {
    const corners = [[0, 0], [this.#width, 0], [this.#width, this.#height], [0, this.#height]];
    this.#within(corners.map(([left, top]) => rounded(this.#place(left, top))));
  }

  #choose(left, top) {
    const { ids, x, y } = this.#loaded;
    const [across, down] = this.#place(left, top);
    let best = -1, least = REACH / this.#unit;
    for (let i = 0; i < ids.length; i++) {
      const far = Math.hypot(x[i] - across, y[i] - down);
      if (far < least) [best, least] = [i, far];
    }
    if (best >= 0) this.#open(ids[best]);
  }
}

/** The colours of the page as WebGL wants them. */
function colours(room) {
  const found = {};
  for (const name of ["photo", "words", "lit", "ring"]) {
    const shown = getComputedStyle(room.querySelector(`.legend .${name}`)).backgroundColor;
    found[name] = shown.match(/[\d.]+/g).slice(0, 3).map((part) => Number(part) / 255);
  }
  return found;
}

/** The ends of a sorted row without its strays: those further from the quartiles than 1.5 times what lies between these (Tukey). */
function whiskers(sorted) {
  if (!sorted.length) return [-1, 1];
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, high] = [at(0.25), at(0.75)], reach = 1.5 * (high - low);
  const kept = sorted.filter((one) => one >= low - reach && one <= high + reach);
  return [kept[0], kept.at(-1)];
}
