// The page: its state is its address, and everything shown follows from it.

import { EMPTY, isNarrow, narrowed, question, read, write } from "./address.js";
import { itemAsEnd, nextEnd, offerConcepts, saidIn, showAxis } from "./axis.js";
import { showParts, shrunk } from "./box.js";
import { showCollections } from "./collections.js";
import { Concepts } from "./concepts.js";
import { takeDrops } from "./drops.js";
import { byId, el, fill, plural } from "./elements.js";
import { facets, humanly, showChosen, showCounted, showFilters } from "./filters.js";
import { Grid } from "./grid.js";
import { showHit } from "./hit.js";
import { askForKey } from "./keys.js";
import { MapView } from "./map.js";
import { showMeanings } from "./meanings.js";
import { Search } from "./search.js";
import { ask } from "./service.js";
import { showUploads } from "./uploads.js";

const SETTLED = 600; // milliseconds after which nobody types any more
const PAUSE = 40; // milliseconds after a key, so that a fast typist asks once

const AXIS = "~"; // the name of a field cannot be this alone

let state = read(location.hash);
let collections = [];
let meant = []; // hits that light up on the map: none where nothing was asked, or nothing matches
let counted = { of: "", found: null }; // what there is to filter by, as it was told last
let typing = 0, saying = 0;
let moving = ""; // what is being typed or moved
const teaching = new Concepts({
  go: {
    search: (name) => go({ ...bare(), teach: state.teach, parts: [{ weight: 1, concept: name }] }),
    only: (name, least) => go({ concepts: { ...state.concepts, [name]: least } }),
  },
  marked: () => grid.marked(), needKey: (error) => askForKey(error.message, begun),
});
const grid = new Grid(byId("grid"), {
  open: (item) => (teaching.isOpen ? teaching.mark(item.id) : go({ item: item.id })), near: () => search.more(),
  mark: (item, as) => { if (teaching.isOpen) teaching.mark(item.id, as); }, markOf: (id) => teaching.of(id),
});
const search = new Search({ grid, go, failed: (error) => failed(error), shown });

const map = new MapView({
  open: (id) => go({ item: id }), enter: (group) => go({ group }), within: (area) => go({ area }),
  everywhere: (sequence) => search.everywhere(state, sequence),
});

// --- the state ----------------------------------------------------------------------------------

const KEEPS = new Set(["item", "view", "why", "group", "teach"]); // what these change, the hits do not

/** Steps back from here to where no hit was open; 0 where none is, nothing where nobody counted. */
const inside = () => history.state?.inside;

/** Change the state; `settled: false` while something is still being moved or typed. */
function go(change, { settled = true } = {}) {
  const before = state;
  state = { ...state, ...change };
  if (Object.keys(change).some((name) => !KEEPS.has(name)) && !("all" in change)) state.all = false;
  const address = write(state), what = String(Object.keys(change));
  // What is typed or moved is one step back, however many changes it had.
  if (moving === what || address === location.hash) history.replaceState(history.state, "", address);
  else history.pushState({ inside: state.item ? (inside() ?? 0) + 1 : 0 }, "", address);
  moving = settled ? "" : what;
  follow(before);
}

/** Close what is open by going back to before it was opened: going back once more does not open it again. */
function leave() {
  if (inside()) history.go(-inside());
  else go({ item: "" });
}

function follow(before) {
  if (!state.collection) return; // there is none, and that is said already
  const changed = Object.keys(EMPTY).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(state[name]));
  const isAnew = changed.some((name) => !KEEPS.has(name));
  if (isAnew || !changed.length) show();
  if (changed.includes("view") || changed.includes("group")) showView();
  if (changed.includes("teach") || (state.teach && changed.includes("collection"))) showConcepts();
  if (changed.includes("item")) showItem();
  else if (changed.includes("why") && byId("hit").open) byId("hit").look(state.why);
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
  showChosen(state, go);
  for (const button of document.querySelectorAll("[data-modality]")) {
    button.setAttribute("aria-pressed", String(button.dataset.modality === state.modality));
  }
  document.title = state.words ? `${state.words} – Nearfield` : "Nearfield";
  byId("meanings").hidden = !question(state);
  showAxis(state, go);
  return search.run(state, narrow);
}

function shown(asked, items, areMeant) {
  meant = areMeant ? items : [];
  clearTimeout(saying);
  fill(byId("meanings"));
  if (areMeant && question(asked)) {
    saying = setTimeout(() => {
      if (asked === state) showMeanings(asked, items, (part) => go({ parts: [...state.parts, part] })).catch(() => fill(byId("meanings")));
    }, SETTLED);
  }
  if (state.view === "map") showView();
}

