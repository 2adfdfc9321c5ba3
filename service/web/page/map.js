// The map: every item as a point, near things near. Hits light up; close by, photos show themselves.
// What its groups are stands beside it, in `groups.js`.

import { byId, el, fill, plural } from "./elements.js";
import { showGroups } from "./groups.js";
import { cornered, Lasso, rounded } from "./lasso.js";
import { Points } from "./points.js";
import { ask, at, picture } from "./service.js";

const CLOSE = 60; // items in sight, from which on they are shown themselves
const WAIT = 700; // milliseconds between two looks at a map that is being built
const REACH = 14; // pixels around a point that count as it
const MARGIN = 6; // pixels between a group's name and the side of the map, at least
const BUTTONS = { wide: 60, high: 230 }; // pixels at the upper right that the map's buttons take
const STEPS = { // what a map that is being built is doing
  reading: "Reading the items", words: "Choosing words", centring: "Preparing", neighbours: "Finding what is near what",
  layout: "Placing the items", groups: "Finding groups", outliers: "Finding what stands alone", trustworthiness: "Checking the map",
};

export class MapView {
  #room = byId("map"); #open; #loaded = null; #points = null; #view = { x: 0, y: 0, zoom: 1 };
  #hits = []; #asked = false; #labels = []; #thumbs = new Map(); #canvas = null; #turn = 0; #group = "";
  #width = 1; #height = 1; #colours = null; #isLit = () => false; #enter; #within; #lasso; #area = []; #beside; #sized = new ResizeObserver(() => this.#later());

