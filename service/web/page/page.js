// The page: its state is its address, and everything shown follows from it.

import { EMPTY, question, read, write } from "./address.js";
import { showParts, shrunk } from "./box.js";
import { showCollections } from "./collections.js";
import { takeDrops } from "./drops.js";
import { byId, el, fill, plural } from "./elements.js";
import { facets, humanly, showChosen, showFilters } from "./filters.js";
import { Grid } from "./grid.js";
import { showHit } from "./hit.js";
import { askForKey } from "./keys.js";
import { MapView } from "./map.js";
import { ask, at } from "./service.js";
import { showUploads } from "./uploads.js";

const PAGE = 100; // hits asked for at once
const NEAREST = 24; // shown where nothing matches
const PAUSE = 60; // milliseconds after a key, so that a fast typist asks once

let state = read(location.hash);
let collections = [];
let asking = new AbortController();
let next = null; // asks for the page behind the last one
let meant = []; // hits that light up on the map: none where nothing was asked, or nothing matches
let typing = 0;
let moving = ""; // what is being typed or moved
const grid = new Grid(byId("grid"), { open: (item) => go({ item: item.id }), near: () => more() });

const map = new MapView({ open: (id) => go({ item: id }) });

// --- the state ----------------------------------------------------------------------------------

const KEEPS = new Set(["item", "view"]); // what these change, the hits do not

/** Change the state; `settled: false` while something is still being moved or typed. */
function go(change, { settled = true } = {}) {
  const before = state;
  state = { ...state, ...change };
  if (Object.keys(change).some((name) => !KEEPS.has(name)) && !("all" in change)) state.all = false;
  const address = write(state), what = String(Object.keys(change));
  // What is typed or moved is one step back, however many changes it had.
  if (moving === what || address === location.hash) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  moving = settled ? "" : what;
  follow(before);
}

function follow(before) {
  const changed = Object.keys(EMPTY).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(state[name]));
  const isAnew = changed.some((name) => !KEEPS.has(name));
  if (isAnew || !changed.length) show();
  if (changed.includes("view")) showView();
  if (changed.includes("item")) showItem();
}

addEventListener("popstate", () => {
  moving = "";
  const before = state;
  state = named(read(location.hash));
  follow(before);
});

const named = (given) => ({
  ...given, collection: given.collection || state.collection || collections[0]?.name || "",
});

// --- what is shown ------------------------------------------------------------------------------

function show() {
  if (document.activeElement !== byId("words")) byId("words").value = state.words;
  byId("apart").hidden = !state.words.trim();
  byId("collection").value = state.collection;
  showParts(state, (parts, how) => go({ parts }, how));
  showChosen(state, (filter) => go({ filter }));
  for (const button of document.querySelectorAll("[data-modality]")) {
    button.setAttribute("aria-pressed", String(button.dataset.modality === state.modality));
  }
  document.title = state.words ? `${state.words} – Nearfield` : "Nearfield";
  search();
}

async function search() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const asked = state;
  next = null;
  byId("results").setAttribute("aria-busy", "true");
  try {
    await Promise.all([hits(asked, signal), narrow(asked, signal)]);
    tell("");
  } catch (error) {
    if (error.name === "AbortError") return;
    failed(error);
  }
  if (!signal.aborted) byId("results").removeAttribute("aria-busy");
}

async function hits(asked, signal) {
  const query = question(asked);
  byId("sorting").hidden = !query;
  if (!query) return browse(asked, signal);
  const body = { query, k: PAGE, ...narrowed(asked) };
  if (asked.sort) body.sort_by = asked.sort;
  if (asked.all) body.min_relevance = 0;
  const answer = await ask(at(asked.collection, "/query"), { body, signal });
  if (!answer.match && !asked.all) return nothing(asked, body, answer, signal);
  byId("nothing").hidden = true;
  begin(asked, answer.hits);
  const said = () => {
    byId("status").textContent = plural(grid.items.length, "hit", "hits") + (next ? " so far" : "");
    byId("end").replaceChildren(...(next || asked.all ? [] : [el("button", {
      type: "button", class: "quiet", onclick: () => go({ all: true }),
    }, "Show what is less relevant")]));
  };
  paged("/query", body, answer, signal, said);
  return undefined;
}

/** Nothing is asked: everything, in order of arrival. */
async function browse(asked, signal) {
  const body = { limit: PAGE, ...narrowed(asked) };
  const [answer, { count }] = await Promise.all([
    ask(at(asked.collection, "/items/scroll"), { body, signal }),
    ask(at(asked.collection, "/items/count"), { body: narrowed(asked), method: "POST", signal }),
  ]);
  byId("nothing").hidden = count > 0;
  byId("nothing").replaceChildren(...(count ? [] : empty(asked)));
  byId("status").textContent = count ? plural(count, "item", "items") : "";
  byId("end").replaceChildren();
  begin(asked, answer.items);
  paged("/items/scroll", body, answer, signal, () => {});
}

