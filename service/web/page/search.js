// Asks what the state asks, and shows what comes: hits, everything, or that nothing matches.

import { isNamed, isNarrow, NARROW, narrowed, question } from "./address.js";
import { endOf, inWords } from "./axis.js";
import { byId, el, fill, plural } from "./elements.js";
import { ask, at, column } from "./service.js";

const PAGE = 100; // hits asked for at once
const MOST = 300; // hits that are sorted from one thing to another
const ENDS = 100; // items at each end, where nothing is asked
const NEAREST = 24; // shown where nothing matches

export class Search {
  #grid; #go; #failed; #shown; #asking = new AbortController(); #next = null; #all = 0; #told = null;

  /** `go(change)` changes the state, `failed(error)` tells, `shown(items, areMeant)` is told what is. */
  constructor({ grid, go, failed, shown }) {
    this.#grid = grid;
    this.#go = go;
    this.#failed = failed;
    this.#shown = shown;
  }

  /** Ask, and whatever else goes `beside` it, which is given the state and a signal to stop. */
  async run(state, beside) {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    this.#next = null;
    this.#all = 0;
    byId("results").setAttribute("aria-busy", "true");
    // What was told before goes now: at the end it may be what went wrong with an open hit meanwhile.
    fill(byId("told"));
    try {
      await Promise.all([this.#hits(state, signal), beside(state, signal)]);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#failed(error);
    }
    if (!signal.aborted) byId("results").removeAttribute("aria-busy");
  }

  /** Show the page behind the last one, if there is one. */
  async more() {
    if (!this.#next) return;
    try {
      await this.#next();
    } catch (error) {
      if (error.name !== "AbortError") this.#failed(error);
    }
  }

  /** All hits as places on the map of this sequence, and how many there are; null where those that are shown are all. */
  async everywhere(asked, sequence) {
    const query = question(asked);
    const isAlong = asked.from && asked.to;
    if (this.#grid.items.length < PAGE || (isAlong && !query)) return null;
    const { signal } = this.#asking;
    const body = { sequence, ...narrowed(asked), ...(query ? { query } : {}), ...(asked.all ? { min_relevance: 0 } : {}) };
    const answer = await ask(at(asked.collection, "/map/hits"), { body, signal });
    this.#all = answer.hits;
    if (query && !isAlong) byId("status").textContent = plural(answer.hits, "hit", "hits");
    return { ...answer, places: column(answer.places, Int32Array) };
  }

  async #hits(asked, signal) {
    const query = question(asked);
    const isAlong = asked.from && asked.to;
    if (!query) return isAlong ? this.#ends(asked, signal) : this.#browse(asked, signal);
    const body = { query, k: isAlong ? MOST : PAGE, ...narrowed(asked) };
    if (asked.sort) body.sort_by = asked.sort;
    if (asked.all) body.min_relevance = 0;
    let answer = await ask(at(asked.collection, "/query"), { body, signal });
    const isMissed = !answer.match && !asked.all;
    if (isMissed && isNamed(asked)) return this.#nothing(asked, body, answer, signal);
    if (isMissed) {
      body.min_relevance = 0;
      answer = await ask(at(asked.collection, "/query"), { body, signal });
    }
    byId("nothing").hidden = true;
    if (isAlong) return this.#sorted(asked, answer.hits, signal);
    if (asked.all && this.#isOf(asked)) answer = await this.#further(asked, body, answer, signal);
    else this.#begin(asked, answer.hits, !isMissed);
    const said = () => {
      const isMore = this.#next && !this.#all;
      const counted = plural(this.#all || this.#grid.items.length, "hit", "hits") + (isMore ? " so far" : "");
      byId("status").textContent = isMissed ? "The nearest first" : counted;
      byId("end").replaceChildren(...(this.#next || asked.all || isMissed ? [] : [el("button", {
        type: "button", class: "quiet", onclick: () => this.#go({ all: true }),
      }, "Show what is less relevant")]));
    };
    this.#paged(asked, "/query", body, answer, signal, said);
    return undefined;
  }

  /** Whether the hits that are shown are the more relevant ones of this question. */
  #isOf(asked) {
    const asks = (state) => JSON.stringify([state.collection, question(state), narrowed(state), state.sort]);
    return this.#told !== null && !this.#told.all && !byId("grid").hidden && asks(this.#told) === asks(asked);
  }

  /** Add what is less relevant behind the hits that are shown, where they stay; gives the last page of it. */
  async #further(asked, body, first, signal) {
    const known = this.#grid.items.length;
    const hits = [...first.hits];
    let answer = first;
    while (hits.length <= known && answer.cursor) {
      answer = await ask(at(asked.collection, "/query"), { body: { ...body, cursor: answer.cursor }, signal });
      hits.push(...answer.hits);
    }
    const isSame = this.#grid.items.every((one, i) => one.id === hits[i]?.id);
    if (!isSame) this.#begin(asked, hits); // others wrote meanwhile
    else {
      this.#grid.add(hits.slice(known));
      this.#tell(asked, this.#grid.items);
    }
    return answer;
  }

