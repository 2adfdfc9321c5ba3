// Concepts: learnt of hits that are marked yes and no; then part of a question, or a filter.

import { byId, el, fill, plural } from "./elements.js";
import { ask, at } from "./service.js";

const LEAST = 2; // marks of each side
const CHANCE = 0.5; // from which an item has a concept

export class Concepts {
  #room = byId("teach"); #collection = ""; #marks = new Map(); #known = []; #go; #marked; #needKey; #name = "";

  /** `go` has what can be done: `search(name)` and `only(name, chance)`; `marked()` hears of each mark. */
  constructor({ go, marked, needKey }) {
    this.#go = go;
    this.#marked = marked;
    this.#needKey = needKey;
  }

  get isOpen() { return !this.#room.hidden; }

  /** What an item is marked: true, false or nothing. */
  of(id) { return this.isOpen ? this.#marks.get(id) : undefined; }

  /** Mark it yes, then no, then not at all; or as said. */
  mark(id, as) {
    const now = this.#marks.get(id);
    const next = as === undefined ? (now === undefined ? true : now ? false : undefined) : now === as ? undefined : as;
    if (next === undefined) this.#marks.delete(id);
    else this.#marks.set(id, next);
    this.#show();
    this.#marked();
  }

  hide() {
    this.#room.hidden = true;
    this.#marked();
  }

  async show(collection) {
    const isOther = collection !== this.#collection;
    if (isOther) this.#marks.clear();
    if (!isOther && this.isOpen) return;
    this.#collection = collection;
    this.#room.hidden = false;
    await this.#load();
    this.#marked();
  }

  async #load() {
    ({ concepts: this.#known } = await ask(at(this.#collection, "/concepts")));
    this.#show();
  }

  #show(said = "") {
    const count = (as) => [...this.#marks.values()].filter((one) => one === as).length;
    const yes = count(true), no = count(false), isEnough = yes >= LEAST && no >= LEAST;
    const held = document.activeElement?.id === "concept-name";
    const name = el("input", {
      id: "concept-name", value: this.#name, placeholder: "cosy", "aria-label": "Name of the concept", required: true, maxlength: 100,
      pattern: "[a-zA-Z0-9][a-zA-Z0-9_.\\-]*", title: "Letters, digits, - and _", oninput: () => { this.#name = name.value; },
    });
    fill(this.#room,
      el("div", { class: "lesson" },
        el("h2", {}, "Teach a concept"),
        el("p", { class: "small" }, "Click hits that are meant, and click again those that are not (or press y and n). Ten or more of both kinds do best."),
        el("form", { onsubmit: (event) => { event.preventDefault(); this.#learn(name.value.trim()); } },
          el("span", { class: "tally yes" }, `✓ ${yes}`), el("span", { class: "tally no" }, `✗ ${no}`), name,
          el("button", { class: "strong", disabled: !isEnough }, "Learn it"),
          el("button", { type: "button", class: "quiet", disabled: !this.#marks.size, onclick: () => { this.#marks.clear(); this.#show(); this.#marked(); } }, "Unmark")),
        el("p", { class: "small", role: "status" }, said || (isEnough ? "" : `At least ${LEAST} of each are needed.`))),
      this.#known.length ? el("ul", { class: "known", "aria-label": "Concepts" }, this.#known.map((one) => this.#row(one))) : null);
    if (held) byId("concept-name").focus();
  }

  #row(one) {
    return el("li", {},
      el("b", {}, one.name),
      el("span", { class: one.is_reliable ? "small" : "small unsure", title: `AUC ${one.auc.toFixed(2)}, accuracy ${one.accuracy.toFixed(2)}, each tried on examples it had not seen, ${one.folds} folds` }, quality(one)),
      el("button", { type: "button", "aria-label": `Search for ${one.name}`, onclick: () => this.#go.search(one.name) }, "Search"),
      el("button", { type: "button", "aria-label": `Only what has ${one.name}`, onclick: () => this.#go.only(one.name, CHANCE) }, "Only these"),
      el("button", { type: "button", class: "away", "aria-label": `Forget ${one.name}`, onclick: () => this.#drop(one.name) }, "Forget"));
  }

  async #learn(name) {
    const [yes, no] = [true, false].map((as) => [...this.#marks].filter(([, one]) => one === as).map(([id]) => id));
    await this.#try(async () => {
      const made = await ask(this.#at(name), { method: "PUT", body: { yes, no } });
      this.#name = "";
      this.#marks.clear();
      await this.#load();
      this.#show(`${made.name} is learnt: ${quality(made)}.`);
      this.#marked();
    });
  }

  async #drop(name) {
    await this.#try(async () => {
      await ask(this.#at(name), { method: "DELETE" });
      await this.#load();
    });
  }

  #at(name) { return at(this.#collection, `/concepts/${encodeURIComponent(name)}`); }

  async #try(work) {
    try {
      await work();
    } catch (error) {
      if (error.status === 401 || error.status === 403) this.#needKey(error);
      this.#show(error.message);
    }
  }
}

function quality({ auc, examples, is_reliable: isReliable }) {
  const told = `on examples it had not seen, a yes stood before a no ${Math.round(100 * auc)} % of the time (${plural(examples, "example", "examples")})`;
  return isReliable ? told : `${told}; too little to rely on`;
}