const isNarrow = (asked) => asked.modality || Object.keys(asked.filter).length;

function empty(asked) {
  return isNarrow(asked)
    ? [el("h2", {}, "Nothing here has all of these"), el("p", {}, "Take a filter off to see more."),
      el("button", { type: "button", onclick: () => go({ filter: {}, modality: "" }) }, "Take all filters off")]
    : [el("h2", {}, "This collection is empty"),
      el("p", {}, "Drop pictures here to add them, or index a folder: "),
      el("code", {}, `nearfield index ~/Pictures --collection ${asked.collection}`)];
}

const narrowed = (asked) => ({
  ...(asked.modality ? { modality: asked.modality } : {}),
  ...(Object.keys(asked.filter).length ? { filter: asked.filter } : {}),
});

/** Nothing matches: said plainly, and the nearest below a line. */
async function nothing(asked, body, answer, signal) {
  let found = answer.hits;
  if (!found.length) {
    const nearest = { ...body, k: NEAREST, min_relevance: 0 };
    found = (await ask(at(asked.collection, "/query"), { body: nearest, signal })).hits;
  }
  const what = asked.parts.length || !asked.words.trim() ? "that" : `“${asked.words.trim()}”`;
  byId("status").textContent = "No match";
  byId("nothing").hidden = false;
  fill(byId("nothing"), el("h2", {}, "No match"),
    el("p", {}, `Nothing in ${asked.collection} is ${what}${isNarrow(asked) ? ", as it is filtered" : ""}.`),
    found.length ? el("p", { class: "line-below" }, el("span", {}, "The nearest, all the same")) : null);
  byId("end").replaceChildren();
  begin(asked, found, false);
}

function begin(asked, items, areMeant = true) {
  meant = areMeant && (question(asked) !== null || isNarrow(asked)) ? items : [];
  if (scrollY > 0) scrollTo(0, 0);
  grid.show(asked.collection, items);
  if (state.view === "map") showView();
}

/** The hits as a grid, or on the map: two views of the same state. */
function showView() {
  const isMap = state.view === "map";
  byId("mapped").setAttribute("aria-pressed", String(isMap));
  byId("grid").hidden = isMap;
  byId("end").hidden = isMap;
  if (!isMap) {
    map.hide();
    return;
  }
  map.show(state.collection, meant).catch(failed);
}

function paged(path, body, answer, signal, said) {
  const behind = ({ cursor }) => (cursor ? async () => {
    next = null;
    const page = await ask(at(state.collection, path), { body: { ...body, cursor }, signal });
    next = behind(page);
    grid.add(page.hits ?? page.items);
    said();
  } : null);
  next = behind(answer);
  said();
  if (next && byId("grid").getBoundingClientRect().bottom < innerHeight * 1.75) more();
}

async function more() {
  if (!next) return;
  try {
    await next();
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
  }
}

async function narrow(asked, signal) {
  const found = await facets(asked, signal);
  if (signal.aborted) return;
  showFilters(asked, found, (filter) => go({ filter }));
  const sorts = found.fields.filter((one) => one.kind !== "flag" && one.distinct > 1).map((one) => one.field);
  if (asked.sort && !sorts.includes(asked.sort.split(":")[0])) sorts.push(asked.sort.split(":")[0]);
  const options = [["", "by relevance"]];
  for (const field of sorts.sort()) {
    options.push([field, `${humanly(field)}, upwards`], [`${field}:desc`, `${humanly(field)}, downwards`]);
  }
  byId("sort").replaceChildren(...options.map(([value, name]) => el("option", { value }, name)));
  byId("sort").value = asked.sort;
}

async function showItem() {
  const dialog = byId("hit");
  if (!state.item) {
    if (dialog.open) dialog.close();
    return;
  }
  const id = state.item;
  try {
    await showHit(state, grid.items, {
      close: () => dialog.close(),
      open: (item) => go({ item }),
      more: ({ id: like }) => go({ ...bare(), parts: [{ weight: 1, id: like }] }),
      less: ({ id: like }) => go({ item: "", parts: [...state.parts.filter((one) => one.id !== like), { weight: -0.5, id: like }] }),
      mayLess: Boolean(state.words.trim() || state.parts.some((one) => one.weight > 0 && one.id !== id)),
      within: (folder) => go({ ...bare(), filter: { folder: { $in: [folder] } } }),
    });
  } catch (error) {
    go({ item: "" });
    failed(error);
  }
}