function showConcepts() {
  byId("taught").setAttribute("aria-pressed", String(state.teach));
  if (state.teach) teaching.show(state.collection).catch(failed);
  else teaching.hide();
}

/** The hits as a grid, or on the map: two views of the same state. */
function showView() {
  const isMap = state.view === "map";
  byId("mapped").setAttribute("aria-pressed", String(isMap));
  byId("grid").hidden = isMap;
  byId("end").hidden = isMap;
  byId("sorting").hidden = isMap; // there is no order on a map
  showAxis(state, go);
  if (!isMap) {
    map.hide();
    return;
  }
  map.show(state.collection, meant, state).catch(failed);
}

async function narrow(asked, signal) {
  const of = JSON.stringify([asked.collection, narrowed(asked)]);
  // While something is asked, words change and what there is to filter by does not.
  const isKnown = counted.of === of && question(asked) !== null;
  const found = isKnown ? counted.found : await facets(asked, signal);
  if (signal.aborted) return;
  counted = { of, found };
  if (!isKnown) showFilters(asked, found, (filter) => go({ filter }));
  showCounted(found.items, question(asked) !== null);
  const sorts = found.fields.filter((one) => one.kind !== "flag" && one.distinct > 1).map((one) => one.field);
  if (asked.sort && !sorts.includes(asked.sort.split(":")[0])) sorts.push(asked.sort.split(":")[0]);
  const options = [["", question(asked) ? "by relevance" : "as they came"], [AXIS, "from one thing to another"]];
  if (!question(asked)) sorts.length = 0;
  for (const field of sorts.sort()) {
    options.push([field, `${humanly(field)}, upwards`], [`${field}:desc`, `${humanly(field)}, downwards`]);
  }
  byId("sort").replaceChildren(...options.map(([value, name]) => el("option", { value }, name)));
  byId("sort").value = asked.from || asked.to ? AXIS : asked.sort;
}

async function showItem() {
  const dialog = byId("hit");
  if (!state.item) {
    if (dialog.open) dialog.close();
    return;
  }
  const id = state.item;
  map.mark(id);
  try {
    await showHit(state, grid.items, {
      close: () => dialog.close(),
      open: (item) => go({ item }),
      more: ({ id: like }) => go({ ...bare(), parts: [{ weight: 1, id: like }] }),
      less: ({ id: like }) => go({ item: "", parts: [...state.parts.filter((one) => one.id !== like), { weight: -0.5, id: like }] }),
      mayLess: Boolean(state.words.trim() || state.parts.some((one) => one.weight > 0 && one.id !== id)),
      group: (group) => go({ item: "", view: "map", group }),
      why: () => go({ why: !state.why }),
      end: ({ id: end }) => go({
        item: "", view: "", sort: "", ...(nextEnd(state, end) === "to" ? { to: itemAsEnd(end) } : { from: itemAsEnd(end), to: "" }),
      }),
      words: (words) => go({ ...bare(), words }),
      within: (folder) => go({ ...bare(), filter: { folder: { $in: [folder] } } }),
    });
  } catch (error) {
    leave();
    failed(error);
  }
}

/** A fresh question to the same collection. */
const bare = () => ({ ...EMPTY, collection: state.collection });

byId("hit").addEventListener("close", () => {
  if (state.item) leave();
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
byId("sort").addEventListener("change", (event) => {
  const isAxis = event.target.value === AXIS;
  byId("axis").hidden = !isAxis;
  if (isAxis) byId(byId("axis-from").hidden ? "axis-to" : "axis-from").focus();
  else go({ sort: event.target.value, from: "", to: "" });
});
byId("axis").addEventListener("submit", (event) => {
  event.preventDefault();
  go({ sort: "", ...saidIn(state) });
});
byId("axis").addEventListener("focusin", () => offerConcepts(state.collection).catch(failed));
byId("taught").addEventListener("click", () => go({ teach: !state.teach }));
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
    done: () => {
      counted = { of: "", found: null };
      show();
    },
    needKey: (error) => askForKey(error.message, show),
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
  state = named(state);
  if (!state.collection) {
    byId("results").removeAttribute("aria-busy");
    byId("nothing").hidden = false;
    byId("nothing").replaceChildren(el("h2", {}, "There is no collection yet"),
      el("p", {}, "Make one of a folder of yours, and load this page again:"), el("code", {}, "nearfield index ~/Pictures"));
    return;
  }
  if (state.item && inside() === undefined) { // came by its address: there is something to close it to
    history.replaceState({ inside: 0 }, "", write({ ...state, item: "", why: false }));
    history.pushState({ inside: 1 }, "", write(state));
  }
  await show();
  if (state.teach) showConcepts();
  if (state.item) showItem();
}

if (matchMedia("(min-width: 1000px)").matches) byId("narrow").click();
begun();