  /** `open(id)` is called for a point that is chosen, `enter(group)` for a group, `within(area)` for a part. */
  constructor({ open, enter, within }) {
    this.#within = within;
    this.#open = open;
    this.#enter = enter;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colours = null;
      this.#later();
    });
  }

  hide() {
    this.#turn += 1;
    this.#room.hidden = true;
  }

  /** Show the map of a collection, with these hits lit, or a group, if none are. */
  async show(collection, hits, { group = "", area = [] }) {
    this.#room.hidden = false;
    this.#hits = hits;
    this.#area = area;
    if (this.#loaded?.collection === collection) {
      this.#inside(group);
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
  }

  /** Go into a group, and light it up where there are no hits. */
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

  /** Come so close that nearly all of these points are in sight. */
  #fit(isOne) {
    const sides = [this.#loaded.x, this.#loaded.y].map((all) => {
      const some = all.filter((_, i) => isOne(i)).sort();
      const at = (share) => some[Math.round(share * (some.length - 1))];
      return some.length ? [at(0.03), at(0.97)] : [-1, 1];
    });
    const [[west, east], [south, north]] = sides;
    this.#to((west + east) / 2, (south + north) / 2, Math.min(60, 1.7 / Math.max(east - west, north - south, 0.02)));
  }

  #missing(collection, found, turn) {
    const said = el("p", { role: "status" });
    const bar = el("progress", { max: 1, value: 0, "aria-label": "How much of the map is done", hidden: true });
    const build = async () => {
      button.disabled = true;
      try {
        await ask(at(collection, "/map"), { body: {} });
        await this.#watch(collection, turn, said, bar);
      } catch (error) {
        said.textContent = error.message;
        button.disabled = false;
      }
    };
    const button = el("button", { type: "button", class: "strong", onclick: build }, "Make a map");
    fill(this.#room, el("div", { class: "nothing" }, el("h2", {}, "There is no map of this collection yet"),
      el("p", {}, "It places every item among those it is like. Large collections take a few minutes."), button, said, bar));
    if (found.state === "building") {
      button.disabled = true;
      this.#watch(collection, turn, said, bar).catch((error) => { said.textContent = error.message; });
    }
  }

  async #watch(collection, turn, said, bar) {
    bar.hidden = false;
    for (;;) {
      const { state, building } = await ask(at(collection, "/map?points=false"));
      if (turn !== this.#turn) return;
      if (state === "ready") break;
      if (state === "failed") throw new Error(building.failure);
      said.textContent = building ? `${STEPS[building.step] ?? building.step} …` : "";
      bar.value = building?.done ?? 0;
      await new Promise((done) => { setTimeout(done, WAIT); });
    }
    await this.show(collection, this.#hits, { group: this.#group, area: this.#area });
  }

  #ready(collection, found, grouped) {
    const { ids } = found.points, { groups } = grouped;
    const x = column(found.points.x, Float32Array), y = column(found.points.y, Float32Array);
    this.#loaded = { collection, ids, x, y, isText: column(found.points.is_text, Uint8Array),
      lower: column(found.points.group, Int32Array), parents: new Map(groups.map((one) => [one.number, one.parent])) };
    this.#view = { x: 0, y: 0, zoom: 1 };
    this.#thumbs.clear();
    this.#canvas = el("canvas", {
      tabindex: 0, role: "application",
      "aria-label": `Map of ${plural(ids.length, "item", "items")}. Arrows move, plus and minus zoom. Close by, items can be chosen.`,
      onkeydown: (event) => this.#key(event), onwheel: (event) => this.#wheel(event),
      onpointerdown: (event) => this.#drag(event),
    });
    this.#labels = [...groups].sort((a, b) => b.items - a.items).map((group) => ({ group, label: el("button", {
      type: "button", class: "place", title: plural(group.items, "item", "items"),
      onclick: () => { this.#group = ""; this.#enter(String(group.number)); },
    }, group.words.slice(0, group.parent === null ? 3 : 2).join(", ") || "unnamed") }));
    const zoom = (by, name, sign) => el("button", { type: "button", "aria-label": name, onclick: () => this.#zoom(by) }, sign);
    this.#lasso = new Lasso({ place: (left, top) => this.#place(left, top), spot: (x, y) => this.#spot(x, y), done: this.#within });
    const sky = el("div", { class: "sky" }, this.#canvas, this.#lasso.drawing, el("div", { class: "near-by" }), this.#labels.map(({ label }) => label),
      el("div", { class: "zoom" }, zoom(1.6, "Closer", "+"), zoom(1 / 1.6, "Farther", "−"),
        el("button", { type: "button", "aria-label": "All of it", title: "All of it", onclick: () => this.#all() }, "○"),
        this.#lasso.button, el("button", {
          type: "button", "aria-label": "Only what is in sight", title: "Only what is in sight", onclick: () => this.#inSight(),
        }, cornered())),
      el("p", { class: "legend" }, el("i", { class: "photo" }), "photos", el("i", { class: "words" }), "texts", el("i", { class: "lit" }), "hits"));
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
    const lit = new Set(this.#hits.map((hit) => hit.id));
    const group = this.#group === "" || lit.size ? null : Number(this.#group);
    const isLit = group === null ? (i) => lit.has(ids[i])
      : this.#members(group);
    this.#isLit = isLit;
    this.#points.load(x, y, ids.map((_, i) => (isLit(i) ? 2 : isText[i])));
    this.#later();
  }

  #later() {
    if (this.#asked || !this.#loaded || this.#room.hidden) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      if (this.#loaded && !this.#room.hidden) this.#draw();
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
    });
    this.#lasso.show(this.#area);
    this.#drawNames(width, height);
    this.#drawNear(width, height);
  }

  /** Names of groups, of the one that was gone into and then of the largest first; where two would overlap, the later has none. */
  #drawNames(width, height) {
    const isUpper = this.#view.zoom < 2.4, taken = [];
    const isChosen = ({ group }) => String(group.number) === this.#group;
    for (const one of [...this.#labels.filter(isChosen), ...this.#labels.filter((other) => !isChosen(other))]) {
      const { group, label } = one;
      const [middle, top] = this.#spot(group.x, group.y);
      const isThere = (group.parent === null) === isUpper && middle > 0 && top > 0 && middle < width && top < height;
      if (isThere && one.wide === undefined) {
        label.hidden = false;
        one.wide = label.offsetWidth;
      }
      const most = width - (top < BUTTONS.high ? BUTTONS.wide : MARGIN) - one.wide / 2;
      const left = Math.max(MARGIN + one.wide / 2, Math.min(middle, most));
      const isFree = isThere && taken.every(([x, y, wide]) => Math.abs(y - top) > 26 || Math.abs(x - left) > (wide + one.wide) / 2 + 4);
      if (isFree) taken.push([left, top, one.wide]);
      if (label.hidden === isFree) label.hidden = !isFree;
      if (isFree) label.style.transform = `translate(${left}px, ${top}px) translate(-50%, -50%)`;
    }
  }

  #drawNear(width, height) {
    const { collection, ids, x, y, isText } = this.#loaded;
    const across = width / 2 / this.#unit, down = height / 2 / this.#unit;
    const seen = [];
    for (let i = 0; i < ids.length && seen.length <= CLOSE; i++) {
      if (Math.abs(x[i] - this.#view.x) < across && Math.abs(y[i] - this.#view.y) < down) seen.push(i);
    }
    const wanted = new Set(seen.length <= CLOSE ? seen : []);
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

  #drag(down) {
    if (this.#lasso.isOn || down.shiftKey) {
      this.#lasso.draw(down);
      return;
    }
    const canvas = this.#canvas, from = { ...this.#view };
    let isMoved = false;
    canvas.setPointerCapture(down.pointerId);
    const move = (event) => {
      const x = event.clientX - down.clientX, y = event.clientY - down.clientY;
      isMoved ||= Math.hypot(x, y) > 4;
      if (isMoved) this.#to(from.x - x / this.#unit, from.y + y / this.#unit, from.zoom);
    };
    const up = (event) => {
      canvas.removeEventListener("pointermove", move);
      canvas.removeEventListener("pointerup", up);
      canvas.removeEventListener("pointercancel", up);
      if (!isMoved && event.type === "pointerup") this.#choose(event.offsetX, event.offsetY);
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
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

function column(base64, Kind) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}

/** The colours of the page as WebGL wants them. */
function colours(room) {
  const found = {};
  for (const name of ["photo", "words", "lit"]) {
    const shown = getComputedStyle(room.querySelector(`.legend .${name}`)).backgroundColor;
    found[name] = shown.match(/[\d.]+/g).slice(0, 3).map((part) => Number(part) / 255);
  }
  return found;
}