/** A fresh question to the same collection. */
const bare = () => ({ ...EMPTY, parts: [], filter: {}, collection: state.collection });

byId("hit").addEventListener("close", () => {
  if (state.item) go({ item: "" });
  const place = grid.items.findIndex((one) => one.id === byId("hit").dataset.item);
  if (place >= 0) grid.focus(place);
});

// --- what goes wrong ----------------------------------------------------------------------------

function failed(error) {
  byId("results").removeAttribute("aria-busy");
  if (error.status === 401 || (error.status === 403 && error.code === "not_allowed")) {
    askForKey(error.message, begun);
    return;
  }
  byId("status").textContent = "";
  tell(error.message || String(error), true);
}

function tell(text, again = false) {
  fill(byId("told"), text ? el("p", {}, text) : null,
    again ? el("button", { type: "button", onclick: () => begun() }, "Try again") : null);
}

// --- what people do -----------------------------------------------------------------------------

byId("box").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  go({ words: byId("words").value, item: "" });
});

byId("words").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ words: byId("words").value }, { settled: false }), PAUSE);
});

byId("words").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") {
    event.preventDefault();
    grid.focus();
  } else if (event.key === "Backspace" && !event.target.value && state.parts.length) {
    go({ parts: state.parts.slice(0, -1) });
  }
});

byId("apart").addEventListener("click", () => {
  const text = state.words.trim();
  byId("words").value = "";
  go({ words: "", parts: [...state.parts, { weight: 1, text }] });
  byId("words").focus();
});

byId("home").addEventListener("click", (event) => {
  event.preventDefault();
  byId("words").value = "";
  go(bare());
});

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  if (grid.items.length) grid.focus();
  else byId("results").focus();
});

byId("picture").addEventListener("change", (event) => {
  find([...event.target.files]);
  event.target.value = "";
});

byId("collection").addEventListener("change", (event) => {
  byId("words").value = state.words;
  go({ ...bare(), collection: event.target.value, words: state.words });
});
byId("sort").addEventListener("change", (event) => go({ sort: event.target.value }));
byId("mapped").addEventListener("click", () => go({ view: state.view === "map" ? "" : "map" }));
byId("add").addEventListener("click", () => add([]));
byId("about").addEventListener("click", async () => {
  try {
    await loadCollections();
    showCollections(collections, state.collection, (name) => go({ ...bare(), collection: name }));
  } catch (error) {
    failed(error);
  }
});

byId("narrow").addEventListener("click", () => {
  const room = byId("filters");
  room.hidden = !room.hidden;
  byId("narrow").setAttribute("aria-expanded", String(!room.hidden));
});

for (const button of document.querySelectorAll("[data-modality]")) {
  button.addEventListener("click", () => go({ modality: button.dataset.modality }));
}

addEventListener("keydown", (event) => {
  const isWriting = event.target.closest?.("input, textarea, select, dialog");
  if (event.key === "/" && !isWriting && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    byId("words").focus();
    byId("words").select();
  } else if (event.key === "Escape" && event.target === byId("words")) {
    event.preventDefault();
    byId("words").value = "";
    go({ words: "" });
  }
});

async function find(files) {
  const made = await Promise.allSettled(files.map(shrunk));
  const parts = made.filter((one) => one.status === "fulfilled").map(({ value }) => ({ weight: 1, image: value }));
  const wrong = made.find((one) => one.status === "rejected");
  if (parts.length) go({ item: "", parts: [...state.parts, ...parts] });
  if (wrong) tell(wrong.reason.message);
}

function add(files) {
  showUploads(state.collection, files, {
    done: show, needKey: (error) => askForKey(error.message, show),
  });
}

takeDrops({ find, add, like: (id) => go({ parts: [...state.parts, { weight: 1, id }] }) });

// --- the beginning ------------------------------------------------------------------------------

async function loadCollections() {
  ({ collections } = await ask("v1/collections"));
  byId("collection").replaceChildren(...collections.map(({ name }) => el("option", { value: name }, name)));
  byId("collection").value = state.collection;
}

async function begun() {
  try {
    await loadCollections();
  } catch (error) {
    failed(error);
    return;
  }
  if (!collections.length) {
    byId("results").removeAttribute("aria-busy");
    byId("nothing").hidden = false;
    byId("nothing").replaceChildren(el("h2", {}, "There is no collection yet"),
      el("p", {}, "Make one of a folder of yours, and load this page again:"), el("code", {}, "nearfield index ~/Pictures"));
    return;
  }
  state = named(state);
  await show();
  if (state.item) showItem();
}

if (matchMedia("(min-width: 1000px)").matches) byId("narrow").click();
begun();
