// The groups of a map as a list, in two levels, and what is like nothing else.

import { el, fill, nameOf, plural } from "./elements.js";
import { inside } from "./grid.js";
import { ask, at } from "./service.js";

const FEW = 6; // examples of a kind
const STRANGE = 24; // outliers shown at first

/** Show them; `go` has where they lead: `open(id)` and `enter(number)`. Gives what marks the one one is in. */
export function showGroups(room, { collection, groups, outliers, map }, go) {
  const tops = groups.filter((one) => one.parent === null).sort((a, b) => b.items - a.items);
  const lists = tops.map((top) => group(collection, top, groups, go));
  fill(room,
    el("h2", {}, plural(tops.length, "group", "groups")),
    ...lists.map((one) => one.root),
    strange(collection, outliers, go),
    about(map));
  return (number) => lists.forEach((one) => one.mark(number));
}

function group(collection, top, groups, go) {
  const lower = groups.filter((one) => one.parent === top.number).sort((a, b) => b.items - a.items);
  const centre = el("div"), border = el("div");
  const ways = lower.length > 1 ? lower.map((one) => ({ one, way: el("button", {
    type: "button", class: "lower", onclick: () => go.enter(String(one.number)),
  }, el("span", {}, named(one)), el("span", { class: "count" }, one.items.toLocaleString("en"))) })) : [];
  let chosen = top;
  const root = el("details", { ontoggle: () => { if (root.open) load(chosen); } },
    el("summary", {}, el("span", {}, named(top)), el("span", { class: "count" }, top.items.toLocaleString("en"))),
    el("p", { class: "small" }, kinds(top)),
    el("button", { type: "button", class: "lower", onclick: () => go.enter(String(top.number)) }, "All of it on the map"),
    ways.map(({ way }) => way),
    centre, border);
  let shown = null;
  const load = async (one) => {
    if (shown === one) return;
    shown = one;
    const row = ways.find((other) => other.one === one)?.way ?? root.lastElementChild;
    if (row !== border) row.after(centre, border); // what is shown stands beneath its group
    try {
      const [middle, edge] = [one.central.slice(0, FEW), one.border.slice(0, FEW)];
      const items = await these(collection, [...middle, ...edge]);
      if (shown !== one) return;
      fill(centre, el("h3", {}, "At its centre"), strip(collection, middle, items, go));
      fill(border, edge.length ? [el("h3", {}, "At its border"), strip(collection, edge, items, go)] : null);
    } catch (error) {
      if (shown !== one) return;
      shown = null; // so that it is tried again
      fill(centre, el("p", { class: "small" }, error.message));
      fill(border);
    }
  };
  const mark = (number) => {
    const inner = lower.find((one) => String(one.number) === number);
    const isHere = number === String(top.number) || inner !== undefined;
    chosen = inner ?? top;
    if (isHere) root.open = true;
    if (root.open) load(chosen);
    root.classList.toggle("here", isHere);
    if (isHere) root.parentElement.scrollTop = root.offsetTop - root.parentElement.offsetTop;
    for (const { one, way } of ways) way.setAttribute("aria-current", String(String(one.number) === number));
  };
  return { root, mark };
}

function strange(collection, outliers, go) {
  if (!outliers.length) return null;
  const list = el("div");
  let isLoaded = false;
  return el("details", { class: "strange", ontoggle: async () => {
    if (isLoaded) return;
    isLoaded = true;
    const shown = outliers.slice(0, STRANGE).map((one) => one.id);
    try {
      fill(list, strip(collection, shown, await these(collection, shown), go));
    } catch (error) {
      fill(list, el("p", { class: "small" }, error.message));
    }
  } }, el("summary", {}, el("span", {}, "Like nothing else"), el("span", { class: "count" }, String(outliers.length))),
  el("p", { class: "small" }, outliers.length > STRANGE ? `The strangest ${STRANGE}, strangest first.` : "Strangest first."), list);
}

function about(map) {
  if (!map) return null;
  const told = [];
  const far = map.trustworthiness;
  if (far !== null) {
    const held = far >= 0.9 ? "What lies close together here is alike" : far >= 0.75 ? "Most of what lies close together here is alike" : "What lies close together here is often not alike";
    told.push(`${held} (trustworthiness ${far.toFixed(2)} of 1).`);
  }
  if (map.gap !== null) told.push(`Photos and texts are brought together for it; they lay ${map.gap.toFixed(2)} apart.`);
  if (map.placed) told.push(`${plural(map.placed, "item", "items")} came after it was made.`);
  return el("p", { class: "small" }, told.join(" "));
}

const named = (one) => one.words.slice(0, 3).join(", ") || "unnamed";

const kinds = ({ items, texts }) => [
  items - texts ? plural(items - texts, "photo", "photos") : "", texts ? plural(texts, "text", "texts") : "",
].filter(Boolean).join(", ");

/** These items by id; those that are gone are missing. */
async function these(collection, ids) {
  if (!ids.length) return new Map();
  const body = { filter: { $id: { $in: ids } }, limit: ids.length };
  const { items } = await ask(at(collection, "/items/scroll"), { body });
  return new Map(items.map((one) => [one.id, one]));
}

const strip = (collection, ids, items, go) => el("ul", { class: "strip" }, ids.filter((id) => items.has(id)).map((id) => {
  const item = items.get(id);
  return el("li", {}, el("button", {
    type: "button", class: `card ${item.modality}`, onclick: () => go.open(id), title: item.uri,
    "aria-label": `${item.modality === "image" ? "Photo" : "Text"} ${nameOf(item)}`,
  }, ...inside(collection, item, 256)));
}));