  /** The hits from one thing to another. */
  async #sorted(asked, hits, signal) {
    const body = { between: [asked.from, asked.to].map(endOf), k: 1, ids: hits.map((one) => one.id) };
    const { sorted } = await ask(at(asked.collection, "/axis"), { body, signal });
    const by = new Map(hits.map((one) => [one.id, one]));
    byId("status").textContent = `${plural(hits.length, "hit", "hits")}, from ${inWords(asked.from)} to ${inWords(asked.to)}`;
    byId("end").replaceChildren();
    this.#begin(asked, sorted.map((one) => by.get(one.id)));
  }

  /** Nothing is asked: what lies furthest towards either end. */
  async #ends(asked, signal) {
    const body = { between: [asked.from, asked.to].map(endOf), k: ENDS, ...narrowed(asked) };
    const { start, end } = await ask(at(asked.collection, "/axis"), { body, signal });
    const first = new Set(start.map((one) => one.id));
    const items = [...start, ...end.filter((one) => !first.has(one.id)).reverse()];
    byId("nothing").hidden = items.length > 0;
    byId("nothing").replaceChildren(...(items.length ? [] : this.#empty(asked)));
    byId("status").textContent = items.length ? `Furthest towards ${inWords(asked.from)} and ${inWords(asked.to)}` : "";
    byId("end").replaceChildren();
    this.#begin(asked, items);
  }

  /** Nothing is asked: everything, in order of arrival. */
  async #browse(asked, signal) {
    const body = { limit: PAGE, ...narrowed(asked) };
    const [answer, { count }] = await Promise.all([
      ask(at(asked.collection, "/items/scroll"), { body, signal }),
      ask(at(asked.collection, "/items/count"), { body: narrowed(asked), method: "POST", signal }),
    ]);
    byId("nothing").hidden = count > 0;
    byId("nothing").replaceChildren(...(count ? [] : this.#empty(asked)));
    byId("status").textContent = count ? plural(count, "item", "items") : "";
    byId("end").replaceChildren();
    this.#begin(asked, answer.items);
    this.#paged(asked, "/items/scroll", body, answer, signal, () => {});
  }

  #empty(asked) {
    return isNarrow(asked)
      ? [el("h2", {}, "Nothing here has all of these"), el("p", {}, "Take a filter off to see more."),
        el("button", { type: "button", onclick: () => this.#go(NARROW) }, "Take all filters off")]
      : [el("h2", {}, "This collection is empty"),
        el("p", {}, "Drop pictures here to add them, or index a folder: "),
        el("code", {}, `nearfield index ~/Pictures --collection ${asked.collection}`)];
  }

  /** Nothing matches: said plainly, and the nearest below a line. */
  async #nothing(asked, body, answer, signal) {
    let found = answer.hits;
    if (!found.length) {
      const nearest = { ...body, k: NEAREST, min_relevance: 0 };
      found = (await ask(at(asked.collection, "/query"), { body: nearest, signal })).hits;
    }
    const what = asked.parts.length || !asked.words.trim() ? "that" : `“${asked.words.trim()}”`;
    byId("status").textContent = "No match";
    byId("nothing").hidden = false;
    fill(byId("nothing"), el("h2", {}, "No match"),
      el("p", {}, `Nothing in ${asked.collection} is surely ${what}${isNarrow(asked) ? ", as it is filtered" : ""}.`),
      found.length ? el("p", { class: "line-below" }, el("span", {}, "The nearest, all the same")) : null);
    byId("end").replaceChildren();
    this.#begin(asked, found, false);
  }

  #begin(asked, items, areMeant = true) {
    if (scrollY > 0) scrollTo(0, 0);
    this.#grid.show(asked.collection, items);
    this.#tell(asked, items, areMeant);
  }

  #tell(asked, items, areMeant = true) {
    this.#told = asked;
    this.#shown(asked, items, areMeant && (question(asked) !== null || isNarrow(asked)));
  }

  #paged(asked, path, body, answer, signal, said) {
    const behind = ({ cursor }) => (cursor ? async () => {
      this.#next = null;
      const page = await ask(at(asked.collection, path), { body: { ...body, cursor }, signal });
      this.#next = behind(page);
      this.#grid.add(page.hits ?? page.items);
      said();
    } : null);
    this.#next = behind(answer);
    said();
    if (this.#next && byId("grid").getBoundingClientRect().bottom < innerHeight * 1.75) this.more();
  }
}
